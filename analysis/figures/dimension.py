"""Intrinsic dimension against time, by every way to read it off."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from analysis.figures.drawing import (MARKERS, OKABE_ITO, PREDICTIONS, TITLE_WIDTH, Curve, Drawing, flowing_figure,
                                      legend_beside, panel_points, plot_measured, predicted_curves, set_time_axis, wrap)
from analysis.results import Results, at

SCORE_MATRIX = "score_matrix"
LABELS = {"largest_gap": "largest gap", "threshold": "threshold", SCORE_MATRIX: "score matrix"}
SIZES = (5.5, 3.8, 2.4)  # where estimators agree, all of them can be seen
HEADROOM = 1.35


def draw(results: Results) -> Drawing | None:
    if not results.has("intrinsic_dimension"):
        return None
    points, note = panel_points(results, "intrinsic_dimension")
    figure, lines = flowing_figure([len(points)], width=4.1)
    notes = [note]
    for panel, curve in zip(lines[0], points):
        notes.append(draw_panel(panel, results, curve))
        panel.set_title(wrap(curve.label, TITLE_WIDTH))
    caption = ("Intrinsic dimension read off the score near data points against time: by the largest gap of the "
               "eigenvalues of <i>N</i>, by their number below a threshold, and by the largest gap of the singular "
               "values of a matrix of scores. Points: mean over probes and realizations with one standard error; "
               "black lines: prediction, dotted in the limit of large sizes.")
    return Drawing(figure, "Intrinsic dimension", caption, list(dict.fromkeys(filter(None, notes))))


def draw_panel(panel: Axes, results: Results, curve: Curve) -> str:
    times, average = results.data["time"].values, results.average("intrinsic_dimension")
    looks, suffixes = [], set()
    top = tallest(results, curve)
    beyond = False
    for index in range(results.data.sizes["estimator"]):
        name = results.coordinate("estimator", index)
        here = curve.point | {"estimator": index}
        look = Curve(here, LABELS.get(name, name.replace("_", " ")), OKABE_ITO[index % len(OKABE_ITO)],
                     MARKERS[index % len(MARKERS)])
        mean, error = at(average.mean, here).values, at(average.error, here).values
        if not np.isfinite(mean).any():
            continue
        beyond |= bool((mean > top).any())
        plot_measured(panel, times, np.where(mean > top, np.nan, mean), error, look, size=SIZES[index % len(SIZES)])
        predicted = predicted_curves(results, "intrinsic_dimension", here)
        for suffix, values in predicted.items():
            panel.plot(times, values, color="black", linestyle=PREDICTIONS[suffix][0], drawstyle="steps-mid", zorder=4,
                       linewidth=0.9)
        suffixes |= set(predicted)
        looks.append(look)
    set_time_axis(panel, results)
    panel.set(xlabel=results.time_label, ylabel="intrinsic dimension")
    black = [Line2D([], [], color="black", linestyle=PREDICTIONS[s][0], linewidth=0.9, label=PREDICTIONS[s][1])
             for s in PREDICTIONS if s in suffixes]
    points = [Line2D([], [], color=look.color, marker=look.marker, markersize=4, linestyle="none", label=look.label)
              for look in looks]
    legend_beside(panel, points + black)
    if np.isfinite(top):
        panel.set_ylim(-0.04 * top, top)
    return "the score matrix, where noise covers the data, gives values beyond the panels" if beyond else ""


def tallest(results: Results, curve: Curve) -> float:
    """Where the axis ends: above all but the score matrix, whose largest gap is anywhere up to d where noise covers
    the data."""
    steady = [at(results.average("intrinsic_dimension").mean, curve.point | {"estimator": index}).values
              for index in range(results.data.sizes["estimator"])
              if results.coordinate("estimator", index) != SCORE_MATRIX]
    values = np.concatenate(steady) if steady else np.zeros(0)
    values = values[np.isfinite(values)]
    return HEADROOM * max(float(values.max()), 1.0) if len(values) else np.inf
