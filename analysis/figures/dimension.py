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
BEYOND = "score matrix, beyond\nthe panel: where noise\ncovers the data, its\nlargest gap is anywhere"


def draw(results: Results) -> Drawing | None:
    if not results.has("intrinsic_dimension"):
        return None
    points, note = panel_points(results, "intrinsic_dimension")
    figure, lines = flowing_figure([len(points)], width=4.1)
    for panel, curve in zip(lines[0], points):
        draw_panel(panel, results, curve)
        panel.set_title(wrap(curve.label, TITLE_WIDTH))
    caption = ("Intrinsic dimension read off the score near data points against time: by the largest gap of the "
               "eigenvalues of <i>N</i>, by their number below a threshold, and by the largest gap of the singular "
               "values of a matrix of scores. Points: mean over probes and realizations with one standard error; "
               "black lines: prediction, dotted in the limit of large sizes. Where noise covers the data, the largest gap "
               "of the score matrix is anywhere up to the dimension of the space: open triangles stand for its values beyond "
               "the panels.")
    return Drawing(figure, "Intrinsic dimension", caption, [note] if note else [])


def draw_panel(panel: Axes, results: Results, curve: Curve) -> None:
    times, average = results.data["time"].values, results.average("intrinsic_dimension")
    looks, suffixes = [], set()
    top = tallest(results, curve)
    beyond = []
    for index in range(results.data.sizes["estimator"]):
        name = results.coordinate("estimator", index)
        here = curve.point | {"estimator": index}
        look = Curve(here, LABELS.get(name, name.replace("_", " ")), OKABE_ITO[index % len(OKABE_ITO)],
                     MARKERS[index % len(MARKERS)])
        mean, error = at(average.mean, here).values, at(average.error, here).values
        if not np.isfinite(mean).any():
            continue
        if (mean > top).any():
            beyond.append(mark_beyond(panel, times[mean > top], look))
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
    legend_beside(panel, points + black + beyond)
    if np.isfinite(top):
        panel.set_ylim(-0.04 * top, top)


def mark_beyond(panel: Axes, times: np.ndarray, look: Curve) -> Line2D:
    """Open marks along the upper rim; their legend entry."""
    style = {"color": look.color, "marker": look.marker, "markersize": 3.5, "linestyle": "none", "markerfacecolor": "none",
             "markeredgewidth": 0.7}
    panel.plot(times, np.full_like(times, 0.98), transform=panel.get_xaxis_transform(), clip_on=False, zorder=3, **style)
    return Line2D([], [], label=BEYOND, **style)


def tallest(results: Results, curve: Curve) -> float:
    """Where the axis ends: above all but the score matrix, whose largest gap is anywhere up to d where noise covers
    the data."""
    steady = [at(results.average("intrinsic_dimension").mean, curve.point | {"estimator": index}).values
              for index in range(results.data.sizes["estimator"])
              if results.coordinate("estimator", index) != SCORE_MATRIX]
    values = np.concatenate(steady) if steady else np.zeros(0)
    values = values[np.isfinite(values)]
    return HEADROOM * max(float(values.max()), 1.0) if len(values) else np.inf
