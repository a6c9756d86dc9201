"""Tasks that fail, that end the program, and folders that cannot be used: exit codes, messages, nothing lost.

    python3 tests/cli/faults_test.py --program BUILD/drivers/diffphase [NAME...]
"""

import argparse
import os
import pathlib
import resource
import signal
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
# pylint: disable=wrong-import-position
from named_cases import run_named
from requirement import require, require_identical
import compare_results
import journals
import numpy as np

SWEEP = """
name = "faults"
seed = {seed}
realizations = {realizations}
[process]
kind = "ornstein-uhlenbeck"
time = {{ from = 0.05, to = 6.0, count = 16, spacing = "log" }}
[ensemble]
representation = "explicit"
kind = "gaussian-mixture"
dimension = {dimension}
classes = 2
[dataset]
samples = {samples}
[measure]
collapse = {{ probes = {probes} }}
[resources]
memory_per_rank = "{memory}"
max_attempts = {max_attempts}
"""

HUGE = 4_000_000_000  # samples that no machine has memory for: 512 GB at dimension 16


class Case:
    """One run folder."""

    def __init__(self, program, scratch, name):
        self.program = program
        self.scratch = scratch
        self.folder = scratch / name
        self.file = scratch / f"{name}.toml"
        self.values = {"seed": 1, "realizations": 1, "dimension": "[16, 32]", "samples": "[400]", "probes": 256,
                       "memory": "1 GiB", "max_attempts": 2}

    def write(self, **values):
        self.values.update(values)
        self.file.write_text(SWEEP.format(**self.values), encoding="utf-8")

    def start(self, *options, ranks=0, folder=None, preexec=None):
        return self.program.start(["run", self.file, "-o", folder or self.folder, *options], ranks, preexec)

    def run(self, *options, expect, **where):
        ended = self.start(*options, **where).end()
        require(ended.code == expect, f"exit code {expect} expected: {ended}")
        return ended

    def records(self, kind):
        return [record for record in journals.records(self.folder) if record.kind == kind]

    def results(self):
        return compare_results.Results(self.folder / "results.h5")

    def finite(self):
        return int(np.isfinite(self.results().values("collapse_time_status").astype(float)).sum()), int(
            np.isfinite(self.results().values("participation")).all(axis=-1).sum())

    def require_as_fresh(self):
        fresh = self.scratch / f"{self.folder.name}-fresh"
        self.run(expect=0, folder=fresh)
        require_identical(self.folder / "results.h5", fresh / "results.h5", self.folder.name, bits=True)


def too_large_for_the_ranks(case):
    """A point that fits on no group of ranks fails with what would help; it runs as soon as it fits."""
    case.write(dimension="[16, 4000]", samples="[4000]", memory="100 MiB", realizations=2)
    for _ in range(3):  # it is never handed out, so max_attempts does not count it
        ended = case.run(expect=1)
        require("memory_per_rank" in ended.out and "failed: collapse d=4000" in ended.out, str(ended))
        require("2 tasks failed" in ended.last_line and "--retry-failed" in ended.last_line, str(ended))
    require(len(case.records(journals.FAILED)) == 2, "the same refusal is recorded once")
    status = case.results().values("task_status")
    require(sorted(status.flatten()) == [1, 1, 2, 2], f"task_status {status}")
    require(case.finite()[1] == 2, "the rest is saved")
    begun = len(case.records(journals.BEGIN))
    case.run(expect=0, ranks=2)
    require(len(case.records(journals.BEGIN)) == begun + 2, "on more ranks only these run")
    require(set(case.results().values("task_ranks").flatten()) == {1, 2}, "on both ranks")


