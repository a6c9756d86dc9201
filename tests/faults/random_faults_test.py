"""A real sweep under random faults: nothing finished is lost or runs twice, nothing hangs, the answer is the same.

    python3 tests/faults/random_faults_test.py --program BUILD/drivers/diffphase --library BUILD/.../failing_calls.so
                                               [--faults N] [--seed N]

The seed is printed; by default it is a new one each time. What is chosen follows from it, when exactly it strikes does
not. Faults are injected into one folder until its sweep is complete all the same; then comes the next folder. The
journals are the witness of what was finished; the results file is compared with that of an undisturbed run.
"""

import argparse
import collections
import os
import pathlib
import random
import secrets
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
# pylint: disable=wrong-import-position
from requirement import require, require_identical
from started_program import Program, Running
import compare_results
import injected_faults as faults
import journals

DONE, FAILED = 1, 2  # task_status
HANG = 100.0  # seconds that no start of this sweep comes near

DEFAULT_ATTEMPTS = 3

SWEEP = """
name = "faults"
seed = 11
realizations = 3
[process]
kind = "ornstein-uhlenbeck"
time = {{ from = 0.05, to = 6.0, count = 16, spacing = "log" }}
[ensemble]
representation = "explicit"
kind = "gaussian-mixture"
dimension = [16, 32, 64]
classes = [2, 4]
centroids = "orthogonal"
[dataset]
samples = [500, 1000]
[measure]
speciation = {{ probes = 2048 }}
collapse = {{ probes = 1024 }}
spectrum = {{ probes = 1, largest = 4, times = [0.5, 1.0] }}
[resources]
memory_per_rank = "1000000 GiB"
ranks_per_task = {ranks_per_task}
"""


class Disturbed:
    """One folder, what was done to it, and the witness of what was finished in it."""

    def __init__(self, program, library, path, ranks_per_task):
        self.program = program
        self.library = library
        self.path = path
        self.ranks_per_task = ranks_per_task
        self.file = path.with_suffix(".toml")
        self.file.write_text(SWEEP.format(ranks_per_task=ranks_per_task), encoding="utf-8")
        self.witness = journals.Witness(path)
        self.hidden = None
        self.told = []
        self.deaths = 0  # of ranks

    def start(self, ranks, *options, variables=None, preexec=None):
        command = ["env", *[f"{name}={value}" for name, value in (variables or {}).items()], self.program.path, "run",
                   str(self.file), "-o", str(self.path), "-q", *options]
        return Running(command, self.program.scratch, self.program.scratch, ranks, preexec)

    def begun(self):
        return sum(record.kind == journals.BEGIN for record in journals.records(self.path))

    def look(self):
        """Nothing finished before may be gone or have run again."""
        before = set(self.witness.finished)
        wrong = self.witness.look()
        require(not wrong, "\n".join(wrong[:5]))
        there = {unit for record in journals.records(self.path) for unit in record.units}
        require(before <= there, f"lost: {sorted(before - there)[:3]}")

    def damaged(self):
        """A journal was damaged: what is lost by it may run again."""
        self.witness.expect_damage()

    def ranks(self, rng):
        return rng.choice([2, 2, 3, 4] if self.ranks_per_task != '"auto"' else [0, 2, 2, 3, 4])

    def disturbed_start(self, rng, counts):
        """A start with one fault. Returns whether it completed the sweep."""
        kind = rng.random()
        if kind < 0.3:
            return self.start_with_failing_call(rng, counts)
        if kind < 0.36 and self.deaths < DEFAULT_ATTEMPTS:
            return self.start_without_memory(rng, counts)
        inject = rng.choices(list(faults.WHILE_RUNNING), list(faults.WHILE_RUNNING.values()))[0]
        ranks = self.ranks(rng)
        before = self.begun()
        running = self.start(ranks)
        try:
            running.wait_for(lambda: self.begun() > before)
            done = inject(running, rng)
            self.told.append(f"{done or inject.__name__ + ' came too late'}, {ranks} ranks")
        finally:
            ended = running.end(HANG)
        self.told[-1] += f" -> {ended.code}"
        counts[inject.__name__] += done is not None
        self.deaths += done is not None and inject is not faults.delay_rank
        self.check_end(ended, done, inject)
        return ended.code == 0

    def check_end(self, ended, done, inject):
        harmless = done is None or inject is faults.delay_rank
        # Ranks that died often enough may have been at one task each time.
        given_up = ended.code == 1 and "ended the program" in ended.out and self.deaths >= DEFAULT_ATTEMPTS
        require(ended.code == 0 or given_up or not harmless, f"an undisturbed start: {ended}")

    def start_without_memory(self, rng, counts):
        """Tasks that get no memory fail alone, with the reason; the others are done."""
        ranks = self.ranks(rng)
        ended = self.start(ranks, "--set", faults.GREEDY, preexec=faults.limit_memory).end(HANG)
        self.told.append(f"no memory, {ranks} ranks -> {ended.code}")
        counts["no memory"] += 1
        require(ended.code == 1 and "out of memory" in ended.out, f"tasks without memory: {ended}")
        status = compare_results.Results(self.path / "results.h5").values("task_status")  # by dimension first
        require((status[:-1] == DONE).all() and (status[-1] == FAILED).all(), f"task_status {status}")
        return False

    def start_with_failing_call(self, rng, counts):
        mark = self.path.with_suffix(".mark")
        variables, words = faults.failing_call(self.library, mark, rng)
        ranks = self.ranks(rng)
        ended = self.start(ranks, variables=variables).end(HANG)
        struck = mark.exists()
        mark.unlink(missing_ok=True)
        self.told.append(f"{words}{'' if struck else ' (never reached)'}, {ranks} ranks -> {ended.code}")
        counts[f"{variables['FAULT_CALL']} {variables['FAULT_PATH']}"] += struck
        require(ended.code == (2 if struck else 0), f"exit code: {ended}")
        if ended.code == 2:
            require(os.strerror(variables["FAULT_ERRNO"]) in ended.err and str(self.path) in ended.err,
                    f"the reason is missing: {ended}")
        return ended.code == 0

    def fault_between(self, rng, counts):
        damage = rng.choices(list(faults.BETWEEN), list(faults.BETWEEN.values()))[0]
        if not self.path.exists():
            return
        done = damage(self.path, rng)
        if done is None:
            return
        self.told.append(done)
        counts[damage.__name__] += 1
        if damage in faults.DAMAGING:
            self.damaged()

    def hide_journal(self, rng, counts):
        """The next start does not see what another node has just written, as on a network file system."""
        there = journals.files(self.path)
        if not there:
            return
        name = rng.choice(there)
        self.hidden = (name, name.with_suffix(".unseen"))
        name.rename(self.hidden[1])
        self.damaged()
        self.told.append(f"{name.name} is not seen yet")
        counts["hide_journal"] += 1

    def show_journal(self):
        if self.hidden is None:
            return
        self.hidden[1].rename(self.hidden[0])
        self.hidden = None
        self.told.append("it is seen now")
        # What both hold counts once; nothing of either may run again.
        self.witness.expect_damage()

    def complete(self, rng):
        ranks = self.ranks(rng)
        ended = self.start(ranks, "--retry-failed").end(HANG)
        self.told.append(f"undisturbed, {ranks} ranks -> {ended.code}")
        require(ended.code == 0, f"does not complete: {ended}")
        self.look()
        begun = self.begun()
        ended = self.start(ranks).end(HANG)
        require(ended.code == 0 and self.begun() == begun, f"a complete sweep began something: {ended}")

    def play(self, rng, counts, budget):
        while sum(counts.values()) < budget:
            if rng.random() < 0.5:
                self.fault_between(rng, counts)
            elif rng.random() < 0.1:
                self.hide_journal(rng, counts)
            complete = self.disturbed_start(rng, counts)
            self.look()
            self.show_journal()
            if complete:
                break
        self.complete(rng)

    def require_same(self, clean):
        bits = self.ranks_per_task == '"auto"'
        names = "not the results of an undisturbed run"
        require_identical(self.path / "results.h5", clean.path / "results.h5", names, bits)


