#!/usr/bin/env python3
"""The posterior pass beside its bare matrix products and beside numpy and PyTorch, on this machine, in one run.

    cmake --build --preset release --target diffphase_bench
    python3 tests/bench/compare_posterior.py [--small] [--scratch FOLDER]

All times of a grid and all nested sample counts of one training set: diffphase in one pass; the peers in a loop over the
times with one matrix product, one exponential and prefix sums each, in place, on the same rows, starts and noises, from
files. One rank against one BLAS thread, one after the other. Prints tables of ratios with what the ratio should be, and
never fails for one: look at the load that is printed with them.
"""

import argparse
import os
import pathlib
import platform
import tempfile
import time

import measured_machine as machine

machine.use_one_thread()

import numpy as np  # noqa: E402

PRECISIONS = {"double": np.float64, "single": np.float32}
TURNS = 4
PEER_RUNS = 3
SIZE = {"rows": 20000, "columns": 1024, "probes": 1024, "times": 64, "counts": 4}


def size_options(small: bool, fewer_probes: int = 1) -> list[object]:
    shrunk = {"rows": 8, "columns": 4, "probes": 4, "times": 4, "counts": 1}
    options = []
    for name, value in SIZE.items():
        size = value // shrunk[name] if small else value
        options += [f"--{name}", size // fewer_probes if name == "probes" else size]
    return options


class Problem:
    """Rows, starts and noises of the program, in the precision of a peer."""

    def __init__(self, folder: pathlib.Path, line: dict, dtype: type) -> None:
        self.rows = np.fromfile(folder / "rows").reshape(line["rows"], line["columns"]).astype(dtype)
        self.noises = np.fromfile(folder / "noises").reshape(line["probes"], line["columns"]).astype(dtype)
        self.starts = self.rows[:line["probes"]]
        self.times = np.fromfile(folder / "times")
        self.counts = [line["rows"] >> i for i in reversed(range(line["counts"]))]

    def levels(self) -> list[tuple[float, float]]:
        """a and b of the Ornstein-Uhlenbeck process."""
        return [(float(np.exp(-t)), float(np.sqrt(-np.expm1(-2.0 * t)))) for t in self.times]


def numpy_participation(problem: Problem) -> np.ndarray:
    """Means over the probes, [count][time]."""
    rows, starts, noises = problem.rows, problem.starts, problem.noises
    half_norms = 0.5 * np.einsum("ij,ij->i", rows, rows)
    logits = np.empty((len(starts), len(rows)), rows.dtype)
    points = np.empty_like(noises)
    means = []
    for a, b in problem.levels():
        np.multiply(noises, b, out=points)
        points += rows.dtype.type(a) * starts
        np.matmul(points, rows.T, out=logits)
        logits *= rows.dtype.type(a / b**2)
        logits -= rows.dtype.type(a**2 / b**2) * half_norms
        logits -= logits.max(axis=1, keepdims=True)
        np.exp(logits, out=logits)
        means.append(prefix_participation(logits, problem.counts))
    return np.array(means).T


def prefix_participation(weights: np.ndarray, counts: list[int]) -> list[float]:
    result, first = [], 0
    total, squares = np.zeros(len(weights)), np.zeros(len(weights))
    for count in counts:
        part = weights[:, first:count]
        total += part.sum(axis=1)
        squares += np.einsum("ij,ij->i", part, part)
        result.append(float(np.mean(squares / total**2)))
        first = count
    return result


def torch_participation(problem: Problem) -> np.ndarray:
    import torch
    torch.set_num_threads(1)
    rows, starts, noises = (torch.from_numpy(x) for x in (problem.rows, problem.starts, problem.noises))
    half_norms = 0.5 * (rows * rows).sum(1)
    means = []
    for a, b in problem.levels():
        logits = torch.addmm(-(a**2 / b**2) * half_norms, a * starts + b * noises, rows.T, alpha=a / b**2)
        logits.sub_(logits.max(1, keepdim=True).values).exp_()
        means.append(prefix_participation(logits.numpy(), problem.counts))
    return np.array(means).T


def fastest(lines: list[dict]) -> dict:
    """The fastest pass and the fastest products of several turns."""
    best = dict(min(lines, key=lambda line: line["pass_seconds"]))
    best["gemm_seconds"] = min(line["gemm_seconds"] for line in lines)
    best["pass_over_gemm"] = best["pass_seconds"] / best["gemm_seconds"]
    return best


def measure_in_turns(program: str, cases: list[list[object]], ranks: list[int]) -> list[dict]:
    """The fastest line of each case, which are run one after the other in every turn."""
    turns = [[machine.run_program(program, "posterior", *case, ranks=n) for case, n in zip(cases, ranks)]
             for _ in range(TURNS)]
    return [fastest(list(lines)) for lines in zip(*turns)]


def compare_products(program: str, small: bool, folder: pathlib.Path) -> dict[str, dict]:
    """The lines of one rank, by precision; each has a folder with what was computed from what."""
    machine.title("One pass (all times, all counts) over the time of its two bare matrix products")
    print(f"{'precision':<10}{'partition':<10}{'ranks':>6}{'threads':>8}{'pass s':>9}{'gemm s':>9}{'ratio':>8}{'':14}"
          f"{'MiB above slab':>15}{'':10}{'faster than 1':>15}")
    ways = (("component", 1, 1), ("component", 2, 1), ("dimension", 2, 1), ("component", 1, 2))
    kept = {}
    for precision in PRECISIONS:
        (folder / precision).mkdir()
        options = [*size_options(small), *(["--single"] if precision == "single" else [])]
        machine.run_program(program, "posterior", *options, "--runs", 1, "--save", folder / precision)
        cases = [[*options, "--partition", partition, "--threads", threads] for partition, ranks, threads in ways]
        lines = measure_in_turns(program, cases, [ranks for _, ranks, _ in ways])
        kept[precision] = lines[0]
        for (partition, ranks, threads), line in zip(ways, lines):
            speedup = machine.verdict(lines[0]["pass_seconds"] / line["pass_seconds"], 1.85) if line is not lines[0] else ""
            above_slab = machine.verdict((line["peak_memory"] - line["slab_bytes"]) / 2**20, 256, at_most=True)
            print(f"{precision:<10}{partition:<10}{ranks:>6}{threads:>8}{line['pass_seconds']:>9.2f}{line['gemm_seconds']:>9.2f}"
                  f"{machine.verdict(line['pass_over_gemm'], 1.6, at_most=True)}{above_slab}{speedup}",
                  flush=True)
    return kept


# Kernels, and the OpenBLAS kernels for processors that have no more.
INSTRUCTION_SETS = {"avx512": "SkylakeX", "avx2": "Haswell", "baseline": "Prescott"}


def compare_instruction_sets(program: str, small: bool) -> None:
    machine.title("The same on narrower instruction sets, 1 rank, a quarter of the probes")
    print(f"{'precision':<10}{'kernels':<10}{'pass s':>9}{'gemm s':>9}{'ratio':>8}")
    for precision in PRECISIONS:
        single = ["--single"] if precision == "single" else []
        for kernels, core in INSTRUCTION_SETS.items():
            line = machine.run_program(program, "posterior", *size_options(small, fewer_probes=4), *single,
                                       DIFFPHASE_INSTRUCTION_SET=kernels, OPENBLAS_CORETYPE=core)
            print(f"{precision:<10}{kernels:<10}{line['pass_seconds']:>9.2f}{line['gemm_seconds']:>9.2f}"
                  f"{line['pass_over_gemm']:>8.2f}", flush=True)


def compare_noises(program: str, small: bool) -> None:
    machine.title("Probes in a row that share a start and its products, 1 rank; gain: variance times seconds of noises = 1")
    print(f"{'precision':<10}{'noises':>7}{'pass s':>9}{'error':>10}{'gain':>8}")
    shared = (1, 2, 8)
    for precision in PRECISIONS:
        options = [*size_options(small), *(["--single"] if precision == "single" else [])]
        lines = measure_in_turns(program, [[*options, "--noises", noises] for noises in shared], [1] * len(shared))
        work = [line["standard_error"] ** 2 * line["pass_seconds"] for line in lines]
        for noises, line, mine in zip(shared, lines, work):
            print(f"{precision:<10}{noises:>7}{line['pass_seconds']:>9.2f}{line['standard_error']:>10.1e}{work[0] / mine:>8.2f}",
                  flush=True)


def time_streamed_sets(program: str, small: bool) -> None:
    machine.title("Training sets drawn in law: the collapse at 4 times, a set for every probe, nothing stored")
    print(f"{'points':>8}{'dimension':>11}{'probes':>8}{'ranks':>7}{'threads':>9}{'seconds':>9}{'ns per point':>14}"
          f"{'peak MiB':>10}")
    for dimension, ranks, threads in ((1e6, 1, 1), (1e12, 1, 1), (1e6, 2, 1), (1e6, 1, 2)):
        line = machine.run_program(program, "streamed", "--points", 1e6 if small else 1e8, "--dimension", dimension,
                                   "--probes", 2, "--times", 4, "--threads", threads, ranks=ranks)
        print(f"{line['points']:>8.0e}{dimension:>11.0e}{line['probes']:>8}{ranks:>7}{threads:>9}{line['seconds']:>9.2f}"
              f"{line['nanoseconds_per_point']:>14.1f}{line['peak_memory'] / 2**20:>10.0f}", flush=True)


def measured(line: dict, folder: pathlib.Path) -> np.ndarray:
    """The program's means over the probes, [count][time]."""
    return np.fromfile(folder / "participation").reshape(line["counts"], line["times"])


def compare_peers(lines: dict[str, dict], folder: pathlib.Path) -> None:
    difference = np.abs(measured(lines["single"], folder / "single") - measured(lines["double"], folder / "double")).max()
    print(f"single and double precision differ by at most {difference:.1e} in participation")
    machine.title("The same numbers by a loop over the times, 1 thread; against the pass in the same precision")
    print(f"{'peer':<10}{'precision':<10}{'seconds':>9}{'faster':>9}{'':14}{'largest difference':>20}")
    peers = {"numpy": numpy_participation, "torch": torch_participation}
    for name, peer in peers.items():
        for precision, dtype in PRECISIONS.items():
            line = lines[precision]
            problem = Problem(folder / precision, line, dtype)
            seconds = []
            try:
                for _ in range(PEER_RUNS):
                    start = time.perf_counter()
                    theirs = peer(problem)
                    seconds.append(time.perf_counter() - start)
            except ImportError:
                print(f"{name:<10}not installed")
                break
            print(f"{name:<10}{np.dtype(dtype).name:<10}{min(seconds):>9.1f}"
                  f"{machine.verdict(min(seconds) / line['pass_seconds'], 15.0)}{np.abs(theirs - measured(line, folder / precision)).max():>20.1e}",
                  flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=str(machine.PROGRAM))
    parser.add_argument("--small", action="store_true", help="a few percent of the work")
    parser.add_argument("--scratch", help="folder for 400 MB of files (default: the system's)")
    arguments = parser.parse_args()
    print(f"{machine.processor()}, {os.cpu_count()} processors; Python {platform.python_version()}, "
          f"numpy {np.__version__}, BLAS {machine.blas_library()}")
    with tempfile.TemporaryDirectory(dir=arguments.scratch) as scratch:
        folder = pathlib.Path(scratch)
        compare_peers(compare_products(arguments.program, arguments.small, folder), folder)
    compare_instruction_sets(arguments.program, arguments.small)
    compare_noises(arguments.program, arguments.small)
    time_streamed_sets(arguments.program, arguments.small)


if __name__ == "__main__":
    main()
