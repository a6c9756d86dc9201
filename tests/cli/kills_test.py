"""Kills and stops: nothing finished is lost, and the results are those of an uninterrupted run.

    python3 tests/cli/kills_test.py --program BUILD/drivers/diffphase [--kills N] [--seed N] [--only kills|stops]
"""

import argparse
import pathlib
import random
import signal
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
# pylint: disable=wrong-import-position
from requirement import require, require_identical
from started_program import Program, send
import journals

# max_attempts: innocent tasks are killed more often here than anywhere else.
SWEEP = """
name = "kills"
seed = 3
realizations = {realizations}
[process]
kind = "ornstein-uhlenbeck"
time = {{ from = 0.05, to = 6.0, count = 16, spacing = "log" }}
[ensemble]
kind = "gaussian-mixture"
dimension = [16, 32, 64]
classes = [2, 4]
centroids = "orthogonal"
[dataset]
samples = [500, 1000]
[measure]
speciation = {{ probes = 4096 }}
collapse = {{ probes = 2048 }}
[resources]
max_attempts = {max_attempts}
"""

STOP_SECONDS = 10.0  # with tasks of a fraction of a second; promised are 60
AGAIN = "run the same command again to go on"


class Folder:
    """A run folder, watched."""

    def __init__(self, program, path, realizations, max_attempts=1000):
        self.program = program
        self.path = path
        self.file = path.with_suffix(".toml")
        self.file.write_text(SWEEP.format(realizations=realizations, max_attempts=max_attempts), encoding="utf-8")
        self.witness = journals.Witness(path)

    def start(self, ranks, *options):
        return self.program.start(["run", self.file, "-o", self.path, "-q", *options], ranks)

    def begun(self):
        return sum(record.kind == journals.BEGIN for record in journals.records(self.path))

    def start_and_begin(self, ranks, *options):
        """Starts and waits until a task of this start was handed out."""
        before = self.begun()
        running = self.start(ranks, *options)
        running.wait_for(lambda: self.begun() > before)
        return running

    def finished(self):
        return len(self.witness.finished)

    def look(self):
        """Nothing finished before may be gone or have run again. Returns how much is finished."""
        before = set(self.witness.finished)
        wrong = self.witness.look()
        require(not wrong, "\n".join(wrong[:5]))
        there = {unit for record in journals.records(self.path) for unit in record.units}
        require(before <= there, f"lost: {sorted(before - there)[:3]}")
        return len(there)

    def complete(self, ranks):
        ended = self.start(ranks).end()
        require(ended.code == 0, f"{self.path.name} does not complete: {ended}")
        self.look()

    def require_same(self, other):
        names = f"{self.path.name} and {other.path.name} differ"
        require_identical(self.path / "results.h5", other.path / "results.h5", names, bits=True)


def kill(running, how, rng):
    """Ends a running program by SIGKILL; returns whether it was still running."""
    pids = running.rank_pids()
    if not running.alive() or not pids:
        return False
    if how == "all":
        running.kill_all()
        return True
    others = [rank for rank in pids if rank != 0]
    rank = 0 if how == "rank 0" or not others else rng.choice(others)
    return send(pids[rank], signal.SIGKILL)


def kills_test(program, scratch, kills, rng):
    """An uninterrupted run against runs that are killed until they are complete."""
    realizations = 2
    clean = Folder(program, scratch / "clean", realizations)
    clean.complete(2)
    done = {"one rank": 0, "rank 0": 0, "all": 0}
    run = 0
    while sum(done.values()) < kills:
        run += 1
        killed = Folder(program, scratch / f"killed-{run}", realizations)
        while True:
            how = min(done, key=lambda name: (done[name], rng.random()))
            running = killed.start_and_begin(rng.choice([2, 3, 4]))
            time.sleep(rng.uniform(0.0, 0.3))
            hit = kill(running, how, rng)
            ended = running.end()
            killed.look()
            if ended.code == 0:
                break
            require(hit, f"ended without a kill: {ended}")
            done[how] += 1
            if sum(done.values()) >= kills:
                break
        killed.complete(rng.choice([0, 1, 2, 3]))
        killed.require_same(clean)
    print(f"{sum(done.values())} kills ({done}) over {run} runs: results identical to those of one clean run",
          flush=True)