def test(program, library, scratch, budget, rng):
    counts = collections.Counter()
    clean = {}
    for number, ranks_per_task in enumerate(('"auto"', "2")):
        clean[ranks_per_task] = Disturbed(program, library, scratch / f"clean-{number}", ranks_per_task)
        clean[ranks_per_task].complete(rng)
    folders = 0
    while sum(counts.values()) < budget:
        folders += 1
        disturbed = Disturbed(program, library, scratch / f"run-{folders}", rng.choice(sorted(clean)))
        try:
            disturbed.play(rng, counts, budget)
            disturbed.require_same(clean[disturbed.ranks_per_task])
        except (AssertionError, ValueError) as error:
            told = "\n  ".join(disturbed.told)
            folder = f"folder {folders}, ranks_per_task = {disturbed.ranks_per_task}"
            raise AssertionError(f"{folder}:\n  {told}\n{error}") from error
    print(f"{sum(counts.values())} faults in {folders} folders: nothing lost, results as of an undisturbed run")
    print(", ".join(f"{name} {count}" for name, count in sorted(counts.items())))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", required=True)
    parser.add_argument("--library", required=True, help="the built failing_calls")
    parser.add_argument("--faults", type=int, default=30)
    parser.add_argument("--seed", type=int, help="default: a new one")
    parser.add_argument("--keep", action="store_true", help="keep the folders, and say where they are")
    arguments = parser.parse_args()
    seed = secrets.randbits(32) if arguments.seed is None else arguments.seed
    print(f"seed {seed}", flush=True)
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="random_faults_", ignore_cleanup_errors=True) as folder:
        scratch = pathlib.Path(tempfile.mkdtemp(prefix="kept_faults_") if arguments.keep else folder)
        if arguments.keep:
            print(f"folders in {scratch}", flush=True)
        program = Program(arguments.program, scratch)
        library = str(pathlib.Path(arguments.library).resolve())
        try:
            test(program, library, scratch, arguments.faults, random.Random(seed))
        except AssertionError as failure:
            print(f"FAILED, seed {seed}: {failure}")
            return 1
    print(f"passed in {time.monotonic() - start:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
