"""What the tests of the command line share: running diffphase on some ranks, sweep files, array files."""

from __future__ import annotations

import argparse
import gzip
import hashlib
import os
import re
import signal
import subprocess
import sys
import unittest
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]

# What mpirun says by itself when a process returns another code than 0.
MPIRUN_TEXT = re.compile(r"-{60,}\n(Primary job|\w+ detected).*?\n-{60,}\n", re.DOTALL)

program = Path("diffphase")


@dataclass(frozen=True)
class Outcome:
    code: int
    output: str
    errors: str  # without what mpirun adds


def environment() -> dict[str, str]:
    """Open MPI as root and on any number of cores; one thread for each rank."""
    values = dict(os.environ)
    values["OMPI_ALLOW_RUN_AS_ROOT"] = values["OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"] = "1"
    values["OMPI_MCA_rmaps_base_oversubscribe"] = values["OMPI_MCA_mpi_yield_when_idle"] = "1"
    values.setdefault("OPENBLAS_NUM_THREADS", "1")
    values["MPLBACKEND"] = "Agg"
    values["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), values.get("PYTHONPATH", "")]))
    return values


def execute(command: list[str], folder: Path | str, timeout: float = 120.0) -> Outcome:
    """Runs a command; ends everything that it started when it takes too long."""
    with subprocess.Popen(command, cwd=folder, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, errors="replace", start_new_session=True) as process:
        try:
            output, errors = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            output, errors = process.communicate()
            errors += f"\nno end after {timeout:g} s"
    return Outcome(process.returncode, output, MPIRUN_TEXT.sub("", errors).strip())


def diffphase(arguments: list[str], folder: Path | str, ranks: int = 1, timeout: float = 120.0) -> Outcome:
    launcher = [] if ranks == 1 else [os.environ.get("MPIEXEC", "mpirun"), "-n", str(ranks)]
    return execute([*launcher, str(program), *arguments], folder, timeout)


def analysis(arguments: list[str], folder: Path | str) -> Outcome:
    return execute([sys.executable, "-m", "analysis", *arguments], folder)


def tree_state(folder: Path) -> dict[str, str]:
    """Every path below a folder with a digest of its contents; a folder that is not there has none."""
    def state(path: Path) -> str:
        if path.is_dir():
            return "folder"
        return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "no regular file"
    return {str(path.relative_to(folder)): state(path) for path in sorted(folder.rglob("*"))}


IDX_CODES = {"uint8": 0x08, "float32": 0x0D, "float64": 0x0E}


def idx_bytes(array: np.ndarray) -> bytes:
    header = bytes([0, 0, IDX_CODES[array.dtype.name], array.ndim])
    lengths = b"".join(length.to_bytes(4, "big") for length in array.shape)
    return header + lengths + array.astype(array.dtype.newbyteorder(">")).tobytes()


def write_idx(path: Path, array: np.ndarray) -> None:
    """IDX, gzipped where the name ends in .gz."""
    contents = idx_bytes(array)
    path.write_bytes(gzip.compress(contents, mtime=0) if path.suffix == ".gz" else contents)


def flattened(suite: unittest.TestSuite) -> list[unittest.TestCase]:
    return [case for item in suite for case in (flattened(item) if isinstance(item, unittest.TestSuite) else [item])]


def run_one(case: unittest.TestCase) -> unittest.TestResult:
    result = unittest.TestResult()
    case.run(result)
    words = "FAILED" if not result.wasSuccessful() else f"skipped: {result.skipped[0][1]}" if result.skipped else "ok"
    print(f"{case.id().removeprefix('__main__.')}: {words}", flush=True)
    return result


def main(workers: int = 1) -> None:
    """unittest.main with the option --program; `workers` tests at once."""
    global program
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", type=Path, required=True, help="the built diffphase")
    parser.add_argument("tests", nargs="*", help="names such as BadInput.test_unknown_key; default: all")
    options = parser.parse_args()
    program = options.program.resolve()
    module = sys.modules["__main__"]
    loader = unittest.defaultTestLoader
    suite = loader.loadTestsFromNames(options.tests, module) if options.tests else loader.loadTestsFromModule(module)
    with ThreadPoolExecutor(workers) as pool:
        results = list(pool.map(run_one, flattened(suite)))
    problems = [problem for result in results for problem in result.failures + result.errors]
    for case, text in problems:
        print(f"\n{case}\n{text}")
    print(f"{len(results)} tests, {len(problems)} problems")
    all_skipped = bool(results) and all(result.skipped for result in results)
    sys.exit(1 if problems or not results else 77 if all_skipped else 0)
