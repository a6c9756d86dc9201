#!/usr/bin/env python3
"""Spectra of score Jacobians beside numpy and scipy, on this machine, in one run.

    cmake --build --preset release --target diffphase_bench
    python3 tests/bench/compare_spectra.py [--only operator,eigsh,dense,scale] [--small] [--all] [--scratch FOLDER]

Products are timed several times, of which the shortest counts; spectra, ours and the peers', once. Programs and peers
run one after the other, one rank against one BLAS thread; the
peers get the same rows and weights from files. Prints tables of ratios with what the ratio should be, and never fails
for one: look at the load that is printed with them.

    operator  one product with a vector against reading the slab once, and once more piece by piece from cache; with a
              block of 32 against dgemm
    eigsh     the 32 largest eigenpairs against scipy.sparse.linalg.eigsh at the same residual
    dense     the 32 largest eigenvalues against forming the matrix and numpy.linalg.eigvalsh (16384 dimensions: --all;
              else that time is the one of 8192 times 8)
    scale     64 eigenpairs of a large training set and of a large mixture on 2 ranks: seconds, memory, residuals
"""

import argparse
import dataclasses
import os
import pathlib
import platform
import sys
import tempfile
import time

import measured_machine as machine
from measured_machine import title, verdict

machine.use_one_thread()

import numpy as np  # noqa: E402
import scipy  # noqa: E402
import scipy.sparse.linalg  # noqa: E402

COUNT = 32
MIB = 1048576.0


@dataclasses.dataclass
class Settings:
    """Where the program is, where files may go, and how large a run is wanted."""
    program: str
    scratch: pathlib.Path
    small: bool
    everything: bool

    def rows(self, count: int) -> int:
        return count // 16 if self.small else count

    def columns(self, count: int) -> int:
        return count // 8 if self.small else count

    def run(self, command: str, *options: object, ranks: int = 1) -> dict:
        return machine.run_program(self.program, command, *options, ranks=ranks)


def compare_operator(settings: Settings) -> None:
    title("Products: share of the read bandwidth (one vector) and of the dgemm rate (block of 32)")
    print("of twice: share of the rate at which every number can be read from memory and once more from cache;")
    print("in cache: the rate of the same product where nothing comes from memory, over that of reading memory")
    print(f"{'rows':>7}{'columns':>9} {'stored':<7}{'partition':<10}{'ranks':>6}{'read GB/s':>11}{'single ms':>11}"
          f"{'share':>8}{'':14}{'of twice':>9}{'in cache':>9}{'block ms':>10}{'share':>8}{'':14}{'of square':>10}")
    shapes = [(20000, 4096), (20000, 20000), (1000, 500000)]
    for rows, columns in shapes:
        for stored in ("double", "float"):
            for partition, ranks in (("component", 1), ("component", 2), ("dimension", 2)):
                line = settings.run("operator", "--data", "flat", "--rows", settings.rows(rows), "--columns",
                                    settings.columns(columns), "--partition", partition,
                                    *(["--single"] if stored == "float" else []), ranks=ranks)
                of_dgemm = line.get("block_over_dgemm", line["block_over_square_dgemm"])
                print(f"{line['rows']:>7}{line['columns']:>9} {stored:<7}{partition:<10}{ranks:>6}"
                      f"{1e-9 * line['read_bandwidth']:>11.1f}{1e3 * line['single_seconds']:>11.2f}"
                      f"{verdict(line['single_over_read'], 0.8)}{line['single_over_read_twice']:>9.2f}"
                      f"{line['arithmetic_over_read']:>9.2f}"
                      f"{1e3 * line['block_seconds']:>10.1f}"
                      f"{verdict(of_dgemm, 0.8)}{line['block_over_square_dgemm']:>10.2f}", flush=True)


@dataclasses.dataclass
class Peer:
    """The same operator C = Y^T (diag(p) - p p^T) Y / tau for numpy, from the files of the program."""
    rows: np.ndarray
    weights: np.ndarray
    tau: float

    @staticmethod
    def load(settings: Settings, line: dict) -> "Peer":
        rows = np.fromfile(settings.scratch / "rows").reshape(line["rows"], line["columns"])
        weights = np.fromfile(settings.scratch / "responsibilities")
        return Peer(rows, weights / weights.sum(), line["tau"])

    def operator(self) -> scipy.sparse.linalg.LinearOperator:
        rows, weights = self.rows, self.weights
        count, dimension = rows.shape
        along = np.empty(count)
        scaled = weights / self.tau

        def apply(vector: np.ndarray) -> np.ndarray:
            np.dot(rows, vector.reshape(-1), out=along)
            np.subtract(along, weights @ along, out=along)
            np.multiply(along, scaled, out=along)
            return along @ rows

        return scipy.sparse.linalg.LinearOperator((dimension, dimension), matvec=apply, dtype=float)

    def matrix(self) -> np.ndarray:
        mean = self.weights @ self.rows
        centred = self.rows - mean
        centred *= np.sqrt(self.weights / self.tau)[:, None]
        return centred.T @ centred

    def residual(self, values: np.ndarray, vectors: np.ndarray) -> float:
        """Largest |C v - lambda v| / |lambda|."""
        apply = self.operator()
        return max(float(np.linalg.norm(apply.matvec(vectors[:, i]) - values[i] * vectors[:, i]) / abs(values[i]))
                   for i in range(len(values)))


