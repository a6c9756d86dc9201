#!/usr/bin/env python3
"""Predicted over measured wall time of three sweeps on 2 ranks.

    python3 tests/bench/predicted_time.py [--diffphase build/release/drivers/diffphase] [--ranks 2]

`diffphase plan` predicts from rates that it measures on this machine (kept in the user's cache folder; they are
measured anew here). The aim is a ratio between 1/2 and 2 on a machine that does nothing else. Prints a table; never
fails for a ratio.
"""

import argparse
import os
import pathlib
import re
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]

MANY_PROBES = """
name = "many-probes"
realizations = 4
[process]
kind = "variance-exploding"
time = { from = 0.1, to = 1000.0, count = 96, spacing = "log" }
[ensemble]
kind = "gaussian-mixture"
dimension = 128
classes = [2, 16]
centroids = "simplex"
[dataset]
samples = [500, 2000, 8000]
[measure]
collapse = { probes = 1024 }
"""

LARGE_DIMENSION = """
name = "large-dimension"
realizations = 2
[process]
kind = "ornstein-uhlenbeck"
time = { from = 0.5, to = 7.0, count = 16, spacing = "linear" }
[ensemble]
kind = "gaussian-mixture"
dimension = [4096, 16384]
classes = 2
centroids = "opposite"
[dataset]
samples = 4000
[measure]
speciation = { probes = 512 }
collapse = { probes = 256 }
"""


def seconds_of(text: str) -> float:
    """Seconds of '850 ms', '3.2 s', '12 min', '5.1 h'."""
    number, unit = text.split()
    return float(number) * {"ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0}[unit]


def predicted(diffphase: str, sweep: pathlib.Path, ranks: int, environment: dict[str, str]) -> float:
    plan = subprocess.run([diffphase, "plan", str(sweep), "--ranks", str(ranks)], check=True, env=environment,
                          capture_output=True, text=True).stdout
    found = re.search(r"wall time\s+(\S+ \S+)", plan)
    if found is None:
        raise SystemExit(f"no wall time in the plan of {sweep}")
    return seconds_of(found.group(1))


def measured(diffphase: str, sweep: pathlib.Path, ranks: int, folder: str, environment: dict[str, str]) -> float:
    start = time.monotonic()
    subprocess.run(["mpirun", "-n", str(ranks), diffphase, "run", str(sweep), "-q", "-o", folder], check=True,
                   env=environment, stdout=subprocess.DEVNULL)
    return time.monotonic() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--diffphase", default=str(ROOT / "build/release/drivers/diffphase"))
    parser.add_argument("--ranks", type=int, default=2)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        environment = dict(os.environ, XDG_CACHE_HOME=scratch, OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1")
        if os.geteuid() == 0:
            environment.update(OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")
        sweeps = [ROOT / "jobs/quickstart.toml"]
        for name, text in (("many-probes", MANY_PROBES), ("large-dimension", LARGE_DIMENSION)):
            path = pathlib.Path(scratch) / f"{name}.toml"
            path.write_text(text)
            sweeps.append(path)
        print(f"{'sweep':<18}{'predicted':>11}{'measured':>11}{'ratio':>8}")
        for sweep in sweeps:
            expected = predicted(arguments.diffphase, sweep, arguments.ranks, environment)
            taken = measured(arguments.diffphase, sweep, arguments.ranks, f"{scratch}/{sweep.stem}", environment)
            print(f"{sweep.stem:<18}{expected:>9.1f} s{taken:>9.1f} s{expected / taken:>8.2f}", flush=True)


if __name__ == "__main__":
    main()
