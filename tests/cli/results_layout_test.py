"""The results file of small sweeps of every kind: dims, coordinates, units, names, provenance, and that analysis reads it.

    python3 tests/cli/results_layout_test.py --program BUILD/drivers/diffphase [Layout] [Reports.test_lists]
"""

from __future__ import annotations

import atexit
import functools
import io
import re
import shutil
import tempfile
import tomllib
import unittest
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import numpy as np
import xarray as xr

import program
from analysis.results import open_results
from analysis.table import csv_table, text_table

ROOT_STATUS = "found before_grid after_grid not_monotone failed never not_measured unresolved"
TASK_TABLES = {"task_status": "1", "task_seconds": "s", "task_ranks": "1", "task_attempts": "1"}
DERIVED = re.compile(r"(_stderr|_status|_theory|_theory_asymptotic|_shift|_tolerance|_interpolation_error)$")

SPECIATION = {"class_agreement", "speciation_time", "speciation_time_spectral", "covariance_eigenvalue"}
CENTRE = {"drift_instability_time", "curvature_instability_time"}
SUPERCLASSES = {"superclass_agreement", "superclass_speciation_time"}
COLLAPSE = {"participation", "weight_entropy", "collapse_time", "parent_weight", "largest_weight"}
CURVES = {"class_agreement", "distinct_class_agreement", "superclass_agreement", "participation", "weight_entropy",
          "parent_weight", "largest_weight", "clone_class_agreement", "clone_participation"}
REPRESENTED = {"speciation", "collapse"}  # these say how mixtures were represented
CRITICAL = {"speciation_time", "superclass_speciation_time", "collapse_time"}  # these have _stderr and _status
ROOTS = CENTRE | {"speciation_time_spectral"}  # these have _status
BY_COUNT = COLLAPSE | {"clone_participation", "speciation_time_spectral", "covariance_eigenvalue",
                       "covariance_residual", "collapse_window"}


@dataclass(frozen=True)
class Case:
    """A sweep and what its file must hold."""

    text: str
    axes: dict[str, list]  # in order, with their coordinates
    variables: set[str]  # measured, without the derived ones
    predicted: bool = True
    predictions: set[str] = field(default_factory=set)  # where only some are known
    labels: dict[str, tuple[str, list]] = field(default_factory=dict)  # variables on an axis: its name, values
    attributes: dict[str, object] = field(default_factory=dict)
    kind: str = "ornstein-uhlenbeck"
    units: str = "1"
    realizations: int = 1
    by_count: frozenset[str] = frozenset(BY_COUNT)  # what has the axis `samples`, where there is one
    arguments: tuple[str, ...] = ()
    reduced: tuple[str, ...] = ()  # representations that are taken beside the explicit one
    reasons: tuple[str, ...] = ()  # why


def sweep(name: str, body: str, kind: str = "ornstein-uhlenbeck", time: tuple[float, float] = (0.02, 5.0),
          measures: tuple[str, ...] = ("speciation", "collapse"), realizations: int = 1) -> str:
    options = {"speciation": "probes = 16", "collapse": "probes = 16", "clones": "trajectories = 20, steps = 8"}
    lines = [f'name = "{name}"', "seed = 3", f"realizations = {realizations}", "[process]", f'kind = "{kind}"',
             f'time = {{ from = {time[0]}, to = {time[1]}, count = 9, spacing = "log" }}', body.strip(), "[measure]"]
    return "\n".join([*lines, *(f"{measure} = {{ {options[measure]} }}" for measure in measures)]) + "\n"


LISTS = sweep("lists", """
[ensemble]
kind = "gaussian-mixture"
dimension = [8, 16]
classes = [2, 4]
centroids = "simplex"
sigma = 0.75
[dataset]
samples = [20, 40]
""", realizations=2)

LIST_AXES = {"dimension": [8, 16], "classes": [2, 4], "samples": [20, 40]}

