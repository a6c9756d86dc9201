"""Critical times of gaps and of lost directions against every numeric axis of the sweep."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes as Panel
from matplotlib.lines import Line2D

from analysis.figures.drawing import (GREY, MARKERS, OKABE_ITO, PREDICTIONS, TITLE_WIDTH, Curve, Drawing, block_name,
                                      fixed_label, flowing_figure, gap_name, legend_beside, plot_measured,
                                      prediction_handles, reference_point, set_abscissa, set_time_axis, shade_tolerance,
                                      style_handles, tolerance_handle, wrap)
from analysis.figures.retained_fraction import KIND_TITLES
from analysis.results import Abscissa, Axis, Results, at

GAP_TIMES = {"gap_opening_time": (">", "opening"), "gap_maximum_time": ("D", "maximum"),
             "gap_closing_time": ("<", "closing")}
FINAL_TIMES = {"final_gap_opening_time": (">", "#222222", "final gap opens"),
               "consolidation_time": ("v", "#7a5fb5", "consolidation"), "coverage_time": ("^", "#b8860b", "coverage")}
CONDENSATION = {"condensation_time": ((0, (5, 2)), "condensation, exact"),
                "condensation_time_code": ("-.", "condensation,\ncode formula")}


@dataclass(frozen=True, eq=False)
class Series:
    """One critical time along an axis: its place on dimensions of its own is part of `inner`."""

    name: str
    inner: dict[str, int]
    color: str
    marker: str
    label: str


@dataclass(frozen=True)
class Subject:
    """What one panel shows for each numeric axis."""

    title: str
    series: list[Series]


def draw(results: Results) -> Drawing | None:
    subjects = [*gap_subjects(results), *loss_subjects(results)]
    rows = []
    for subject in subjects:
        axes = results.axes_of(*(series.name for series in subject.series))
        rows.append([(subject, axis, x) for axis in axes for x in axis.abscissae() if axis.name != "point"])
    rows = [row for row in rows if row]
    if not rows:
        return None
    figure, lines = flowing_figure([len(row) for row in rows] if len(rows[0]) > 1 else [len(rows)], width=4.1)
    if len(rows[0]) == 1:
        lines, rows = [[panel for line in lines for panel in line]], [[row[0] for row in rows]]
    for line, row in zip(lines, rows):
        for panel, (subject, axis, abscissa) in zip(line, row):
            draw_subject(panel, results, subject, axis, abscissa)
    caption = ("Critical times of gaps and of lost directions. Points: mean over realizations with one standard error; "
               "lines: prediction at the same size (for planted probes with the shift expected there), dotted, where there is "
               "none: in the limit of large sizes; shaded: how far the prediction, which approximates, may be off; dashed and "
               "dash-dotted: condensation of the posterior at a fixed point, by exact large deviations and by the "
               "formula of the paper's code.")
    return Drawing(figure, "Critical times of the spectrum", caption)


def known(results: Results, name: str) -> bool:
    return results.has(name) or any(results.has(name + suffix) for suffix in PREDICTIONS)


def gap_subjects(results: Results) -> list[Subject]:
    series = []
    for name, (marker, _) in ((n, look) for n, look in GAP_TIMES.items() if known(results, n)):
        for gap in range(results.data.sizes["block_gap"]):
            series.append(Series(name, {"block_gap": gap}, OKABE_ITO[gap % len(OKABE_ITO)], marker, ""))
    for name, (marker, color, label) in ((n, look) for n, look in FINAL_TIMES.items() if known(results, n)):
        series.append(Series(name, {}, color, marker, label))
    return [Subject("gaps and phases", series)] if series else []


def loss_subjects(results: Results) -> list[Subject]:
    if not known(results, "loss_time"):
        return []
    subjects = []
    for kind in range(results.data.sizes["probe_kind"]):
        series = [Series("loss_time", {"probe_kind": kind, "block": block}, OKABE_ITO[block % len(OKABE_ITO)],
                         MARKERS[block % len(MARKERS)], "") for block in range(results.data.sizes["block"])]
        word = results.coordinate("probe_kind", kind)
        subjects.append(Subject(f"loss, {KIND_TITLES.get(word, word)}", series))
    return subjects


def draw_subject(panel: Panel, results: Results, subject: Subject, axis: Axis, abscissa: Abscissa) -> None:
    names = [series.name for series in subject.series]
    axes = results.axes_of(*names, *(name + suffix for name in names for suffix in PREDICTIONS))
    fullest = next((n for n in names if results.has(n)), None)
    base = {a.name: 0 for a in axes} | (reference_point(results.data[fullest], results.axes_of(fullest)) if fullest else {})
    order = np.argsort(abscissa.values, kind="stable")
    points = [base | {axis.name: int(i)} for i in order]
    x, suffixes, drawn, shaded = abscissa.values[order], set(), {}, False
    set_time_axis(panel, results, "y")
    for series in subject.series:
        here = [point | series.inner for point in points]
        found = draw_series(panel, results, series, x, here)
        shaded |= shade_tolerance(panel, results, series.name, x, here, series.color)
        suffixes |= found
        if found or measured(results, series.name, here)[0].size:
            drawn[series] = found
    styles = draw_condensation(panel, results, x, points, list(drawn)) if names[0] == "loss_time" else []
    set_abscissa(panel, abscissa)
    panel.set(ylabel=results.time_label, title=wrap(", ".join(filter(None, [
        subject.title, fixed_label(axes, base, {axis.name})])), TITLE_WIDTH))
    panel.margins(x=0.06, y=0.08)
    legend_beside(panel, legend_handles(results, base, drawn) + prediction_handles(sorted(suffixes))
                  + [tolerance_handle()] * shaded + styles)


def measured(results: Results, name: str, points: list[dict[str, int]]) -> tuple[np.ndarray, np.ndarray]:
    """Means and errors at the points; empty where none has a number."""
    if name not in results.data:
        return np.array([]), np.array([])
    average = results.average(name)
    mean, error = (np.array([float(at(a, p)) for p in points]) for a in (average.mean, average.error))
    return (mean, error) if np.isfinite(mean).any() else (np.array([]), np.array([]))


def draw_series(panel: Panel, results: Results, series: Series, x: np.ndarray, points: list[dict[str, int]]) -> set[str]:
    """Measured times and their predictions; the suffixes of those that exist."""
    mean, error = measured(results, series.name, points)
    if mean.size:
        plot_measured(panel, x, mean, error, Curve({}, "", series.color, series.marker), size=4.2)
    suffixes = set()
    laws = {"_theory": results.prediction(series.name),
            "_theory_asymptotic": results.data.get(f"{series.name}_theory_asymptotic")}
    for suffix, law in ((s, law) for s, law in laws.items() if law is not None):
        values = np.array([float(at(law, point)) for point in points])
        far_off = suffixes and series.name == "loss_time"  # by more than the tolerance of the prediction at this size
        if np.isfinite(values).any() and not far_off:
            alone = "_" if np.isfinite(values).sum() == 1 else ""
            panel.plot(x, values, color=series.color, linestyle=PREDICTIONS[suffix][0], marker=alone,
                       markersize=10, zorder=2)
            suffixes.add(suffix)
    return suffixes


def draw_condensation(panel: Panel, results: Results, x: np.ndarray, points: list[dict[str, int]],
                      drawn: list[Series]) -> list[Line2D]:
    """Grey where the blocks share it, to a few per cent, else each in its colour; legend entries."""
    handles = []
    for name, (style, label) in ((n, look) for n, look in CONDENSATION.items() if n in results.data and drawn):
        values = np.array([[float(at(results.data[name], p | s.inner)) for p in points] for s in drawn])
        values = values[np.isfinite(values).any(axis=1)]
        if not len(values) or drawn[0].inner.get("probe_kind") == 0 and name == "condensation_time":
            continue  # of planted probes it is the collapse, which is the prediction of the loss
        shared = bool(np.nanmax(values / values[0]) <= 1.06 and np.nanmin(values / values[0]) >= 0.94)
        for k, row in enumerate(values[:1] if shared else values):
            panel.plot(x, row, color="0.45" if shared else drawn[k].color, linestyle=style, linewidth=0.9, zorder=1)
        handles.append(Line2D([], [], color=GREY, linestyle=style, linewidth=0.9, label=label.replace(", ", ",\n")))
    return handles


def legend_handles(results: Results, base: dict[str, int], drawn: dict[Series, set[str]]) -> list[Line2D]:
    """Colours for gaps or blocks, with the line that theirs have, markers for the kinds of time. `drawn`: the kinds of
    prediction of each."""
    lines: dict[str, set[str]] = {}
    for series, found in drawn.items():
        lines.setdefault(series.color, set()).update(found)
    styles = {color: next((PREDICTIONS[s][0] for s in PREDICTIONS if s in found), "none") for color, found in lines.items()}
    handles = []
    seen: set[tuple[str, int]] = set()
    for series in drawn:
        dim = next((d for d in ("block_gap", "block") if d in series.inner), None)
        if dim is None or (dim, series.inner[dim]) in seen:
            continue
        seen.add((dim, series.inner[dim]))
        name = (gap_name if dim == "block_gap" else block_name)(results, base, series.inner[dim])
        style = styles[series.color]
        marker = series.marker if dim == "block" else "." if style == "none" else ""
        handles.append(Line2D([], [], color=series.color, linestyle=style, marker=marker, markersize=4, label=name))
    kinds = {series.name for series in drawn}
    handles += style_handles(*((label, "", marker) for name, (marker, label) in GAP_TIMES.items() if name in kinds))
    return handles + [Line2D([], [], color=series.color, linestyle=styles[series.color], marker=series.marker,
                             markersize=4, label=series.label)
                      for series in drawn if series.label]
