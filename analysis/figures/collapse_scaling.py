"""How collapse sharpens: participation about the predicted collapse on the clock of log tau = log b^2/a^2, its width
beside 2/sqrt(d_eff), and collapse times on the law of large sizes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from matplotlib.axes import Axes as Panel
from matplotlib.axis import Axis as MplAxis
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter
from scipy.stats import norm

from analysis.clock import log_tau, time_at
from analysis.figures.drawing import (MARKERS, MAX_CURVES, Curve, Drawing, colors, coverage, curve_handles,
                                      family_along, fixed_label, flowing_figure, legend_beside, omission, plot_measured,
                                      reference_point, set_time_axis, spread_choice, style_handles)
from analysis.figures.ticks import set_log_ticks
from analysis.results import Axis, Results, at, combine

NEEDED = ("participation", "collapse_time_theory", "collapse_window")
LEAST_SHARPENING = 2.0  # of the largest to the smallest predicted window along an axis, to be worth a figure
LEAST_RATIO = 1.1  # of the largest to the smallest alpha
SHOWN_WINDOWS = 4.0  # to both sides of the collapse


@dataclass(frozen=True)
class Edge:
    """The collapse at one point of the sweep. `x` is log tau from the predicted collapse on."""

    x: np.ndarray
    participation: np.ndarray
    error: np.ndarray
    window: float  # predicted
    width: float  # measured
    width_error: float

    @property
    def effective_dimension(self) -> float:
        return 4.0 / self.window**2


def draw(results: Results) -> Drawing | None:
    if not all(results.has(name) for name in NEEDED):
        return None
    along = sharpening_axis(results)
    if along is None:
        return None
    axes = results.axes_of("participation")
    base = reference_point(results.data["participation"], axes)
    family = family_along(results.data["participation"], along, axes, base, MAX_CURVES)
    curves = [replace(curve, label=size_label(results, along, curve)) for curve in family.curves]
    hue = max((axis for axis in axes if axis is not along and axis.size > 1), key=lambda a: a.size, default=None)
    painters = [edges_painter(results, curves), scaled_painter(results, curves),
                widths_painter(results, along, hue, base), times_painter(results, along, hue, base)]
    painters = [painter for painter in painters if painter]
    figure, [panels] = flowing_figure([len(painters)])
    running = {along.name, *([hue.name] if hue else [])}
    for k, (panel, paint) in enumerate(zip(panels, painters)):
        paint(panel)
        panel.set_title(fixed_label(axes, base, {along.name} if k < 2 else running))
    notes = [family.note, omission(hue, min(hue.size, MAX_CURVES), hue.size) if hue else ""]
    return Drawing(figure, "Sharpening of the collapse", CAPTION, list(dict.fromkeys(filter(None, notes))))


CAPTION = ("Participation <i>Y</i> about the predicted collapse, against log τ = log <i>b</i><sup>2</sup>/<i>a</i>"
           "<sup>2</sup>, and the same in units of the predicted window 2/√<i>d</i><sub>eff</sub>, with the normal law "
           "Φ(−<i>x</i>) that it tends to. Width: half the distance on log τ between <i>Y</i> = Φ(1) = 0.841 and "
           "<i>Y</i> = Φ(−1) = 0.159, which is the window where <i>Y</i> is normal. Collapse times against α = log "
           "<i>n</i>/<i>d</i> with the closed form of large sizes, τ<sub>C</sub> = σ<sup>2</sup>/(e<sup>2α</sup> − 1).")


def sharpening_axis(results: Results) -> Axis | None:
    """The axis along which the predicted window changes most, if it changes enough."""
    window = results.data["collapse_window"].astype(float)
    axes = results.axes_of("collapse_window")
    base = reference_point(results.data["participation"], results.axes_of("participation"))

    def ratio(axis: Axis) -> float:
        values = np.array([float(at(window, base | {axis.name: i})) for i in range(axis.size)])
        values = values[np.isfinite(values) & (values > 0)]
        return values.max() / values.min() if len(values) > 1 else 1.0

    best = max(axes, key=ratio, default=None)
    return best if best is not None and ratio(best) >= LEAST_SHARPENING else None


def size_label(results: Results, along: Axis, curve: Curve) -> str:
    """The point on the axis, with log n where that is not the number of samples itself."""
    log_n = log_samples(results, curve.point)
    if "samples" in along.parameters or not np.isfinite(log_n):
        return curve.label
    return rf"{curve.label}, $\log\,n$ = {log_n:.4g}"


def log_samples(results: Results, point: dict[str, int]) -> float:
    """NaN where the file does not say."""
    if "log_samples" in results.data:
        return float(at(results.data["log_samples"], point))
    return float(np.log(number(results, "samples", point)))


def number(results: Results, key: str, point: dict[str, int]) -> float:
    """A parameter at this point, on an axis or not; NaN where it is no number."""
    try:
        return float(results.parameters(point).get(key, results.data.attrs.get(key, np.nan)))
    except (TypeError, ValueError):
        return np.nan


def edge_at(results: Results, point: dict[str, int]) -> Edge | None:
    """None where nothing is measured or predicted."""
    average = results.average("participation")
    window = float(at(results.data["collapse_window"], point))
    centre = log_tau(results.process, float(at(results.data["collapse_time_theory"], point)))
    participation = at(average.mean, point).values.astype(float)
    if not np.isfinite([window, centre]).all() or window <= 0 or not np.isfinite(participation).any():
        return None
    x = log_tau(results.process, results.data["time"].values) - centre
    widths = [measured_width(x, row) for row in realizations(results, point)]
    width, error, _, _ = combine(np.array([widths]), np.full((1, len(widths)), np.nan))
    return Edge(x, participation, at(average.error, point).values, window, float(width[0]), float(error[0]))


def realizations(results: Results, point: dict[str, int]) -> np.ndarray:
    """Participation of each realization against time."""
    return at(results.data["participation"], point).transpose("realization", "time").values.astype(float)


def measured_width(x: np.ndarray, participation: np.ndarray) -> float:
    """Half the distance between Phi(1) and Phi(-1), interpolated so that a normal edge is exact; NaN where the curve does
    not come from above the one to below the other."""
    score = norm.ppf(np.clip(participation, 1e-12, 1.0 - 1e-12))
    return 0.5 * (falling_crossing(x, score, -1.0) - falling_crossing(x, score, 1.0))


def falling_crossing(x: np.ndarray, y: np.ndarray, level: float) -> float:
    falls = np.flatnonzero((y[:-1] >= level) & (y[1:] < level))
    if not len(falls):
        return np.nan
    i = falls[0]
    return float(x[i] + (y[i] - level) / (y[i] - y[i + 1]) * (x[i + 1] - x[i]))


Painter = Callable[[Panel], None]


def edges_painter(results: Results, curves: list[Curve]) -> Painter:
    def paint(panel: Panel) -> None:
        edges = plot_edges(panel, results, curves, lambda edge: 1.0)
        limit = max((edge.window for edge in edges), default=1.0)
        panel.set(xlabel=r"$\log\,\tau/\tau_C$", ylabel=r"participation $Y$", xlim=(-2.5 * limit, 2.5 * limit))
        legend_beside(panel, curve_handles(curves))

    return paint


def scaled_painter(results: Results, curves: list[Curve]) -> Painter:
    def paint(panel: Panel) -> None:
        plot_edges(panel, results, curves, lambda edge: edge.window)
        x = np.linspace(-SHOWN_WINDOWS, SHOWN_WINDOWS, 200)
        panel.plot(x, norm.cdf(-x), color="black", zorder=2)
        panel.set(xlabel=r"$\log(\tau/\tau_C)\,\sqrt{d_{\mathrm{eff}}}\,/\,2$", ylabel=r"participation $Y$",
                  xlim=(-SHOWN_WINDOWS, SHOWN_WINDOWS))
        handles = [Line2D([], [], color="black", label=r"$\Phi(-x)$")]
        legend_beside(panel, handles + style_handles(("measured,\ncolours as in\nthe first panel", "", "o")))

    return paint


def plot_edges(panel: Panel, results: Results, curves: list[Curve], unit: Callable[[Edge], float]) -> list[Edge]:
    edges = []
    for curve in curves:
        edge = edge_at(results, curve.point)
        if edge is None:
            continue
        near = np.abs(edge.x) < 1.5 * SHOWN_WINDOWS * edge.window
        line = "-" if unit(edge) == 1.0 else "none"
        plot_measured(panel, edge.x[near] / unit(edge), edge.participation[near], edge.error[near], curve, line=line)
        edges.append(edge)
    panel.axvline(0.0, color="0.6", linewidth=0.8, linestyle=":", zorder=1)
    panel.set_ylim(-0.03, 1.03)
    return edges


def shown_points(results: Results, axis: Axis | None, base: dict[str, int]) -> list[Curve]:
    """A colour for each value of the axis that has data; one curve where there is no axis."""
    if axis is None:
        return [Curve(base, "", colors(1, False)[0], MARKERS[0])]
    counts = coverage(results.data["participation"], [axis])
    chosen = spread_choice([int(i) for i in np.flatnonzero(counts)], MAX_CURVES)
    palette = colors(len(chosen), axis.ordered and not axis.compound)
    return [Curve(base | {axis.name: i}, axis.label(i), palette[k], MARKERS[k % len(MARKERS)])
            for k, i in enumerate(chosen)]


def widths_painter(results: Results, along: Axis, hue: Axis | None, base: dict[str, int]) -> Painter:
    def paint(panel: Panel) -> None:
        curves, span = shown_points(results, hue, base), []
        for curve in curves:
            edges = [edge_at(results, curve.point | {along.name: i}) for i in range(along.size)]
            found = [edge for edge in edges if edge is not None]
            x = np.array([edge.effective_dimension for edge in found])
            plot_measured(panel, x, np.array([edge.width for edge in found]),
                          np.array([edge.width_error for edge in found]), curve, size=4.0)
            span += list(x)
        panel.set(xscale="log", yscale="log", xlabel=r"effective dimension $d_{\mathrm{eff}}(\tau_C)$",
                  ylabel=r"width of the collapse on $\log\,\tau$")
        set_log_ticks(panel.xaxis)
        set_log_ticks(panel.yaxis)
        if span:
            line = np.geomspace(min(span), max(span), 50)
            panel.plot(line, 2.0 / np.sqrt(line), color="black", zorder=2)
        law = [Line2D([], [], color="black", label=r"$2\,/\,\sqrt{d_{\mathrm{eff}}}$")]
        legend_beside(panel, curve_handles(curves, "none") + law + style_handles(("measured", "", "o")))

    return paint


def times_painter(results: Results, along: Axis, hue: Axis | None, base: dict[str, int]) -> Painter | None:
    """None where the law of large sizes is not known or all points have one alpha."""
    if not (results.has("collapse_time_theory_asymptotic") and results.has("collapse_time")):
        return None
    curves = shown_points(results, along, base)
    alphas = [[alpha_at(results, point) for point in points_over(hue, curve)] for curve in curves]
    finite = np.array([a for row in alphas for a in row if np.isfinite(a) and a > 0])
    if len(finite) < 2 or finite.max() < LEAST_RATIO * finite.min():
        return None

    def paint(panel: Panel) -> None:
        average = results.average("collapse_time")
        for curve, row in zip(curves, alphas):
            points = points_over(hue, curve)
            mean, error = (np.array([float(at(a, p)) for p in points]) for a in (average.mean, average.error))
            plot_measured(panel, np.array(row), mean, error, curve, size=4.0)
        x = np.geomspace(finite.min() / 1.1, finite.max() * 1.1, 200)
        variances = squared_sigmas(results, [p for curve in curves for p in points_over(hue, curve)])
        for squared in variances:
            panel.plot(x, time_at(results.process, np.log(squared / np.expm1(2.0 * x))), color="black", zorder=2)
        panel.set_xscale("log")
        set_ticks(panel.xaxis, np.unique([float(f"{a:.3g}") for a in finite]))
        set_time_axis(panel, results, "y")
        panel.set(xlabel=r"$\alpha = (\log\,n)/d$", ylabel="$t_C$ (steps)" if results.in_steps else "$t_C$")
        closed = [Line2D([], [], color="black", label="closed form")] if variances else []
        legend_beside(panel, curve_handles(curves, "none") + closed + style_handles(("measured", "", "o")))

    return paint


def set_ticks(axis: MplAxis, values: np.ndarray) -> None:
    """Of a logarithmic axis: few values have a tick each."""
    if len(values) > MAX_CURVES:
        set_log_ticks(axis)
        return
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_ticks(values)
    axis.set_ticks([], minor=True)


def points_over(hue: Axis | None, curve: Curve) -> list[dict[str, int]]:
    return [curve.point | ({hue.name: i} if hue else {}) for i in range(hue.size if hue else 1)]


def alpha_at(results: Results, point: dict[str, int]) -> float:
    return log_samples(results, point) / number(results, "dimension", point)


def squared_sigmas(results: Results, points: list[dict[str, int]]) -> list[float]:
    """The values of sigma^2 with which the closed form of large sizes gives the file's predictions."""
    asymptotic = results.data["collapse_time_theory_asymptotic"].astype(float)
    values = [np.exp(log_tau(results.process, float(at(asymptotic, p)))) * np.expm1(2.0 * alpha_at(results, p))
              for p in points]
    return sorted({float(f"{value:.6g}") for value in values if np.isfinite(value)})[:MAX_CURVES]
