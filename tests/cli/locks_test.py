"""Who may work in a run folder, and what closed outputs change: nothing.

    python3 tests/cli/locks_test.py --program BUILD/drivers/diffphase --library BUILD/.../failing_calls.so [NAME...]
"""

from __future__ import annotations

import argparse
import errno
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

import program

SWEEP = """
name = "locks"
[process]
kind = "ornstein-uhlenbeck"
time = { from = 0.05, to = 4.0, count = 12, spacing = "log" }
[ensemble]
kind = "gaussian-mixture"
representation = "explicit"
dimension = 16
classes = 2
[dataset]
samples = 100
[measure]
collapse = { probes = 64 }
"""
LONG = ["--set", "dataset.samples=100000", "--set", "measure.collapse.probes=100000"]  # minutes
STEP = {"SLURM_JOB_ID": "4711", "SLURM_CLUSTER_NAME": "here", "SLURM_RESTART_COUNT": "1"}

library = Path("failing_calls.so")


def unshared(*options: str) -> list[str]:
    """A command that runs another in namespaces of its own; nothing where that is not allowed."""
    command = ["unshare", *options, "--kill-child"]
    if shutil.which("unshare") is None:
        return []
    tried = subprocess.run([*command, "true"], capture_output=True, check=False, timeout=30)
    return command if tried.returncode == 0 else []


