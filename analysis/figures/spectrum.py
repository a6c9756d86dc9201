"""The spectrum of the score Jacobian against time: all eigenvalues as a map, variance blocks as bands."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.patheffects import Normal, Stroke

from analysis.figures.drawing import (OKABE_ITO, PREDICTIONS, TITLE_WIDTH, Curve, Drawing, block_name, cell_edges, colors,
                                      legend_beside, new_figure, panel_points, predicted_curves, prediction_handles,
                                      set_time_axis, wrap)
from analysis.results import Results, at, format_value

MAX_ROWS = 3
FEWEST_MAP_TIMES = 8  # with fewer, a map is a few stripes: eigenvalues against their index say more
LOWEST_SHOWN = -1.0  # below, directions are unstable, and how much so is not the point
OUTLINE = [Stroke(linewidth=3.6, foreground="black"), Normal()]  # white is seen on every colour, and on the page
EIGENVALUE = r"eigenvalue of $N=-b^2J$"


def draw(results: Results) -> Drawing | None:
    spectra, bands = results.has("jacobian_eigenvalue"), results.has("block_eigenvalue_lower")
    if not spectra and not bands:
        return None
    points, note = panel_points(results, "jacobian_eigenvalue" if spectra else "block_eigenvalue_lower", MAX_ROWS)
    kinds = ([draw_map if is_map(results) else draw_ranks] if spectra else [])
    kinds += [draw_bands] if bands else [draw_levels] if spectra and is_map(results) else []
    figure, axes = new_figure(len(points), len(kinds))
    for line, curve in zip(axes, points):
        for panel, kind in zip(line, kinds):
            kind(panel, results, curve)
            panel.set_title(wrap(curve.label, TITLE_WIDTH), pad=18 if kind is draw_map else None)
    return Drawing(figure, "Spectrum of the score Jacobian", caption(kinds), [note] if note else [])


def caption(kinds: list[object]) -> str:
    words = ["Eigenvalues of <i>N</i> = −<i>b</i><sup>2</sup><i>J</i>: 1 in normal directions, near 0 in tangent "
             "directions that are resolved. Means over probes and realizations."]
    if draw_map in kinds:
        words.append("Map: colour against time and place in the order, the smallest first; the lines count the "
                     "eigenvalues below 1/2.")
    if draw_ranks in kinds:
        words.append("Eigenvalues in order, at the times of the spectra.")
    if draw_bands in kinds:
        words.append("Bands: between the smallest and the largest eigenvalue of each variance block; black: predicted "
                     "edges.")
    if draw_levels in kinds:
        words.append("Right: the same eigenvalues as curves over time, by kind of direction with the places in the order, "
                     "each predicted level in black.")
    return " ".join(words)


def is_map(results: Results) -> bool:
    return results.data.sizes.get("spectrum_time", 0) >= FEWEST_MAP_TIMES


def spectrum_of(results: Results, curve: Curve) -> np.ndarray:
    """N at this point, [time][index]: the mean over realizations and probes."""
    values = at(results.average("jacobian_eigenvalue").mean, curve.point)
    present = np.isfinite(values)
    total = values.where(present, 0.0).sum("probe") / np.maximum(present.sum("probe"), 1)
    return 1.0 - total.where(present.any("probe")).transpose("spectrum_time", "eigenvalue_index").values


def times_of(results: Results) -> np.ndarray:
    return results.data["spectrum_time"].values.astype(float)


def draw_map(panel: Axes, results: Results, curve: Curve) -> None:
    n, times = spectrum_of(results, curve), times_of(results)
    count = n.shape[1]
    low = max(LOWEST_SHOWN, min(0.0, float(np.nanmin(n)))) if np.isfinite(n).any() else 0.0
    mesh = panel.pcolormesh(cell_edges(times, results.logarithmic_time), np.arange(count + 1) + 0.5, n.T, cmap="viridis",
                            vmin=low, vmax=1.0, rasterized=True)
    bar = panel.figure.colorbar(mesh, ax=panel, pad=0.02, aspect=25, extend="min" if np.nanmin(n) < low else "neither")
    bar.set_label(EIGENVALUE, fontsize=8)
    bar.outline.set_linewidth(0.6)
    predicted = predicted_curves(results, "jacobian_eigenvalue", curve.point)
    looks = [dict(color="white", linewidth=2.4, path_effects=OUTLINE), dict(color="#D55E00", linestyle="--", linewidth=1.4)]
    for values, look in zip((n, *(1.0 - c for c in predicted.values())), (looks[0], *[looks[1]] * len(predicted))):
        panel.plot(times, np.sum(values < 0.5, axis=1) + 0.5, drawstyle="steps-mid", **look)
    set_times(panel, results, times)
    panel.set(ylabel="eigenvalue index", ylim=(0.5, count + 0.5))
    labels = ("number below 1/2", "predicted")[:1 + bool(predicted)]
    panel.legend(handles=[Line2D([], [], label=label, **look) for label, look in zip(labels, looks)], ncols=2,
                 loc="lower left", bbox_to_anchor=(0.0, 1.0), borderaxespad=0.2, handlelength=2.2)  # clear of the map


def draw_ranks(panel: Axes, results: Results, curve: Curve) -> None:
    """Eigenvalues in order, a colour for each time."""
    n, times = spectrum_of(results, curve), times_of(results)
    index = np.arange(n.shape[1]) + 1
    predicted = predicted_curves(results, "jacobian_eigenvalue", curve.point)
    handles = []
    for k, color in enumerate(colors(len(times), ordered=True)):
        panel.plot(index, n[k], color=color, marker="o", markersize=2.5, linestyle="none", zorder=3)
        for suffix, values in predicted.items():
            panel.plot(index, 1.0 - values[k], color=color, linestyle=PREDICTIONS[suffix][0], linewidth=1.0)
        handles.append(Line2D([], [], color=color, marker="o", markersize=3, linestyle="none",
                              label=f"$t$ = {format_value(float(times[k]))}"))
    finish_eigenvalues(panel, n)
    panel.set_xlabel("eigenvalue index")
    legend_beside(panel, handles + prediction_handles(list(predicted)))


def draw_bands(panel: Axes, results: Results, curve: Curve) -> None:
    """Between the lowest and the highest eigenvalue of each block."""
    times = results.data["time"].values
    handles, suffixes, drawn = [], set(), []
    for block in range(results.data.sizes["block"]):
        here = curve.point | {"block": block}
        edges = [at(results.average(f"block_eigenvalue_{side}").mean, here).values
                 for side in ("lower", "upper") if f"block_eigenvalue_{side}" in results.data]
        if not all(np.isfinite(edge).any() for edge in edges):
            continue
        color = OKABE_ITO[block % len(OKABE_ITO)]
        panel.fill_between(times, edges[0], edges[-1], color=color, alpha=0.35, linewidth=0, zorder=1)
        for edge in edges:
            panel.plot(times, edge, color=color, linewidth=1.8, zorder=2)
        for side in ("lower", "upper"):
            predicted = predicted_curves(results, f"block_eigenvalue_{side}", here)
            suffixes |= set(predicted)
            for suffix, values in predicted.items():
                style = (0, (4, 2)) if suffix == "_theory" else ":"
                panel.plot(times, values, color="black", linestyle=style, linewidth=1.0, zorder=3)
        drawn += edges
        handles.append(Patch(facecolor=color, alpha=0.6, label=block_name(results, here, block)))
    set_times(panel, results, times)
    finish_eigenvalues(panel, np.array(drawn) if drawn else np.zeros(1))
    black = [Line2D([], [], color="black", linestyle=style, linewidth=1.0, label=PREDICTIONS[suffix][1])
             for suffix, style in (("_theory", (0, (4, 2))), ("_theory_asymptotic", ":")) if suffix in suffixes]
    legend_beside(panel, handles + black)


@dataclass(frozen=True)
class Directions:
    """Neighbours in the order of the eigenvalues that belong to one kind of direction."""

    name: str
    first: int  # index, from 0
    last: int  # included

    @property
    def label(self) -> str:
        place = f"{self.first + 1}" if self.first == self.last else f"{self.first + 1}–{self.last + 1}"
        return f"{self.name}: {place}" if self.name else f"index {place}"


def directions(results: Results, point: dict[str, int], count: int) -> list[Directions]:
    """The kinds of direction that the data have, in the order of their eigenvalues; each index by itself where the file
    does not say."""
    kind = format_value(results.data.attrs.get("ensemble_kind", ""))
    if kind == "hypersphere":
        span = results.parameters(point).get("sphere_dimension", results.data.attrs.get("sphere_dimension", 0))
        sizes = {"tangent": int(span), "radial": 1, "normal": count}
    else:
        blocks = results.variance_blocks(point)
        sizes = {block_name(results, point, b): block.size for b, block in enumerate(blocks)}
        sizes |= {"normal": count} if sizes else {}
    if not sizes or not next(iter(sizes.values())):
        return [Directions("", index, index) for index in range(count)]
    ends = np.minimum(np.cumsum(list(sizes.values())), count)
    starts = np.concatenate([[0], ends[:-1]])
    return [Directions(name, int(start), int(end) - 1) for name, start, end in zip(sizes, starts, ends) if end > start]


def draw_levels(panel: Axes, results: Results, curve: Curve) -> None:
    """Every eigenvalue over time, where there are no bands to join them; a colour for each kind of direction."""
    n, times = spectrum_of(results, curve), times_of(results)
    kinds = directions(results, curve.point, n.shape[1])
    named = any(kind.name for kind in kinds)
    palette = colors(len(kinds), ordered=not named)
    for kind, color in zip(kinds, palette):
        panel.plot(times, n[:, kind.first:kind.last + 1], color=color, marker="o", markersize=2.6, linestyle="none", zorder=2)
    predicted = predicted_curves(results, "jacobian_eigenvalue", curve.point)
    for suffix, values in predicted.items():
        for level in np.unique(1.0 - values, axis=1).T:
            panel.plot(times, level, color="black", linestyle=PREDICTIONS[suffix][0], linewidth=0.9, zorder=3)
    set_times(panel, results, times)
    finish_eigenvalues(panel, n)
    shown = range(len(kinds)) if named else sorted({0, len(kinds) - 1})
    points = [Line2D([], [], color=palette[k], marker="o", markersize=3, linestyle="none", label=kinds[k].label)
              for k in shown]
    black = [Line2D([], [], color="black", linestyle=PREDICTIONS[s][0], linewidth=0.9, label=PREDICTIONS[s][1])
             for s in predicted]
    legend_beside(panel, points + black)


def set_times(panel: Axes, results: Results, times: np.ndarray) -> None:
    set_time_axis(panel, results)
    borders = cell_edges(times, results.logarithmic_time)
    panel.set(xlabel=results.time_label, xlim=(borders[0], borders[-1]))


def finish_eigenvalues(panel: Axes, values: np.ndarray) -> None:
    finite = values[np.isfinite(values)]
    low = max(LOWEST_SHOWN, float(finite.min())) if len(finite) else 0.0
    panel.set(ylabel=EIGENVALUE, ylim=(min(-0.04, low - 0.04), 1.04))
