"""The results file: opening it, its sweep axes, and the mean over realizations with its error.

Nothing here knows which axes a sweep has. A sweep axis is a dimension that stands before `realization` in some
variable; the file's layout promises that order.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import xarray as xr
from scipy import stats

MIN_REALIZATIONS_FOR_SPREAD = 4  # fewer say too little about their own spread
MAX_REALIZATIONS_FOR_STUDENT = 20  # from here on Student's factor is 1 within 3 %

MAX_LABELLED_KEYS = 4  # of the points of a sweep

ERROR_SOURCES = ("none", "probes", "spread")  # the values of Estimate.source
VARIANCE_BLOCK = r"\{size=([^,}]+),sigma=([^}]+)\}"
FORMATTED_BLOCK = r"(\S+)\(σ=([^)]+)\)"  # as format_value writes it
DERIVED_SUFFIXES = ("_stderr", "_theory", "_theory_asymptotic", "_status", "_shift", "_tolerance", "_window", "_spectral",
                    "_interpolation_error", "_sets_needed")
ROOT_STATUS = ("found", "before_grid", "after_grid", "not_monotone", "failed", "never", "not_measured", "unresolved")
TASK_STATUS = ("pending", "done", "failed")

# Which measure fills a variable, so that the state of its task can stand where its number is missing.
MEASURE_OF = {"speciation_time": "speciation", "superclass_speciation_time": "speciation",
              "speciation_time_spectral": "speciation", "drift_instability_time": "speciation",
              "curvature_instability_time": "speciation", "collapse_time": "collapse", "coverage_time": "gap",
              "consolidation_time": "gap", "final_gap_opening_time": "gap", "final_gap_closing_time": "gap",
              "gap_opening_time": "gap", "gap_maximum_time": "gap", "gap_closing_time": "gap",
              "loss_time": "lost_directions"}

SYMBOLS = {"dimension": "$d$", "classes": "$K$", "samples": "$n$", "log_samples": r"$\log\,n$",
           "separation": r"$\mu$", "sigma": r"$\sigma$", "strength": "$w$", "classes_exponent": r"$(\log K)/d$",
           "sphere_dimension": "$m$", "radius": "$R$"}

CLOCKS = {"ornstein-uhlenbeck": "Ornstein-Uhlenbeck", "variance-exploding": "variance-exploding",
          "flow-matching": "flow-matching", "ddpm-linear": "DDPM, linear"}


class ResultsError(Exception):
    """A results file that is missing or cannot be read; the message is for the user."""


@dataclass(frozen=True)
class Estimate:
    """A mean over realizations. All arrays have the variable's dims without `realization`."""

    mean: xr.DataArray
    error: xr.DataArray  # one standard error; NaN where none is known
    source: xr.DataArray  # index into ERROR_SOURCES: where the error comes from
    found: xr.DataArray  # number of realizations that have a value
    total: int  # number of realizations asked for


@dataclass(frozen=True)
class Abscissa:
    """Numbers that an axis can be drawn against."""

    name: str
    values: np.ndarray

    @property
    def symbol(self) -> str:
        return symbol(self.name)

    @property
    def logarithmic(self) -> bool:
        low, high = self.values.min(), self.values.max()
        counts = self.name.endswith(("dimension", "classes", "samples"))
        return bool(low > 0 and (counts or high / low >= 30))


@dataclass(frozen=True)
class VarianceBlock:
    """Directions of one standard deviation in a linear manifold."""

    size: int
    sigma: float


@dataclass(frozen=True)
class Axis:
    """One sweep axis. `parameters` holds what varies along it: itself, or each key of a zip or point axis."""

    name: str
    size: int
    parameters: dict[str, np.ndarray]
    numbers: dict[str, np.ndarray]  # numeric stand-ins for parameters that are text

    @property
    def compound(self) -> bool:
        return self.name not in self.parameters

    @property
    def numbered(self) -> bool:
        """Whether its points differ in more keys than a legend can hold: they are called by their number."""
        return self.name == "point" and len(self.parameters) > MAX_LABELLED_KEYS

    def label(self, index: int) -> str:
        """Mathtext: `$d$ = 256`, or several of them for a zip or point axis."""
        if self.numbered:
            return f"point {index}"
        return ", ".join(f"{symbol(key)} = {format_value(values[index])}" for key, values in self.parameters.items())

    def abscissae(self) -> list[Abscissa]:
        if self.numbered:
            return []
        candidates = self.numbers | {k: v for k, v in self.parameters.items() if v.dtype.kind in "iuf"}
        return [Abscissa(name, values.astype(float)) for name, values in candidates.items()
                if np.isfinite(values.astype(float)).all() and len(np.unique(values)) > 1]

    @property
    def ordered(self) -> bool:
        return any(values.dtype.kind in "iuf" for values in self.parameters.values()) or bool(self.numbers)