def out_of_memory(case):
    """A task that fails while it runs: the rest goes on; it is tried again max_attempts times and on demand."""
    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))

    def attempts():
        return len(case.records(journals.BEGIN)), len(case.records(journals.FAILED))

    case.write(samples="[400]", dimension="[16]", memory="1000000 GiB")
    case.run(expect=0, ranks=2, preexec=limit)
    case.write(samples=f"[400, {HUGE}]")
    for start in (1, 2, 2):
        ended = case.run(expect=1, ranks=2, preexec=limit)
        require("out of memory" in ended.out and "1 task failed" in ended.last_line, str(ended))
        require(attempts() == (1 + start, start), f"begun and failed: {attempts()}, start {start}")
    case.run("--retry-failed", expect=1, ranks=2, preexec=limit)
    require(attempts() == (4, 3), f"--retry-failed: {attempts()}")
    require(case.finite()[1] == 1, "what was finished is saved")
    require(list(case.results().values("task_status").flatten()) == [2], "task_status")
    case.write(samples="[400, 500]")
    case.run(expect=1, ranks=0)  # the same identity: it has failed too often
    case.run("--retry-failed", expect=0, ranks=0)
    case.require_as_fresh()


def kill_at_begin(case, ranks, begun):
    """Starts, and kills all once so many tasks were begun."""
    before = len(case.records(journals.BEGIN))
    running = case.start("-q", ranks=ranks)
    require(running.wait_for(lambda: len(case.records(journals.BEGIN)) >= before + begun), "nothing was begun")
    running.kill_all()
    running.end()


def ended_the_program(case):
    """A task that was begun max_attempts times and never ended is failed and skipped; the others are done."""
    case.write(dimension="[16]", samples="[200000]", probes=200000)  # minutes
    kill_at_begin(case, 0, 1)
    case.write(dimension="[16, 32]")
    killer = case.records(journals.BEGIN)[0].identity
    # It goes last now, so that the other task is begun first.
    kill_at_begin(case, 0, 1)
    require(case.records(journals.BEGIN)[1].identity != killer, "a task that may have ended the program goes last")
    case.write(dimension="[16]")
    kill_at_begin(case, 0, 1)
    ended = case.run(expect=1)
    require("ended the program" in ended.out and "1 task failed" in ended.last_line, str(ended))
    require(len(case.records(journals.BEGIN)) == 3, "it was begun again")
    case.run("--retry-failed", "--stop-after", "0.3s", expect=75)
    require(len(case.records(journals.BEGIN)) > 3, "--retry-failed begins it again")


def prefetched_is_not_blamed(case):
    """What a busy group was handed ahead is not blamed for the end of the program."""
    case.write(dimension="[16]", samples="[100000]", probes=100000, realizations=12)
    kill_at_begin(case, 2, 3)  # two groups, at least one of which has a second task ahead
    begun = [record.identity for record in case.records(journals.BEGIN)]
    require(len(set(begun)) >= 3, "nothing was handed out ahead")
    case.write(max_attempts=1)
    case.program.run(["collect", case.folder])
    ended = case.run("--stop-after", "0s", expect=75, ranks=2)
    require(f"with {12 - 2} of {12 - 2} tasks left" in ended.last_line, f"only the two that ran are blamed: {ended}")


def second_start(case):
    """A second start on a folder is refused with the name of the first, which goes on."""
    case.write(dimension="[16]", samples="[100000]", probes=100000)
    first = case.start("-q")
    require(first.wait_for(lambda: bool(case.records(journals.BEGIN))), "the first does not begin")
    ended = case.run(expect=2, ranks=2)
    require(f"process {first.process.pid}" in ended.err and "another start" in ended.err, str(ended))
    require(first.alive(), "the first has ended")
    (case.folder / "stop").touch()
    require(first.end().code == 75, "the first does not stop")
    case.run("--stop-after", "0s", expect=75)  # the lock is free again


def other_seed(case):
    """Journals of another seed are refused, and stay as they are."""
    case.write()
    case.run(expect=0)
    before = sorted((path.name, path.read_bytes()) for path in journals.files(case.folder))
    sweep = (case.folder / "sweep.toml").read_bytes()
    case.write(seed=2)
    ended = case.run(expect=2, ranks=2)
    require("seed 1" in ended.err and "seed 2" in ended.err and ".journal" in ended.err, str(ended))
    require(before == sorted((path.name, path.read_bytes()) for path in journals.files(case.folder)), "changed")
    require(sweep == (case.folder / "sweep.toml").read_bytes(), "sweep.toml was replaced")
    case.write(seed=1)
    case.run(expect=0)


