"""Phase diagram: time against the axis with the most values, with the regimes between the critical times shaded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes as Panel
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from analysis.figures.drawing import (Curve, Drawing, fixed_label, legend_beside, new_figure, omission, parameter_title,
                                      plot_measured, reference_point, set_abscissa, set_time_axis, spread_choice,
                                      status_note)
from analysis.results import Abscissa, Axis, Results, at, format_value

MAX_PANELS = 3
REGIMES = (("I", "noise", "#DCEBF7"), ("II", "class chosen", "#FBE3C8"), ("III", "collapsed", "#D9D2E9"))
BOUNDARIES = {"speciation_time": ("#0072B2", "o", "$t_S$"), "collapse_time": ("#D55E00", "s", "$t_C$")}
# The curve of a time, and what it does not exceed at the first time where it is never high enough.
NEVER_ABOVE = {"speciation_time": ("class_agreement", 1.0 - 1e-9), "collapse_time": ("participation", 0.5)}


@dataclass(frozen=True)
class Boundary:
    """A critical time along the abscissa. `edge` fills gaps: by the prediction, or the end of the grid it lies beyond."""

    measured: np.ndarray
    error: np.ndarray
    theory: np.ndarray
    edge: np.ndarray


def draw(results: Results) -> Drawing | None:
    names = [name for name in BOUNDARIES if results.has(name) or results.has(f"{name}_theory")]
    if not names:
        return None
    axes = results.axes_of(*names, *(f"{name}_theory" for name in names))
    along = max(axes, key=lambda axis: axis.size, default=None)
    across = max((a for a in axes if a is not along and a.size > 1), key=lambda axis: axis.size, default=None)
    shown = spread_choice(range(across.size), MAX_PANELS) if across else [0]
    base = {}
    for name in names:
        source = name if results.has(name) else f"{name}_theory"
        base |= reference_point(results.data[source], results.axes_of(source))
    width = panel_width(along) + 1.4 / len(shown)
    figure, grid = new_figure(1, len(shown), height=3.0, width=width)
    limits = time_limits(results, names)
    for panel, value in zip(grid[0], shown):
        point = base | ({across.name: value} if across else {})
        draw_panel(panel, results, names, along, point, limits)
        panel.set_title(fixed_label(axes, point, {along.name} if along else set()))
        panel.set_ylabel(results.time_label if panel is grid[0, 0] else "")
    legend_beside(grid[0, -1], legend_handles(results, names))
    notes = [status_note(results, names), omission(across, len(shown), across.size) if across else ""]
    classes = ("I: above <i>t</i><sub>S</sub> the class is still open; II: between <i>t</i><sub>S</sub> and "
               "<i>t</i><sub>C</sub> the class is chosen and samples are new"
               if "speciation_time" in names else "II: above <i>t</i><sub>C</sub> samples are new")
    caption = (f"Regimes of generation, which runs downwards in time. {classes}; "
               "III: below <i>t</i><sub>C</sub> the trajectory is bound to one training point. Points: measured, "
               "with one standard error; lines: prediction (for <i>t</i><sub>C</sub> with the finite-size shift).")
    return Drawing(figure, "Phase diagram", caption, list(filter(None, notes)))


def abscissa_of(axis: Axis | None) -> Abscissa | None:
    """What the horizontal axis counts, where that is a number; None for words and single points."""
    if axis is None or axis.size < 2:
        return None
    if axis.name == "point":  # a line would join what differs in other keys, too
        return None
    candidates = [x for x in axis.abscissae() if len(np.unique(x.values)) == axis.size]
    return candidates[0] if candidates else None


def panel_width(along: Axis | None) -> float:
    """Inches; many names side by side need room for each."""
    return 2.2 if abscissa_of(along) or along is None else max(2.2, 0.5 * along.size)


def draw_panel(panel: Panel, results: Results, names: list[str], along: Axis | None, point: dict[str, int],
               limits: tuple[float, float]) -> None:
    abscissa = abscissa_of(along)
    size = along.size if along else 1
    x = abscissa.values if abscissa else np.arange(size, dtype=float)
    order = np.argsort(x, kind="stable")
    points = [point | ({along.name: int(i)} if along else {}) for i in order]
    x = x[order]
    boundaries = {name: make_boundary(results, name, points, limits) for name in names}
    set_time_axis(panel, results, "y")
    shade(panel, x, boundaries, limits, abscissa)
    for name, boundary in boundaries.items():
        draw_boundary(panel, x, boundary, name, categorical=abscissa is None)
    panel.set_ylim(limits)
    finish(panel, along, abscissa, order)


def finish(panel: Panel, along: Axis | None, abscissa: Abscissa | None, order: np.ndarray) -> None:
    """The horizontal axis: numbers, words, or nothing for a single point."""
    if abscissa:
        set_abscissa(panel, abscissa)
        panel.set_xlim(abscissa.values.min(), abscissa.values.max())
        return
    panel.set_xlim(-0.5, len(order) - 0.5)
    panel.set_xticks([])
    if along is not None and along.size > 1:
        labels = [along.label(int(i)).replace(", ", "\n") if along.compound
                  else format_value(along.parameters[along.name][i]) for i in order]
        panel.set_xticks(range(len(order)), labels, rotation=90 if max(map(len, labels)) > 6 else 0, fontsize=7)
        panel.set_xlabel(parameter_title(along.name))


def time_limits(results: Results, names: list[str]) -> tuple[float, float]:
    """From the start of the time grid, or well below the lowest boundary, to well above the highest."""
    arrays = [results.data[n].values.astype(float).ravel() for n in names if n in results.data]
    arrays += [p.values.ravel() for p in map(results.prediction, names) if p is not None]
    values = np.concatenate(arrays)
    values = values[np.isfinite(values)]
    low, high = values.min(), values.max()
    if results.logarithmic_time:
        return low / 3, high * 3
    room = 0.2 * (high - low) + 0.1 * high
    top = min(high + room, 1.0) if results.process == "flow-matching" else high + room
    return (max(0.0, low - room) if results.in_steps else 0.0), top


def make_boundary(results: Results, name: str, points: list[dict[str, int]], limits: tuple[float, float]) -> Boundary:
    nothing = np.full(len(points), np.nan)
    measured = error = theory = nothing
    prediction = results.prediction(name)
    if prediction is not None:
        theory = np.array([float(at(prediction, p)) for p in points])
    if name in results.data:
        average = results.average(name)
        measured, error = (np.array([float(at(a, p)) for p in points]) for a in (average.mean, average.error))
    edge = np.where(np.isfinite(measured), measured, theory)
    beyond = {"before grid": limits[0], "after grid": limits[1]}

    def boundary(point: dict[str, int]) -> float:
        reason = results.missing_reason(name, point)
        return limits[holds_always(results, name, point)] if reason == "never" else beyond.get(reason, np.nan)

    gaps = [boundary(p) if np.isnan(e) else e for p, e in zip(points, edge)]
    return Boundary(measured, error, theory, np.array(gaps))


def holds_always(results: Results, name: str, point: dict[str, int]) -> bool:
    """Why there is no such time: of one class, which is chosen at all times, or of one or two training points, to which
    all is bound, and not because of points that are equal, whose curve never comes up to its level."""
    curve, level = NEVER_ABOVE[name]
    return curve not in results.data or bool(at(results.average(curve).mean, point).values[0] > level)


def shade(panel: Panel, x: np.ndarray, boundaries: dict[str, Boundary], limits: tuple[float, float],
          abscissa: Abscissa | None) -> None:
    """Fills the regimes; where a boundary is unknown nothing is filled."""
    low, high = limits
    bottom = np.full(len(x), low)
    collapse = boundaries["collapse_time"].edge if "collapse_time" in boundaries else bottom
    top = np.full(len(x), high)  # data without classes have nothing to choose
    speciation = boundaries["speciation_time"].edge if "speciation_time" in boundaries else top
    nodes = x
    if abscissa is not None:
        x, collapse, speciation = with_crossings(x, collapse, speciation, abscissa.logarithmic)
        bottom = np.full(len(x), low)
    bands = [(np.maximum(speciation, collapse), np.full(len(x), high)), (collapse, np.maximum(speciation, collapse)),
             (bottom, collapse)]
    if abscissa is None:
        x = np.column_stack([x - 0.5, x + 0.5]).ravel()
        bands = [(np.repeat(lower, 2), np.repeat(upper, 2)) for lower, upper in bands]
    for (lower, upper), (numeral, _, color) in zip(bands, REGIMES):
        panel.fill_between(x, lower, upper, where=np.isfinite(lower + upper), color=color, linewidth=0, zorder=0)
        at_nodes = slice(None) if abscissa is None else np.isin(x, nodes)
        place_numeral(panel, x[at_nodes], lower[at_nodes], upper[at_nodes], numeral, limits,
                      abscissa is not None and abscissa.logarithmic)


def with_crossings(x: np.ndarray, first: np.ndarray, second: np.ndarray,
                   logarithmic: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Adds the points at which two polygons meet between their nodes: there the regimes change order."""
    difference = first - second
    cells = np.flatnonzero(difference[:-1] * difference[1:] < 0)
    share = difference[cells] / (difference[cells] - difference[cells + 1])

    def between(y: np.ndarray) -> np.ndarray:
        return y[cells] + share * (y[cells + 1] - y[cells])

    x_between = np.exp(between(np.log(x))) if logarithmic else between(x)
    return tuple(np.insert(y, cells + 1, new) for y, new in ((x, x_between), (first, between(first)),
                                                             (second, between(second))))