CASES = {
    "lists": Case(LISTS, LIST_AXES, SPECIATION | CENTRE | COLLAPSE, realizations=2,
                  attributes={"centroids": "simplex", "sigma": 0.75, "seed": 3, "name": "lists",
                              "speciation_probes": 16, "ensemble_kind": "gaussian-mixture"}),
    "incomplete": Case(LISTS.replace('"lists"', '"incomplete"'), LIST_AXES, SPECIATION | CENTRE | COLLAPSE,
                       realizations=2, arguments=("--points", "0,3")),
    "words": Case(sweep("words", """
[ensemble]
kind = "gaussian-mixture"
dimension = 64
classes = 2
centroids = ["opposite", "random", "simplex"]
[dataset]
samples = 20
""", "variance-exploding", (0.01, 100.0)), {"centroids": ["opposite", "random", "simplex"]},
                  SPECIATION | CENTRE | COLLAPSE, kind="variance-exploding",
                  attributes={"dimension": 64, "samples": 20}),
    "vectors": Case(sweep("vectors", """
[ensemble]
kind = "gaussian-mixture"
dimension = 8
classes = 2
centroids = "opposite"
weights = [[0.5, 0.5], [0.2, 0.8]]
""", "flow-matching", (0.05, 0.95), ("speciation", "clones")), {"weights": [0, 1]},
                    SPECIATION | CENTRE | {"clone_class_agreement"}, kind="flow-matching",
                    labels={"weights_label": ("weights", ["[0.5,0.5]", "[0.2,0.8]"])},
                    attributes={"classes": 2, "clones_steps": 8, "clones_sampler": "euler"}),
    "blocks": Case(sweep("blocks", """
[ensemble]
kind = "linear-manifold"
dimension = 12
blocks = [[{ size = 4, sigma = 1.0 }], [{ size = 2, sigma = 1.0 }, { size = 6, sigma = 0.3 }]]
factor = "gaussian"
[dataset]
samples = [20, 40]
""", "variance-exploding", (1e-3, 300.0), ("collapse", "clones")), {"blocks": [0, 1], "samples": [20, 40]},
                   COLLAPSE | {"clone_participation"}, predicted=False, kind="variance-exploding",
                   predictions={"participation_theory", "collapse_time_theory", "collapse_time_shift",
                                "collapse_time_tolerance", "collapse_window"},
                   labels={"blocks_label": ("blocks", ["[{size=4,sigma=1}]",
                                                       "[{size=2,sigma=1},{size=6,sigma=0.3}]"])},
                   attributes={"ensemble_kind": "linear-manifold", "factor": "gaussian", "dimension": 12}),
    "sphere": Case(sweep("sphere", """
[ensemble]
kind = "hypersphere"
dimension = 12
sphere_dimension = [3, 10]
radius = 2.0
[dataset]
samples = 40
""", "variance-exploding", (1e-3, 300.0), ("collapse",)), {"sphere_dimension": [3, 10]}, COLLAPSE, predicted=False,
                   kind="variance-exploding", attributes={"ensemble_kind": "hypersphere", "radius": 2.0}),
    "zip": Case(sweep("zip", """
[ensemble]
kind = "gaussian-mixture"
classes = 2
centroids = ["opposite", "simplex"]
[[zip]]
name = "size"
ensemble.dimension = [8, 16]
dataset.samples = [20, 40]
""", "ddpm-linear", (10.0, 1000.0)), {"centroids": ["opposite", "simplex"], "size": [0, 1]},
                SPECIATION | CENTRE | COLLAPSE, kind="ddpm-linear", units="step",
                labels={"dimension": ("size", [8, 16]), "samples": ("size", [20, 40])}),
    "point": Case(sweep("point", """
[ensemble]
kind = "gaussian-mixture"
dimension = [8, 16]
classes = 2
centroids = "opposite"
[dataset]
samples = 20
[[point]]
ensemble.dimension = 32
dataset.samples = 40
"""), {"point": [0, 1, 2]}, SPECIATION | CENTRE | COLLAPSE,
                  labels={"dimension": ("point", [8, 16, 32]), "samples": ("point", [20, 20, 40])},
                  attributes={"classes": 2}),
    "scalars": Case(sweep("scalars", """
[ensemble]
kind = "gaussian-mixture"
dimension = 16
classes = 2
centroids = "opposite"
[dataset]
samples = 20
"""), {}, SPECIATION | CENTRE | COLLAPSE, attributes={"dimension": 16, "samples": 20, "classes": 2}),
    "hierarchical": Case(sweep("hierarchical", """
[ensemble]
kind = "gaussian-mixture"
dimension = [32, 64]
centroids = "hierarchical"
branches = [2, 3]
separation = 2.0
"""
, measures=("speciation",)), {"dimension": [32, 64]}, SPECIATION | CENTRE | SUPERCLASSES,
                         attributes={"branches": "[2,3]", "separation": 2.0}),
    "file": Case(sweep("file", """
[ensemble]
kind = "file"
[dataset]
file = ["images.gz", "images.npy"]
labels = "labels"
scaling = "[0,1]"
samples = [20, 60]
""", time=(0.001, 3.0), measures=("speciation", "collapse", "clones")),
                 {"file": ["images.gz", "images.npy"], "samples": [20, 60]},
                 SPECIATION | COLLAPSE | {"clone_participation", "distinct_class_agreement"}, predicted=False,
                 by_count=frozenset(BY_COUNT | SPECIATION | {"distinct_class_agreement"}),
                 attributes={"ensemble_kind": "file", "labels": "labels", "scaling": "[0,1]"}),
    "beyond": Case(sweep("beyond", """
[ensemble]
kind = "gaussian-mixture"
dimension = [40, 60]
[dataset]
samples = [100, "exp(0.3*d)"]
""", measures=("collapse",), realizations=2), {"dimension": [40, 60], "samples": ["100", "exp(0.3*d)"]}, COLLAPSE,
                   realizations=2, reduced=("extreme",), reasons=("beyond_counting",)),
    "unlabelled": Case(sweep("unlabelled", """
[ensemble]
kind = "file"
[dataset]
file = "images.npy"
pad = [0, 1]
""", time=(0.001, 3.0)), {"pad": [0, 1]}, COLLAPSE | {"speciation_time_spectral", "covariance_eigenvalue"},
                       predicted=False, attributes={"file": "images.npy"}),
}


