"""Class agreement against time, and against time over speciation time, measured and predicted."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from analysis.figures.drawing import (Curve, Drawing, Family, active_window, curve_handles, families, legend_beside,
                                      flowing_figure, plot_measured, style_handles)
from analysis.figures.ticks import set_log_ticks
from analysis.results import Results, at

# Of each agreement: the time that is its unit in a second panel, if any, and the labels.
LEVELS = {"class_agreement": ("speciation_time", r"$\phi(t)$", r"$t\,/\,t_S$"),
          "distinct_class_agreement": ("", r"$\phi(t)$, different points", ""),
          "superclass_agreement": ("superclass_speciation_time", r"$\phi_{\mathrm{super}}(t)$",
                                   r"$t\,/\,t_S^{\mathrm{super}}$")}
DISTINCT = (" Among pairs that end on <i>different</i> training points (E Σ<sub>i≠j</sub><i>w</i><sub>i</sub><i>w</i>"
            "<sub>j</sub>[<i>c</i><sub>i</sub>=<i>c</i><sub>j</sub>] over E Σ<sub>i≠j</sub><i>w</i><sub>i</sub><i>w</i>"
            "<sub>j</sub>) what is left of the agreement is that of classes, without what a small set has learnt by heart; "
            "not drawn where fewer than 16 probes make such pairs.")


def draw(results: Results) -> Drawing | None:
    levels = [name for name in LEVELS if results.has(name)]
    if not levels:
        return None
    rows = [[(family, units) for family in families(results, level) for units in units_of_panels(results, level, family)]
            for level in levels]
    figure, axes = flowing_figure([len(row) for row in rows])
    notes = []
    for panels, level, row in zip(axes, levels, rows):
        for panel, (family, units) in zip(panels, row):
            notes += [family.note, draw_family(panel, results, level, family, units)]
    caption = ("Probability φ that two clones split at time <i>t</i> end in the same class, against <i>t</i>, and against "
               "<i>t</i>/<i>t</i><sub>S</sub>. Points: measured, error bars one standard error; lines: prediction at the "
               "same size. <i>t</i><sub>S</sub> is the predicted speciation time where there is one, else the measured "
               "one.") + (DISTINCT if "distinct_class_agreement" in levels else "")
    return Drawing(figure, "Class agreement", caption, list(dict.fromkeys(filter(None, notes))))


def units_of_panels(results: Results, level: str, family: Family) -> list[list[float] | None]:
    """What each panel of a family counts the time of its curves in: nothing, then their speciation times if any is known."""
    critical = LEVELS[level][0]
    units = [unit_of_time(results, critical, curve) for curve in family.curves] if critical else []
    return [None, units] if np.isfinite(units).any() else [None]


def unit_of_time(results: Results, name: str, curve: Curve) -> float:
    """The curve's speciation time: predicted, else measured, else NaN."""
    candidates = [results.prediction(name), results.average(name).mean if name in results.data else None]
    values = [float(at(c, curve.point)) for c in candidates if c is not None]
    return next((value for value in values if np.isfinite(value)), np.nan)


def draw_family(axes: Axes, results: Results, level: str, family: Family, units: list[float] | None) -> str:
    """Draws the curves of one panel, time counted in `units` if given; returns a note on what could not be drawn."""
    _, ylabel, xlabel = LEVELS[level]
    average, theory = results.average(level), results.data.get(f"{level}_theory")
    scaled = units is not None
    units = units if scaled else [1.0] * len(family.curves)
    drawn_x, drawn_y = [], []
    for curve, unit in zip(family.curves, units):
        if not np.isfinite(unit):
            continue
        x = results.data["time"].values / unit
        y, error = at(average.mean, curve.point).values, at(average.error, curve.point).values
        plot_measured(axes, x, y, error, curve)
        if theory is not None:
            axes.plot(x, at(theory, curve.point), color=curve.color, zorder=2)
        drawn_x.append(x)
        drawn_y.append(y)
    if scaled:
        axes.axvline(1.0, color="0.6", linewidth=0.8, linestyle=":", zorder=1)
    axes.set(xlabel=f"{xlabel}  ({results.clock})" if scaled else results.time_label, ylabel=ylabel)
    if results.logarithmic_time:
        axes.set_xscale("log")
        set_log_ticks(axes.xaxis)
    window = active_window(drawn_x, drawn_y, logarithmic=results.logarithmic_time)
    if window:
        axes.set_xlim(window)
    axes.set_ylim(top=1.03)
    axes.set_title(family.title)
    lines = [("theory", "-", "")] if theory is not None and np.isfinite(theory).any() else []
    legend_beside(axes, curve_handles(family.curves, "-" if lines else "none") + style_handles(("measured", "", "o"), *lines))
    lost = int(np.sum(~np.isfinite(units)))
    return f"{lost} curves without a speciation time are not in the panel against it" if lost else ""