def stop_by(folder, running, how):
    """Asks a running program to stop."""
    pids = running.rank_pids()
    if how == "SIGUSR1 to mpirun":
        running.process.send_signal(signal.SIGUSR1)
    elif how == "SIGTERM to the ranks":
        for pid in pids.values():
            send(pid, signal.SIGTERM)
    elif how == "SIGUSR1 to rank 1":
        send(pids[1], signal.SIGUSR1)
    elif how == "stop file":
        (folder.path / "stop").touch()
    elif how == "SIGUSR1 at the start":
        running.process.send_signal(signal.SIGUSR1)


STOPS = {  # how -> what the last line must say besides what to do next
    "SIGUSR1 to mpirun": "SIGUSR1",
    "SIGTERM to the ranks": "SIGTERM",
    "SIGUSR1 to rank 1": "a signal to another rank",
    "stop file": "stop file",
    "--stop-after": "time limit",
}


def stops_test(program, scratch):
    """Every way to stop: exit code 75, the last line says what to do, the next start goes on."""
    realizations = 30
    stopped = Folder(program, scratch / "stopped", realizations, max_attempts=1)
    for how, reason in STOPS.items():
        options = ["--stop-after", "1.5s"] if how == "--stop-after" else []
        running = stopped.start_and_begin(2, *options)
        stop_by(stopped, running, how)
        asked = time.monotonic()
        ended = running.end()
        took = time.monotonic() - asked
        require(ended.code == 75, f"{how}: {ended}")
        require(took < STOP_SECONDS, f"{how}: stopped after {took:.1f} s")
        require(reason in ended.last_line and AGAIN in ended.last_line, f"{how}: last line {ended.last_line!r}")
        stopped.look()
        print(f"{how}: 75 after {took:.1f} s, {stopped.finished()} results so far: {ended.last_line}", flush=True)
    at_start(stopped)
    to_mpirun(stopped)
    # Tasks that were given back are no attempts: with max_attempts = 1 they would be failed now.
    stopped.file.write_text(SWEEP.format(realizations=2, max_attempts=3), encoding="utf-8")
    stopped.complete(2)
    ended = stopped.start(2).end()
    require(ended.code == 0 and "complete" in ended.last_line, f"nothing to do: {ended}")
    clean = Folder(program, scratch / "clean-2", 2)
    clean.complete(2)
    stopped.require_same(clean)


def at_start(folder):
    """A signal while MPI starts is not lost."""
    running = folder.start(2)
    require(running.wait_for(lambda: len(running.rank_pids()) == 2), "no ranks")
    held = running.wait_for(lambda: all(holds_signals(pid) for pid in running.rank_pids().values()))
    if held:
        stop_by(folder, running, "SIGUSR1 at the start")
    ended = running.end()
    require(ended.code == 75 if held else True, f"SIGUSR1 at the start: {ended}")
    folder.look()
    print(f"SIGUSR1 at the start: {ended.code}: {ended.last_line}", flush=True)


def holds_signals(pid):
    """Whether a process blocks, or catches, SIGUSR1."""
    try:
        status = dict(line.split(":\t", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
                      if ":\t" in line)
    except OSError:
        return False
    return any(int(status.get(mask, "0"), 16) >> (signal.SIGUSR1 - 1) & 1 for mask in ("SigBlk", "SigCgt"))


def to_mpirun(folder):
    """SIGTERM to mpirun ends the ranks whatever they say; what was finished is kept."""
    before = folder.finished()
    running = folder.start_and_begin(2)
    time.sleep(0.5)
    running.process.send_signal(signal.SIGTERM)
    ended = running.end()
    require(ended.code not in (0, 2), f"SIGTERM to mpirun: {ended}")
    after = folder.look()
    print(f"SIGTERM to mpirun: {ended.code}, {after - before} more results", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", required=True)
    parser.add_argument("--kills", type=int, default=12)
    parser.add_argument("--seed", type=int, default=20240228)
    parser.add_argument("--only", choices=["kills", "stops"])
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", flush=True)
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="kills_", ignore_cleanup_errors=True) as folder:
        scratch = pathlib.Path(folder)
        program = Program(arguments.program, scratch)
        if arguments.only != "stops":
            kills_test(program, scratch, arguments.kills, random.Random(arguments.seed))
        if arguments.only != "kills":
            stops_test(program, scratch)
    print(f"passed in {time.monotonic() - start:.0f} s")


if __name__ == "__main__":
    main()
