"""Who is blamed for the end of a program: the task of a rank that died, never one that was told to stop.

    python3 tests/cli/blame_test.py --program BUILD/drivers/diffphase [--every]

With the default of resources.max_attempts throughout.
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
import compare_results
import journals

DEFAULT_ATTEMPTS = 3

SWEEP = """
name = "blame"
realizations = {realizations}
[process]
kind = "ornstein-uhlenbeck"
time = {{ from = 0.05, to = 6.0, count = 16, spacing = "log" }}
[ensemble]
kind = "gaussian-mixture"
representation = "explicit"
dimension = {dimension}
classes = 2
[dataset]
samples = {samples}
[measure]
collapse = {{ probes = {probes} }}
[resources]
ranks_per_task = {ranks_per_task}
"""

LONG = {"samples": "[200000]", "probes": 200000}  # minutes


class Case:
    """One run folder."""

    def __init__(self, program, folder, **values):
        self.program = program
        self.folder = folder
        self.file = folder.with_suffix(".toml")
        self.values = {"realizations": 1, "dimension": "[16]", "ranks_per_task": 1, **LONG}
        self.write(**values)

    def write(self, **values):
        self.values.update(values)
        self.file.write_text(SWEEP.format(**self.values), encoding="utf-8")

    def begins(self):
        return [record for record in journals.records(self.folder) if record.kind == journals.BEGIN]

    def end_by(self, how, ranks, at_work=1):
        """Starts, waits until so many groups have a task, ends the run; returns how it ended."""
        before = len(self.begins())
        running = self.program.start(["run", self.file, "-o", self.folder, "-q"], ranks)
        require(running.wait_for(lambda: len(self.begins()) >= before + at_work), "nothing was begun")
        time.sleep(0.3)  # handed over to the group
        how(running)
        return running.end()

    def attempts(self):
        """Of each task, as the results count them."""
        require(self.program.run(["collect", self.folder]).code == 0, "collect")
        return compare_results.Results(self.folder / "results.h5").values("task_attempts").flatten().tolist()

    def require_nobody_blamed(self, name):
        require(set(self.attempts()) == {0}, f"{name}: attempts {self.attempts()}")
        ended = self.program.run(["run", self.file, "-o", self.folder, "--stop-after", "0s"])
        require(ended.code == 75 and "failed before" in ended.err and " 0 failed before" in ended.err, f"{name}: {ended}")


def to_launcher(number):
    return lambda running: running.process.send_signal(number)


def kill_rank_1(number):
    return lambda running: send(running.rank_pids()[1], number)


def told_to_stop(program, scratch, number, ranks, times):
    name = f"{signal.Signals(number).name} on {ranks} ranks"
    case = Case(program, scratch / f"{signal.Signals(number).name}-{ranks}")
    for _ in range(times):
        ended = case.end_by(to_launcher(number), ranks)
        require(ended.code not in (0, 2), f"{name}: {ended}")
    case.require_nobody_blamed(f"{name}, {times} times")
    print(f"{name}, {times} times: nobody is blamed", flush=True)


def told_to_stop_with_another_journal(program, scratch):
    """The marks of the ranks hold also for a journal that was begun because the first one was removed."""
    case = Case(program, scratch / "rewritten")

    def remove_and_stop(running):
        for path in journals.files(case.folder):
            path.unlink()
        require(running.wait_for(lambda: bool(case.begins())), "the journal was not written again")
        running.process.send_signal(signal.SIGTERM)

    for _ in range(DEFAULT_ATTEMPTS):
        case.end_by(remove_and_stop, 2)
    case.require_nobody_blamed("a journal that was written again")
    print("SIGTERM after the journal was written again: nobody is blamed", flush=True)


def died(program, scratch, number):
    """Rank 1 of the two ranks of one task dies again and again: that task is given up, the others are done."""
    name = f"rank 1 by {signal.Signals(number).name}"
    case = Case(program, scratch / f"died-{signal.Signals(number).name}", ranks_per_task=2)
    for _ in range(DEFAULT_ATTEMPTS):
        case.end_by(kill_rank_1(number), 2)
    require(case.attempts() == [DEFAULT_ATTEMPTS], f"{name}: attempts {case.attempts()}")
    case.write(dimension="[16, 20]")
    case.write(**LONG)
    ended = program.run(["run", case.file, "-o", case.folder, "--points", "0"], 2)
    require(ended.code == 1 and "ended the program" in ended.out, f"{name}: {ended}")
    case.write(dimension="[16, 20]", realizations=2, samples="[400]", probes=64)
    ended = program.run(["run", case.file, "-o", case.folder], 2)
    require(ended.code == 0, f"the rest of the sweep completes: {ended}")
    print(f"{name}, {DEFAULT_ATTEMPTS} times: its task alone is given up", flush=True)


def only_the_dead_group(program, scratch):
    """Two groups at work, a rank of one dies."""
    case = Case(program, scratch / "groups", realizations=2)
    for _ in range(2):
        case.end_by(kill_rank_1(signal.SIGKILL), 2, at_work=2)
    require(sum(case.attempts()) == 2, f"the group without a dead rank is blamed, too: {case.attempts()}")
    print("two groups: only the one with the dead rank is blamed", flush=True)


def killed_altogether(program, scratch):
    """A power failure cannot be told from a task that ends everything: it counts."""
    case = Case(program, scratch / "power")
    case.end_by(lambda running: running.kill_all(), 2)
    require(case.attempts() == [1], f"attempts {case.attempts()}")
    print("SIGKILL of all: counts", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", required=True)
    parser.add_argument("--every", action="store_true", help="every signal on 1, 2 and 3 ranks, five times")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="blame_", ignore_cleanup_errors=True) as folder:
        scratch = pathlib.Path(folder)
        program = Program(arguments.program, scratch)
        for ranks in (1, 2, 3) if arguments.every else (2,):
            for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
                told_to_stop(program, scratch, number, ranks, 5 if arguments.every else DEFAULT_ATTEMPTS)
        for number in (signal.SIGKILL, signal.SIGSEGV) if arguments.every else (signal.SIGKILL,):
            died(program, scratch, number)
        told_to_stop_with_another_journal(program, scratch)
        only_the_dead_group(program, scratch)
        killed_altogether(program, scratch)


if __name__ == "__main__":
    main()
