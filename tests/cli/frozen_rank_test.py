"""A stop where a rank does not answer any more: ended after a minute with 75, in its own group and in another.

    python3 tests/cli/frozen_rank_test.py --program BUILD/drivers/diffphase
"""

import argparse
import pathlib
import signal
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
# pylint: disable=wrong-import-position
from requirement import require
from started_program import Program, send
import journals

SWEEP = """
name = "frozen"
realizations = 400
[process]
kind = "ornstein-uhlenbeck"
time = {{ from = 0.05, to = 6.0, count = 16, spacing = "log" }}
[ensemble]
kind = "gaussian-mixture"
dimension = 32
classes = 2
[dataset]
samples = [4000]
[measure]
collapse = {{ probes = 4096 }}
[resources]
ranks_per_task = {ranks_per_task}
"""

PATIENCE = 60.0
LONGEST = PATIENCE + 30.0


def frozen(program, scratch, ranks_per_task, how):
    """Rank 1 of 2 is stopped by SIGSTOP, then the run by `how`."""
    name = f"{ranks_per_task}-{how}"
    file = scratch / f"{name}.toml"
    file.write_text(SWEEP.format(ranks_per_task=ranks_per_task), encoding="utf-8")
    folder = scratch / name
    running = program.start(["run", file, "-o", folder, "-q"], 2)
    finished = lambda: sum(record.kind == journals.DONE for record in journals.records(folder)) >= 4
    require(running.wait_for(finished, 60.0), "nothing is finished")
    require(send(running.rank_pids()[1], signal.SIGSTOP), "rank 1 has ended")
    time.sleep(1.0)
    asked = time.monotonic()
    if how == "stop file":
        (folder / "stop").touch()
    else:
        running.process.send_signal(signal.SIGUSR1)
    ended = running.end(LONGEST + 30.0)
    took = time.monotonic() - asked
    require(ended.code == 75, f"{name}: {ended}")
    require(PATIENCE - 1.0 <= took <= LONGEST, f"{name}: after {took:.0f} s")
    require("diffphase collect" in ended.out or "run the same command again" in ended.out, f"{name}: {ended}")
    require(not list(folder.glob("lock-*")), f"{name}: the lock is left")
    before = {unit for record in journals.records(folder) for unit in record.units}
    ended = program.run(["run", file, "-o", folder, "-q", "--set", "realizations=10"], 2)
    require(ended.code == 0, f"{name}: {ended}")
    require(before <= {unit for record in journals.records(folder) for unit in record.units}, f"{name}: lost")
    print(f"rank 1 frozen, {ranks_per_task} ranks per task, {how}: 75 after {took:.0f} s", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", required=True)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="frozen_", ignore_cleanup_errors=True) as folder:
        program = Program(arguments.program, folder)
        for ranks_per_task in (1, 2):
            for how in ("signal", "stop file"):
                frozen(program, pathlib.Path(folder), ranks_per_task, how)


if __name__ == "__main__":
    main()
