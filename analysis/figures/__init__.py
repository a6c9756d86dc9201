"""The figures of a report: one module each, every one a function from results to a drawing, or to None where the
file does not hold what the figure shows."""

from __future__ import annotations

from collections.abc import Callable

from analysis.figures import (agreement, clones, collapse, collapse_scaling, critical_times, dimension,
                              eigenvalue_density, gaps, phase_diagram, retained_fraction, spectral_times, spectrum)
from analysis.figures.drawing import Drawing
from analysis.results import Results

FIGURES: dict[str, Callable[[Results], Drawing | None]] = {
    "class_agreement": agreement.draw,
    "collapse": collapse.draw,
    "collapse_scaling": collapse_scaling.draw,
    "critical_times": critical_times.draw,
    "phase_diagram": phase_diagram.draw,
    "spectrum": spectrum.draw,
    "gaps": gaps.draw,
    "eigenvalue_density": eigenvalue_density.draw,
    "dimension": dimension.draw,
    "retained_fraction": retained_fraction.draw,
    "spectral_times": spectral_times.draw,
    "clones": clones.draw,
}
