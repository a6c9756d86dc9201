#!/usr/bin/env python3
"""The published figure of the collapse (Biroli et al. 2024: n = 20000, d = 256, 1024, 4096, 20 times) at equal error, beside
the published protocol: 250000 probes and one dense product per time, here measured on a slice and scaled.

    cmake --build --preset release --target diffphase_cli
    python3 tests/bench/compare_published_collapse.py [--program build/release/drivers/diffphase]

One rank against one BLAS thread, one after the other. The published values and errors at d = 256 are read from
../shared/data/published; without them nothing is compared. Prints tables and never fails for a number: look at the load
that is printed with them.
"""

import argparse
import csv
import os
import pathlib
import platform
import subprocess
import tempfile
import time
from dataclasses import dataclass

import measured_machine as machine

machine.use_one_thread()

import numpy as np  # noqa: E402
import xarray as xr  # noqa: E402

PUBLISHED = machine.ROOT / "../shared/data/published/biroli2024_excess_entropy_d256_n20000.csv"
SAMPLES, PUBLISHED_PROBES = 20000, 250_000
ERRORS = {256: 0.0023, 1024: 0.0046, 4096: 0.0091}  # published, of the excess entropy over alpha
PROBES = {256: 4096, 1024: 1280, 4096: 320}
SLICE = 500  # probes
EXPONENTIAL = 20.0  # multiply-adds that take as long

SWEEP = """name = "published-collapse"
[process]
kind = "ornstein-uhlenbeck"
time = {times}
[ensemble]
kind = "gaussian-mixture"
dimension = {dimension}
classes = 2
centroids = "opposite"
representation = "streaming"
[dataset]
samples = {samples}
[measure]
collapse = {{ probes = {probes} }}
"""


@dataclass(frozen=True)
class Curve:
    """Excess entropy over alpha, ascending in time."""

    times: np.ndarray
    values: np.ndarray
    errors: np.ndarray


@dataclass(frozen=True)
class Work:
    """What a protocol takes."""

    multiply_adds: float
    exponentials: float
    normals: float
    seconds: float

    @property
    def operations(self) -> float:
        return self.multiply_adds + EXPONENTIAL * (self.exponentials + self.normals)


def published_curve() -> Curve:
    with open(PUBLISHED, encoding="utf-8", newline="") as file:
        rows = sorted((float(row["t"]), float(row["excess_entropy_over_alpha"]), float(row["standard_error"]))
                      for row in csv.DictReader(file))
    return Curve(*np.array(rows).T)


def measured_curve(program: str, folder: pathlib.Path, dimension: int, times: np.ndarray) -> tuple[Curve, Work]:
    """One run of the program, from its start to its results."""
    sweep = folder / f"{dimension}.toml"
    sweep.write_text(SWEEP.format(times=[float(t) for t in times], dimension=dimension, samples=SAMPLES,
                                  probes=PROBES[dimension]), encoding="utf-8")
    output = folder / str(dimension)
    start = time.perf_counter()
    done = subprocess.run([program, "run", str(sweep), "-q", "-o", str(output)], env=machine.environment(), check=False,
                          capture_output=True, text=True)
    seconds = time.perf_counter() - start
    if done.returncode != 0:
        raise SystemExit(f"{program} failed:\n{done.stderr}")
    with xr.open_dataset(output / "results.h5", engine="h5netcdf") as results:
        one = results.squeeze(drop=True)
        curve = Curve(times, one.weight_entropy.values, one.weight_entropy_stderr.values)
    pairs = float(PROBES[dimension] * SAMPLES)
    return curve, Work(0.0, pairs * len(times), 4.0 * pairs, seconds)


