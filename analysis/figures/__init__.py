"""The figures of a report: one module each, every one a function from results to a drawing, or to None where the
file does not hold what the figure shows."""

from __future__ import annotations

from collections.abc import Callable

from analysis.figures import agreement, clones, collapse, critical_times, phase_diagram
from analysis.figures.drawing import Drawing
from analysis.results import Results

FIGURES: dict[str, Callable[[Results], Drawing | None]] = {
    "class_agreement": agreement.draw,
    "collapse": collapse.draw,
    "critical_times": critical_times.draw,
    "phase_diagram": phase_diagram.draw,
    "clones": clones.draw,
}