def write_images(folder: Path) -> None:
    """Three classes of small images, as IDX with labels and as NPY."""
    draw = np.random.default_rng(1)
    labels = (np.arange(60) % 3).astype(np.uint8)
    images = (40 * draw.random((60, 4, 5)) + 90 * labels[:, None, None]).astype(np.uint8)
    program.write_idx(folder / "images.gz", images)
    program.write_idx(folder / "labels", labels)
    np.save(folder / "images.npy", images / 255.0)


@functools.cache
def scratch() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="results_layout_"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    write_images(folder)
    return folder


@functools.cache
def run(name: str) -> Path:
    """Runs the sweep of a case once; returns the folder of the run."""
    (scratch() / f"{name}.toml").write_text(CASES[name].text, encoding="utf-8")
    outcome = program.diffphase(["run", f"{name}.toml", "-o", name, "-q", *CASES[name].arguments], scratch(), ranks=2)
    assert outcome.code == 0, outcome.errors
    return scratch() / name


class LayoutCase(unittest.TestCase):
    """What a results file of any sweep must be."""

    longMessage = True

    def check(self, name: str) -> xr.Dataset:
        self.case = CASES[name]
        with xr.open_dataset(run(name) / "results.h5", engine="h5netcdf") as dataset:
            self.data = dataset.load()
        self.check_coordinates()
        self.check_names()
        for variable in self.data.data_vars:
            with self.subTest(variable=variable):
                self.check_variable(str(variable))
        self.check_attributes()
        self.check_analysis(run(name))
        return self.data

    def check_coordinates(self) -> None:
        case = self.case
        self.assertEqual(set(self.data.sizes), {*case.axes, "realization", "time", "measure"})
        for name, values in case.axes.items():
            self.assertEqual(self.data[name].values.tolist(), values)
            self.assertIn("long_name", self.data[name].attrs)
        self.assertEqual(self.data["realization"].values.tolist(), list(range(case.realizations)))
        time = self.data["time"]
        document = tomllib.loads(case.text)
        grid = document["process"]["time"]
        expected = np.geomspace(grid["from"], grid["to"], grid["count"])
        np.testing.assert_allclose(time.values, expected, rtol=1e-14)
        self.assertEqual((time.values[0], time.values[-1]), (grid["from"], grid["to"]))
        self.assertEqual(time.attrs["units"], case.units)
        self.assertIn(case.kind, time.attrs["long_name"])
        self.assertEqual(self.data["measure"].values.tolist(), list(document["measure"]))
        for name, (axis, values) in case.labels.items():
            self.assertEqual(self.data[name].dims, (axis,))
            self.assertEqual(self.data[name].values.tolist(), values)
            self.assertIn(name, self.data.coords)

    def check_names(self) -> None:
        """Every variable and what belongs to it, and nothing else."""
        expected = {*TASK_TABLES, *self.case.variables, *self.case.predictions}
        for name in self.case.variables & (CURVES | CRITICAL):
            expected.add(f"{name}_stderr")
        for name in self.case.variables & CRITICAL:
            expected.add(f"{name}_interpolation_error")
        for name in self.case.variables & (CRITICAL | ROOTS):
            expected.add(f"{name}_status")
        if '"random"' in self.case.text:
            expected.add("speciation_time_tolerance")
        if self.case.predicted:
            clones = {"clone_class_agreement", "clone_participation"}
            none = clones | {"parent_weight", "largest_weight"}
            expected |= {f"{name}_theory" for name in self.case.variables - none}
            if "speciation_time_spectral" in self.case.variables:
                expected.add("speciation_time_spectral_theory_asymptotic")
            if "collapse_time" in self.case.variables:
                expected |= {"collapse_time_shift", "collapse_time_tolerance", "collapse_time_theory_asymptotic",
                             "collapse_window"}
        by_speciation = "speciation_time_spectral" in self.case.variables
        if by_speciation and (self.case.variables & COLLAPSE or not self.case.predicted):
            expected.add("covariance_residual")
        if self.data.attrs["ensemble_kind"] == "gaussian-mixture":
            measures = set(self.data["measure"].values.tolist())
            expected |= {f"{name}_representation{reason}" for name in REPRESENTED & measures for reason in ("", "_reason")}
        self.assertEqual(set(self.data.data_vars), expected)

    def check_variable(self, name: str) -> None:
        variable = self.data[name]
        base = DERIVED.sub("", name)
        self.assertTrue(variable.attrs["long_name"])
        if name in TASK_TABLES:
            axes = [axis for axis in self.case.axes if axis != "samples"]
            self.assertEqual(variable.dims, (*axes, "realization", "measure"))
            self.assertEqual(variable.attrs["units"], TASK_TABLES[name])
            return
        if name.endswith(("_representation", "_representation_reason")):
            axes = [axis for axis in self.case.axes if axis != "samples" or name.startswith("collapse")]
            self.assertEqual(variable.dims, (*axes, "realization"))
            self.assertEqual(variable.dtype, np.int8)
            meanings = variable.attrs["flag_meanings"].split()
            taken = {meanings[value] for value in np.unique(variable.values)} - {"missing"}
            if name.endswith("_reason"):
                self.assertLessEqual(taken, {"little_gain", "not_eligible", *self.case.reasons})
            else:
                self.assertLessEqual(taken, {"explicit", *self.case.reduced})
            return
        prediction = "_theory" in name or name in ("collapse_time_shift", "collapse_time_tolerance", "collapse_window",
                                                   "speciation_time_tolerance")
        by_count = base in self.case.by_count and name != "speciation_time_spectral_theory_asymptotic"
        dims = [axis for axis in self.case.axes if axis != "samples" or by_count]
        dims += [] if prediction else ["realization"]
        dims += ["time"] if base in CURVES else []
        self.assertEqual(variable.dims, tuple(dims))
        is_time = "_time" in base and not name.endswith("_status")
        self.assertEqual(variable.attrs["units"], self.case.units if is_time else "1")
        if name.endswith("_status"):
            self.assertEqual(variable.dtype, np.int8)
            self.assertEqual(variable.attrs["flag_meanings"], ROOT_STATUS)
            self.assertEqual(variable.attrs["flag_values"].tolist(), list(range(8)))
            np.testing.assert_array_equal(variable.values == 0, np.isfinite(self.data[base].values))
        else:
            self.assertEqual(variable.dtype, np.float64)
        if (name == base and base != "largest_weight") or prediction:
            self.assertTrue(variable.attrs["source"])

    def check_attributes(self) -> None:
        attributes = self.data.attrs
        self.assertEqual(attributes["layout_version"], 1)
        self.assertEqual(attributes["process_kind"], self.case.kind)
        self.assertEqual(attributes["mpi_size"], 2)
        self.assertEqual(tomllib.loads(attributes["sweep"])["measure"], tomllib.loads(self.case.text)["measure"])
        self.assertIn(self.case.text, attributes["sweep"])
        self.assertRegex(attributes["version"], r"^\d+\.\d+\.\d+")
        self.assertTrue(attributes["git_revision"])
        self.assertIn(" run ", attributes["command_line"])
        for library in ("mpi=", "petsc=", "slepc=", "hdf5="):
            self.assertIn(library, attributes["libraries"])
        start, end = (datetime.fromisoformat(attributes[f"{which}_time"]) for which in ("start", "end"))
        self.assertLessEqual(start, end)
        for name, value in self.case.attributes.items():
            self.assertEqual(attributes[name], value)
        for axis in (*self.case.axes, *self.case.labels):
            self.assertNotIn(axis, attributes)

    def check_analysis(self, folder: Path) -> None:
        """The tables, in this process."""
        results = open_results(folder)
        with redirect_stdout(io.StringIO()):
            text = text_table(results)
            lines = csv_table(results).splitlines()
        for name in self.case.variables & CRITICAL:
            self.assertIn(name, text)
        points = int(np.prod([len(values) for values in self.case.axes.values()], initial=1))
        self.assertEqual(len(lines), points + 1)

    def is_whole(self, data: xr.Dataset) -> None:
        self.assertTrue((data["task_status"] == 1).all())
        self.assertEqual(data["task_status"].attrs["flag_meanings"], "pending done failed")
        for name in self.case.variables & CURVES - {"distinct_class_agreement"}:  # not known where all pairs end together
            self.assertTrue(np.isfinite(data[name]).all(), name)


