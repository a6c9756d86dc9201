"""What all figures share: style, colours, the choice of curves when there are too many, legends beside the axes."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import numpy as np
import xarray as xr
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, NullLocator

from analysis.figures.ticks import set_log_ticks
from analysis.results import Abscissa, Axis, Results, at, format_value, symbol

MAX_CURVES = 6
MAX_COLUMNS = 2  # more would be too small on a printed page
MAX_POINTS = 4  # of the sweep, where each has a panel of its own
TITLE_WIDTH = 36  # characters above a panel
PANEL_WIDTH, PANEL_HEIGHT, LEGEND_WIDTH = 2.75, 2.35, 1.15  # inches

# Okabe and Ito's colours, told apart with any colour vision; the yellow is left out, it is too pale for lines.
OKABE_ITO = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
MARKERS = ("o", "s", "^", "D", "v", "P")
GREY = "#4d4d4d"
TOLERANCE_ALPHA = 0.16  # bands of several curves may lie on each other

# How a prediction is drawn: of the same estimator at the same size, and in the limit of large sizes.
PREDICTIONS = {"_theory": ("-", "theory"), "_theory_asymptotic": (":", "theory, large size")}

STYLE = {"font.size": 9, "axes.labelsize": 10, "axes.titlesize": 9, "legend.fontsize": 8, "xtick.labelsize": 8,
         "ytick.labelsize": 8, "axes.spines.top": False, "axes.spines.right": False, "axes.linewidth": 0.8,
         "lines.linewidth": 1.2, "errorbar.capsize": 1.5, "legend.frameon": False, "legend.handlelength": 1.6,
         "mathtext.fontset": "dejavusans", "pdf.fonttype": 42, "savefig.dpi": 150, "figure.dpi": 150}


@dataclass
class Drawing:
    """A figure with its words. `title` is plain text; `caption` is HTML."""

    figure: Figure
    title: str
    caption: str
    notes: list[str] = field(default_factory=list)  # plain text: what was left out

    def save(self, directory: Path, name: str) -> None:
        for suffix in ("png", "pdf"):
            metadata = {"CreationDate": None} if suffix == "pdf" else {}
            self.figure.savefig(directory / f"{name}.{suffix}", metadata=metadata)
            self.figure.set_layout_engine("none")  # laid out once; the second file keeps the positions
        plt.close(self.figure)


@dataclass(frozen=True)
class Curve:
    """One point of the sweep to draw, with its look."""

    point: dict[str, int]
    label: str
    color: object
    marker: str


@dataclass(frozen=True)
class Family:
    """Curves of one panel: one axis runs, the others stand still."""

    curves: list[Curve]
    title: str  # what is held fixed
    note: str  # which values were left out


def new_figure(rows: int, columns: int, sharex: bool | str = False, height: float = PANEL_HEIGHT,
               width: float = PANEL_WIDTH + LEGEND_WIDTH) -> tuple[Figure, np.ndarray]:
    """A grid of panels; the width of each has room for a legend to its right."""
    plt.rcParams.update(STYLE)
    size = (columns * width + 0.3, rows * height + 0.3)
    figure, axes = plt.subplots(rows, columns, figsize=size, squeeze=False, sharex=sharex, layout="constrained")
    return figure, axes


def flowing_figure(counts: Sequence[int], width: float = PANEL_WIDTH + LEGEND_WIDTH) -> tuple[Figure, list[list[Axes]]]:
    """Groups of panels, each group begun on a new line and broken into lines of at most MAX_COLUMNS."""
    lines = [min(MAX_COLUMNS, count - start) for count in counts for start in range(0, count, MAX_COLUMNS)]
    figure, axes = new_figure(len(lines), max(lines), width=width)
    for line, used in zip(axes, lines):
        for unused in line[used:]:
            unused.remove()
    panels = iter([panel for line, used in zip(axes, lines) for panel in line[:used]])
    return figure, [[next(panels) for _ in range(count)] for count in counts]


def colors(count: int, ordered: bool) -> list[object]:
    """Viridis without its palest end for ordered values, Okabe-Ito for names."""
    if ordered and count > 1:
        return [plt.get_cmap("viridis")(x) for x in np.linspace(0.0, 0.85, count)]
    return [OKABE_ITO[i % len(OKABE_ITO)] for i in range(count)]


def spread_choice(candidates: Sequence[int], limit: int) -> list[int]:
    """At most `limit` of the candidates, evenly spread, ends included."""
    if len(candidates) <= limit:
        return list(candidates)
    return [candidates[i] for i in np.unique(np.linspace(0, len(candidates) - 1, limit).round().astype(int))]


def coverage(variable: xr.DataArray, axes: Sequence[Axis]) -> np.ndarray:
    """How many numbers the variable has at each point of these axes."""
    finite = np.isfinite(variable.astype(float))
    names = [axis.name for axis in axes]
    inner = [dim for dim in finite.dims if dim not in names]
    return finite.sum(inner).transpose(*names).values


def reference_point(variable: xr.DataArray, axes: Sequence[Axis]) -> dict[str, int]:
    """Where the other axes stand while one runs: as near the middle as the data allow."""
    count = coverage(variable, axes)
    point = {}
    for position, axis in enumerate(axes):
        others = tuple(i for i in range(count.ndim) if i != position)
        total = count.sum(axis=others)
        full = np.flatnonzero(total == total.max())
        point[axis.name] = int(full[np.argmin(np.abs(full - (axis.size - 1) / 2))])
    return point


def families(results: Results, name: str, limit: int = MAX_CURVES) -> list[Family]:
    """One family for each axis on which the variable depends; a single curve where nothing varies."""
    axes = results.axes_of(name)
    variable = results.data[name]
    base = reference_point(variable, axes)
    running = [axis for axis in axes if axis.size > 1]
    if not running:
        return [Family([Curve(base, "", OKABE_ITO[0], MARKERS[0])], "", "")]
    made = [family_along(variable, axis, axes, base, limit) for axis in running]
    return [family for family in made if family.curves]


def panel_points(results: Results, name: str, limit: int = MAX_POINTS) -> tuple[list[Curve], str]:
    """Points of the sweep that get a panel each, along every axis on which the variable depends; what is left out."""
    axes = results.axes_of(name)
    points = {tuple(curve.point.values()): curve.point for family in families(results, name, limit)
              for curve in family.curves}
    ordered = [points[key] for key in sorted(points)]
    chosen = [ordered[i] for i in spread_choice(range(len(ordered)), limit)]
    total = int(np.prod([axis.size for axis in axes]))
    note = f"{len(chosen)} of the {total} points of the sweep are shown" if len(chosen) < total else ""
    curves = [Curve(point, fixed_label(axes, point, set()), OKABE_ITO[k % len(OKABE_ITO)], MARKERS[k % len(MARKERS)])
              for k, point in enumerate(chosen)]
    return curves, note


def predicted_curves(results: Results, name: str, point: dict[str, int]) -> dict[str, np.ndarray]:
    """The predictions of a variable that have a number at this point, by their suffix."""
    found = {suffix: at(results.data[name + suffix], point).values.astype(float)
             for suffix in PREDICTIONS if name + suffix in results.data}
    return {suffix: values for suffix, values in found.items() if np.isfinite(values).any()}


def predicted_number(results: Results, name: str, point: dict[str, int]) -> float:
    """The prediction at this size with its shift, else that of large sizes, else NaN."""
    expected = results.prediction(name)
    values = [] if expected is None else [float(at(expected, point))]
    values += [float(v) for v in predicted_curves(results, name, point).values()]
    return next((value for value in values if np.isfinite(value)), np.nan)


def prediction_handles(suffixes: Sequence[str]) -> list[Line2D]:
    """Legend entries for the kinds of prediction that occur."""
    return style_handles(*((PREDICTIONS[s][1], PREDICTIONS[s][0], "") for s in PREDICTIONS if s in suffixes))


def cell_edges(values: np.ndarray, logarithmic: bool) -> np.ndarray:
    """Borders of the cells around ascending values, half way to the neighbours; one value has a cell about it."""
    scale = np.log(values) if logarithmic else np.asarray(values, float)
    if len(scale) == 1:
        edges = scale[0] + np.array([-0.5, 0.5])
    else:
        middle = (scale[1:] + scale[:-1]) / 2
        edges = np.concatenate([[2 * scale[0] - middle[0]], middle, [2 * scale[-1] - middle[-1]]])
    return np.exp(edges) if logarithmic else edges


def block_name(results: Results, point: dict[str, int], index: int) -> str:
    """Mathtext for a variance block in legends."""
    blocks = results.variance_blocks(point)
    return rf"$\sigma$ = {blocks[index].sigma:g}" if index < len(blocks) else f"block {index + 1}"


def gap_name(results: Results, point: dict[str, int], index: int) -> str:
    """Mathtext for the gap below a variance block."""
    blocks = results.variance_blocks(point)
    if index + 1 < len(blocks):
        return rf"$\sigma$ = {blocks[index].sigma:g} | {blocks[index + 1].sigma:g}"
    return f"gap {index + 1} | {index + 2}"


def family_along(variable: xr.DataArray, axis: Axis, axes: list[Axis], base: dict[str, int], limit: int) -> Family:
    counts = [int(np.isfinite(at(variable, base | {axis.name: i})).sum()) for i in range(axis.size)]
    present = [i for i in range(axis.size) if counts[i] > 0]
    chosen = spread_choice(present, limit)
    palette = colors(len(chosen), axis.ordered and not axis.compound)
    curves = [Curve(base | {axis.name: i}, axis.label(i), palette[k], MARKERS[k % len(MARKERS)])
              for k, i in enumerate(chosen)]
    return Family(curves, fixed_label(axes, base, {axis.name}), omission(axis, len(chosen), len(present)))


def fixed_label(axes: list[Axis], point: dict[str, int], running: set[str]) -> str:
    """What is held fixed in a panel, without axes that have one value only."""
    return ", ".join(axis.label(point[axis.name]) for axis in axes if axis.name not in running and axis.size > 1)


def omission(axis: Axis, shown: int, present: int) -> str:
    """Says which values of an axis a panel leaves out, and why; empty if none."""
    parts = []
    if shown < present:
        parts.append(f"{shown} of the {present} values of {axis.name} are shown")
    if present < axis.size:
        parts.append(f"{axis.size - present} of the {axis.size} values of {axis.name} have no data yet here")
    return "; ".join(parts)


def legend_beside(axes: Axes, handles: Sequence[object]) -> None:
    """A legend to the right of the axes, where it cannot cover data."""
    if handles:
        axes.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.03, 1.02), borderaxespad=0.0)


def style_handles(*entries: tuple[str, str, str]) -> list[Line2D]:
    """Grey legend entries that explain line and marker styles: (label, line style, marker)."""
    return [Line2D([], [], color=GREY, linestyle=line or "none", marker=marker or None, markersize=4, label=label)
            for label, line, marker in entries]


def curve_handles(curves: Sequence[Curve], line: str = "-") -> list[Line2D]:
    """Colour and marker of each curve; `line`: the style in which its line is drawn, `none` where it has none."""
    return [Line2D([], [], color=c.color, marker=c.marker, markersize=4, linestyle=line, label=wrap(c.label))
            for c in curves if c.label]


def wrap(label: str, width: int = 20) -> str:
    """Breaks a long label at its commas."""
    lines, line = [], ""
    for part in label.split(", "):
        if line and len(line) + len(part) + 2 > width:
            lines.append(line + ",")
            line = part
        else:
            line = f"{line}, {part}" if line else part
    return "\n".join([*lines, line])


def shade_tolerance(axes: Axes, results: Results, name: str, x: np.ndarray, points: Sequence[dict[str, int]],
                    color: object) -> bool:
    """A band about the prediction along the points, as wide as the prediction may be off; whether there is one."""
    expected = results.prediction(name)
    if expected is None or f"{name}_tolerance" not in results.data:
        return False
    centre, width = (np.array([float(at(variable, point)) for point in points])
                     for variable in (expected, results.data[f"{name}_tolerance"]))
    known = np.isfinite(centre + width) & (width > 0)
    if not known.any():
        return False
    x, centre, width = np.asarray(x, float)[known], centre[known], width[known]
    low = np.maximum(centre - width, 0.1 * centre) if axes.get_yscale() == "log" else centre - width
    if len(x) == 1:
        axes.vlines(x, low, centre + width, color=color, alpha=TOLERANCE_ALPHA, linewidth=7, zorder=1)
    else:
        axes.fill_between(x, low, centre + width, color=color, alpha=TOLERANCE_ALPHA, linewidth=0, zorder=1)
    return True


def tolerance_handle() -> Patch:
    return Patch(facecolor=GREY, alpha=2 * TOLERANCE_ALPHA, linewidth=0, label="theory's tolerance")


def plot_measured(axes: Axes, x: np.ndarray, y: np.ndarray, error: np.ndarray, curve: Curve, size: float = 3.0,
                  line: str = "none", clip: bool = True) -> None:
    """Points with error bars; points that are missing are left out. Markers at the rim are whole unless `clip`."""
    present = np.isfinite(x) & np.isfinite(y)
    if not present.any():
        return
    bars = axes.errorbar(x[present], y[present], np.nan_to_num(error[present]), color=curve.color, marker=curve.marker,
                         markersize=size, linestyle=line, elinewidth=0.8, markeredgewidth=0.8, zorder=3)
    bars.lines[0].set_clip_on(clip)


def set_time_axis(axes: Axes, results: Results, which: str = "x") -> None:
    """Logarithmic where the clock spans decades."""
    if not results.logarithmic_time:
        return
    (axes.set_xscale if which == "x" else axes.set_yscale)("log")
    set_log_ticks(axes.xaxis if which == "x" else axes.yaxis)


def set_abscissa(axes: Axes, abscissa: Abscissa) -> None:
    """Label and scale of a parameter's axis; counts are spaced logarithmically with their own values as ticks, where
    these are few enough to keep clear of each other."""
    axes.set_xlabel(parameter_title(abscissa.name))
    if not abscissa.logarithmic:
        return
    axes.set_xscale("log")
    values = np.unique(abscissa.values)
    crowded = len(values) > 1 and np.diff(np.log(values)).min() < 0.08 * np.log(values[-1] / values[0])
    if len(values) > 7 or values.max() >= 1e6 or crowded:
        set_log_ticks(axes.xaxis)
        return
    axes.set_xticks(values)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: format_value(float(value))))
    axes.xaxis.set_minor_locator(NullLocator())


def parameter_title(name: str) -> str:
    """`dimension $d$`, or only the name where there is no symbol."""
    words = name.replace("_", " ")
    return words if symbol(name) == words else f"{words} {symbol(name)}"


def active_window(x: Sequence[np.ndarray], y: Sequence[np.ndarray], margin: float = 0.25,
                  logarithmic: bool = False) -> tuple[float, float] | None:
    """The part of the x axis in which some curve is on its way between its ends."""
    inside = []
    for times, values in zip(x, y):
        finite = np.isfinite(values)
        if finite.sum() < 2:
            continue
        low, high = values[finite].min(), values[finite].max()
        moving = finite & (values > low + 0.01 * (high - low)) & (values < high - 0.01 * (high - low))
        inside.append(times[moving])
    points = np.concatenate(inside) if inside else np.array([])
    if len(points) < 2 or points.min() == points.max():
        return None
    all_x = np.concatenate(list(x))
    if logarithmic:
        stretch = (points.max() / points.min())**margin
        return max(all_x.min(), points.min() / stretch), min(all_x.max(), points.max() * stretch)
    stretch = margin * (points.max() - points.min())
    return max(all_x.min(), points.min() - stretch), min(all_x.max(), points.max() + stretch)


def status_note(results: Results, names: Sequence[str]) -> str:
    """How many critical times are not numbers, by reason, and how many are means of some realizations; empty if none."""
    counts: dict[str, int] = {}
    partial = 0
    for name in (n for n in names if n in results.data):
        for point in results.grid_points():
            found = np.isfinite(at(results.data[name], point)).values
            partial += found.any() and not found.all()
            if not found.any():
                reason = results.missing_reason(name, point)
                counts[reason] = counts.get(reason, 0) + 1
    listed = ", ".join(f"{count} {reason}" for reason, count in counts.items())
    notes = [f"not drawn, without a critical time: {listed}"] if listed else []
    if partial:
        notes.append(f"drawn as the mean over those realizations that have one, not all: {partial} critical times")
    return "; ".join(notes)


def escape(text: str) -> str:
    return html.escape(text)
