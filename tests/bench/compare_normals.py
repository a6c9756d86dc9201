#!/usr/bin/env python3
"""Normal random numbers beside numpy's and the C++ library's, on this machine, in one run, one thread.

    cmake --build --preset release --target diffphase_bench
    python3 tests/bench/compare_normals.py [--columns 4096] [--program PROGRAM]

Rows of so many columns go to one array over and over; the fastest of 40 runs counts. numpy's numbers (ziggurat) cannot
be computed out of order; ours and Random123's can. Prints a table of rates with what the rate should be, and never
fails for one: look at the load that is printed with it.
"""

import argparse
import time

import measured_machine as machine

machine.use_one_thread()

import numpy as np  # noqa: E402

RUNS = 40
BAR = 150.0  # million per second with AVX-512


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
    parser.add_argument("--program", default=str(machine.PROGRAM))
    arguments = parser.parse_args()
    columns = arguments.columns
    rows = max(1, (1 << 19) // columns)
    line = machine.run_program(arguments.program, "normals", "--columns", columns, "--rows", rows, "--runs", RUNS)
    peers = {f"numpy {np.__version__} {bits.__name__}": numpy_rate(bits, columns, rows)
             for bits in (np.random.PCG64, np.random.SFC64, np.random.Philox)}
    peers["std::mt19937_64, normal_distribution"] = line["mt19937_64_normals"]
    peers["Random123 and libm, same numbers"] = line["random123_libm_normals"]
    best = max(peers.values())
    print(f"{machine.processor()}, {line['version']}")
    machine.title(f"Normal random numbers, {columns} a call, one thread")
    print(f"{'':<40}{'of best peer':>14}{'million/s':>10}")
    for name in ("baseline", "avx2", "avx512"):
        if f"{name}_normals" not in line:
            continue
        rate = line[f"{name}_normals"]
        shown = machine.verdict(1e-6 * rate, BAR) if name == "avx512" else f"{1e-6 * rate:8.2f}"
        print(f"{'diffphase ' + name:<40}{rate / best:>14.2f}  {shown}")
    for name, rate in peers.items():
        print(f"{name:<40}{rate / best:>14.2f}{1e-6 * rate:>10.2f}")
    words = line["random123_words"]
    print(f"{'Philox words alone (Random123)':<40}{words / best:>14.2f}{1e-6 * words:>10.2f}")


if __name__ == "__main__":
    main()
