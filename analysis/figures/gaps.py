"""Gaps of the score Jacobian's spectrum against time, over the geometric phases of generation."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from analysis.figures.drawing import (GREY, OKABE_ITO, PREDICTIONS, TITLE_WIDTH, Curve, Drawing, flowing_figure,
                                      gap_name, legend_beside, panel_points, plot_measured, predicted_curves,
                                      predicted_number, prediction_handles, set_time_axis, style_handles, wrap)
from analysis.results import Results, at

PHASES = (("trivial", "#DCEBF7"), ("coverage", "#FBE3C8"), ("consolidation", "#D9D2E9"))
FINAL = "#222222"
MARKS = (("opening", ">"), ("maximum", "D"), ("closing", "<"))


def draw(results: Results) -> Drawing | None:
    names = [name for name in ("gap", "final_gap") if results.has(name)]
    if not names:
        return None
    points, note = panel_points(results, names[0])
    figure, lines = flowing_figure([len(points)], width=4.1)
    for panel, curve in zip(lines[0], points):
        draw_panel(panel, results, curve)
        panel.set_title(wrap(curve.label, TITLE_WIDTH))
    caption = ("Gaps of the spectrum of <i>N</i> = −<i>b</i><sup>2</sup><i>J</i> between adjacent variance blocks, and "
               "the final gap between tangent and normal directions. Points: measured; lines: prediction at the "
               "same size, dotted: in the limit of large sizes. Filled marks: measured opening, maximum and closing; "
               "ticks on the curves: predicted. The dashed line is the resolution threshold. Shaded: phases, by the "
               "measured times at which they begin.")
    return Drawing(figure, "Gaps of the spectrum", caption, [note] if note else [])


def draw_panel(panel: Axes, results: Results, curve: Curve) -> None:
    times = results.data["time"].values
    set_time_axis(panel, results)
    panel.set_xlim(times.min(), times.max())
    phases = shade_phases(panel, results, curve)
    handles, suffixes, marks = [], set(), set()
    for index in range(results.data.sizes.get("block_gap", 0) if "gap" in results.data else 0):
        look = Curve(curve.point | {"block_gap": index}, gap_name(results, curve.point, index),
                     OKABE_ITO[index % len(OKABE_ITO)], "o")
        found = draw_gap(panel, results, "gap", look)
        if found is not None:
            suffixes |= found
            marks |= mark_times(panel, results, "gap", look)
            handles.append(gap_handle(look, found))
    look = Curve(curve.point, "final gap", FINAL, "s")
    found = draw_gap(panel, results, "final_gap", look) if "final_gap" in results.data else None
    if found is not None:
        suffixes |= found
        marks |= mark_times(panel, results, "final_gap", look)
        handles.append(gap_handle(look, found))
    level = threshold(results)
    if np.isfinite(level):
        panel.axhline(level, color=GREY, linestyle=(0, (5, 3)), linewidth=0.8, zorder=1)
        handles += style_handles(("threshold", "--", ""))
    panel.set(xlabel=results.time_label, ylabel="height of the gap", ylim=(-0.02, 1.03))
    handles += style_handles(*((name, "", marker) for name, marker in MARKS if name in marks))
    if suffixes:
        handles.append(Line2D([], [], color=GREY, marker="|", markersize=10, linestyle="none", label="predicted time"))
    legend_beside(panel, handles + prediction_handles(list(suffixes)) + phases)


def gap_handle(look: Curve, found: set[str]) -> Line2D:
    """Legend entry of a gap, with the line of its prediction where there is one."""
    style = next((PREDICTIONS[suffix][0] for suffix in PREDICTIONS if suffix in found), "none")
    return Line2D([], [], color=look.color, marker=look.marker, markersize=4, linestyle=style, label=look.label)


def threshold(results: Results) -> float:
    try:
        return float(results.data.attrs.get("gap_threshold", np.nan))
    except (TypeError, ValueError):
        return np.nan


def draw_gap(panel: Axes, results: Results, name: str, curve: Curve) -> set[str] | None:
    """One gap with its predictions; the suffixes of these, or None where nothing was measured."""
    times, average = results.data["time"].values, results.average(name)
    mean, error = at(average.mean, curve.point).values, at(average.error, curve.point).values
    if not np.isfinite(mean).any():
        return None
    plot_measured(panel, times, mean, error, curve, size=2.4)
    predicted = predicted_curves(results, name, curve.point)
    for suffix, values in predicted.items():
        panel.plot(times, values, color=curve.color, linestyle=PREDICTIONS[suffix][0], linewidth=1.1, zorder=2)
    return set(predicted)


def mark_times(panel: Axes, results: Results, name: str, curve: Curve) -> set[str]:
    """Marks opening, maximum and closing on a gap's curve; the names of those that were found."""
    times, found = results.data["time"].values, set()
    mean = at(results.average(name).mean, curve.point).values
    for kind, marker in MARKS:
        variable = f"{name}_{kind}_time"
        expected = predicted_number(results, variable, curve.point)
        if np.isfinite(expected):
            panel.plot(expected, height_at(results, expected, times, predicted_or(results, name, curve, mean)),
                       marker="|", markersize=13, markeredgewidth=1.3, color=curve.color, zorder=4)
        if variable not in results.data:
            continue
        average = results.average(variable)
        value, error = float(at(average.mean, curve.point)), float(at(average.error, curve.point))
        if np.isfinite(value):
            panel.errorbar(value, height_at(results, value, times, mean), xerr=np.nan_to_num(error), color="black",
                           marker=marker, markersize=5.5, markerfacecolor=curve.color, markeredgewidth=0.8,
                           elinewidth=0.9, zorder=5)
            found.add(kind)
    return found


def predicted_or(results: Results, name: str, curve: Curve, mean: np.ndarray) -> np.ndarray:
    return next(iter(predicted_curves(results, name, curve.point).values()), mean)


def height_at(results: Results, time: float, times: np.ndarray, values: np.ndarray) -> float:
    known = np.isfinite(values)
    scale = np.log if results.logarithmic_time else np.asarray
    return float(np.interp(scale(time), scale(times[known]), values[known])) if known.any() else np.nan


def shade_phases(panel: Axes, results: Results, curve: Curve) -> list[Patch]:
    """Fills the phases between the measured times at which they begin, else the predicted ones; legend entries."""
    low, high = panel.get_xlim()
    coverage, consolidation = (beginning(results, f"{name}_time", curve) for name in ("coverage", "consolidation"))
    if not np.isfinite(coverage):
        return []
    end = consolidation if np.isfinite(consolidation) else low
    spans = [(max(coverage, end), high), (end, max(coverage, end)), (low, end)]
    handles = []
    for (start, stop), (name, color) in zip(spans, PHASES):
        start, stop = np.clip([start, stop], low, high)
        if stop > start:
            panel.axvspan(start, stop, color=color, linewidth=0, zorder=0)
            handles.append(Patch(facecolor=color, label=name))
    return handles


def beginning(results: Results, name: str, curve: Curve) -> float:
    measured = float(at(results.average(name).mean, curve.point)) if name in results.data else np.nan
    return measured if np.isfinite(measured) or name in results.data else predicted_number(results, name, curve.point)
