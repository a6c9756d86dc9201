"""jobs/mnist.toml, with fewer probes, on the MNIST test images: $DIFFPHASE_MNIST or shared/data/mnist in a folder above.

    python3 tests/cli/mnist_test.py --program BUILD/drivers/diffphase
"""

from __future__ import annotations

import functools
import gzip
import os
import tempfile
import unittest
from pathlib import Path

import numpy as np
import xarray as xr

import program

IMAGES = "t10k-images-idx3-ubyte.gz"
LABELS = "t10k-labels-idx1-ubyte.gz"

SMALL = {"realizations": "1", "process.time.count": "24", "measure.speciation.probes": "96",
         "measure.collapse.probes": "96"}
TWO_DIGITS = {"dataset.select_classes": "[1, 8]", "dataset.pad": "2", "dataset.samples": "[500, 2109]"}


def data_folder() -> Path | None:
    given = os.environ.get("DIFFPHASE_MNIST")
    folders = [Path(given)] if given else [above / "shared/data/mnist" for above in program.ROOT.parents]
    return next((folder for folder in folders if (folder / IMAGES).is_file() and (folder / LABELS).is_file()), None)


@functools.cache
def images_and_labels() -> tuple[np.ndarray, np.ndarray]:
    """Read without the program: images from 0 to 1."""
    folder = data_folder()
    images = np.frombuffer(gzip.decompress((folder / IMAGES).read_bytes())[16:], np.uint8).reshape(-1, 28, 28)
    labels = np.frombuffer(gzip.decompress((folder / LABELS).read_bytes())[8:], np.uint8)
    return images / 255.0, labels


def largest_eigenvalue(images: np.ndarray) -> float:
    return float(np.linalg.eigvalsh(np.cov(images.reshape(len(images), -1).T, bias=True))[-1])


@functools.cache
def run(name: str, ranks: int = 2, **keys: str) -> xr.Dataset:
    data = data_folder()
    settings = {"dataset.file": str(data / IMAGES), "dataset.labels": str(data / LABELS), **SMALL,
                **{key.replace("__", "."): value for key, value in keys.items()}}
    sets = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
    with tempfile.TemporaryDirectory(prefix="mnist_") as folder:
        outcome = program.diffphase(["run", str(program.ROOT / "jobs/mnist.toml"), "-q", "-o", name, *sets], folder,
                                    ranks, timeout=600)
        assert outcome.code == 0, outcome.errors
        with xr.open_dataset(Path(folder) / name / "results.h5", engine="h5netcdf") as dataset:
            return dataset.load()


def two_digits(name: str, ranks: int = 2, **keys: str) -> xr.Dataset:
    return run(name, ranks, **{key.replace(".", "__"): value for key, value in TWO_DIGITS.items()}, **keys)


class Mnist(unittest.TestCase):
    def setUp(self) -> None:
        if data_folder() is None:
            self.skipTest(f"no {IMAGES} and {LABELS}: set DIFFPHASE_MNIST to their folder")

    def test_all_images(self) -> None:
        data = run("all")
        self.assertEqual(data["samples"].values.tolist(), [100, 300, 1000, 3000, 10000])
        self.assertTrue((data["task_status"] == 1).all())
        whole = data.sel(samples=10000).isel(realization=0)
        images, _ = images_and_labels()
        self.assertAlmostEqual(float(whole["covariance_eigenvalue"]), 5.31001, delta=1e-5)
        self.assertAlmostEqual(float(whole["covariance_eigenvalue"]) / largest_eigenvalue(images), 1.0, delta=1e-9)
        self.assertAlmostEqual(float(whole["speciation_time_spectral"]), 0.5 * np.log(5.31001), delta=1e-5)
        self.assertTrue((data["collapse_time_status"] == 0).all())
        self.assertTrue((data["speciation_time_status"] == 0).all())
        collapse = data["collapse_time"].isel(realization=0).values
        self.assertTrue((np.diff(collapse) < 0).all(), "more images collapse later")

    def test_agreement_falls(self) -> None:
        """From 1 where every probe is at its image to sum w_c^2 where nothing is known, within 4 standard errors."""
        data = run("all").isel(realization=0)
        _, labels = images_and_labels()
        agreement = data["class_agreement"].transpose("samples", "time").values
        errors = data["class_agreement_stderr"].transpose("samples", "time").values
        rises = np.diff(agreement, axis=1)
        self.assertTrue((rises <= 4 * np.hypot(errors[:, 1:], errors[:, :-1]) + 1e-12).all())
        np.testing.assert_allclose(agreement[:, 0], 1.0, atol=1e-3)
        frequencies = np.bincount(labels) / len(labels)
        self.assertAlmostEqual(agreement[-1, -1], float((frequencies**2).sum()), delta=0.01)

    def test_two_digits(self) -> None:
        data = two_digits("pair").isel(realization=0)
        images, labels = images_and_labels()
        chosen = np.pad(images[np.isin(labels, (1, 8))], ((0, 0), (2, 2), (2, 2)))
        self.assertEqual(chosen.shape, (2109, 32, 32))
        eigenvalue = float(data["covariance_eigenvalue"].sel(samples=2109))
        self.assertAlmostEqual(eigenvalue, 8.23599, delta=1e-5)
        self.assertAlmostEqual(eigenvalue / largest_eigenvalue(chosen), 1.0, delta=1e-9)
        self.assertAlmostEqual(float(data["speciation_time_spectral"].sel(samples=2109)), 0.5 * np.log(8.23599),
                               delta=1e-5)
        agreement = data["class_agreement"].values
        frequencies = np.bincount(labels)[[1, 8]] / 2109
        self.assertGreater(agreement.min(), float((frequencies**2).sum()) - 0.02)
        self.assertLess(agreement.max(), 1.0 + 1e-12)

    def check_same(self, first: xr.Dataset, second: xr.Dataset) -> None:
        for name in first.data_vars:
            if not str(name).startswith("task_") and first[name].dtype == np.float64:
                scale = float(np.nanmax(np.abs(first[name].values)))
                tolerance = (1e-8 if "_time" in str(name) else 1e-10) * scale
                if name == "covariance_residual":  # itself a rounding error
                    tolerance = 1e-6
                np.testing.assert_allclose(second[name], first[name], rtol=0, atol=tolerance, err_msg=str(name))

    def test_ranks(self) -> None:
        self.check_same(two_digits("pair"), two_digits("pair_1", ranks=1))
        self.check_same(two_digits("pair"), two_digits("pair_3", ranks=3, resources__ranks_per_task="3"))

    def test_partitions(self) -> None:
        self.check_same(two_digits("pair"),
                        two_digits("pair_columns", measure__collapse__partition="dimension",
                                   resources__ranks_per_task="2"))


if __name__ == "__main__":
    program.main()
