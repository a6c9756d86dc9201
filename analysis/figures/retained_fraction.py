"""What a training set keeps of each variance block, at three kinds of probe, and how many directions are open."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from analysis.figures.drawing import (GREY, MARKERS, OKABE_ITO, PREDICTIONS, Curve, Drawing, block_name, curve_handles,
                                      legend_beside, new_figure, panel_points, plot_measured, predicted_curves,
                                      predicted_number, prediction_handles, set_time_axis, style_handles)
from analysis.results import Results, at

MAX_ROWS = 3
CONDENSATION = {"condensation_time": ((0, (5, 2)), "condensation, exact"),
                "condensation_time_code": ("-.", "condensation, code formula")}
KIND_MARKERS = ("o", "v", "x")
KIND_TITLES = {"planted": "planted probes", "origin": "at the origin", "displaced": "displaced along the block"}


def draw(results: Results) -> Drawing | None:
    if not results.has("retained_fraction"):
        return None
    points, note = panel_points(results, "retained_fraction", MAX_ROWS)
    kinds = [results.coordinate("probe_kind", k) for k in range(results.data.sizes["probe_kind"])]
    opens = results.has("open_directions")
    figure, axes = new_figure(len(points), len(kinds) + opens, sharex=True, width=2.35)
    figure.set_size_inches(figure.get_size_inches() + np.array([1.6, 0.0]))
    for row, (line, curve) in enumerate(zip(axes, points)):
        found: set[str] = set()
        for kind, panel in enumerate(line[:len(kinds)]):
            found |= draw_fractions(panel, results, curve, kind)
            panel.set_title(heading(KIND_TITLES.get(kinds[kind], kinds[kind]), row))
        line[0].set_ylabel(r"retained fraction $R_k$")
        label = line[0].annotate(curve.label, (0.0, 1.0), (-30.0, 17.0 if row == 0 else 6.0), "axes fraction",
                                 "offset points", fontsize=10)
        label.set_in_layout(False)  # it may reach over the other panels; the headings keep its line free
        if opens:
            draw_open(line[-1], results, curve, kinds)
            line[-1].set_title(heading("open directions", row))
        names = block_names(results, curve)
        if row == 0:
            legend_beside(line[-1], block_handles(names) + other_handles(kinds, found, opens))
        elif names != block_names(results, points[row - 1]):
            legend_beside(line[-1], block_handles(names))
    for panel in axes[-1]:
        panel.set_xlabel(results.time_label)
    for panel in axes.ravel():
        set_time_axis(panel, results)
    return Drawing(figure, "Retained fraction of the variance blocks", CAPTION, [note] if note else [])


def heading(text: str, row: int) -> str:
    """The title of a column, over the first row, below a line that is left free for the row's own label."""
    return f"\n{text}" if row == 0 else " "


CAPTION = ("Retained fraction <i>R</i><sub><i>k</i></sub> = E[Cov<sub><i>kk</i></sub>] / "
           "(<i>s</i><sub><i>k</i></sub><i>τ</i>/(<i>s</i><sub><i>k</i></sub>+<i>τ</i>)) of each variance block under a "
           "training set's score: at noised training points (planted), at the origin, and at points displaced along "
           "the block itself. Points: measured, one standard error over training sets; lines: prediction at this "
           "number of samples, good to 0.1. Diamonds: measured loss time (<i>R</i><sub><i>k</i></sub> = 1/2); "
           "ticks: predicted, at planted probes with the block's own shift at this size. Vertical lines: condensation of "
           "the posterior at that probe, by exact large deviations (at planted probes: the collapse) and by the formula "
           "of the paper's code; grey where the blocks share it. "
           "Typical states of the process (planted probes) lose all blocks in one window, the smaller variance ahead by "
           "about 2(<i>h</i><sub>1</sub>−<i>h</i><sub>2</sub>)/<i>d</i><sub>eff</sub> on ln <i>τ</i> at large sizes, "
           "<i>h</i> = <i>s</i>/(<i>s</i>+<i>τ</i><sub>C</sub>), which vanishes as the size grows; an order by variance "
           "is one of fixed points. Last: number of eigenvalues of <i>N</i> below 1/2, which has no prediction at finite "
           "size: whole blocks, the law of large sizes, are far from it.")


