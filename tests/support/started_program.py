"""Starts the program under mpirun and ends it in every way."""

import os
import pathlib
import signal
import subprocess
import sys
import time

SKIPPED = 77  # exit code that ctest knows

try:
    import h5netcdf  # noqa: F401  pylint: disable=unused-import
    import numpy  # noqa: F401  pylint: disable=unused-import
except ImportError as missing:
    print(f"skipped: {missing}; set PYTHON to a Python that has numpy and h5netcdf")
    sys.exit(SKIPPED)


def environment(scratch):
    """Open MPI as root, on any number of cores, with its files where they are removed with the test's."""
    values = dict(os.environ)
    values.update(OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1",
                  OMPI_MCA_rmaps_base_oversubscribe="1", OMPI_MCA_mpi_yield_when_idle="1",
                  OMPI_MCA_btl_vader_backing_directory=str(scratch), OMPI_MCA_orte_tmpdir_base=str(scratch),
                  OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1")
    return values


def children(pid):
    found = []
    for tasks in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += [int(child) for child in tasks.read_text().split()]
        except OSError:
            pass
    return found


def rank_of(pid):
    """The rank of a process; None where it has none (yet)."""
    try:
        variables = pathlib.Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return None
    for variable in variables:
        if variable.startswith(b"OMPI_COMM_WORLD_RANK="):
            return int(variable.split(b"=")[1])
    return None


def send(pid, number):
    try:
        os.kill(pid, number)
        return True
    except ProcessLookupError:
        return False


class Ended:
    """Exit code and output of an ended program."""

    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    @property
    def last_line(self):
        lines = [line for line in self.out.splitlines() if line.strip()]
        return lines[-1] if lines else ""

    def __str__(self):
        return f"exit code {self.code}\nstdout: {self.out}\nstderr: {self.err}"


class Running:
    """A program that was started; `process` is mpirun, or the program itself on one rank without it."""

    def __init__(self, command, cwd, scratch, ranks, preexec=None):
        self.ranks = ranks
        self.mpirun = ranks > 0
        if self.mpirun:
            command = ["mpirun", "-n", str(ranks), *command]
        self.process = subprocess.Popen(  # pylint: disable=consider-using-with,subprocess-popen-preexec-fn
            command, cwd=cwd, env=environment(scratch), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            errors="replace", start_new_session=True, preexec_fn=preexec)

    def alive(self):
        return self.process.poll() is None

    def rank_pids(self):
        """Process of each rank that there is now."""
        if not self.mpirun:
            return {0: self.process.pid} if self.alive() else {}
        pids = {rank_of(pid): pid for pid in children(self.process.pid)}
        pids.pop(None, None)
        return pids

    def wait_for(self, condition, timeout=30.0):
        """Waits until a condition holds or the program has ended; returns whether it holds."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            if condition():
                return True
            if not self.alive():
                return condition()
            time.sleep(0.005)
        return False

    def kill_all(self):
        pids = list(self.rank_pids().values())
        for pid in [self.process.pid, *pids]:
            send(pid, signal.SIGKILL)

    def end(self, timeout=120.0):
        try:
            out, err = self.process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            self.kill_all()
            out, err = self.process.communicate()
            raise AssertionError(f"the program hung for {timeout:g} s: {self.process.args}\n{out}\n{err}") from None
        return Ended(self.process.returncode, out, err)


class Program:
    """The built program, with the folder that its scratch files go to."""

    def __init__(self, path, scratch):
        self.path = str(pathlib.Path(path).resolve())
        self.scratch = pathlib.Path(scratch)

    def start(self, arguments, ranks=0, preexec=None):
        """ranks = 0: without mpirun."""
        command = [self.path, *[str(argument) for argument in arguments]]
        return Running(command, self.scratch, self.scratch, ranks, preexec)

    def run(self, arguments, ranks=0, timeout=120.0, preexec=None):
        return self.start(arguments, ranks, preexec).end(timeout)
