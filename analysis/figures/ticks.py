"""Ticks of logarithmic axes: labelled often enough to read a value off, also where few powers of ten are in view."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axis import Axis, XAxis
from matplotlib.ticker import Formatter, LogLocator, MaxNLocator, NullFormatter

FEWEST_TICKS, MOST_POWERS = 3, 6
DIGITS = ((1, 3), (1, 2, 5), (1, 1.5, 2, 3, 5, 7))  # tried in this order
PLAIN_FROM, PLAIN_TO = 1e-3, 1e5  # written without a power of ten
CHARACTER, LINE, CLEARANCE = 0.066, 0.12, 0.07  # inches, of labels of 8 points


def digit_ticks(low: float, high: float, digits: Sequence[float] = (1,)) -> np.ndarray:
    """digit * 10^k between low and high."""
    powers = np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1)
    ticks = np.outer(10.0**powers, digits).ravel()
    return np.clip(ticks[(ticks >= low * (1 - 1e-10)) & (ticks <= high * (1 + 1e-10))], low, high)


def thin_powers(ticks: np.ndarray) -> np.ndarray:
    """Every second or third power where there are many, at multiples of the step."""
    step = int(np.ceil(len(ticks) / MOST_POWERS))
    return ticks[np.round(np.log10(ticks)).astype(int) % step == 0]


def rounded_ticks(low: float, high: float) -> list[np.ndarray]:
    """Three ticks at equal distances, rounded to more and more digits; those that are in view."""
    ideal = low * (high / low)**np.array([1 / 6, 1 / 2, 5 / 6])
    candidates = [np.array([float(f"{value:.{digits}g}") for value in ideal]) for digits in range(1, 8)]
    return [ticks for ticks in candidates if low <= ticks[0] and ticks[-1] <= high]


def tick_label(value: float) -> str:
    if PLAIN_FROM <= value < PLAIN_TO:
        return f"{value:.6g}"
    mantissa, exponent = f"{value:.5e}".split("e")
    return f"{float(mantissa):g}e{int(exponent)}"


class LogTickLocator(LogLocator):
    """Powers of ten; where fewer than three are in view, the roundest ticks of which there are three, with room for the
    labels."""

    def tick_values(self, vmin: float, vmax: float) -> np.ndarray:
        low, high = sorted((vmin, vmax))
        if low <= 0 or not np.isfinite(high) or low == high:
            return super().tick_values(vmin, vmax)
        powers = digit_ticks(low, high)
        if len(powers) >= FEWEST_TICKS:
            return thin_powers(powers)
        linear = MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10], min_n_ticks=FEWEST_TICKS).tick_values(low, high)
        linear = linear[(linear >= low) & (linear <= high)]
        round_ones = [digit_ticks(low, high, digits) for digits in DIGITS]
        for ticks in (*round_ones, linear, linear[::2], *rounded_ticks(low, high)):
            if len(ticks) >= FEWEST_TICKS and self._fit(ticks, low, high):
                return ticks
        return linear

    def _fit(self, ticks: np.ndarray, low: float, high: float) -> bool:
        """Whether each label is clear of the next."""
        distance = np.diff(np.log(ticks)) / np.log(high / low) * self._length()
        width = np.array([len(tick_label(value)) * CHARACTER for value in ticks])
        needed = (width[1:] + width[:-1]) / 2 if isinstance(self.axis, XAxis) else LINE
        return bool((distance > needed + CLEARANCE).all())

    def _length(self) -> float:
        """Of the axis in inches."""
        axes = self.axis.axes
        return (axes.bbox.width if isinstance(self.axis, XAxis) else axes.bbox.height) / axes.figure.dpi


class LogTickFormatter(Formatter):
    """10^k where the powers of ten do, else the number itself."""

    def __call__(self, value: float, pos: int | None = None) -> str:
        low, high = sorted(self.axis.get_view_interval())
        if low > 0 and len(digit_ticks(low, high)) >= FEWEST_TICKS:
            return rf"$\mathdefault{{10^{{{round(np.log10(value))}}}}}$"
        return tick_label(value)


def set_log_ticks(axis: Axis) -> None:
    """For an axis whose scale is logarithmic already."""
    axis.set_major_locator(LogTickLocator())
    axis.set_major_formatter(LogTickFormatter())
    axis.set_minor_formatter(NullFormatter())
