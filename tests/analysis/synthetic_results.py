"""Makes results files that follow the layout of the program's output, with known numbers in them."""

from __future__ import annotations

import itertools
import os
import sys
import unittest
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import xarray as xr

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

# Marks a test that only `tests/run.sh --full` runs.
slow = unittest.skipUnless(os.environ.get("DIFFPHASE_SLOW_TESTS"), "slow: tests/run.sh --full")

CROSSING = {1: 1.0, 2: 1.414214, 3: 1.591830, 4: 1.718305, 8: 2.018454, 16: 2.305487, 64: 2.828078}
STATUS_MEANINGS = "found before_grid after_grid not_monotone failed never not_measured unresolved"
MEASURES = ["speciation", "collapse", "clones"]


@dataclass
class Sweep:
    """What to make. `axes` maps an axis to its values; values of a zip or point axis are parameter dictionaries."""

    axes: dict[str, list] = field(default_factory=dict)
    scalars: dict[str, object] = field(default_factory=lambda: {"dimension": 256, "classes": 2, "samples": 2000})
    process: str = "ornstein-uhlenbeck"
    times: np.ndarray | None = None
    realizations: int = 8
    clones: bool = False
    superclass: bool = False
    pending: list[tuple[str, dict[str, int]]] = field(default_factory=list)  # (measure, {axis: index})
    failed: list[tuple[str, dict[str, int]]] = field(default_factory=list)
    omit: tuple[str, ...] = ()  # variables to leave out
    seed: int = 1


def ddpm_time(step: np.ndarray) -> np.ndarray:
    beta = np.linspace(1e-4, 2e-2, 1000)
    table = np.concatenate([[0.0], -0.5 * np.cumsum(np.log1p(-beta))])
    return np.interp(step, np.arange(1001), table)


def variance(process: str, t: np.ndarray) -> np.ndarray:
    """tau = b^2/a^2 on a process's clock."""
    if process == "variance-exploding":
        return np.asarray(t, float)
    if process == "flow-matching":
        return (t / (1 - t))**2
    return np.expm1(2 * (ddpm_time(t) if process == "ddpm-linear" else np.asarray(t, float)))


def clock(process: str, tau: np.ndarray) -> np.ndarray:
    """The inverse of `variance`."""
    if process == "variance-exploding":
        return np.asarray(tau, float)
    if process == "flow-matching":
        return np.sqrt(tau) / (1 + np.sqrt(tau))
    t = 0.5 * np.log1p(tau)
    return np.interp(t, ddpm_time(np.arange(1001)), np.arange(1001.0)) if process == "ddpm-linear" else t


DEFAULT_TIMES = {"ornstein-uhlenbeck": np.geomspace(0.2, 6.0, 48), "variance-exploding": np.geomspace(0.5, 2e5, 64),
                 "flow-matching": np.linspace(0.3, 0.999, 64), "ddpm-linear": np.linspace(50.0, 950.0, 64)}

NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(40)
WEIGHTS = WEIGHTS / WEIGHTS.sum()


def agreement(c: np.ndarray, classes: int) -> np.ndarray:
    """Two classes exactly; more classes by rescaling c to the right crossing, which is enough here."""
    c = np.asarray(c) * CROSSING[2] / CROSSING[classes] / np.sqrt(2)  # orthogonal pair: half the distance
    two = np.tanh(c[..., None]**2 + c[..., None] * NODES) @ WEIGHTS
    return 1 / classes + (1 - 1 / classes) * two


class Point:
    """The closed forms at one point of the sweep."""

    def __init__(self, parameters: dict[str, object], process: str) -> None:
        self.dimension, self.classes, self.samples = (int(parameters[k]) for k in ("dimension", "classes", "samples"))
        self.process = process

    def agreement(self, times: np.ndarray) -> np.ndarray:
        return agreement(np.sqrt(self.dimension / (variance(self.process, times) + 1)), self.classes)

    def speciation_time(self) -> float:
        return float(clock(self.process, self.dimension / CROSSING[self.classes]**2 - 1))

    def superclass_time(self) -> float:
        return float(clock(self.process, 2 * self.dimension / CROSSING[self.classes]**2 - 1))

    def spectral_time(self) -> float:
        return float(clock(self.process, self.dimension / self.classes))

    def collapse_variance(self) -> float:
        return 1 / np.expm1(2 * np.log(self.samples / self.classes) / self.dimension)

    def effective_dimension(self) -> float:
        return self.dimension / (1 + self.collapse_variance())

    def collapse_time(self) -> float:
        return float(clock(self.process, self.collapse_variance()))

    def collapse_shift(self) -> float:
        shifted = self.collapse_variance() * np.exp(1.15 / self.effective_dimension())
        return float(clock(self.process, shifted)) - self.collapse_time()

    def participation(self, times: np.ndarray) -> np.ndarray:
        centre = self.collapse_variance() * np.exp(1.15 / self.effective_dimension())
        steepness = np.sqrt(self.effective_dimension())
        return 1 / self.samples + (1 - 1 / self.samples) / (1 + (variance(self.process, times) / centre)**steepness)

    def entropy(self, times: np.ndarray) -> np.ndarray:
        y = self.participation(times)
        return np.clip(-np.log(y) / np.log(self.samples), 0, 1)**1.2


