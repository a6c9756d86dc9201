"""Cloned trajectories of the reverse process against the posterior identity that predicts them."""

from __future__ import annotations

import numpy as np
import xarray as xr

from analysis.figures.drawing import (Curve, Drawing, Family, active_window, curve_handles, families, legend_beside,
                                      new_figure, plot_measured, set_time_axis, style_handles)
from analysis.results import Results, at

PAIRS = {"clone_class_agreement": ("class_agreement", r"$\phi(t)$"),
         "clone_participation": ("participation", r"$Y(t)$")}


def draw(results: Results) -> Drawing | None:
    names = [name for name in PAIRS if results.has(name)]
    if not names:
        return None
    chosen = [families(results, name)[0] for name in names]
    figure, axes = new_figure(2, len(names), sharex="col", height=2.2)
    for column, (name, family) in enumerate(zip(names, chosen)):
        draw_column(axes[:, column], results, name, family)
    caption = ("Direct check: fraction of pairs of cloned reverse trajectories, split at time <i>t</i>, that end in the "
               "same class or on the same training point (points) against the same probability from the posterior "
               "(lines). Below: their difference in combined standard errors.")
    return Drawing(figure, "Cloned trajectories", caption, [f.note for f in chosen if f.note])


def times_of(results: Results, variable: xr.DataArray) -> np.ndarray:
    """The clones may have a coarser time grid of their own: the last dimension's coordinate."""
    return results.data[variable.dims[-1]].values.astype(float)


def draw_column(axes: np.ndarray, results: Results, name: str, family: Family) -> None:
    identity, label = PAIRS[name]
    curves = [draw_curve(axes, results, name, identity, curve) for curve in family.curves]
    axes[0].set(ylabel=label, title=family.title)
    axes[0].set_ylim(top=1.03)
    axes[1].axhspan(-2, 2, color="0.92", zorder=0)
    axes[1].axhline(0, color="0.6", linewidth=0.8)
    axes[1].set(ylabel="difference / s.e.", xlabel=results.time_label)
    bottom, top = axes[1].get_ylim()
    axes[1].set_ylim(max(min(bottom, -4), -10), min(max(top, 4), 10))  # errors vanish where curves saturate
    for panel in axes:
        set_time_axis(panel, results)
    window = active_window(*zip(*curves), logarithmic=results.logarithmic_time)
    if window:
        axes[1].set_xlim(window)
    legend_beside(axes[0], curve_handles(family.curves) + style_handles(("clones", "", "o"), ("posterior", "-", "")))


def draw_curve(axes: np.ndarray, results: Results, name: str, identity: str, curve: Curve) -> tuple[np.ndarray, np.ndarray]:
    clones = results.average(name)
    times = times_of(results, clones.mean)
    mean, error = at(clones.mean, curve.point).values, at(clones.error, curve.point).values
    plot_measured(axes[0], times, mean, error, curve)
    if results.has(identity):
        draw_identity(axes, results, identity, curve, times, mean, error)
    return times, mean


def draw_identity(axes: np.ndarray, results: Results, identity: str, curve: Curve, times: np.ndarray, mean: np.ndarray,
                  error: np.ndarray) -> None:
    posterior = results.average(identity)
    grid = times_of(results, posterior.mean)
    expected, spread = at(posterior.mean, curve.point).values, at(posterior.error, curve.point).values
    axes[0].plot(grid, expected, color=curve.color, linewidth=1.0)
    combined = np.hypot(error, np.nan_to_num(np.interp(times, grid, spread)))
    with np.errstate(divide="ignore", invalid="ignore"):
        difference = (mean - np.interp(times, grid, expected)) / combined
    known = np.isfinite(difference)
    axes[1].plot(times[known], difference[known], color=curve.color, marker=curve.marker, markersize=2.5, linestyle="none")