def stand_in(path: Path, script: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/bash\n{script}\n", encoding="utf-8")
    path.chmod(0o755)


class Folder(unittest.TestCase):
    """A folder with a sweep file, and starts of the program that end with the test."""

    def setUp(self) -> None:
        scratch = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self.addCleanup(scratch.cleanup)
        self.scratch = Path(scratch.name)
        self.run_folder = self.scratch / "run"
        self.lock = self.run_folder / "lock-1of1"
        (self.scratch / "sweep.toml").write_text(SWEEP, encoding="utf-8")

    def start(self, *options: str, wrapper: list[str] | None = None, ranks: int = 1,
              **variables: str) -> subprocess.Popen[str]:
        launcher = [] if ranks == 1 else [os.environ.get("MPIEXEC", "mpirun"), "-n", str(ranks)]
        command = [*(wrapper or []), *launcher, str(program.program), "run", "sweep.toml", "-o", "run", *options]
        process = subprocess.Popen(  # pylint: disable=consider-using-with
            command, cwd=self.scratch, env={**program.environment(), **variables}, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, start_new_session=True)
        self.addCleanup(self.end_group, process)
        return process

    @staticmethod
    def end_group(process: subprocess.Popen[str]) -> None:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.communicate()

    def finish(self, process: subprocess.Popen[str], code: int, timeout: float = 100.0) -> str:
        """All that it printed."""
        output, errors = process.communicate(timeout=timeout)
        self.assertEqual(process.returncode, code, output + errors)
        return output + errors

    def run_it(self, code: int, *options: str, **where: object) -> str:
        return self.finish(self.start(*options, **where), code)  # type: ignore[arg-type]

    def wait_until(self, condition, process: subprocess.Popen[str]) -> None:
        end = time.monotonic() + 60.0
        while not condition():
            if process.poll() is not None or time.monotonic() > end:
                self.end_group(process)
                self.fail("what is waited for does not come")
            time.sleep(0.05)

    def at_work(self, *options: str, **where: object) -> subprocess.Popen[str]:
        """A start that has begun a long task."""
        process = self.start(*LONG, *options, **where)  # type: ignore[arg-type]
        self.wait_until(lambda: any(self.run_folder.glob("log/*.jsonl")), process)
        return process

    def waiting(self, *options: str, **where: object) -> subprocess.Popen[str]:
        """A start that waits for the lock of another, as it says itself."""
        process = self.start(*LONG, *options, **where)  # type: ignore[arg-type]
        assert process.stderr is not None
        said = process.stderr.readline()
        self.assertIn("waiting for run/lock-1of1: process ", said)
        return process

    def status(self, **variables: str) -> str:
        return subprocess.run([program.program, "status", "run"], cwd=self.scratch, text=True, capture_output=True,
                              check=True, env={**program.environment(), **variables}, timeout=60).stdout

    def leave_lock(self, **values: str) -> None:
        """That of a start elsewhere."""
        fields = {"host": "node7", "boot": "other", "pid_namespace": "1", "pid": "17", "process_start": "1",
                  "user": str(os.geteuid()), "slurm_cluster": "here", "slurm_job": "991", "slurm_restarts": "0",
                  "since": "1000000000.000", "beats": "0000000001", "heartbeat": "1000000000.000", **values}
        self.run_folder.mkdir(exist_ok=True)
        self.lock.write_text("".join(f"{key}={value}\n" for key, value in fields.items()), encoding="ascii")


class Launchers(Folder):
    """Programs of one rank that SLURM started as the tasks of one step."""

    def test_tasks_that_do_not_find_each_other_refuse(self) -> None:
        step = {**STEP, "SLURM_STEP_NUM_TASKS": "4", "SLURM_NTASKS": "4"}
        for rank, process in enumerate([self.start(**step, SLURM_PROCID=str(rank)) for rank in range(4)]):
            said = self.finish(process, 2)
            if rank == 0:  # of what may happen when MPI starts
                hint, said = said.split("\n", 1)
                self.assertIn("--mpi=pmix", hint)
            for piece in ("SLURM started 4 tasks", "MPI sees 1 rank", "--mpi=pmix", "mpirun"):
                self.assertIn(piece, said)
            self.assertEqual(len(said.splitlines()), 1, said)
        self.assertFalse(self.run_folder.exists())

    def test_one_rank_in_an_allocation_works(self) -> None:
        self.run_it(0, **STEP, SLURM_NTASKS="4")
        self.run_it(0, **STEP, SLURM_NTASKS="4", SLURM_STEP_NUM_TASKS="1")

    def test_mpirun_inside_of_a_step_works(self) -> None:
        self.assertIn("on 2 ranks", self.run_it(0, ranks=2, SLURM_STEP_NUM_TASKS="2"))
        launcher = [os.environ.get("MPIEXEC", "mpirun"), "-n", "1"]
        self.run_it(0, wrapper=launcher, SLURM_STEP_NUM_TASKS="2")


class Locks(Folder):
    def elsewhere(self, *options: str) -> list[str]:
        wrapper = unshared("--pid", "--fork", *options)
        if not wrapper:
            self.skipTest("no right to make namespaces")
        return wrapper

    def require_only_one_works(self, first: subprocess.Popen[str], second: subprocess.Popen[str]) -> None:
        """The second waits for the first, until it is told to stop."""
        before = self.lock.read_text(encoding="ascii")
        self.assertIn("at work: process", self.status(**STEP))
        second.send_signal(signal.SIGTERM)
        said = self.finish(second, 75)
        self.assertIn("stopped (signal SIGTERM) while waiting for", said)
        self.assertIn("run the same command again", said)
        self.assertIsNone(first.poll())
        self.assertEqual(len(list(self.run_folder.glob("journal/*"))), 1)
        self.assertEqual(before.split("beats")[0], self.lock.read_text(encoding="ascii").split("beats")[0])

    def test_two_steps_of_one_job_on_two_hosts(self) -> None:
        host = ["sh", "-c", "hostname node7; exec \"$@\"", "sh"]
        first = self.at_work(wrapper=[*self.elsewhere("--uts"), *host], **STEP)
        self.assertIn("host=node7\n", self.lock.read_text(encoding="ascii"))
        self.require_only_one_works(first, self.waiting(**STEP))

    def test_another_namespace_of_a_host(self) -> None:
        first = self.at_work(wrapper=self.elsewhere())
        self.require_only_one_works(first, self.waiting())

    def test_another_namespace_with_its_own_proc(self) -> None:
        first = self.at_work(wrapper=self.elsewhere("--mount-proc"))
        self.require_only_one_works(first, self.waiting())

    def test_a_stopped_process_is_alive(self) -> None:
        first = self.at_work()
        first.send_signal(signal.SIGSTOP)
        said = self.run_it(2)
        self.assertIn(f"process {first.pid} on ", said)
        self.assertIn(f"kill -CONT {first.pid}", said)
        first.send_signal(signal.SIGCONT)
        first.send_signal(signal.SIGTERM)
        self.finish(first, 75)
        self.assertFalse(self.lock.exists())

    def test_a_wait_ends_by_the_stop_file(self) -> None:
        self.leave_lock()
        process = self.waiting(ranks=2)
        (self.run_folder / "stop").touch()
        self.assertIn("stopped (stop file run/stop) while waiting", self.finish(process, 75))

    def test_a_wait_ends_by_a_signal_to_another_rank(self) -> None:
        self.leave_lock()
        process = self.waiting(ranks=3)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text(encoding="ascii").split()
        ranks = [pid for pid in children if b"OMPI_COMM_WORLD_RANK=2" in
                 Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")]
        self.assertEqual(len(ranks), 1)
        os.kill(int(ranks[0]), signal.SIGUSR1)
        self.assertIn("stopped (a signal to another rank) while waiting", self.finish(process, 75))

    def test_an_earlier_start_of_the_same_job_makes_way(self) -> None:
        self.leave_lock(slurm_job="4711")
        self.run_it(0, **STEP)

    def test_a_job_that_another_cluster_does_not_know(self) -> None:
        stand_in(self.scratch / "bin/squeue", "echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1")
        stand_in(self.scratch / "bin/scontrol", "echo 'ClusterName             = there'")
        path = {"PATH": f"{self.scratch / 'bin'}:{os.environ['PATH']}"}
        self.leave_lock()
        process = self.waiting(**path)
        process.send_signal(signal.SIGINT)
        self.finish(process, 75)
        stand_in(self.scratch / "bin/scontrol", "echo 'ClusterName             = here'")
        self.run_it(0, **path)

    def test_an_empty_lock(self) -> None:
        self.run_folder.mkdir()
        self.lock.touch()
        self.run_it(0)

    def test_what_is_no_file(self) -> None:
        self.run_folder.mkdir()
        os.mkfifo(self.lock)
        said = self.run_it(2)
        self.assertIn("run/lock-1of1: it is a FIFO, not a regular file", said)
        self.assertEqual(len(said.splitlines()), 1, said)
        self.lock.unlink()
        self.lock.symlink_to("/dev/zero")
        self.assertIn("it is a device", self.run_it(2))

    def test_a_journal_or_sweep_file_that_is_no_file(self) -> None:
        (self.run_folder / "journal").mkdir(parents=True)
        os.mkfifo(self.run_folder / "journal/20240101T000000.000Z-1of1-host-1.journal")
        said = self.run_it(0)
        self.assertIn("host-1.journal: not a regular file; nothing of it is used", said)
        (self.scratch / "sweep.toml").unlink()
        os.mkfifo(self.scratch / "sweep.toml")
        said = self.run_it(2)
        self.assertIn("sweep.toml: the sweep file cannot be read: it is no regular file", said)
        self.assertEqual(len(said.splitlines()), 1, said)
        (self.run_folder / "sweep.toml").unlink()
        os.mkfifo(self.run_folder / "sweep.toml")
        for command in ("status", "collect"):
            ended = program.diffphase([command, "run"], self.scratch)
            self.assertEqual(ended.code, 2, ended.errors)
            self.assertIn("regular file", ended.errors)

    def failing_link(self, code: int, number: int, done: bool = False) -> str:
        return self.run_it(code, LD_PRELOAD=str(library), FAULT_CALL="link", FAULT_PATH="lock-", FAULT_TIMES="-1",
                           FAULT_ERRNO=str(number), FAULT_DONE=str(int(done)))

    def test_where_there_are_no_hard_links(self) -> None:
        for number in (errno.EPERM, errno.ENOTSUP):
            self.failing_link(0, number)
            self.assertEqual(sorted(path.name for path in self.run_folder.iterdir() if "lock" in path.name), [])
        self.leave_lock()
        process = self.start(LD_PRELOAD=str(library), FAULT_CALL="link", FAULT_PATH="lock-", FAULT_TIMES="-1",
                             FAULT_ERRNO=str(errno.EPERM))
        assert process.stderr is not None
        self.assertIn("waiting for", process.stderr.readline())

    def test_a_link_that_was_made_and_whose_answer_was_lost(self) -> None:
        for number in (errno.EEXIST, errno.EIO, errno.EPERM):
            self.failing_link(0, number, done=True)
            self.assertEqual(sorted(path.name for path in self.run_folder.iterdir() if "lock" in path.name), [])

    def test_a_link_that_fails(self) -> None:
        said = self.failing_link(2, errno.EIO)
        self.assertIn("cannot create run/lock-1of1: Input/output error", said)
        self.assertEqual(list(self.run_folder.iterdir()), [])


class Outputs(Folder):
    """Standard output and standard error that are closed, full, or read no more."""

    def shell(self, script: str, code: int = 0) -> str:
        ended = subprocess.run(["bash", "-c", script, "bash", str(program.program)], cwd=self.scratch, text=True,
                               capture_output=True, env=program.environment(), timeout=100, check=False)
        self.assertEqual(ended.returncode, code, ended.stdout + ended.stderr)
        return ended.stderr

    def test_no_run_ends_by_what_it_cannot_print(self) -> None:
        for number, output in enumerate((">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-", ">/dev/full", "2>/dev/full",
                                         "2>&1 | true", "2>&1 | head -n 1", "2> >(true)")):
            run = f"run{number}"
            self.shell(f'"$1" run sweep.toml -v --set realizations=3 -o {run} {output}; exit "${{PIPESTATUS[0]}}"')
            self.assertEqual(sorted(os.listdir(self.scratch / run)), ["journal", "log", "results.h5", "sweep.toml"])
        self.shell('mpirun -n 2 "$1" run sweep.toml -v --set realizations=3 -o ranks 2>&1 | head -n 1')
        self.assertNotIn("lock-1of1", os.listdir(self.scratch / "ranks"))

    def test_failed_tasks_are_so_whoever_reads(self) -> None:
        failing = '"$1" run sweep.toml -q --set resources.memory_per_rank="64 KiB" --set realizations=200 -o few'
        self.shell(f'{failing} >/dev/full', code=1)
        self.shell(f'{failing} | true; exit "${{PIPESTATUS[0]}}"', code=1)

    def test_what_is_asked_for_and_cannot_be_printed_is_an_error(self) -> None:
        self.run_it(0)
        for command in ("plan sweep.toml", "plan --defaults", "plan sweep.toml --for-scripts", "theory sweep.toml", "check run",
                        "status run", "status run --watch", "collect run", "--version", "--help", "run --help"):
            said = self.shell(f'"$1" {command} >/dev/full', code=2)
            self.assertEqual(len(said.splitlines()), 1, said)
            self.assertRegex(said, r"^diffphase: error: cannot write to standard output", command)
            self.assertTrue("No space left" in said or "--watch" in command, said)
            said = self.shell(f'"$1" {command} >&-', code=2)
            self.assertEqual(len(said.splitlines()), 1, said)

    def test_programs_that_a_run_calls_are_ended_by_a_closed_pipe(self) -> None:
        stand_in(self.scratch / "bin/squeue", f"grep SigIgn /proc/$$/status >{self.scratch}/signals; echo 10:00")
        self.run_it(0, "--stop-after", "auto", **STEP, PATH=f"{self.scratch / 'bin'}:{os.environ['PATH']}")
        ignored = int((self.scratch / "signals").read_text(encoding="ascii").split()[1], 16)
        self.assertFalse(ignored >> (signal.SIGPIPE - 1) & 1)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--library", type=Path, required=True)
    options, sys.argv[1:] = parser.parse_known_args()
    library = options.library.resolve()
    program.main(workers=2)
