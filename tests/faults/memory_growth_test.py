"""Nothing grows with the tasks: resident memory after 20000 tasks against that after 2000, of one run.

    python3 tests/faults/memory_growth_test.py --program BUILD/drivers/diffphase

One run for each measure: the queue hands out the largest tasks first, so that in a run of several the code of one would
be loaded after that of another. The grid of the sweep, which every rank keeps, is there before the first task. Rank 0
takes the records of finished tasks where it writes the results, which it does once a minute, and is allowed as much from
then on.
"""

import argparse
import pathlib
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
# pylint: disable=wrong-import-position
from started_program import Program

TASKS = 20000
EARLY = 2000
RANKS = 2
MEASURES = ["speciation = { probes = 16 }", "collapse = { probes = 16 }",
            'spectrum = { probes = 1, largest = 2, times = [0.5], method = "krylov" }']
MOST_GROWTH = 0.05
RECORD_BYTES = 2500  # of a finished task on rank 0, which reads the records to write the results

SWEEP = """
name = "growth"
realizations = {tasks}
[process]
kind = "ornstein-uhlenbeck"
time = {{ from = 0.2, to = 4.0, count = 4, spacing = "log" }}
[ensemble]
kind = "gaussian-mixture"
dimension = 16
classes = 2
centroids = "opposite"
[dataset]
samples = [8]
[measure]
{measure}
"""


def resident(pid):
    """Bytes of memory that a process has now; none if it has ended."""
    try:
        fields = pathlib.Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()
    except OSError:
        return None
    return int(fields[1]) * 4096 if len(fields) > 1 and int(fields[1]) > 0 else None


class FinishedTasks:
    """Counts the lines of the log as it grows."""

    def __init__(self, folder):
        self.folder = folder
        self.file = None
        self.count = 0

    def now(self):
        if self.file is None:
            there = list((self.folder / "log").glob("*.jsonl"))
            if not there:
                return 0
            self.file = there[0].open("rb")
        self.count += self.file.read().count(b"\n")
        return self.count


def watch(running, folder):
    """Memory of each rank when the early tasks were done, and the last that was seen: (tasks, {rank: bytes}) of each; and
    whether the results had been written by then."""
    tasks = FinishedTasks(folder)
    early = late = None
    wrote_results = False
    while running.alive():
        done = tasks.now()
        memory = {rank: resident(pid) for rank, pid in running.rank_pids().items()}
        if EARLY <= done < TASKS and len(memory) == RANKS and all(memory.values()):
            late = (done, memory)
            wrote_results = (folder / "results.h5").exists()
            early = early or late
        if done >= TASKS:
            break  # what rank 0 takes to write the results is not the tasks'
        time.sleep(0.02)
    return early, late, wrote_results


def growth(program, scratch, number, measure):
    """Runs the tasks of one measure; returns how many ranks grew too much."""
    folder = scratch / f"run-{number}"
    file = scratch / f"growth-{number}.toml"
    file.write_text(SWEEP.format(tasks=TASKS, measure=measure), encoding="utf-8")
    running = Program(program, scratch).start(["run", file, "-o", folder, "-q"], RANKS)
    try:
        early, late, wrote_results = watch(running, folder)
    finally:
        ended = running.end(600.0)
    print(measure)
    if ended.code != 0:
        print(f"FAILED: {ended}")
        return 1
    if early is None or early[0] > 2 * EARLY or late[0] < 0.9 * TASKS:
        print(f"FAILED: looked too late or ended too early: {early}, {late}")
        return 1
    bad = 0
    for rank in sorted(late[1]):
        before, after = early[1][rank], late[1][rank]
        per_task = (after - before) / (late[0] - early[0])
        records = RECORD_BYTES * late[0] if rank == 0 and wrote_results else 0
        too_much = after > before * (1.0 + MOST_GROWTH) + records
        bad += too_much
        print(f"  rank {rank}: {before / 2**20:.2f} MiB after {early[0]} tasks, {after / 2**20:.2f} MiB after {late[0]}, "
              f"{per_task:.0f} bytes per task{'  FAILED' if too_much else ''}", flush=True)
    return bad


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", required=True)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="growth_", ignore_cleanup_errors=True) as folder:
        bad = [growth(arguments.program, pathlib.Path(folder), number, measure)
               for number, measure in enumerate(MEASURES)]
    return 1 if any(bad) else 0


if __name__ == "__main__":
    sys.exit(main())