def place_numeral(panel: Panel, x: np.ndarray, lower: np.ndarray, upper: np.ndarray, numeral: str,
                  limits: tuple[float, float], x_logarithmic: bool) -> None:
    """Writes the regime's numeral where its band is widest, if there is room for it."""
    logarithmic = panel.get_yscale() == "log"
    scale = np.log if logarithmic else np.asarray
    low, high = scale(np.clip(lower, *limits)), scale(np.clip(upper, *limits))
    # Between two neighbours the boundaries run straight, so their middle keeps clear of markers.
    x_scale = np.log(x) if x_logarithmic else x
    if len(x) > 1:
        x_mid, low, high = ((v[1:] + v[:-1]) / 2 for v in (x_scale, low, high))
        x_mid = np.exp(x_mid) if x_scale is not x else x_mid
    else:
        x_mid = x
    gap = np.where(np.isfinite(high - low), high - low, 0.0)
    if len(gap) >= 4:  # keep off the rim
        gap[[0, -1]] = 0.0
    best = int(np.argmax(gap))
    if gap[best] < 0.08 * float(scale(limits[1]) - scale(limits[0])):
        return
    middle = (low[best] + high[best]) / 2
    panel.text(x_mid[best], np.exp(middle) if logarithmic else middle, numeral, ha="center", va="center",
               fontsize=12, family="serif", color="0.25", zorder=1)