class Layout(LayoutCase):
    def test_lists(self) -> None:
        self.is_whole(self.check("lists"))

    def test_words(self) -> None:
        data = self.check("words")
        self.is_whole(data)
        # 0.05 on the Ornstein-Uhlenbeck clock, on which the variance t is exp(2 t_OU) - 1.
        tolerance, predicted = (data[name].sel(centroids="random") for name in ("speciation_time_tolerance",
                                                                                "speciation_time_theory"))
        np.testing.assert_allclose(tolerance, np.sinh(0.14) * (1 + predicted), rtol=1e-10)
        self.assertTrue(np.isnan(data["speciation_time_tolerance"].sel(centroids="opposite")).all())
        self.assertEqual(data["class_agreement_theory"].attrs["tolerance"], 0.07)
        self.assertNotIn("tolerance", data["drift_instability_time_theory"].attrs)
        self.assertIn("orthogonal", data["speciation_time_theory"].attrs["source"])

    def test_blocks(self) -> None:
        data = self.check("blocks")
        self.is_whole(data)
        with redirect_stdout(io.StringIO()):
            self.assertIn("2(σ=1) + 6(σ=0.3)", text_table(open_results(run("blocks"))))

    def test_zip(self) -> None:
        self.is_whole(self.check("zip"))

    def test_hierarchical(self) -> None:
        data = self.check("hierarchical")
        self.is_whole(data)
        self.assertTrue((data["superclass_agreement"] >= data["class_agreement"] - 1e-12).all())

    def test_file(self) -> None:
        data = self.check("file")
        self.is_whole(data)
        # The same images in two files: the numbers agree, the random numbers do not.
        eigenvalues = data["covariance_eigenvalue"]
        np.testing.assert_allclose(eigenvalues[0], eigenvalues[1], rtol=1e-12)

    def test_beyond(self) -> None:
        data = self.check("beyond")
        self.is_whole(data)
        self.assertIn("log_samples", data.coords)
        self.assertEqual(data["log_samples"].dims, ("dimension", "samples"))
        expected = [[np.log(100), 0.3 * dimension] for dimension in (40, 60)]
        np.testing.assert_allclose(data["log_samples"], expected, rtol=1e-15)
        np.testing.assert_array_equal(data["collapse_representation"], np.broadcast_to([[0], [2]], (2, 2, 2)))
        np.testing.assert_array_equal(data["collapse_representation_reason"], np.broadcast_to([[2], [4]], (2, 2, 2)))
        self.assertTrue((data["collapse_time_status"].sel(samples="exp(0.3*d)") == 0).all())

    def test_incomplete(self) -> None:
        """Points 0 and 3 of the 2 x 2 x 2 grid: (8, 2, 20) and (8, 4, 40)."""
        data = self.check("incomplete")
        whole = self.check("lists")
        done = np.zeros((2, 2, 2), bool)
        done[0, 0, 0] = done[0, 1, 1] = True
        for name in ("participation", "weight_entropy", "collapse_time_stderr"):
            found = np.isfinite(data[name].values)
            np.testing.assert_array_equal(found.reshape(2, 2, 2, -1).any(axis=-1), done, name)
        agreement = np.isfinite(data["class_agreement"].values).all(axis=(2, 3))
        np.testing.assert_array_equal(agreement, done.any(axis=2))
        np.testing.assert_array_equal(data["collapse_time_status"].values[~done], 4)
        begun = data["task_attempts"].values > 0
        self.assertTrue((data["task_status"] == 0).all(), "a task is done when all its sample counts are")
        np.testing.assert_array_equal(begun, np.broadcast_to(done.any(axis=2)[:, :, None, None], begun.shape))
        np.testing.assert_array_equal(np.isnan(data["task_seconds"].values), ~begun)
        for name in data.data_vars:
            if "_theory" in str(name):
                np.testing.assert_array_equal(data[name], whole[name])
        first = dict(dimension=8, classes=4, samples=40)
        np.testing.assert_allclose(data["participation"].sel(first), whole["participation"].sel(first), rtol=1e-10)


