#!/usr/bin/env python3
"""Normal random numbers beside numpy's and the C++ library's, on this machine, in one run, one thread.

    cmake --build --preset release --target diffphase_bench
    python3 tests/bench/compare_normals.py [--columns 4096] [--program PROGRAM]

Rows of so many columns go to one array over and over; the fastest of 40 runs counts. numpy's numbers (ziggurat) cannot be
computed out of order; ours and Random123's can. Prints a table of rates with what the rate should be, and never fails
for one: look at the load that is printed with it.
"""

import argparse
import json
import os
import pathlib
import subprocess
import time

for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"  # before numpy is imported

import numpy as np  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
RUNS = 40
BAR = 150.0  # million per second with AVX-512


def ours(program: str, columns: int, rows: int) -> dict:
    """The line that the program prints."""
    values = dict(os.environ)
    if os.geteuid() == 0:
        values.update(OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")
    arguments = [program, "normals", "--columns", str(columns), "--rows", str(rows), "--runs", str(RUNS)]
    done = subprocess.run(arguments, env=values, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(arguments)} failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def numpy_rate(bits: type, columns: int, rows: int) -> float:
    """Numbers per second of Generator.standard_normal."""
    generator = np.random.Generator(bits(1))
    row = np.empty(columns)
    shortest = float("inf")
    for _ in range(RUNS):
        start = time.perf_counter()
        for _ in range(rows):
            generator.standard_normal(out=row)
        shortest = min(shortest, time.perf_counter() - start)
    return columns * rows / shortest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--columns", type=int, default=4096, help="numbers of one call")
    parser.add_argument("--program", default=str(ROOT / "build/release/drivers/bench/diffphase_bench"))
    arguments = parser.parse_args()
    columns = arguments.columns
    rows = max(1, (1 << 19) // columns)
    line = ours(arguments.program, columns, rows)
    peers = {f"numpy {np.__version__} {bits.__name__}": numpy_rate(bits, columns, rows)
             for bits in (np.random.PCG64, np.random.SFC64, np.random.Philox)}
    peers["std::mt19937_64, normal_distribution"] = line["mt19937_64_normals"]
    peers["Random123 and libm, same numbers"] = line["random123_libm_normals"]
    best = max(peers.values())
    print(f"{columns} numbers a call, {line['version']}, load {os.getloadavg()[0]:.2f}")
    print(f"{'':<40}{'million/s':>10}{'of best peer':>14}")
    for name in ("baseline", "avx2", "avx512"):
        if f"{name}_normals" not in line:
            continue
        rate = line[f"{name}_normals"]
        bar = "" if name != "avx512" else f"   {'met' if rate >= 1e6 * BAR else 'MISSED'} ({BAR:g})"
        print(f"{'diffphase ' + name:<40}{1e-6 * rate:>10.1f}{rate / best:>14.2f}{bar}")
    for name, rate in peers.items():
        print(f"{name:<40}{1e-6 * rate:>10.1f}{rate / best:>14.2f}")
    print(f"{'Philox words alone (Random123)':<40}{1e-6 * line['random123_words']:>10.1f}")


if __name__ == "__main__":
    main()
