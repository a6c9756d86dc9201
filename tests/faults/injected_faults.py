"""Faults that a run of a sweep must survive: each function injects one and says what it did.

A fault of a start gets the running program; a fault between starts gets the folder. All random choices come from the
generator that is passed in.
"""

import errno
import os
import pathlib
import re
import resource
import shutil
import signal
import time

import journals
from started_program import send


def random_rank(running, rng):
    """A rank and its process; (None, None) when the program has ended."""
    pids = running.rank_pids()
    if not pids or not running.alive():
        return None, None
    rank = rng.choice(sorted(pids))
    return rank, pids[rank]


def pause(rng, longest=0.3):
    time.sleep(rng.uniform(0.0, longest))


# While the program runs: what happened, or None if it had ended before.

def kill_rank(running, rng):
    pause(rng)
    others = {rank: pid for rank, pid in running.rank_pids().items() if rank != 0}
    if not others or not running.alive():
        return None
    rank = rng.choice(sorted(others))
    return f"killed rank {rank}" if send(others[rank], signal.SIGKILL) else None


def kill_rank_0(running, rng):
    pause(rng)
    pid = running.rank_pids().get(0)
    return "killed rank 0" if pid and running.alive() and send(pid, signal.SIGKILL) else None


def kill_all(running, rng):
    pause(rng)
    if not running.alive():
        return None
    running.kill_all()
    return "killed all"


def delay_rank(running, rng):
    pause(rng)
    rank, pid = random_rank(running, rng)
    seconds = rng.choice([0.1, 0.3, 1.0, 2.0])
    if pid is None or not send(pid, signal.SIGSTOP):
        return None
    try:
        time.sleep(seconds)
    finally:
        send(pid, signal.SIGCONT)
    return f"stopped rank {rank} for {seconds:g} s"


WHILE_RUNNING = {kill_rank: 3, kill_rank_0: 2, kill_all: 3, delay_rank: 3}


# Before a start: tasks that are larger than the memory. Only here, because MPI waits for ever where it gets none itself.

MEMORY = 8 << 30  # bytes of addresses that a process may have
GREEDY = "ensemble.dimension=[16, 32, 64, 4000000000]"  # 64 GB for two centroids


def limit_memory():
    """In the process that is to be limited."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


# Before a start: the environment that makes a call on a file fail.

ERRORS = [errno.ENOSPC, errno.EIO, errno.EDQUOT]


def failing_call(library, mark, rng):
    """Variables of failing_calls.c, and what they do."""
    call, path, furthest = rng.choice([
        ("write", ".journal", 60), ("write", ".journal", 60), ("write", ".jsonl", 60), ("write", "results.h5", 0),
        ("write", "sweep.toml", 0), ("write", "lock-", 0), ("sync", ".journal", 3), ("sync", "results.h5", 0),
        ("rename", "results.h5", 0), ("rename", "sweep.toml", 0), ("create", ".journal", 0), ("create", ".jsonl", 0),
        ("create", "results.h5", 0), ("create", "lock-", 0)])
    values = {"FAULT_CALL": call, "FAULT_PATH": path, "FAULT_AFTER": rng.randint(0, furthest),
              "FAULT_TIMES": rng.choice([1, 3, -1]), "FAULT_ERRNO": rng.choice(ERRORS),
              "FAULT_SHORT": rng.choice([0, 1]), "FAULT_MARK": mark}
    if values["FAULT_SHORT"] and values["FAULT_TIMES"] == 1:
        values["FAULT_TIMES"] = 2
    words = " ".join(f"{name.removeprefix('FAULT_').lower()}={value}" for name, value in values.items()
                     if name != "FAULT_MARK")
    return {"LD_PRELOAD": library, **values}, words


# Between starts: (what was done, whether results may be lost by it), or None if there was nothing to damage.

def _journal(folder, rng):
    there = [path for path in journals.files(folder) if path.stat().st_size > 0]
    return rng.choice(there) if there else None


def truncate_journal(folder, rng):
    path = _journal(folder, rng)
    if path is None:
        return None
    size = rng.randrange(path.stat().st_size)
    os.truncate(path, size)
    return f"cut {path.name} at byte {size}"


def flip_journal(folder, rng):
    path = _journal(folder, rng)
    if path is None:
        return None
    data = bytearray(path.read_bytes())
    places = sorted(rng.randrange(len(data)) for _ in range(rng.choice([1, 1, 3, 20])))
    for at in places:
        data[at] ^= rng.randint(1, 255)
    path.write_bytes(data)
    return f"flipped bytes {places} of {path.name}"


def append_to_journal(folder, rng):
    path = _journal(folder, rng)
    if path is None:
        return None
    tail = rng.choice([bytes(rng.randrange(1, 300)), rng.randbytes(rng.randrange(1, 300)), path.read_bytes()[:200]])
    with path.open("ab") as file:
        file.write(tail)
    return f"appended {len(tail)} bytes to {path.name}"


def corrupt_results(folder, rng):
    path = folder / "results.h5"
    if not path.exists():
        path.write_bytes(b"no results\n")
        return "put a text in place of results.h5"
    data = bytearray(path.read_bytes())
    how = rng.choice(["flip", "cut", "empty", "remove"])
    if how == "remove":
        path.unlink()
    elif how == "flip" and data:
        for _ in range(50):
            data[rng.randrange(len(data))] ^= rng.randint(1, 255)
        path.write_bytes(data)
    else:
        path.write_bytes(data[:rng.randrange(len(data) + 1)] if how == "cut" else b"")
    return f"{how} results.h5"


def leave_rubbish(folder, rng):
    """What dead processes leave: half of a temporary file, a lock."""
    boot = pathlib.Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    space = re.search(r"\d+", os.readlink("/proc/self/ns/pid"))[0]
    # No process has this number.
    (folder / f".results.h5.{boot}-{space}-4194305-abcdefgh.tmp").write_bytes(rng.randbytes(100))
    lock = folder / "lock-1of1"
    if not lock.exists():
        now = time.time()
        lock.write_text(f"host={os.uname().nodename}\nboot={boot}\npid_namespace={space}\npid=4194305\n"
                        f"process_start=1\nslurm_job=\nsince={now:.3f}\nheartbeat={now:.3f}\n", encoding="ascii")
    return "left a lock and a temporary file of a dead process"


def old_views(folder, rng):
    """Another node still sees what was replaced: an older results file, an older sweep file."""
    kept = folder / "kept"
    done = []
    for name in ("results.h5", "sweep.toml"):
        path = folder / name
        if (kept / name).exists() and rng.random() < 0.8:
            shutil.copy(kept / name, path)
            done.append(name)
        elif path.exists():
            kept.mkdir(exist_ok=True)
            shutil.copy(path, kept / name)
    return f"older {' and '.join(done)}" if done else None


DAMAGING = {truncate_journal, flip_journal, append_to_journal}
BETWEEN = {truncate_journal: 2, flip_journal: 2, append_to_journal: 1, corrupt_results: 2, leave_rubbish: 1,
           old_views: 1}
