"""measure.spectrum on MNIST images against numpy: $DIFFPHASE_MNIST or shared/data/mnist above.

    python3 tests/cli/mnist_spectrum_test.py --program BUILD/drivers/diffphase

Probes start at rows and have noise of the published streams, written down again in dense_recomputation.py.
"""

from __future__ import annotations

import functools
import tempfile
import unittest
from pathlib import Path

import numpy as np
import xarray as xr

import dense_recomputation as dense
import mnist_test
import program

PROBES = 5
SAMPLES = [200, 1000]
LARGEST = 12
TIMES = [0.05, 0.4, 1.0, 1.7, 2.5, 4.0]

SWEEP = """
name = "mnist-spectrum"
seed = {seed}
[process]
kind = "ornstein-uhlenbeck"
time = {times}
[ensemble]
kind = "file"
[dataset]
file = "{file}"
scaling = "[0,1]"
samples = {samples}
[measure]
spectrum = {{ probes = {probes}, largest = {largest}{options} }}
[resources]
precision = "{precision}"
ranks_per_task = {ranks}
"""


@functools.cache
def run(ranks: int = 1, precision: str = "double", options: str = "") -> xr.Dataset:
    file = mnist_test.data_folder() / mnist_test.IMAGES
    with tempfile.TemporaryDirectory(prefix="mnist_spectrum_") as folder:
        text = SWEEP.format(seed=dense.SEED, times=TIMES, file=file, samples=SAMPLES, probes=PROBES, largest=LARGEST,
                            precision=precision, ranks=ranks, options=options)
        (Path(folder) / "sweep.toml").write_text(text, encoding="utf-8")
        outcome = program.diffphase(["run", "sweep.toml", "-q", "-o", "out"], folder, ranks, timeout=500)
        assert outcome.code == 0, outcome.errors
        with xr.open_dataset(Path(folder) / "out/results.h5", engine="h5netcdf") as dataset:
            return dataset.load()


@functools.cache
def streams() -> tuple[int, np.ndarray]:
    """Hash of the ensemble point and the noise of the probes."""
    file = str(mnist_test.data_folder() / mnist_test.IMAGES)
    key = dense.ensemble_hash("file", "dataset", {"file": file, "scaling": "[0,1]"})
    return key, dense.Stream(key, 0, "noise").normals(PROBES, 784)


@functools.cache
def spectrum(n: int, probe: int, time: float, single: bool = False) -> tuple[np.ndarray, float]:
    """All eigenvalues of Cov[x_0|x] a^2/b^2, descending, and their sum."""
    images, _ = mnist_test.images_and_labels()
    rows = images.reshape(-1, 784)[:n]
    if single:
        rows = (rows - rows[0]).astype(np.float32).astype(float)  # as they are stored
    key, noise = streams()
    start = int(dense.Stream(key, 0, f"starts {n}").uniform(probe, 0) * n)
    tau = np.expm1(2.0 * time)
    x = rows[start] + np.sqrt(tau) * noise[probe]
    logits = -((rows - x) ** 2).sum(1) / (2.0 * tau)
    weights = np.exp(logits - logits.max())
    weights /= weights.sum()
    deviations = np.sqrt(weights)[:, None] * (rows - weights @ rows)
    eigenvalues = np.linalg.eigvalsh(deviations.T @ deviations / tau)[::-1]
    return eigenvalues, eigenvalues.sum()


class MnistSpectrum(unittest.TestCase):
    def setUp(self) -> None:
        if mnist_test.data_folder() is None:
            self.skipTest(f"no {mnist_test.IMAGES}: set DIFFPHASE_MNIST to its folder")

    def check(self, data: xr.Dataset, single: bool = False) -> None:
        data = data.isel(realization=0).transpose("samples", "spectrum_time", "probe", ...)
        self.assertTrue((data["spectrum_status"] == 0).all())
        self.assertEqual(data["spectrum_time"].values.tolist(), TIMES)
        for k, n in enumerate(SAMPLES):
            for t, time in enumerate(TIMES):
                for probe in range(PROBES):
                    at = {"samples": k, "spectrum_time": t, "probe": probe}
                    expected, trace = spectrum(n, probe, time, single)
                    found = data["jacobian_eigenvalue"].isel(at).values
                    np.testing.assert_allclose(found, expected[:LARGEST], rtol=0, atol=1e-9 * expected[0] + 1e-12,
                                               err_msg=f"n = {n}, time {time}, probe {probe}")
                    self.assertAlmostEqual(float(data["jacobian_trace"].isel(at)), 784.0 - trace,
                                           delta=1e-9 * (1.0 + abs(trace)))

    def test_equals_numpy(self) -> None:
        self.check(run())

    def test_equals_numpy_on_two_ranks(self) -> None:
        self.check(run(ranks=2))

    def test_equals_numpy_by_columns(self) -> None:
        self.check(run(ranks=2, options=', partition = "dimension", method = "krylov"'))

    def test_mixed_precision_is_that_of_rounded_differences(self) -> None:
        self.check(run(precision="mixed"), single=True)
        self.assertGreater(float(abs(run(precision="mixed")["jacobian_trace"] - run()["jacobian_trace"]).max()), 0.0)

    def test_the_images_have_many_directions_in_between(self) -> None:
        """Neither collapsed nor unresolved throughout: a test of zeros alone would show nothing."""
        data = run()
        leading = data["jacobian_eigenvalue"].isel(realization=0, eigenvalue_index=LARGEST - 1)
        self.assertGreater(float(leading.max()), 0.05)


if __name__ == "__main__":
    program.main()
