"""Random histories of a run: whatever happened, the end is that of one clean run and nothing ran twice.

    python3 tests/cli/histories_test.py --program BUILD/drivers/diffphase [--seed N] [--first N] [--count N]

Each history edits a small sweep, runs parts of it on 1 to 4 ranks, kills, stops, damages journals, collects. Then the
last sweep runs in the same folder and in a fresh one: the results have the same bits, a further run finds nothing to
do, and the journals show no finished (task, sample count) twice but those whose record was damaged. A failing history
is repeated with --first NUMBER --count 1.
"""

import argparse
import collections
import pathlib
import random
import re
import shutil
import signal
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
# pylint: disable=wrong-import-position
from started_program import Program, send
import compare_results
import journals

DIMENSIONS = [8, 16, 24, 32, 48]
CLASSES = [2, 3, 4]
SAMPLES = [100, 200, 400, 800]
MEASURES = {"speciation": "{ probes = 1024 }", "collapse": "{ probes = 512 }"}
RUN_CODES = {0, 1}  # 1: tasks that kills ended too often


class Failure(Exception):
    """Something that must not be."""


class Sweep:
    """A sweep file that changes."""

    def __init__(self, rng):
        self.rng = rng
        self.lists = {"dimension": rng.sample(DIMENSIONS, 2), "classes": rng.sample(CLASSES, 1),
                      "samples": sorted(rng.sample(SAMPLES, 2))}
        self.realizations = rng.randint(1, 2)
        self.measures = rng.sample(sorted(MEASURES), rng.randint(1, 2))

    def points(self):
        return len(self.lists["dimension"]) * len(self.lists["classes"]) * len(self.lists["samples"])

    def extend(self):
        kind = self.rng.choice(["dimension", "classes", "samples", "realizations", "measure"])
        pools = {"dimension": (DIMENSIONS, 3), "classes": (CLASSES, 2), "samples": (SAMPLES, 3)}
        if kind in pools:
            pool, most = pools[kind]
            new = [value for value in pool if value not in self.lists[kind]]
            if new and len(self.lists[kind]) < most:
                self.lists[kind].insert(self.rng.randint(0, len(self.lists[kind])), self.rng.choice(new))
        elif kind == "realizations":
            self.realizations = min(3, self.realizations + 1)
        else:
            self.measures = sorted(MEASURES)
        return f"extend {kind}"

    def shrink(self):
        kind = self.rng.choice(["dimension", "classes", "samples", "realizations", "measure"])
        if kind in self.lists and len(self.lists[kind]) > 1:
            self.lists[kind].remove(self.rng.choice(self.lists[kind]))
        elif kind == "realizations":
            self.realizations = max(1, self.realizations - 1)
        elif kind == "measure" and len(self.measures) > 1:
            self.measures.remove(self.rng.choice(self.measures))
        return f"shrink {kind}"

    def text(self):
        lines = ['name = "history"', "seed = 5", f"realizations = {self.realizations}", "[process]",
                 'kind = "ornstein-uhlenbeck"',
                 'time = { from = 0.05, to = 6.0, count = 10, spacing = "log" }', "[ensemble]",
                 'kind = "gaussian-mixture"', f"dimension = {self.lists['dimension']}",
                 f"classes = {self.lists['classes']}", 'centroids = "orthogonal"', "[dataset]",
                 f"samples = {self.lists['samples']}", "[measure]"]
        lines += [f"{measure} = {MEASURES[measure]}" for measure in self.measures]
        return "\n".join(lines) + "\n"


