"""Makes results files of the measures of spectra, as the program writes them, from closed forms of a linear manifold."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import xarray as xr

KINDS = ["planted", "origin", "displaced"]
ESTIMATORS = ["largest_gap", "threshold", "score_matrix"]
MEASURES = ["spectrum", "gap", "dimension", "lost_directions"]
NORMAL = 4  # eigenvalues beyond the blocks


@dataclass
class Manifolds:
    """What to make: an orthonormal manifold at each value of `blocks`, a list of (size, sigma) from the largest sigma."""

    blocks: list[list[tuple[int, float]]] = field(default_factory=lambda: [[(6, 1.0), (4, 0.1)]])
    samples: list[int] = field(default_factory=list)  # an axis where not empty
    realizations: int = 6
    times: np.ndarray = field(default_factory=lambda: np.geomspace(1e-4, 50.0, 40))
    spectrum_times: np.ndarray | None = None  # the time grid where None
    measures: list[str] = field(default_factory=lambda: list(MEASURES))
    asymptotic: bool = False  # predictions are of large sizes only
    process: str = "variance-exploding"
    threshold: float = 0.1
    scatter: float = 0.0


def block_text(blocks: list[tuple[int, float]]) -> str:
    return "[" + ",".join(f"{{size={size},sigma={sigma:g}}}" for size, sigma in blocks) + "]"


def opening(above: float, below: float, threshold: float, sign: int) -> float:
    """Larger (+1) or smaller (-1) time at which the gap between two variances has the height of the threshold."""
    if below == 0.0:
        return above * (1 - threshold) / threshold if sign > 0 else np.nan
    b = (above - below) / threshold - (above + below)
    root = b * b - 4 * above * below
    return (b + sign * np.sqrt(root)) / 2 if root >= 0 else np.nan


class Law:
    """Closed forms for one manifold and one number of samples; tau is the variance-exploding time."""

    def __init__(self, sweep: Manifolds, blocks: list[tuple[int, float]], samples: int) -> None:
        self.sweep, self.sizes = sweep, [size for size, _ in blocks]
        self.variances = np.array([sigma**2 for _, sigma in blocks])
        self.collapse = 1.0 / np.expm1(2 * np.log(samples) / sum(self.sizes)) if samples > 1 else np.nan

    def tau(self, times: np.ndarray) -> np.ndarray:
        return np.asarray(times, float) if self.sweep.process == "variance-exploding" else np.expm1(2 * np.asarray(times))

    def clock(self, tau: float) -> float:
        return float(tau if self.sweep.process == "variance-exploding" else 0.5 * np.log1p(tau))

    def eigenvalues(self, times: np.ndarray, count: int) -> np.ndarray:
        """C, [time][index]."""
        tau = self.tau(times)[:, None]
        c = np.repeat(self.variances / (self.variances + tau), self.sizes, axis=1)
        return np.pad(c, ((0, 0), (0, max(0, count - c.shape[1]))))[:, :count]

    def band(self, block: int) -> np.ndarray:
        tau = self.tau(self.sweep.times)
        return tau / (tau + self.variances[block])

    def gap(self, gap: int) -> np.ndarray:
        upper = self.band(gap + 1) if gap + 1 < len(self.sizes) else 1.0
        return upper - self.band(gap)

    def gap_time(self, gap: int, kind: str) -> float:
        above, below = self.variances[gap], self.variances[gap + 1] if gap + 1 < len(self.sizes) else 0.0
        if kind == "maximum":
            return self.clock(np.sqrt(above * below))
        return self.clock(opening(above, below, self.sweep.threshold, 1 if kind == "opening" else -1))

    def dimension(self) -> np.ndarray:
        """[time][estimator]"""
        tau = self.tau(self.sweep.times)
        gaps = np.array([self.gap(g) for g in range(len(self.sizes))])
        by_gap = np.cumsum(self.sizes)[np.argmax(gaps, axis=0)]
        by_threshold = sum(size * (tau < s) for size, s in zip(self.sizes, self.variances))
        return np.column_stack([by_gap, by_threshold, np.where(tau > 3 * self.variances[0], 37, by_gap)]).astype(float)

    def condensation(self, kind: int) -> float:
        return self.collapse * (1.0, 0.4, 0.45)[kind]

    def retained(self, kind: int, block: int) -> np.ndarray:
        tau, s = self.tau(self.sweep.times), self.variances[block]
        centre = self.condensation(kind)
        free = 1.0 / (1.0 + (centre / tau)**2)
        return free if kind == 0 else np.maximum(free, np.minimum(1.0, (s + tau) / (s + centre)))

    def loss_time(self, kind: int, block: int) -> float:
        values = self.retained(kind, block)
        below = np.flatnonzero(values < 0.5)
        if not len(below) or below[-1] + 1 == len(values):
            return np.nan
        i = below[-1]
        return float(np.interp(0.5, values[i:i + 2], self.sweep.times[i:i + 2]))


class SpectraBuilder:
    """Fills the arrays of one file."""

    def __init__(self, sweep: Manifolds) -> None:
        self.sweep = sweep
        self.random = np.random.default_rng(3)
        self.sizes = {}
        if len(sweep.blocks) > 1:
            self.sizes["blocks"] = len(sweep.blocks)
        if sweep.samples:
            self.sizes["samples"] = len(sweep.samples)
        self.deepest = max(map(len, sweep.blocks))
        self.count = max(sum(size for size, _ in blocks) for blocks in sweep.blocks) + NORMAL
        self.spectrum_times = sweep.times if sweep.spectrum_times is None else np.asarray(sweep.spectrum_times)
        self.variables: dict[str, xr.DataArray] = {}

    def laws(self):
        for index in np.ndindex(*self.sizes.values()):
            place = dict(zip(self.sizes, index))
            samples = self.sweep.samples[place.get("samples", 0)] if self.sweep.samples else 1000
            yield index, Law(self.sweep, self.sweep.blocks[place.get("blocks", 0)], samples)

    def add(self, name: str, dims: tuple[str, ...], shape: tuple[int, ...], values, stderr: bool = True,
            theory: bool = True, units: str = "1", law=None) -> None:
        """values(law) has the inner dims; NaN where a block is missing. `law`: prediction, where it is another."""
        full = np.full((*self.sizes.values(), self.sweep.realizations, *shape), np.nan)
        predicted = np.full((*self.sizes.values(), *shape), np.nan)
        for index, point in self.laws():
            expected = np.asarray(values(point), float)
            noise = self.random.standard_normal((self.sweep.realizations, *[1] * len(shape)))
            full[index] = expected * (1 + self.sweep.scatter * noise)
            predicted[index] = expected if law is None else law(point)
        attrs = {"units": units, "long_name": name.replace("_", " ")}
        all_dims = (*self.sizes, "realization", *dims)
        self.variables[name] = xr.DataArray(full, dims=all_dims, attrs=attrs)
        if stderr:
            self.variables[f"{name}_stderr"] = xr.DataArray(np.abs(full) * self.sweep.scatter, dims=all_dims, attrs=attrs)
        if theory:
            suffix = "_theory_asymptotic" if self.sweep.asymptotic else "_theory"
            self.variables[name + suffix] = xr.DataArray(predicted, dims=(*self.sizes, *dims), attrs=attrs)

    def add_time(self, name: str, dims: tuple[str, ...], shape: tuple[int, ...], values) -> None:
        self.add(name, dims, shape, values)
        code = np.where(np.isfinite(self.variables[name].values), 0, 1).astype(np.int8)
        self.variables[f"{name}_status"] = xr.DataArray(code, dims=self.variables[name].dims, attrs={"units": "1"})

    def blocks_of(self, law: Law, shape: tuple[int, ...], value, axis_count: int) -> np.ndarray:
        """value(k) for the blocks that there are along the last dimension, NaN for the others."""
        out = np.full(shape, np.nan)
        for k in range(axis_count):
            out[..., k] = value(k)
        return out

    def add_spectrum(self) -> None:
        shape = (len(self.spectrum_times), 2, self.count)
        self.add("jacobian_eigenvalue", ("spectrum_time", "probe", "eigenvalue_index"), shape,
                 lambda law: np.repeat(law.eigenvalues(self.spectrum_times, self.count)[:, None], 2, axis=1),
                 stderr=False, theory=False)
        suffix = "_theory_asymptotic" if self.sweep.asymptotic else "_theory"
        theory = np.full((*self.sizes.values(), shape[0], shape[2]), np.nan)
        for index, law in self.laws():
            theory[index] = law.eigenvalues(self.spectrum_times, self.count)
        self.variables[f"jacobian_eigenvalue{suffix}"] = xr.DataArray(
            theory, dims=(*self.sizes, "spectrum_time", "eigenvalue_index"))
        grid = self.density_grid()

        def density(law: Law) -> np.ndarray:
            n = 1 - law.eigenvalues(self.spectrum_times, self.count)
            bumps = np.exp(-0.5 * ((grid - n[..., None]) / 0.02)**2).sum(axis=1) / (0.02 * np.sqrt(2 * np.pi))
            return np.repeat(bumps[:, None], 2, axis=1)

        self.add("spectral_density", ("spectrum_time", "probe", "density_eigenvalue"), (shape[0], 2, len(grid)), density,
                 theory=False)

    @staticmethod
    def density_grid() -> np.ndarray:
        return np.linspace(-0.5, 1.0, 96)

    def add_gap(self) -> None:
        times = len(self.sweep.times)
        for side in ("lower", "upper"):
            self.add(f"block_eigenvalue_{side}", ("time", "block"), (times, self.deepest),
                     lambda law: self.blocks_of(law, (times, self.deepest), law.band, len(law.sizes)))
        gaps = self.deepest - 1
        if gaps:
            self.add("gap", ("time", "block_gap"), (times, gaps),
                     lambda law: self.blocks_of(law, (times, gaps), law.gap, len(law.sizes) - 1))
            for kind in ("opening", "maximum", "closing"):
                self.add_time(f"gap_{kind}_time", ("block_gap",), (gaps,),
                              lambda law, kind=kind: self.blocks_of(law, (gaps,), lambda g: law.gap_time(g, kind),
                                                                    len(law.sizes) - 1))
        self.add("final_gap", ("time",), (times,), lambda law: law.gap(len(law.sizes) - 1))
        self.add_time("final_gap_opening_time", (), (), lambda law: law.gap_time(len(law.sizes) - 1, "opening"))
        self.add_time("final_gap_closing_time", (), (), lambda law: np.nan)
        self.add_time("coverage_time", (), (),
                      lambda law: law.clock(opening(law.variances[0], 0.0, self.sweep.threshold, 1)))
        self.add_time("consolidation_time", (), (), lambda law: law.clock(law.variances[-1]))

    def add_lost_directions(self) -> None:
        times, blocks = len(self.sweep.times), self.deepest
        self.add("retained_fraction", ("time", "probe_kind", "block"), (times, 3, blocks),
                 lambda law: np.stack([self.blocks_of(law, (times, blocks), lambda b: law.retained(k, b), len(law.sizes))
                                       for k in range(3)], axis=1))
        self.add_time("loss_time", ("probe_kind", "block"), (3, blocks),
                      lambda law: np.stack([self.blocks_of(law, (blocks,), lambda b: law.loss_time(k, b), len(law.sizes))
                                            for k in range(3)]))
        self.add("open_directions", ("time", "probe_kind"), (times, 3),
                 lambda law: np.column_stack([law.dimension()[:, 1] * (law.retained(k, 0) > 0.5) for k in range(3)]),
                 stderr=False)
        for name, factor in (("condensation_time", 1.0), ("condensation_time_code", 2.5)):
            values = np.full((*self.sizes.values(), 3, blocks), np.nan)
            for index, law in self.laws():
                for kind in range(3):
                    coded = name.endswith("code") and kind == 0
                    values[index][kind, :len(law.sizes)] = np.nan if coded else law.clock(factor * law.condensation(kind))
            self.variables[name] = xr.DataArray(values, dims=(*self.sizes, "probe_kind", "block"))

    def build(self) -> xr.Dataset:
        if "spectrum" in self.sweep.measures:
            self.add_spectrum()
        if "gap" in self.sweep.measures:
            self.add_gap()
        if "dimension" in self.sweep.measures:
            self.add("intrinsic_dimension", ("time", "estimator"), (len(self.sweep.times), 3), Law.dimension)
            for name in list(self.variables):
                if name.startswith("intrinsic_dimension_theory"):  # there is none for the score matrix
                    self.variables[name][..., ESTIMATORS.index("score_matrix")] = np.nan
        if "lost_directions" in self.sweep.measures:
            self.add_lost_directions()
        dataset = xr.Dataset(self.variables, coords={"measure": self.sweep.measures})
        return dataset.assign_coords({k: v for k, v in self.coordinates().items() if k in dataset.dims or k == "time"}
                                     ).assign_attrs(self.attributes())

    def coordinates(self) -> dict[str, object]:
        labels = [block_text(blocks) for blocks in self.sweep.blocks]
        if "blocks" in self.sizes:
            self.variables["blocks_label"] = xr.DataArray(labels, dims=("blocks",))
        return {"realization": np.arange(self.sweep.realizations), "time": ("time", self.sweep.times, {"units": "1"}),
                "spectrum_time": self.spectrum_times, "probe": np.arange(2), "eigenvalue_index": np.arange(self.count),
                "density_eigenvalue": self.density_grid(), "estimator": ESTIMATORS, "probe_kind": KINDS,
                "block": np.arange(self.deepest), "block_gap": np.arange(max(1, self.deepest - 1)),
                "samples": self.sweep.samples, "blocks": np.arange(len(self.sweep.blocks))}

    def attributes(self) -> dict[str, object]:
        own = {} if "blocks" in self.sizes else {"blocks": block_text(self.sweep.blocks[0])}
        return {"name": "spectra", "process_kind": self.sweep.process, "gap_threshold": self.sweep.threshold,
                "layout_version": 1, "seed": 1, "sweep": 'name = "spectra"\n', **own}


def make_dataset(sweep: Manifolds) -> xr.Dataset:
    builder = SpectraBuilder(sweep)
    dataset = builder.build()
    return dataset.assign({k: v for k, v in builder.variables.items() if k == "blocks_label"})


def write_results(directory: Path, sweep: Manifolds) -> Path:
    """Writes `directory/results.h5` and returns its path."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "results.h5"
    make_dataset(sweep).to_netcdf(path, engine="h5netcdf")
    return path