def draw_boundary(panel: Panel, x: np.ndarray, boundary: Boundary, name: str, categorical: bool) -> None:
    color, marker, _ = BOUNDARIES[name]
    if categorical:
        known = np.isfinite(boundary.theory)
        panel.hlines(boundary.theory[known], x[known] - 0.5, x[known] + 0.5, color=color, linewidth=1.4, zorder=2)
    else:
        panel.plot(x, boundary.theory, color=color, linewidth=1.4, zorder=2)
    plot_measured(panel, x, boundary.measured, boundary.error, Curve({}, "", color, marker), size=4.5, clip=False)


def regimes(names: list[str]) -> list[tuple[str, str, str]]:
    """Numeral, meaning and colour of the regimes that these boundaries tell apart."""
    noise, chosen, collapsed = REGIMES
    if "speciation_time" not in names:
        return [(chosen[0], "new samples", chosen[2]), collapsed]
    return [noise, chosen, collapsed] if "collapse_time" in names else [noise, chosen]


def legend_handles(results: Results, names: list[str]) -> list[object]:
    handles: list[object] = [Patch(facecolor=color, label=f"{numeral}  {meaning}")
                             for numeral, meaning, color in regimes(names)]
    for name in names:
        color, marker, label = BOUNDARIES[name]
        if results.has(name):
            handles.append(Line2D([], [], color=color, marker=marker, markersize=4.5, linestyle="none",
                                  label=label + " measured"))
        if results.has(f"{name}_theory"):
            handles.append(Line2D([], [], color=color, linewidth=1.4, label=label + " theory"))
    return handles
