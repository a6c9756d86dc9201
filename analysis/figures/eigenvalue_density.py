"""The density of all eigenvalues of the score Jacobian, one ridge for each time."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from analysis.figures.drawing import (GREY, TITLE_WIDTH, Curve, Drawing, cell_edges, colors, flowing_figure,
                                      panel_points, predicted_curves, spread_choice, wrap)
from analysis.results import Results, at, format_value

MAX_RIDGES = 9
RIDGE_HEIGHT = 0.9
EDGES = {"color": "black", "linewidth": 1.6, "marker": "|", "markersize": 4.0, "markeredgewidth": 1.0}


def draw(results: Results) -> Drawing | None:
    if not results.has("spectral_density"):
        return None
    points, note = panel_points(results, "spectral_density")
    figure, lines = flowing_figure([len(points)], width=4.1)
    figure.set_figheight(figure.get_figheight() * 1.3)  # room for the ridges
    edges = False
    for panel, curve in zip(lines[0], points):
        edges |= draw_panel(panel, results, curve)
        panel.set_title(wrap(curve.label, TITLE_WIDTH))
    caption = ("Density of the eigenvalues of <i>N</i> = −<i>b</i><sup>2</sup><i>J</i> from stochastic Lanczos "
               "quadrature, smoothed, without the normal directions that the data do not reach; each ridge is scaled to "
               "its own maximum, which is given at its right. Shaded: one standard error over random vectors.")
    if edges:
        caption += " Black bars: predicted edges of the variance blocks."
    return Drawing(figure, "Density of eigenvalues", caption, [note] if note else [])


def density_of(results: Results, curve: Curve) -> tuple[np.ndarray, np.ndarray]:
    """Mean over realizations and probes and its error over random vectors, [time][eigenvalue]."""
    dims = ("spectrum_time", "probe", "density_eigenvalue")
    average = results.average("spectral_density")
    mean, error = (at(a, curve.point).transpose(*dims).values for a in (average.mean, average.error))
    present = np.isfinite(mean)
    count = np.maximum(present.sum(axis=1), 1)
    total = np.where(present, mean, 0.0).sum(axis=1) / count
    spread = np.sqrt((np.nan_to_num(error)**2).sum(axis=1)) / count
    return np.where(present.any(axis=1), total, np.nan), spread


def draw_panel(panel: Axes, results: Results, curve: Curve) -> bool:
    """Ridges from the smallest time upwards; whether predicted edges were drawn."""
    grid = results.data["density_eigenvalue"].values.astype(float)
    times = results.data["spectrum_time"].values.astype(float)
    mean, error = density_of(results, curve)
    known = [k for k in range(len(times)) if np.isfinite(mean[k]).any() and np.nanmax(mean[k]) > 0]
    shown, edges = spread_choice(known, MAX_RIDGES), False
    for place, (k, color) in enumerate(zip(shown, colors(len(shown), ordered=True))):
        scale = RIDGE_HEIGHT / np.nanmax(mean[k])
        y = place + scale * mean[k]
        panel.fill_between(grid, place, y, color=color, alpha=0.25, linewidth=0, zorder=2 * (len(shown) - place))
        panel.fill_between(grid, y - scale * error[k], y + scale * error[k], color=color, alpha=0.5, linewidth=0,
                           zorder=2 * (len(shown) - place))
        panel.plot(grid, y, color=color, linewidth=1.0, zorder=2 * (len(shown) - place) + 1)
        panel.text(1.02, place + 0.05, format_height(float(np.nanmax(mean[k]))), fontsize=6.5, color=GREY, va="bottom",
                   transform=panel.get_yaxis_transform())
        for low, high in predicted_edges(results, curve, times[k]):
            panel.plot([low, high], [place - 0.08] * 2, zorder=99, **EDGES)
            edges = True
    panel.text(1.02, 1.03, "density at\nmaximum", fontsize=6.5, color=GREY, va="bottom", transform=panel.transAxes)
    visible = np.concatenate([grid[mean[k] > 1e-3 * np.nanmax(mean[k])] for k in shown]) if shown else grid
    panel.set_xlim(min(-0.05, visible.min()), max(1.05, visible.max()))
    panel.set_ylim(-0.25, max(len(shown), 1) + 0.1)
    panel.set_yticks(range(len(shown)), [format_value(float(f"{times[k]:.2g}")) for k in shown])
    panel.set(xlabel=r"eigenvalue of $N=-b^2J$", ylabel=results.time_label)
    if edges:
        panel.legend(handles=[Line2D([], [], label="predicted\nedges", **EDGES)], loc="upper left",
                     bbox_to_anchor=(1.13, 1.02), borderaxespad=0.0)  # clear of the heights
    return edges


def format_height(height: float) -> str:
    return f"{height:.0f}" if height >= 100 else f"{height:.2g}"


def predicted_edges(results: Results, curve: Curve, time: float) -> list[tuple[float, float]]:
    """Edges of the blocks at this time where the time grid has it, to the width of a cell."""
    if "time" not in results.data or "block" not in results.data.sizes:
        return []
    times = results.data["time"].values.astype(float)
    borders = cell_edges(times, results.logarithmic_time)
    if not borders[0] <= time <= borders[-1] or len(times) < 2:
        return []
    pairs = []
    for block in range(results.data.sizes["block"]):
        sides = [next(iter(predicted_curves(results, f"block_eigenvalue_{side}", curve.point | {"block": block}).values()),
                      None) for side in ("lower", "upper")]
        if all(side is not None for side in sides):
            scale = np.log if results.logarithmic_time else np.asarray
            pairs.append(tuple(float(np.interp(scale(time), scale(times), side)) for side in sides))
    return pairs