def symbol(name: str) -> str:
    """Mathtext symbol of a parameter, or its name in words."""
    for prefix in ("", "ensemble_", "dataset_", "guidance_"):
        if name.startswith(prefix) and name[len(prefix):] in SYMBOLS:
            return SYMBOLS[name[len(prefix):]]
    return name.replace("_", " ")


def format_value(value: object) -> str:
    """A parameter's value for labels and tables."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, np.ndarray):
        return "[" + ", ".join(format_value(item) for item in value.ravel()) + "]"
    if isinstance(value, (int, np.integer)):
        return str(value)
    if isinstance(value, (float, np.floating)):
        return str(int(value)) if float(value).is_integer() and abs(value) < 1e7 else f"{value:g}"
    text = str(value)
    if re.fullmatch(rf"\[{VARIANCE_BLOCK}(,{VARIANCE_BLOCK})*\]", text):
        return " + ".join(f"{size}(σ={sigma})" for size, sigma in re.findall(VARIANCE_BLOCK, text))
    return text


def student_factor(count: int) -> float:
    """Widens s/sqrt(count) so that it covers 68.27 % when s is estimated from `count` values; 1 from 20 values on."""
    if count >= MAX_REALIZATIONS_FOR_STUDENT:
        return 1.0
    return float(stats.t.ppf(stats.norm.cdf(1.0), count - 1)) if count >= 2 else np.nan


def combine(values: np.ndarray, probe_errors: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Mean over the last axis (realizations, NaN where missing), its error, the error's source, the number of values.

    With 4 or more values the error is the larger of their spread, s / sqrt(R) times Student's factor, and the
    combined probe errors, sqrt(sum e^2) / R; with fewer it is the combined probe errors.
    """
    present = np.isfinite(values)
    count = present.sum(axis=-1)
    divisor = np.maximum(count, 1)
    mean = np.where(count > 0, np.where(present, values, 0.0).sum(axis=-1) / divisor, np.nan)

    known = present & np.isfinite(probe_errors)
    mean_square = np.where(known, probe_errors, 0.0)**2
    mean_square = mean_square.sum(axis=-1) / np.maximum(known.sum(axis=-1), 1)
    probes = np.where(known.any(axis=-1), np.sqrt(mean_square / divisor), np.nan)

    deviations = np.where(present, values - mean[..., None], 0.0)
    scatter = np.sqrt((deviations**2).sum(axis=-1) / np.maximum(count - 1, 1))
    factors = np.array([student_factor(n) for n in range(values.shape[-1] + 1)])
    spread = scatter / np.sqrt(divisor) * factors[count]
    spread = np.where(count >= MIN_REALIZATIONS_FOR_SPREAD, spread, np.nan)

    error = np.fmax(spread, probes)
    source = np.where(np.isnan(error), 0, np.where(np.isnan(spread) | (probes > spread), 1, 2))
    return mean, error, source, count