def eigsh(peer: Peer, tolerance: float) -> tuple[float, int, np.ndarray, np.ndarray]:
    """Seconds, products, eigenvalues and vectors."""
    operator = peer.operator()
    products = 0

    def counted(vector: np.ndarray) -> np.ndarray:
        nonlocal products
        products += 1
        return operator.matvec(vector)

    wrapped = scipy.sparse.linalg.LinearOperator(operator.shape, matvec=counted, dtype=float)
    start = time.perf_counter()
    values, vectors = scipy.sparse.linalg.eigsh(wrapped, k=COUNT, which="LA", tol=tolerance,
                                                v0=np.random.default_rng(1).standard_normal(operator.shape[0]))
    return time.perf_counter() - start, products, values[::-1], vectors[:, ::-1]


@dataclasses.dataclass
class PeerRun:
    seconds: float
    products: int
    residual: float
    values: np.ndarray


def eigsh_runs(peer: Peer) -> list[PeerRun]:
    """From loose to tight tolerances, each with the residual that it reached."""
    runs = []
    for tolerance in (1e-4, 1e-6, 1e-8):
        seconds, products, values, vectors = eigsh(peer, tolerance)
        runs.append(PeerRun(seconds, products, peer.residual(values, vectors), values))
    return runs


def fastest_at(runs: list[PeerRun], residual: float) -> PeerRun:
    """Of those that are as accurate, else the most accurate."""
    good = [run for run in runs if run.residual <= residual]
    return min(good, key=lambda run: run.seconds) if good else min(runs, key=lambda run: run.residual)


def compare_eigsh(settings: Settings) -> None:
    title(f"The {COUNT} largest eigenpairs against scipy.sparse.linalg.eigsh at the same residual, 1 rank")
    print(f"{'data':<10}{'rows':>7}{'columns':>8} {'':<23}{'seconds':>9}{'products':>9}{'residual':>10}"
          f"{'eigsh s':>9}{'products':>9}{'residual':>10}{'faster':>8}")
    for data in ("outliers", "power-law", "flat"):
        runs: list[PeerRun] = []
        for method, verified in (("krylov", False), ("krylov", True), ("block-krylov", False), ("automatic", True)):
            line = settings.run("spectrum", "--data", data, "--rows", settings.rows(20000), "--columns",
                                settings.columns(4096), "--count", COUNT, "--method", method,
                                *([] if verified else ["--no-verify"]),
                                *([] if runs else ["--save", settings.scratch]))
            if not runs:
                runs = eigsh_runs(Peer.load(settings, line))
            theirs = fastest_at(runs, line["worst_relative_residual"])
            difference = np.max(np.abs(np.array(line["eigenvalues"]) - theirs.values)) / theirs.values[0]
            if difference > 1e-8:
                print(f"eigenvalues differ by {difference:.1e} of the largest", file=sys.stderr)
            ours = line["set_up_seconds"] + line["solve_seconds"]
            label = line["method"] + (", verified" if line["verified"] else "")
            print(f"{data:<10}{line['rows']:>7}{line['columns']:>8} {label:<23}{ours:>9.2f}{line['products']:>9}"
                  f"{line['worst_relative_residual']:>10.1e}{theirs.seconds:>9.2f}{theirs.products:>9}"
                  f"{theirs.residual:>10.1e}{verdict(theirs.seconds / ours, 2.0)}", flush=True)


def dense_seconds(peer: Peer) -> tuple[float, np.ndarray]:
    start = time.perf_counter()
    values = np.linalg.eigvalsh(peer.matrix())
    return time.perf_counter() - start, values[:-COUNT - 1:-1]


