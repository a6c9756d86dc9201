"""Participation and excess entropy of the training points against time, with the collapse time marked."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from analysis.figures.drawing import (MAX_COLUMNS, Curve, Drawing, Family, active_window, curve_handles, families,
                                      legend_beside, new_figure, plot_measured, set_time_axis, style_handles)
from analysis.results import Results, at

QUANTITIES = {"participation": r"participation $Y(t)$", "weight_entropy": r"entropy $\mathbb{E}H(w)\,/\,\log n$"}
MAX_COLLAPSE_CURVES = 4  # each brings two vertical lines


def draw(results: Results) -> Drawing | None:
    names = [name for name in QUANTITIES if results.has(name)]
    if not names:
        return None
    columns = families(results, names[0], MAX_COLLAPSE_CURVES)
    across = min(len(columns), MAX_COLUMNS)
    bands = -(-len(columns) // across)
    figure, axes = new_figure(bands * len(names), across, height=2.0)
    stacks = [axes[band * len(names):(band + 1) * len(names), k] for band in range(bands) for k in range(across)]
    for stack, family in zip(stacks, columns):
        for panel, name in zip(stack, names):
            draw_panel(panel, results, name, family)
        finish_stack(stack, results, names, family)
    for panel in (panel for stack in stacks[len(columns):] for panel in stack):
        panel.remove()
    caption = ("Participation <i>Y</i> = E Σ<i>w</i><sub>i</sub><sup>2</sup>, the probability that two clones end on "
               "the same training point, and entropy of the weights over log <i>n</i>, against time. Diamonds: measured collapse time "
               "<i>t</i><sub>C</sub> (<i>Y</i> = 1/2). Dotted curves: prediction, good to 0.05 to 0.15 inside the collapse "
               "window. Dotted lines: predicted root of the entropy balance; dashed: the root with the shift expected at "
               "this size.")
    return Drawing(figure, "Collapse onto the training set", caption, [f.note for f in columns if f.note])


def draw_panel(axes: Axes, results: Results, name: str, family: Family) -> None:
    average, theory = results.average(name), results.data.get(f"{name}_theory")
    times = results.data["time"].values
    for curve in family.curves:
        plot_measured(axes, times, at(average.mean, curve.point).values, at(average.error, curve.point).values,
                      curve, line="-")
        if theory is not None and "time" in theory.dims:
            axes.plot(times, at(theory, curve.point), color=curve.color, linewidth=0.8, linestyle=(0, (1, 1)))
        mark_prediction(axes, results, curve)
        if name == "participation":
            mark_measured(axes, results, curve)
    axes.set_ylabel(QUANTITIES[name])
    axes.set_ylim(-0.03, 1.03)


def mark_prediction(axes: Axes, results: Results, curve: Curve) -> None:
    """Vertical lines at the root of the theory and at root + shift."""
    theory, expected = results.data.get("collapse_time_theory"), results.prediction("collapse_time")
    for prediction, style in ((theory, ":"), (expected, "--")):
        if prediction is not None and np.isfinite(at(prediction, curve.point)):
            axes.axvline(float(at(prediction, curve.point)), color=curve.color, linewidth=0.9, linestyle=style, zorder=1)


def mark_measured(axes: Axes, results: Results, curve: Curve) -> None:
    if "collapse_time" not in results.data:
        return
    average = results.average("collapse_time")
    value, error = float(at(average.mean, curve.point)), float(at(average.error, curve.point))
    if not np.isfinite(value):
        return
    axes.errorbar(value, 0.5, xerr=np.nan_to_num(error), color="black", marker="D", markersize=5, zorder=4,
                  markerfacecolor=curve.color, markeredgewidth=0.9, elinewidth=0.9)


def finish_stack(axes: np.ndarray, results: Results, names: list[str], family: Family) -> None:
    """Time axis, title and legend of panels that share their time axis."""
    times = results.data["time"].values
    curves = [at(results.average(name).mean, curve.point).values for name in names for curve in family.curves]
    window = active_window([times] * len(curves), curves, margin=0.05, logarithmic=results.logarithmic_time)
    for panel in axes:
        set_time_axis(panel, results)
        if window:
            panel.set_xlim(window)
        if panel is not axes[-1]:
            panel.tick_params(labelbottom=False)
    axes[-1].set_xlabel(results.time_label)
    axes[0].set_title(family.title)
    marks = [("measured $t_C$", "", "D")] if results.has("collapse_time") else []
    if results.has("collapse_time_theory"):
        marks.append(("theory: root", ":", ""))
    if results.has("collapse_time_shift"):
        marks.append(("root + shift", "--", ""))
    legend_beside(axes[0], curve_handles(family.curves) + style_handles(*marks))