def not_writable(case):
    """A folder that cannot be made or written."""
    case.write()
    (case.scratch / "file").write_text("no folder", encoding="utf-8")
    places = [case.scratch / "file" / "run", case.scratch / "file", pathlib.Path("/proc/diffphase-run")]
    if os.geteuid() != 0:
        closed = case.scratch / "closed"
        closed.mkdir(mode=0o555)
        places.append(closed)
    for place in places:
        ended = case.run(expect=2, ranks=2, folder=place)
        require(str(place) in ended.err, str(ended))


def require_resumable(case, ended, name):
    """After a full disk: what was finished is there, and the next start goes on."""
    done = {unit for record in journals.records(case.folder) for unit in record.units}
    case.run(expect=0, ranks=2)  # no task is blamed
    there = [unit for record in journals.records(case.folder) for unit in record.units]
    require(done <= set(there) and len(set(there)) == len(there), f"{name}: lost or computed twice")
    case.require_as_fresh()
    print(f"    {name}: {len(done)} of {len(there)} results kept; {ended.last_line or ended.err.splitlines()[-1]}")


def file_size_limit(case):
    """A file that may not grow: exit code 2 that names it, nothing finished is lost, resumable."""
    case.write(realizations=6, probes=1024)
    ended_with_advice = 0
    for size in (1, 1500, 4000, 7000):
        case.folder = case.scratch / f"limit-{size}"
        running = case.start(ranks=2)
        require(running.wait_for(lambda: catches_signals(running.rank_pids().get(0))), "rank 0 does not start")
        # Only now and on rank 0 alone: Open MPI has large files of its own.
        resource.prlimit(running.rank_pids()[0], resource.RLIMIT_FSIZE, (size, size))
        ended = running.end()
        require(ended.code == 2, f"limit of {size} bytes: {ended}")
        require("File too large" in ended.err and str(case.folder) in ended.err, str(ended))
        if ended.out:
            require("run the same command again" in ended.last_line, str(ended))
            ended_with_advice += 1
        require_resumable(case, ended, f"{size} bytes")
    require(ended_with_advice > 0, "no limit was reached while tasks ran")


def catches_signals(pid):
    """Whether a process has its own handler of SIGUSR1: MPI has started."""
    try:
        status = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError:
        return False
    caught = [line.split()[1] for line in status.splitlines() if line.startswith("SigCgt:")]
    return bool(caught) and bool(int(caught[0], 16) >> (signal.SIGUSR1 - 1) & 1)


def full_disk(case):
    """A disk that is full: exit code 2, nothing finished is lost, resumable once there is room."""
    case.write(realizations=6)
    for size in (12, 24, 32, 60):
        disk = case.scratch / f"disk-{size}"
        disk.mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}k", "tmpfs", str(disk)], check=False,
                                 capture_output=True)
        if mounted.returncode != 0:
            print("    not run: no right to mount a small file system")
            return
        try:
            case.folder = disk / "run"
            for _ in range(4):  # more often than a task may end the program
                ended = case.run(expect=2, ranks=2)
            require("No space left" in ended.err and str(disk) in ended.err, str(ended))
            require(not ended.out or "run the same command again" in ended.last_line, str(ended))
            subprocess.run(["mount", "-o", "remount,size=20m", str(disk)], check=True)
            require_resumable(case, ended, f"{size} KiB")
        finally:
            subprocess.run(["umount", "-l", str(disk)], check=False)


CASES = [too_large_for_the_ranks, out_of_memory, ended_the_program, prefetched_is_not_blamed, second_start, other_seed,
         not_writable, file_size_limit, full_disk]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", required=True)
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args()
    return run_named(CASES, arguments.names, Case, arguments.program, "faults_")


if __name__ == "__main__":
    sys.exit(main())