class History:
    """One folder and what happens to it."""

    def __init__(self, program, folder, rng):
        self.program = program
        self.rng = rng
        self.folder = folder / "run"
        self.file = folder / "sweep.toml"
        self.fresh = folder / "fresh"
        self.sweep = Sweep(rng)
        self.witness = journals.Witness(self.folder)
        self.told = []
        self.kills = 0

    def write(self):
        self.file.write_text(self.sweep.text(), encoding="utf-8")

    def ranks(self):
        return self.rng.choice([0, 1, 2, 2, 3, 4])

    def start(self, *options, ranks=None):
        ranks = self.ranks() if ranks is None else ranks
        self.told[-1] += f" on {ranks} ranks {' '.join(options)}"
        return self.program.start(["run", self.file, "-o", self.folder, *options], ranks)

    def check(self, ended, codes):
        self.told[-1] += f" -> {ended.code}"
        if ended.code not in codes:
            raise Failure(f"exit code not in {sorted(codes)}: {ended}")
        if ended.code == 1 and "ended the program" not in ended.out:
            raise Failure(f"failed tasks that nothing ended: {ended}")

    # What can happen, each returning nothing and raising Failure.

    def run(self):
        options = ["--retry-failed"] if self.rng.random() < 0.3 else []
        self.check(self.start(*options).end(), RUN_CODES)

    def shards(self):
        count = self.rng.randint(2, 3)
        chosen = self.rng.sample(range(1, count + 1), self.rng.randint(1, count))
        for shard in chosen:
            self.check(self.start("--shard", f"{shard}/{count}").end(), RUN_CODES)

    def some_points(self):
        last = self.sweep.points() - 1
        first = self.rng.randint(0, last)
        points = f"{first}:{self.rng.randint(first, last)},{self.rng.randint(0, last)}"
        self.check(self.start("--points", points).end(), RUN_CODES)

    def _started(self, ranks=None, certainly=False):
        before = len(journals.files(self.folder))
        running = self.start(ranks=ranks)
        if certainly or self.rng.random() < 0.8:
            running.wait_for(lambda: len(journals.files(self.folder)) > before)
        time.sleep(self.rng.uniform(0.0, 0.25))
        return running

    def kill_all(self):
        running = self._started()
        self.kills += running.alive()
        running.kill_all()
        running.end()

    def kill_one(self):
        running = self._started(ranks=self.rng.choice([2, 3]))
        pids = running.rank_pids()
        if pids:
            rank = self.rng.choice(sorted(pids))
            self.told[-1] += f" rank {rank}"
            self.kills += running.alive()
            send(pids[rank], signal.SIGKILL)
        running.end()

    def stop_signal(self):
        # A signal to a rank that has not begun its own code yet ends it by default.
        running = self._started(ranks=self.rng.choice([1, 2, 3]), certainly=True)
        if running.alive():
            running.process.send_signal(signal.SIGUSR1)
        ended = running.end()
        # mpirun that is about to end no longer catches the signal.
        is_over = re.search(r"^diffphase: (complete;|shard \S+ is complete;|\d+ tasks? failed)", ended.out, re.MULTILINE)
        too_late = ended.code == -signal.SIGUSR1 and is_over
        self.check(ended, RUN_CODES | {75} | ({ended.code} if too_late else set()))

    def stop_file(self):
        running = self._started()
        if self.folder.exists():
            (self.folder / "stop").touch()
        self.check(running.end(), RUN_CODES | {75})

    def stop_after(self):
        self.check(self.start("--stop-after", f"{self.rng.uniform(0.0, 0.4):.3f}s").end(), RUN_CODES | {75})

    def collect(self):
        if (self.folder / "sweep.toml").exists():
            ended = self.program.run(["collect", self.folder])
            self.check(ended, {0})

    def damage(self):
        files = [path for path in journals.files(self.folder) if path.stat().st_size > 0]
        if not files:
            return
        path = self.rng.choice(files)
        data = bytearray(path.read_bytes())
        at = self.rng.randrange(len(data))
        if self.rng.random() < 0.5:
            data[at] ^= 1 << self.rng.randrange(8)
            path.write_bytes(data)
            self.told[-1] += f": flip a bit of byte {at} of {path.name}"
        else:
            path.write_bytes(data[:at])
            self.told[-1] += f": cut {path.name} at byte {at} of {len(data)}"
        self.witness.expect_damage()

    def extend(self):
        self.told[-1] = self.sweep.extend()
        self.write()

    def shrink(self):
        self.told[-1] = self.sweep.shrink()
        self.write()

    OPERATIONS = {"extend": 5, "shrink": 2, "run": 3, "shards": 1.5, "some_points": 1.5, "kill_all": 3, "kill_one": 2,
                  "stop_signal": 1.5, "stop_file": 0.7, "stop_after": 1.5, "collect": 1, "damage": 3}

    def look(self):
        wrong = self.witness.look()
        if wrong:
            raise Failure("\n".join(wrong[:5]))

    def play(self):
        self.write()
        names, weights = zip(*self.OPERATIONS.items())
        for name in self.rng.choices(names, weights, k=self.rng.randint(4, 8)):
            self.told.append(name)
            getattr(self, name)()
            self.look()
        self.finish()

    def finish(self):
        self.told.append("finish")
        self.check(self.start("--retry-failed").end(), {0})
        self.look()
        self.told.append("nothing to do")
        before = set(journals.files(self.folder))
        self.check(self.start(ranks=0).end(), {0})
        if any(record.place[0] not in {path.name for path in before} for record in journals.records(self.folder)):
            raise Failure("a complete run began something again")
        self.told.append("fresh run")
        self.check(self.program.run(["run", self.file, "-o", self.fresh], ranks=2), {0})
        found = compare_results.differences(self.folder / "results.h5", self.fresh / "results.h5", bits=True)
        if found:
            raise Failure("not the results of one clean run:\n" + "\n".join(found[:5]))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", required=True)
    parser.add_argument("--seed", type=int, default=20240228)
    parser.add_argument("--first", type=int, default=0, help="number of the first history")
    parser.add_argument("--count", type=int, default=200)
    arguments = parser.parse_args()
    print(f"base seed {arguments.seed}, histories {arguments.first} to {arguments.first + arguments.count - 1}")
    start = time.monotonic()
    operations = collections.Counter()
    kills = lost = 0
    failures = []
    for number in range(arguments.first, arguments.first + arguments.count):
        scratch = pathlib.Path(tempfile.mkdtemp(prefix="histories_"))
        history = History(Program(arguments.program, scratch), scratch, random.Random(f"{arguments.seed} {number}"))
        try:
            history.play()
        except (Failure, AssertionError) as error:
            failures.append(number)
            print(f"history {number} in {scratch} FAILED:\n  " + "\n  ".join(history.told) + f"\n{error}", flush=True)
        else:
            shutil.rmtree(scratch, ignore_errors=True)
        operations.update(entry.split()[0] for entry in history.told)
        kills += history.kills
        lost += history.witness.lost
    print(f"{arguments.count} histories in {time.monotonic() - start:.0f} s: {dict(operations)}; {kills} kills of a "
          f"running program, {lost} results lost by damage and computed again; failed: {failures or 'none'}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