class Results:
    """A results file in memory."""

    def __init__(self, dataset: xr.Dataset, path: Path) -> None:
        self.data = dataset
        self.path = path
        self._averages: dict[str, Estimate] = {}

    @property
    def directory(self) -> Path:
        return self.path.parent

    @property
    def name(self) -> str:
        return format_value(self.data.attrs.get("name", self.directory.resolve().name))

    @cached_property
    def axes(self) -> list[Axis]:
        """The sweep axes in file order, also those with one value."""
        names: list[str] = []
        leading = [v.dims[:v.dims.index("realization")] for v in self.data.data_vars.values() if "realization" in v.dims]
        for dims in sorted(leading, key=len, reverse=True):
            names += [dim for dim in dims if dim not in names]
        return [self._axis(name) for name in names]

    def axis(self, name: str) -> Axis:
        return next(axis for axis in self.axes if axis.name == name)

    def axes_of(self, *variables: str) -> list[Axis]:
        """The sweep axes that any of the variables depends on."""
        dims = {dim for name in variables if name in self.data for dim in self.data[name].dims}
        return [axis for axis in self.axes if axis.name in dims]

    def _axis(self, name: str) -> Axis:
        size = self.data.sizes[name]
        beside = {key: v.values for key, v in self.data.variables.items()
                  if v.dims == (name,) and key != name and not self._is_result(key)}
        numbers = {key: v for key, v in beside.items() if key == f"log_{name}"}
        labels = beside.pop(f"{name}_label", None)
        beside = {key: _plain(v) for key, v in beside.items() if key not in numbers}
        if beside and set(beside) != {"log_samples"}:  # which may depend on an axis that has values of its own
            varying = {key: v for key, v in beside.items() if len(set(v.tolist())) > 1}
            return Axis(name, size, varying or beside, numbers)
        values = labels if labels is not None else self.data[name].values if name in self.data else np.arange(size)
        return Axis(name, size, {name: _plain(values)}, numbers)

    def _is_result(self, variable: str) -> bool:
        """Tells predictions and measured variables from parameters that live on a zip or point axis."""
        base = variable
        for suffix in DERIVED_SUFFIXES:
            base = base.removesuffix(suffix)
        measured = base in self.data and "realization" in self.data[base].dims
        return measured or "_theory" in variable or variable.endswith(("_shift", "_tolerance", "_window", "_time", "_spectral"))

    @property
    def realizations(self) -> int:
        return self.data.sizes.get("realization", 1)

    @property
    def process(self) -> str:
        return format_value(self.data.attrs.get("process_kind", ""))

    @property
    def in_steps(self) -> bool:
        return "time" in self.data and self.data["time"].attrs.get("units") == "step"

    @property
    def clock(self) -> str:
        """Whose time it is, for labels."""
        return CLOCKS.get(self.process, self.process) or "process time"

    @property
    def time_label(self) -> str:
        return f"{'step $t$' if self.in_steps else 'time $t$'} ({self.clock})"

    @property
    def logarithmic_time(self) -> bool:
        """The variance-exploding clock spans decades; the others are of order one or count steps."""
        if self.process in CLOCKS:
            return self.process == "variance-exploding"
        times = self.data["time"].values if "time" in self.data else np.ones(1)
        return bool(times.min() > 0 and times.max() / times.min() > 1000)

    def has(self, name: str) -> bool:
        """Whether the variable is there and holds at least one number."""
        return name in self.data and bool(np.isfinite(self.data[name].values.astype(float)).any())

    def average(self, name: str) -> Estimate:
        """The mean over realizations of a variable, with the error of the mean."""
        if name not in self._averages:
            self._averages[name] = self._average(name)
        return self._averages[name]

    def _average(self, name: str) -> Estimate:
        variable = self.data[name].astype(float)
        errors = self.data[f"{name}_stderr"].astype(float) if f"{name}_stderr" in self.data else variable * np.nan
        if "realization" not in variable.dims:
            found = np.isfinite(variable).astype(int)
            return Estimate(variable, errors, np.isfinite(errors).astype(int), found, 1)
        template = variable.isel(realization=0, drop=True)
        order = (*template.dims, "realization")
        arrays = combine(variable.transpose(*order).values, errors.broadcast_like(variable).transpose(*order).values)
        mean, error, source, found = (template.copy(data=array) for array in arrays)
        return Estimate(mean, error, source, found, variable.sizes["realization"])

    def prediction(self, name: str) -> xr.DataArray | None:
        """What theory expects this estimator to give: `_theory`, plus `_shift` where one is known."""
        if f"{name}_theory" not in self.data:
            return None
        theory = self.data[f"{name}_theory"].astype(float)
        return theory + self.data[f"{name}_shift"].fillna(0.0) if f"{name}_shift" in self.data else theory

    def grid_points(self) -> Iterator[dict[str, int]]:
        """Every point of the sweep as {axis: index}, the last axis fastest."""
        ranges = [range(axis.size) for axis in self.axes]
        for indices in itertools.product(*ranges):
            yield {axis.name: index for axis, index in zip(self.axes, indices)}

    def parameters(self, point: dict[str, int]) -> dict[str, object]:
        """Values of all parameters that vary, at one point; of those axes that the point has a place on."""
        return {key: values[point[axis.name]] for axis in self.axes if axis.name in point
                for key, values in axis.parameters.items()}

    def inner_dims(self, name: str) -> tuple[str, ...]:
        """The dimensions that a measure brings of its own, such as `block`: all but sweep axes, realization and time."""
        known = {*(axis.name for axis in self.axes), "realization", "time"}
        variables = [self.data[key] for key in (name, f"{name}_theory", f"{name}_theory_asymptotic") if key in self.data]
        return tuple(str(dim) for dim in variables[0].dims if dim not in known) if variables else ()

    def inner_points(self, dims: tuple[str, ...]) -> Iterator[dict[str, int]]:
        """Every combination of these dimensions as {dim: index}, the last fastest; one empty one where there are none."""
        for indices in itertools.product(*(range(self.data.sizes[dim]) for dim in dims)):
            yield dict(zip(dims, indices))

    def coordinate(self, dim: str, index: int) -> str:
        """A coordinate's value as text."""
        return format_value(self.data[dim].values[index]) if dim in self.data else str(index)

    def inner_label(self, dim: str, point: dict[str, int]) -> str:
        """Where a point stands on a dimension of a measure's own; blocks by their size and standard deviation."""
        blocks, index = self.variance_blocks(point), point[dim]
        if dim == "block" and index < len(blocks):
            return f"{blocks[index].size}(σ={blocks[index].sigma:g})"
        if dim == "block_gap" and index + 1 < len(blocks):
            return f"σ={blocks[index].sigma:g}|{blocks[index + 1].sigma:g}"
        return self.coordinate(dim, index)

    def variance_blocks(self, point: dict[str, int]) -> list[VarianceBlock]:
        """The blocks of the manifold at this point as the dimension `block` counts them: those of one sigma are one, the
        largest sigma first. Empty where the file does not say."""
        text = format_value(self.parameters(point).get("blocks", self.data.attrs.get("blocks", "")))
        found = [VarianceBlock(int(float(size)), float(sigma)) for size, sigma in re.findall(FORMATTED_BLOCK, text)]
        sigmas = sorted({block.sigma for block in found}, reverse=True)
        return [VarianceBlock(sum(block.size for block in found if block.sigma == sigma), sigma) for sigma in sigmas]

    def missing_reason(self, name: str, point: dict[str, int]) -> str:
        """Why the variable has no number at this point, in words."""
        if name not in self.data:
            return "not measured"
        present = np.atleast_1d(np.isfinite(at(self.data[name], point).values))
        reasons = [self._reason(name, point | {"realization": r}) for r in range(len(present)) if not present[r]]
        return max(reasons, key=reasons.count) if reasons else ""

    def _reason(self, name: str, point: dict[str, int]) -> str:
        task = self._task_state(name, point)
        if task in ("pending", "failed"):
            return task
        if f"{name}_status" not in self.data:
            return "missing"
        code = float(at(self.data[f"{name}_status"], point))
        known = np.isfinite(code) and 0 < code < len(ROOT_STATUS)
        return ROOT_STATUS[int(code)].replace("_", " ") if known else "missing"

    def _task_state(self, name: str, point: dict[str, int]) -> str:
        measure = MEASURE_OF.get(name)
        if "task_status" not in self.data or "measure" not in self.data["task_status"].dims:
            return "unknown"
        names = [format_value(value) for value in self.data["measure"].values] if "measure" in self.data else []
        if measure not in names:
            return "unknown"
        code = float(at(self.data["task_status"], point | {"measure": names.index(measure)}))
        return TASK_STATUS[int(code)] if np.isfinite(code) and 0 <= code < len(TASK_STATUS) else "unknown"

    def measures(self) -> set[str]:
        """The measures that the sweep asked for; empty where the file does not say."""
        return {format_value(value) for value in self.data["measure"].values} if "measure" in self.data else set()

    def task_counts(self) -> dict[str, int]:
        """How many tasks are pending, done, failed."""
        if "task_status" not in self.data:
            return {}
        codes = self.data["task_status"].values
        return {word: int((codes == code).sum()) for code, word in enumerate(TASK_STATUS)}