def draw_fractions(panel: Axes, results: Results, curve: Curve, kind: int) -> set[str]:
    """The blocks of one kind of probe; names of what was drawn besides."""
    times, average, found = results.data["time"].values, results.average("retained_fraction"), set()
    for block in range(results.data.sizes["block"]):
        here = curve.point | {"probe_kind": kind, "block": block}
        look = Curve(here, "", OKABE_ITO[block % len(OKABE_ITO)], MARKERS[block % len(MARKERS)])
        mean, error = at(average.mean, here).values, at(average.error, here).values
        if not np.isfinite(mean).any():
            continue
        plot_measured(panel, times, mean, error, look, size=2.6)
        laws = predicted_curves(results, "retained_fraction", here)
        for suffix, values in list(laws.items())[:1]:  # that of large sizes, which is far off, only where it is alone
            panel.plot(times, values, color=look.color, linestyle=PREDICTIONS[suffix][0], linewidth=1.1, zorder=2)
            found.add(suffix)
        found |= mark_loss(panel, results, look)
    found |= mark_condensation(panel, results, curve.point | {"probe_kind": kind})
    panel.axhline(0.5, color="0.8", linewidth=0.7, zorder=0)
    panel.set_ylim(-0.03, 1.12)  # means that rest on few sets can be beyond
    return found


def mark_loss(panel: Axes, results: Results, look: Curve) -> set[str]:
    expected = predicted_number(results, "loss_time", look.point)
    if np.isfinite(expected):
        panel.plot(expected, 0.5, marker="|", markersize=13, markeredgewidth=1.4, color=look.color, zorder=4)
    if "loss_time" not in results.data:
        return set()
    average = results.average("loss_time")
    value, error = float(at(average.mean, look.point)), float(at(average.error, look.point))
    if not np.isfinite(value):
        return set()
    panel.errorbar(value, 0.5, xerr=np.nan_to_num(error), color="black", marker="D", markersize=5, zorder=5,
                   markerfacecolor=look.color, markeredgewidth=0.8, elinewidth=0.9)
    return {"loss_time"}


def mark_condensation(panel: Axes, results: Results, point: dict[str, int]) -> set[str]:
    """Vertical lines; one in grey where all blocks have the same time, to a few per cent."""
    found = set()
    for name in (n for n in CONDENSATION if n in results.data):
        values = at(results.data[name], point).values.astype(float)
        known = np.flatnonzero(np.isfinite(values))
        if not len(known):
            continue
        found.add(name)
        shared = values[known].max() <= 1.05 * values[known].min()
        for block in known[:1] if shared else known:
            panel.axvline(values[known].mean() if shared else values[block], linestyle=CONDENSATION[name][0],
                          color="0.45" if shared else OKABE_ITO[block % len(OKABE_ITO)], linewidth=0.9, zorder=1)
    return found


def draw_open(panel: Axes, results: Results, curve: Curve, kinds: list[str]) -> None:
    """Open directions; kinds of probe by line style of grey, small offsets where they agree."""
    times, average = results.data["time"].values, results.average("open_directions")
    for kind in range(len(kinds)):
        here = curve.point | {"probe_kind": kind}
        look = Curve(here, "", kind_color(kind), KIND_MARKERS[kind % 3])
        mean, error = at(average.mean, here).values, at(average.error, here).values
        plot_measured(panel, times, mean, error, look, size=(4.6, 3.4, 2.6)[kind % 3])
    panel.set_ylabel("open directions")
    panel.set_ylim(bottom=-0.03 * panel.get_ylim()[1])


def kind_color(kind: int) -> str:
    return OKABE_ITO[(kind + 2) % len(OKABE_ITO)]


def block_names(results: Results, curve: Curve) -> list[str]:
    """The blocks that the manifold at this point has."""
    count = len(results.variance_blocks(curve.point)) or results.data.sizes["block"]
    return [block_name(results, curve.point, block) for block in range(count)]


def block_handles(names: list[str]) -> list[Line2D]:
    return curve_handles([Curve({}, name, OKABE_ITO[b % len(OKABE_ITO)], MARKERS[b % len(MARKERS)])
                          for b, name in enumerate(names)])


def other_handles(kinds: list[str], found: set[str], opens: bool) -> list[Line2D]:
    entries = style_handles(("measured", "", "o")) + prediction_handles(list(found))
    entries += style_handles(*([("loss time", "", "D")] if "loss_time" in found else []))
    entries += [Line2D([], [], color=GREY, linestyle=style, linewidth=0.9, label=label.replace(", ", ",\n"))
                for name, (style, label) in CONDENSATION.items() if name in found]
    if opens:
        entries += [Line2D([], [], color=kind_color(k), marker=KIND_MARKERS[k % 3], markersize=4, linestyle="none",
                           label=f"open: {name}") for k, name in enumerate(kinds)]
    return entries
