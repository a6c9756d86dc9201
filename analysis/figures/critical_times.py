"""Critical times against every numeric axis, with error bars and predictions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes as Panel

from analysis.figures.drawing import (MARKERS, MAX_CURVES, OKABE_ITO, Curve, Drawing, colors, curve_handles,
                                      fixed_label, flowing_figure, legend_beside, new_figure, omission, plot_measured,
                                      reference_point, set_abscissa, set_time_axis, shade_tolerance, spread_choice,
                                      status_note, style_handles, tolerance_handle)
from analysis.results import Abscissa, Axis, Results, at, format_value, symbol

ROWS = {"speciation_time": "$t_S$", "superclass_speciation_time": r"$t_S^{\mathrm{super}}$", "collapse_time": "$t_C$"}
DEFINITIONS = {"speciation_time": "agreement", "speciation_time_spectral": "spectral",
               "drift_instability_time": "drift instability", "curvature_instability_time": "curvature instability"}


@dataclass(frozen=True)
class Series:
    """A curve of critical times: the points of the sweep it runs through, in order."""

    curve: Curve  # its look; curve.point is the first point
    x: np.ndarray
    points: list[dict[str, int]]


def draw(results: Results) -> Drawing | None:
    names = [name for name in ROWS if results.has(name) or results.has(f"{name}_theory")]
    definitions = [name for name in DEFINITIONS if results.has(name)]
    rows = [[name] for name in names] + ([definitions] if len(definitions) > 1 else [])
    panels = [[(axis, x) for axis in results.axes_of(*row) for x in axis.abscissae()
               if row is not definitions or axis.name != "point" or len(point_groups(axis, x)[0][1]) > 1] for row in rows]
    if not names and not definitions:
        return None
    notes = [status_note(results, names)]
    if not any(panels):
        return draw_list(results, notes)
    kept = [(row, chosen) for row, chosen in zip(rows, panels) if chosen]
    figure, grid = flowing_figure([len(chosen) for _, chosen in kept], width=4.1)
    for line, (row, chosen) in zip(grid, kept):
        for panel, (axis, abscissa) in zip(line, chosen):
            draw = draw_definitions if row is definitions else draw_times
            notes.append(draw(panel, results, row, axis, abscissa))
    caption = ("Speciation time <i>t</i><sub>S</sub> and collapse time <i>t</i><sub>C</sub>. Points: mean over "
               "realizations with one standard error; lines: prediction of the same estimator at the same size (for "
               "<i>t</i><sub>C</sub> with the shift expected at finite size); dotted: law of large sizes where it "
               "differs; shaded: how far a prediction that approximates may be off. The last panels compare the definitions of the speciation time.")
    return Drawing(figure, "Critical times", caption, list(dict.fromkeys(filter(None, notes))))


def draw_list(results: Results, notes: list[str]) -> Drawing:
    """Where nothing numeric varies: every critical time on one time axis, a colour for each point of the sweep."""
    names = [n for n in {**ROWS, **DEFINITIONS} if results.has(n) or results.has(f"{n}_theory")]
    points = list(results.grid_points())
    chosen = spread_choice(range(len(points)), MAX_CURVES)
    figure, grid = new_figure(1, 1, height=0.9 + 0.4 * len(names), width=6.0)
    panel, curves = grid[0, 0], []
    for k, index in enumerate(chosen):
        label = fixed_label(results.axes, points[index], set())
        curves.append(Curve(points[index], label, OKABE_ITO[k], MARKERS[k]))
        offset = 0.1 * (k - (len(chosen) - 1) / 2)
        for line, name in enumerate(names):
            list_time(panel, results, name, curves[-1], line + offset)
    panel.set_yticks(range(len(names)), [name.replace("_", " ") for name in names])
    panel.set_ylim(len(names) - 0.4, -0.6)
    panel.grid(axis="y", color="0.9")
    panel.set_xlabel(results.time_label)
    set_time_axis(panel, results)
    legend_beside(panel, curve_handles(curves, "none") + style_handles(("measured", "", "o"), ("theory", "", "|")))
    shown = f"{len(chosen)} of {len(points)} points are shown" if len(chosen) < len(points) else ""
    caption = ("Measured critical times with one standard error, and the prediction of each (for the collapse time with "
               "the shift expected at finite size).")
    return Drawing(figure, "Critical times", caption, list(filter(None, [*notes, shown])))


def list_time(panel: Panel, results: Results, name: str, curve: Curve, height: float) -> None:
    prediction = results.prediction(name)
    if prediction is not None:
        panel.plot(float(at(prediction, curve.point)), height, color=curve.color, marker="|", markersize=11, zorder=2)
    if name in results.data:
        average = results.average(name)
        value, error = float(at(average.mean, curve.point)), float(at(average.error, curve.point))
        if np.isfinite(value):
            panel.errorbar(value, height, xerr=np.nan_to_num(error), color=curve.color, marker=curve.marker,
                           markersize=4, elinewidth=0.8, zorder=3)


def draw_times(panel: Panel, results: Results, row: list[str], axis: Axis, abscissa: Abscissa) -> str:
    """One critical time against one axis, one curve for each value of a second axis."""
    name = row[0]
    series, title, note = make_series(results, name, axis, abscissa)
    asymptotic = results.data.get(f"{name}_theory_asymptotic")
    set_time_axis(panel, results, "y")
    shaded = False
    for item in series:
        plot_series(panel, results, name, item)
        shaded |= shade_tolerance(panel, results, name, item.x, item.points, item.curve.color)
        if asymptotic is not None:
            values = np.array([float(at(asymptotic, point)) for point in item.points])
            panel.plot(item.x, values, color=item.curve.color, linestyle=":", linewidth=1.0)
    styles = [("measured", "", "o")] if results.has(name) else []
    if results.has(f"{name}_theory"):
        styles.append(("theory", "-", ""))
    if asymptotic is not None and np.isfinite(asymptotic).any():
        styles.append(("theory, large size", ":", ""))
    finish(panel, results, abscissa, ROWS[name], title, [item.curve for item in series], styles, shaded)
    return note


def draw_definitions(panel: Panel, results: Results, row: list[str], axis: Axis, abscissa: Abscissa) -> str:
    """All definitions of the speciation time along one axis at the reference point of the others."""
    axes = results.axes_of(*row)
    widest = max(row, key=lambda name: len(results.axes_of(name)))
    base = reference_point(results.data[widest], results.axes_of(widest))
    base = {a.name: base.get(a.name, 0) for a in axes}
    order = np.array(point_groups(axis, abscissa)[0][1]) if axis.name == "point" else np.argsort(abscissa.values)
    curves = []
    for k, name in enumerate(row):
        points = [base | {axis.name: int(i)} for i in order]
        curves.append(Curve(points[0], DEFINITIONS[name], OKABE_ITO[k], MARKERS[k]))
        plot_series(panel, results, name, Series(curves[-1], abscissa.values[order], points))
    styles = [("theory", "-", "")] if any(results.has(f"{name}_theory") for name in row) else []
    finish(panel, results, abscissa, "$t_S$, by definition", fixed_label(axes, base, {axis.name}), curves, styles)
    return ""


def plot_series(panel: Panel, results: Results, name: str, series: Series) -> None:
    prediction = results.prediction(name)
    if prediction is not None:
        values = np.array([float(at(prediction, point)) for point in series.points])
        alone = "_" if np.isfinite(values).sum() == 1 else ""  # a line through one point cannot be seen
        panel.plot(series.x, values, color=series.curve.color, marker=alone, markersize=10, zorder=2)
    if name in results.data:
        average = results.average(name)
        mean, error = (np.array([float(at(a, p)) for p in series.points]) for a in (average.mean, average.error))
        plot_measured(panel, series.x, mean, error, series.curve, size=4.0)


def finish(panel: Panel, results: Results, abscissa: Abscissa, quantity: str, title: str, curves: list[Curve],
           styles: list[tuple[str, str, str]], shaded: bool = False) -> None:
    set_abscissa(panel, abscissa)
    set_time_axis(panel, results, "y")
    panel.set_ylabel(f"{quantity} (steps)" if results.in_steps else quantity)
    panel.set_title(title)
    panel.margins(x=0.06, y=0.08)
    line = "-" if any(name == "theory" for name, _, _ in styles) else "none"
    legend_beside(panel, curve_handles(curves, line) + style_handles(*styles) + [tolerance_handle()] * shaded)


def make_series(results: Results, name: str, axis: Axis, abscissa: Abscissa) -> tuple[list[Series], str, str]:
    """The curves of a panel, its title and a note on what was left out."""
    axes = results.axes_of(name, f"{name}_theory")
    source = name if results.has(name) else f"{name}_theory"
    base = {a.name: 0 for a in axes} | reference_point(results.data[source], results.axes_of(source))
    if axis.compound and len(axis.parameters) > 1 and axis.name == "point":
        groups = point_groups(axis, abscissa)
        return looks(groups, base, axis, abscissa), fixed_label(axes, base, {axis.name}), \
            f"{MAX_CURVES} of {len(groups)} groups of points are shown" if len(groups) > MAX_CURVES else ""
    hue = second_axis(axes, axis)
    if hue is None:
        groups = [("", list(np.argsort(abscissa.values, kind="stable")))]
        return looks(groups, base, axis, abscissa), fixed_label(axes, base, {axis.name}), ""
    order = np.argsort(abscissa.values, kind="stable")
    shown = spread_choice(range(hue.size), MAX_CURVES)
    palette = colors(len(shown), hue.ordered and not hue.compound)
    series = []
    for k, value in enumerate(shown):
        points = [base | {hue.name: value, axis.name: int(i)} for i in order]
        curve = Curve(points[0], hue.label(value), palette[k], MARKERS[k % len(MARKERS)])
        series.append(Series(curve, abscissa.values[order], points))
    return series, fixed_label(axes, base, {axis.name, hue.name}), omission(hue, len(shown), hue.size)


def second_axis(axes: list[Axis], first: Axis) -> Axis | None:
    """The other axis with the most values; it gives the curves of a panel."""
    others = [axis for axis in axes if axis.name != first.name and axis.size > 1]
    return max(others, key=lambda axis: axis.size) if others else None


def point_groups(axis: Axis, abscissa: Abscissa) -> list[tuple[str, list[int]]]:
    """Single points that differ only in the abscissa, the largest groups first."""
    groups: dict[str, list[int]] = {}
    for i in np.argsort(abscissa.values, kind="stable"):
        label = ", ".join(f"{symbol(key)} = {format_value(values[i])}" for key, values in axis.parameters.items()
                          if key != abscissa.name)
        groups.setdefault(label, []).append(int(i))
    return sorted(groups.items(), key=lambda item: -len(item[1]))


def looks(groups: list[tuple[str, list[int]]], base: dict[str, int], axis: Axis, abscissa: Abscissa) -> list[Series]:
    series = []
    for k, (label, indices) in enumerate(groups[:MAX_CURVES]):
        points = [base | {axis.name: int(i)} for i in indices]
        curve = Curve(points[0], label, OKABE_ITO[k], MARKERS[k])
        series.append(Series(curve, abscissa.values[np.array(indices)], points))
    return series