class Builder:
    """Fills the arrays of one file point by point."""

    def __init__(self, sweep: Sweep) -> None:
        self.sweep = sweep
        self.times = DEFAULT_TIMES[sweep.process] if sweep.times is None else np.asarray(sweep.times)
        self.random = np.random.default_rng(sweep.seed)
        self.sizes = {name: len(values) for name, values in sweep.axes.items()}
        self.variables: dict[str, xr.DataArray] = {}

    def points(self):
        names = list(self.sizes)
        for indices in itertools.product(*(range(size) for size in self.sizes.values())):
            index = dict(zip(names, indices))
            yield index, Point(self.parameters(index), self.sweep.process)

    def parameters(self, index: dict[str, int]) -> dict[str, object]:
        values = dict(self.sweep.scalars)
        for name, i in index.items():
            value = self.sweep.axes[name][i]
            values |= value if isinstance(value, dict) else {name: value}
        return values

    def fill(self, name: str, curve, per_sample: bool, tail: str | None, units: str, scatter: float,
             prediction=None, status: bool = False) -> None:
        """A measured variable, its standard error, prediction and status; curve(point) is the expected value."""
        axes = [n for n in self.sizes if per_sample or n != "samples"]
        inner = () if tail is None else (len(self.times),)
        shape = tuple(self.sizes[n] for n in axes)
        full = shape + (self.sweep.realizations,) + inner
        value, error = np.full(full, np.nan), np.full(full, np.nan)
        theory = np.full(shape + inner, np.nan)
        for index, point in self.points():
            key = tuple(index[n] for n in axes)
            expected = np.asarray(curve(point))
            width = scatter * expected if tail is None else scatter * np.sqrt(np.clip(expected * (1 - expected), 1e-6, None))
            wiggle = self.random.standard_normal((self.sweep.realizations,) + (1,) * len(inner))
            value[key] = expected + width * wiggle
            error[key] = width * np.ones(inner)
            if prediction is not None:
                theory[key] = prediction(point)
        dims = (*axes, "realization", *([tail] if tail else []))
        attrs = {"units": units, "long_name": name.replace("_", " ")}
        self.variables[name] = xr.DataArray(value, dims=dims, attrs=attrs)
        self.variables[f"{name}_stderr"] = xr.DataArray(error, dims=dims, attrs=attrs)
        if prediction is not None:
            theory_dims = tuple(d for d in dims if d != "realization")
            self.variables[f"{name}_theory"] = xr.DataArray(theory, dims=theory_dims, attrs=attrs | {"source": "closed form"})
        if status:
            self.add_status(name, dims, inner)

    def add_status(self, name: str, dims: tuple[str, ...], inner: tuple[int, ...]) -> None:
        attrs = {"units": "1", "flag_values": np.arange(5, dtype=np.int8), "flag_meanings": STATUS_MEANINGS}
        values = self.variables[name].values
        code = np.select([values < self.times[0], values > self.times[-1]], [1, 2], 0).astype(np.int8)
        self.variables[f"{name}_status"] = xr.DataArray(code, dims=dims, attrs=attrs)
        for key in (name, f"{name}_stderr"):
            self.variables[key] = self.variables[key].where(code == 0).assign_attrs(self.variables[name].attrs)

    def constant(self, name: str, curve, units: str) -> None:
        """A prediction without realization over all axes."""
        values = np.full(tuple(self.sizes.values()), np.nan)
        for index, point in self.points():
            values[tuple(index.values())] = curve(point)
        self.variables[name] = xr.DataArray(values, dims=tuple(self.sizes), attrs={"units": units, "long_name": name})

    def add_tasks(self) -> None:
        axes = [n for n in self.sizes if n != "samples"]
        dims = (*axes, "realization", "measure")
        shape = tuple(self.sizes[n] for n in axes) + (self.sweep.realizations, len(MEASURES))
        status = xr.DataArray(np.ones(shape, np.int8), dims=dims)
        for code, entries in ((0, self.sweep.pending), (2, self.sweep.failed)):
            for measure, index in entries:
                self.blank(measure, index)
                status[index | {"measure": MEASURES.index(measure)}] = code
        status.attrs = {"units": "1", "flag_values": np.arange(3, dtype=np.int8), "flag_meanings": "pending done failed"}
        self.variables["task_status"] = status
        self.variables["task_seconds"] = xr.DataArray(np.full(shape, 0.25), dims=dims, attrs={"units": "s"})

    def blank(self, measure: str, index: dict[str, int]) -> None:
        starts = {"speciation": ("class_agreement", "speciation", "superclass", "drift", "curvature"),
                  "collapse": ("participation", "weight_entropy", "parent_weight", "collapse_time"), "clones": ("clone_",)}
        for name, variable in self.variables.items():
            if not name.startswith(starts[measure]) or "realization" not in variable.dims:
                continue
            here = {k: v for k, v in index.items() if k in variable.dims}
            if name.endswith("_status"):
                variable[here] = 4
            else:
                variable[here] = np.nan

    def build(self) -> xr.Dataset:
        unit = "step" if self.sweep.process == "ddpm-linear" else "1"
        span = 0.004
        self.fill("class_agreement", lambda p: p.agreement(self.times), False, "time", "1", 0.02,
                  lambda p: p.agreement(self.times))
        self.fill("speciation_time", Point.speciation_time, False, None, unit, span, Point.speciation_time, True)
        self.fill("speciation_time_spectral", Point.spectral_time, True, None, unit, span / 3, Point.spectral_time)
        self.fill("drift_instability_time", Point.superclass_time, False, None, unit, 1e-9, Point.superclass_time)
        if self.sweep.superclass:
            self.fill("superclass_agreement", lambda p: np.sqrt(p.agreement(self.times)), False, "time", "1", 0.02)
            self.fill("superclass_speciation_time", Point.superclass_time, False, None, unit, span, None, True)
        self.fill("participation", lambda p: p.participation(self.times), True, "time", "1", 0.03)
        self.fill("weight_entropy", lambda p: p.entropy(self.times), True, "time", "1", 0.02)
        self.fill("collapse_time", lambda p: p.collapse_time() + p.collapse_shift(), True, None, unit, span,
                  Point.collapse_time, True)
        self.constant("collapse_time_shift", Point.collapse_shift, unit)
        if self.sweep.clones:
            self.fill("clone_class_agreement", lambda p: p.agreement(self.times), False, "time", "1", 0.04)
            self.fill("clone_participation", lambda p: p.participation(self.times), True, "time", "1", 0.04)
        self.add_tasks()
        for name in self.sweep.omit:
            self.variables.pop(name, None)
        return xr.Dataset(self.variables, coords=self.coordinates(unit), attrs=self.attributes())

    def coordinates(self, unit: str) -> dict[str, object]:
        coords: dict[str, object] = {"realization": np.arange(self.sweep.realizations), "measure": MEASURES,
                                     "time": ("time", self.times, {"units": unit, "long_name": "time"})}
        for name, values in self.sweep.axes.items():
            if isinstance(values[0], dict):
                coords[name] = np.arange(len(values))
                for key in values[0]:
                    self.variables[key] = xr.DataArray([v[key] for v in values], dims=(name,))
            else:
                coords[name] = values
        return coords

    def attributes(self) -> dict[str, object]:
        varying = set(self.sweep.axes) | {k for v in self.sweep.axes.values() if isinstance(v[0], dict) for k in v[0]}
        scalars = {k: v for k, v in self.sweep.scalars.items() if k not in varying}
        return {"name": "synthetic", "process_kind": self.sweep.process, "layout_version": 1, "seed": self.sweep.seed,
                "program": "diffphase", "version": "0.1.0", "git_revision": "0123abc", "libraries": "blas=one\nmpi=two\n", "mpi_size": 2, "start_time": "2024-02-28T10:00:00Z",
                "end_time": "2024-02-28T10:01:00Z", "command_line": "diffphase run sweep.toml",
                "sweep": 'name = "synthetic"\n[process]\nkind = "%s"  # <clock>\n' % self.sweep.process, **scalars}


def make_dataset(sweep: Sweep) -> xr.Dataset:
    return Builder(sweep).build()


def write_results(directory: Path, sweep: Sweep) -> Path:
    """Writes `directory/results.h5` and returns its path."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "results.h5"
    make_dataset(sweep).to_netcdf(path, engine="h5netcdf")
    xr.Dataset({"text": 0}).to_netcdf(path, engine="h5netcdf", group="provenance", mode="a")
    return path


PRODUCT = Sweep(axes={"dimension": [64, 256, 1024], "classes": [2, 4, 8], "samples": [200, 2000, 20000]})