def _plain(values: np.ndarray) -> np.ndarray:
    """Object arrays of strings or bytes as strings."""
    values = np.asarray(values)
    return np.array([format_value(v) for v in values], dtype=object) if values.dtype.kind in "OSU" else values


def at(variable: xr.DataArray, point: dict[str, int]) -> xr.DataArray:
    """The variable at one point of the sweep; axes that it does not depend on are ignored."""
    key = tuple(point.get(str(dim), slice(None)) for dim in variable.dims)
    dims = [dim for dim, index in zip(variable.dims, key) if isinstance(index, slice)]
    return xr.DataArray(variable.values[key], dims=dims)  # without coordinates: many times faster than isel


def open_results(path: str | Path) -> Results:
    """Reads `results.h5` of a run's folder, or the file itself, into memory (no lock stays on it)."""
    path = Path(path)
    file = path / "results.h5" if path.is_dir() else path
    if not file.is_file():
        hint = "; `diffphase collect` builds it from the journals" if path.is_dir() else ""
        raise ResultsError(f"no results file at {file}{hint}")
    try:
        with xr.open_dataset(file, engine="h5netcdf", decode_times=False, decode_timedelta=False) as dataset:
            return Results(dataset.load(), file)
    except Exception as error:  # h5py and h5netcdf raise many kinds for a file that is not theirs
        raise ResultsError(f"cannot read {file}: {error}") from error