def compare_dense(settings: Settings) -> None:
    title(f"The {COUNT} largest eigenvalues against numpy's matrix and eigvalsh, 1 rank")
    print(f"{'data':<10}{'rows':>7}{'columns':>8} {'method':<13}{'seconds':>9}{'numpy s':>9}{'faster':>9}")
    numpy_seconds = {}
    for data, bar in (("outliers", 3.0), ("flat", 1.0)):
        for columns in (4096, 8192, 16384):
            compare_dense_at(settings, data, columns, bar, numpy_seconds)


def compare_dense_at(settings: Settings, data: str, columns: int, bar: float, numpy_seconds: dict[int, float]) -> None:
    # numpy takes as long for any data of one size: the largest is measured once, if at all.
    large = columns == 16384
    measured = not large or (settings.everything and columns not in numpy_seconds)
    line = settings.run("spectrum", "--data", data, "--rows", settings.rows(20000), "--columns",
                        settings.columns(columns), "--count", COUNT, *(["--save", settings.scratch] if measured else []))
    if measured:
        numpy_seconds[columns], values = dense_seconds(Peer.load(settings, line))
        difference = np.max(np.abs(np.array(line["eigenvalues"]) - values)) / values[0]
        if difference > 1e-8:
            print(f"eigenvalues differ by {difference:.1e} of the largest", file=sys.stderr)
    scaled = columns not in numpy_seconds
    seconds = numpy_seconds[columns // 2] * 8 if scaled else numpy_seconds[columns]
    note = "  numpy: time of 8192 times 8" if scaled else ("" if measured else "  numpy: time of outliers")
    ours = line["set_up_seconds"] + line["solve_seconds"]
    print(f"{data:<10}{line['rows']:>7}{line['columns']:>8} {line['method']:<13}{ours:>9.2f}{seconds:>9.1f}"
          f"{verdict(seconds / ours, bar)}{note}", flush=True)


def compare_scale(settings: Settings) -> None:
    title("The 64 largest eigenpairs at scale, 2 ranks, memory per rank in MiB")
    print(f"{'data':<10}{'rows':>7}{'columns':>9} {'stored':<7}{'method':<13}{'seconds':>9}{'products':>9}{'residual':>10}"
          f"{'peak':>8}{'slab':>7}{'basis':>7}{'allowed':>9}  {'verdict'}")
    training_sets = [(data, 20000, 20000, "double", method)
                     for data in ("power-law", "flat") for method in ("krylov", "automatic")]
    mixtures = [("classes", 1000, 1000000, "float", method) for method in ("automatic", "krylov", "block-krylov")]
    for data, rows, columns, stored, method in training_sets + mixtures:
        line = settings.run("spectrum", "--data", data, "--rows", settings.rows(rows), "--columns",
                            settings.columns(columns), "--count", min(64, settings.rows(rows) - 2), "--method", method,
                            *(["--single"] if stored == "float" else []), ranks=2)
        good = line["peak_mib"] <= line["allowed_mib"] and line["worst_relative_residual"] <= 1e-8
        print(f"{data:<10}{line['rows']:>7}{line['columns']:>9} {stored:<7}{line['method']:<13}"
              f"{line['set_up_seconds'] + line['solve_seconds']:>9.1f}{line['products']:>9}"
              f"{line['worst_relative_residual']:>10.1e}{line['peak_mib']:>8.0f}{line['slab_mib']:>7.0f}"
              f"{line['basis_mib']:>7.0f}{line['allowed_mib']:>9.0f}  {'met' if good else 'MISSED'}", flush=True)


COMPARISONS = {"operator": compare_operator, "eigsh": compare_eigsh, "dense": compare_dense, "scale": compare_scale}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=str(machine.PROGRAM))
    parser.add_argument("--only", default=",".join(COMPARISONS), help="comparisons, separated by commas")
    parser.add_argument("--small", action="store_true", help="a sixteenth of the rows, an eighth of the columns")
    parser.add_argument("--all", action="store_true", help="also what takes tens of minutes")
    parser.add_argument("--scratch", help="folder for up to 3 GB of files (default: the system's)")
    arguments = parser.parse_args()
    wanted = arguments.only.split(",")
    unknown = [name for name in wanted if name not in COMPARISONS]
    if unknown:
        parser.error(f"unknown comparison {unknown[0]}")
    print(f"{machine.processor()}, {os.cpu_count()} processors; Python {platform.python_version()}, numpy {np.__version__}, "
          f"scipy {scipy.__version__}, BLAS {machine.blas_library()}")
    with tempfile.TemporaryDirectory(dir=arguments.scratch) as scratch:
        settings = Settings(arguments.program, pathlib.Path(scratch), arguments.small, arguments.all)
        for name in wanted:
            COMPARISONS[name](settings)


if __name__ == "__main__":
    main()