class MoreLayouts(LayoutCase):
    def test_vectors(self) -> None:
        data = self.check("vectors")
        self.is_whole(data)
        self.assertNotIn("speciation_time_tolerance", data)

    def test_sphere(self) -> None:
        self.is_whole(self.check("sphere"))

    def test_point(self) -> None:
        self.is_whole(self.check("point"))

    def test_scalars(self) -> None:
        self.is_whole(self.check("scalars"))

    def test_unlabelled(self) -> None:
        data = self.check("unlabelled")
        self.is_whole(data)
        eigenvalues = data["covariance_eigenvalue"].values.ravel()
        images = np.load(scratch() / "images.npy").reshape(60, -1)
        expected = np.linalg.eigvalsh(np.cov(images.T, bias=True))[-1]
        np.testing.assert_allclose(eigenvalues, expected, rtol=1e-9)


class Reports(unittest.TestCase):
    """`python -m analysis report` and `table` on every one of these files."""

    def check(self, name: str) -> None:
        folder = run(name)
        report = program.analysis(["report", str(folder)], scratch())
        self.assertEqual(report.code, 0, report.errors)
        self.assertEqual(report.errors, "")
        figures = sorted(path.stem for path in (folder / "figures").glob("*.png"))
        self.assertTrue(figures)
        page = (folder / "figures/index.html").read_text(encoding="utf-8")
        for figure in figures:
            self.assertIn(f"{figure}.png", page)
            for ending, magic in (("png", b"\x89PNG"), ("pdf", b"%PDF")):
                path = folder / f"figures/{figure}.{ending}"
                self.assertEqual(path.read_bytes()[:4], magic)
                self.assertGreater(path.stat().st_size, 4000, path.name)
        self.assertIn("critical_times", figures)
        self.assertEqual("collapse" in figures, bool(CASES[name].variables & COLLAPSE))
        self.assertEqual("class_agreement" in figures, "class_agreement" in CASES[name].variables)
        table = program.analysis(["table", str(folder)], scratch())
        self.assertEqual((table.code, table.errors), (0, ""))
        self.assertIn(name, table.output)


def add_report_tests() -> None:
    for name in CASES:
        setattr(Reports, f"test_{name}", lambda self, case=name: self.check(case))


if __name__ == "__main__":
    add_report_tests()
    program.main()