def published_work(dimension: int, times: np.ndarray, dtype: type) -> Work:
    """The published protocol on SLICE probes at one time, scaled to all of both."""
    random = np.random.default_rng(1)
    rows = random.standard_normal((SAMPLES, dimension)).astype(dtype)
    rows[: SAMPLES // 2] += dtype(1.0)
    rows[SAMPLES // 2:] -= dtype(1.0)
    half_norms = 0.5 * np.einsum("ij,ij->i", rows, rows)
    t = float(times[len(times) // 3])
    signal, noise = dtype(np.exp(-t)), dtype(np.sqrt(-np.expm1(-2.0 * t)))
    start = time.perf_counter()
    points = signal * rows[:SLICE] + noise * random.standard_normal((SLICE, dimension), dtype=dtype)
    logits = points @ rows.T
    logits *= signal / noise**2
    logits -= signal**2 / noise**2 * half_norms
    largest = logits.max(axis=1)
    logits -= largest[:, None]
    np.exp(logits, out=logits)
    np.log(logits.sum(axis=1)) + largest  # noqa: B018: what the protocol averages
    seconds = time.perf_counter() - start
    scale = PUBLISHED_PROBES / SLICE * len(times)
    pairs = float(PUBLISHED_PROBES) * SAMPLES * len(times)
    return Work(pairs * dimension, pairs, float(PUBLISHED_PROBES) * dimension * len(times), seconds * scale)


def print_curve(published: Curve, ours: Curve) -> None:
    machine.title(f"Excess entropy over alpha, n = {SAMPLES}, d = 256")
    print(f"{'t':>8}{'published':>12}{'error':>9}{'diffphase':>12}{'error':>9}{'difference':>12}{'in errors':>11}")
    scores = (ours.values - published.values) / np.hypot(ours.errors, published.errors)
    for t, p, pe, o, oe, score in zip(published.times, published.values, published.errors, ours.values, ours.errors, scores):
        print(f"{t:>8.3f}{p:>12.5f}{pe:>9.5f}{o:>12.5f}{oe:>9.5f}{o - p:>12.5f}{score:>11.2f}")
    ratio = float(np.max(ours.errors / published.errors))
    print(f"chi^2 = {np.sum(scores**2):.1f} of {len(scores)} times; largest error over the published one "
          f"{machine.verdict(ratio, 1.0, at_most=True)}")


def print_work(rows: list[tuple[int, float, Work, dict[str, Work]]]) -> None:
    """Each row: dimension, our largest error, our work, theirs by precision."""
    machine.title(f"The published protocol ({PUBLISHED_PROBES} probes, numpy, {SLICE} of them at one time, scaled) over one run")
    precisions = list(rows[0][3])
    print(f"{'':6}{'error of entropy over alpha':^35}{'one run':^25}{'published protocol over one run':^40}")
    print(f"{'d':>6}{'published':>10}{'largest, 10^-3':>25}{'probes':>8}{'10^9 op':>9}{'s':>8}{'work':>10}"
          + "".join(f"{name + ' s':>12}{'faster':>9}" for name in precisions))
    for dimension, error, ours, theirs in rows:
        print(f"{dimension:>6}{ERRORS[dimension]:>10.4f} {machine.verdict(1e3 * error, 1e3 * ERRORS[dimension], at_most=True):<24}"
              f"{PROBES[dimension]:>8}{ours.operations / 1e9:>9.2f}{ours.seconds:>8.2f}"
              f"{theirs[precisions[0]].operations / ours.operations:>10.0f}"
              + "".join(f"{theirs[name].seconds:>12.0f}{theirs[name].seconds / ours.seconds:>9.0f}" for name in precisions))
    ours = sum(row[2].seconds for row in rows)
    for name in precisions:
        published = sum(row[3][name].seconds for row in rows)
        print(f"the whole figure, {name}: {published:.0f} s over {ours:.2f} s = {machine.verdict(published / ours, 1000.0)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=str(machine.ROOT / "build/release/drivers/diffphase"))
    arguments = parser.parse_args()
    if not PUBLISHED.is_file():
        print(f"nothing to compare with: {PUBLISHED} is not there")
        return
    published = published_curve()
    print(f"{machine.processor()}, {os.cpu_count()} processors; Python {platform.python_version()}, "
          f"numpy {np.__version__}, BLAS {machine.blas_library()}")
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        for dimension in PROBES:
            curve, work = measured_curve(arguments.program, pathlib.Path(scratch), dimension, published.times)
            if dimension == 256:
                print_curve(published, curve)
            theirs = {dtype.__name__: published_work(dimension, published.times, dtype) for dtype in (np.float64, np.float32)}
            rows.append((dimension, float(np.max(curve.errors)), work, theirs))
    print_work(rows)


if __name__ == "__main__":
    main()
