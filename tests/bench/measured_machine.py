"""The machine that benchmarks run on, what they print of it, and how they start programs."""

import json
import os
import pathlib
import platform
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "build/release/drivers/bench/diffphase_bench"


def use_one_thread() -> None:
    """To be called before numpy is imported."""
    for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = "1"


def environment() -> dict[str, str]:
    values = dict(os.environ)
    if os.geteuid() == 0:
        values.update(OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")
    return values


def run_program(program: str, *options: object, ranks: int = 1, **variables: str) -> dict:
    """The line that the program prints, with these environment variables."""
    start = ["mpirun", "-n", str(ranks), "--oversubscribe"] if ranks > 1 else []
    arguments = [*start, program, *map(str, options)]
    done = subprocess.run(arguments, env={**environment(), **variables}, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(arguments)} failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def load() -> str:
    return " ".join(f"{value:.2f}" for value in os.getloadavg())


def processor() -> str:
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    return next((line.split(": ", 1)[1] for line in lines if line.startswith("model name")), platform.machine())


def blas_library() -> str:
    try:
        maps = pathlib.Path("/proc/self/maps").read_text().split()
    except OSError:
        return "unknown"
    found = {pathlib.Path(os.path.realpath(word)).name for word in maps if "blas" in word and word.startswith("/")}
    return ", ".join(sorted(name for name in found if not name.startswith("_"))) or "unknown"


def verdict(value: float, bar: float, *, at_most: bool = False) -> str:
    met = value <= bar if at_most else value >= bar
    return f"{value:8.2f}  {'met' if met else 'MISSED'} ({bar:g})"


def title(text: str) -> None:
    print(f"\n{text}   [load {load()}]", flush=True)
