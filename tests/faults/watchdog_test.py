"""The watchdog in real runs: a rank that stops is reported, once, with what its group was doing; then the run goes on.

    python3 tests/faults/watchdog_test.py --program BUILD/drivers/diffphase
"""

import argparse
import pathlib
import signal
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
# pylint: disable=wrong-import-position
from requirement import require, require_identical
from started_program import Program, send
import journals

LIMIT = 2  # seconds

SWEEP = """
name = "watchdog"
seed = 5
realizations = 6
[process]
kind = "ornstein-uhlenbeck"
time = {{ from = 0.05, to = 6.0, count = 16, spacing = "log" }}
[ensemble]
kind = "gaussian-mixture"
dimension = [32, 64]
classes = [2, 4]
centroids = "orthogonal"
[dataset]
samples = [1000]
[measure]
speciation = {{ probes = 4096 }}
collapse = {{ probes = 4096 }}
[resources]
ranks_per_task = {ranks_per_task}
watchdog = {limit}
"""

# ranks of the run, ranks_per_task, the rank that stops, the group as the report names it
CASES = [(3, '"auto"', 2, "rank 2 ("), (4, "2", 3, "ranks 2 to 3 ("), (4, "2", 1, "ranks 0 to 1 (")]


def stalled(folder, group):
    return [line for line in journals.log_lines(folder)
            if line["outcome"] == "stalled" and group in line["message"] and line["measure"]]


def write(path, ranks_per_task):
    path.write_text(SWEEP.format(ranks_per_task=ranks_per_task, limit=LIMIT), encoding="utf-8")
    return path


def stop_and_go(program, scratch, case):
    ranks, ranks_per_task, stopped, group = case
    name = f"{ranks}-{stopped}"
    file = write(scratch / f"{name}.toml", ranks_per_task)
    folder = scratch / name
    running = program.start(["run", file, "-o", folder], ranks)
    try:
        done = lambda: any(line["outcome"] == "done" for line in journals.log_lines(folder))
        require(running.wait_for(done, 60.0), "no task ends")
        pid = running.rank_pids()[stopped]
        require(send(pid, signal.SIGSTOP), "the rank has ended")
        try:
            seen = running.wait_for(lambda: stalled(folder, group), 60.0)
            time.sleep(LIMIT + 1.0)
            lines = stalled(folder, group)
        finally:
            send(pid, signal.SIGCONT)
    finally:
        ended = running.end()
    require(seen, f"rank {stopped} of {ranks} was stopped and not reported: {ended}")
    require(len(lines) == 1, f"reported {len(lines)} times: {lines}")
    require(ended.code == 0, f"the run does not go on: {ended}")
    line = lines[0]
    require(f"process {pid} on " in line["message"], f"the stopped process is not named: {line}")
    require(line["seconds"] >= LIMIT and line["measure"] in ("speciation", "collapse") and line["label"], str(line))
    require(line["message"] in ended.err and line["label"] in ended.err, f"not on standard error: {ended.err}")
    require_as_fresh(program, file, folder, ranks)
    print(f"{ranks} ranks, rank {stopped} stopped: {line['label']}: {line['message']}", flush=True)


def require_as_fresh(program, file, folder, ranks):
    fresh = folder.with_suffix(".fresh")
    ended = program.run(["run", file, "-o", fresh, "-q", "--set", "resources.watchdog=0"], ranks)
    require(ended.code == 0, str(ended))
    require_identical(folder / "results.h5", fresh / "results.h5", folder.name)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", required=True)
    parser.add_argument("--cases", type=int, default=len(CASES), help="the last ones of them; default: all")
    arguments = parser.parse_args()
    failed = 0
    with tempfile.TemporaryDirectory(prefix="watchdog_", ignore_cleanup_errors=True) as folder:
        program = Program(arguments.program, folder)
        for case in CASES[-arguments.cases:]:
            try:
                stop_and_go(program, pathlib.Path(folder), case)
            except AssertionError as error:
                failed += 1
                print(f"{case}: FAILED: {error}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
