"""Labels of logarithmic axes, read off what was drawn."""

import itertools
import unittest

import numpy as np
from matplotlib import pyplot as plt

import synthetic_results  # noqa: F401  (puts the package on the path)

from analysis.figures.drawing import PANEL_HEIGHT, STYLE, set_abscissa
from analysis.figures.ticks import FEWEST_TICKS, set_log_ticks
from analysis.results import Abscissa

NARROW = 2.2  # inches, of the narrowest panels
LOWS = (1.0, 1.3, 2.9, 5.1, 9.4)
SPANS = (1.02, 1.2, 1.6, 2.3, 3.7, 6.0, 9.5, 16.0, 45.0, 300.0, 950.0, 3e14)


class Labels(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with plt.rc_context(STYLE):
            cls.figure, cls.axes = plt.subplots(figsize=(NARROW, PANEL_HEIGHT))
        cls.addClassCleanup(plt.close, cls.figure)

    def labels(self, axis) -> list:
        """Texts in view, with their boxes."""
        self.figure.canvas.draw()
        low, high = sorted(axis.get_view_interval())
        ticks = zip(axis.get_ticklocs(), axis.get_ticklabels())
        return [label for value, label in ticks if low <= value <= high and label.get_text()]

    def check(self, axis, side: str) -> None:
        labels = self.labels(axis)
        self.assertGreaterEqual(len(labels), FEWEST_TICKS)
        texts = [label.get_text() for label in labels]
        self.assertEqual(len(set(texts)), len(texts), texts)
        boxes = [label.get_window_extent() for label in labels]
        for a, b in itertools.pairwise(sorted(boxes, key=lambda box: getattr(box, side))):
            self.assertLess(getattr(a, side[0] + "1"), getattr(b, side), texts)

    def test_enough_and_none_on_another(self):
        self.axes.set(xscale="log", yscale="log")
        set_log_ticks(self.axes.xaxis)
        set_log_ticks(self.axes.yaxis)
        for low, (scale, span) in itertools.product(LOWS, zip(itertools.cycle((1e-5, 1e-3)), SPANS)):
            with self.subTest(low=scale * low, span=span):
                limits = (scale * low, scale * low * span)
                self.axes.set(xlim=limits, ylim=limits)
                self.check(self.axes.xaxis, "x0")
                self.check(self.axes.yaxis, "y0")

    def test_labels_are_the_values(self):
        self.axes.set(xscale="log", xlim=(0.7, 1.9))
        set_log_ticks(self.axes.xaxis)
        self.assertEqual([label.get_text() for label in self.labels(self.axes.xaxis)], ["0.7", "1", "1.5"])
        self.axes.set_xlim(0.0009, 2.0)
        self.assertIn(r"10^{-2}", self.labels(self.axes.xaxis)[1].get_text())

    def test_values_of_an_axis_that_crowd_have_no_tick_each(self):
        for values in ([64, 65, 66, 4096], [1000, 1100, 1200, 1300, 1400, 1500, 1600, 1700]):
            with self.subTest(values):
                self.axes.clear()
                self.axes.plot(values, values)
                set_abscissa(self.axes, Abscissa("samples", np.array(values, float)))
                self.check(self.axes.xaxis, "x0")

    def test_ticks_of_values_leave_the_other_axis_its_own(self):
        self.axes.clear()
        self.axes.set(yscale="log", ylim=(0.01, 100.0))
        set_log_ticks(self.axes.yaxis)
        set_abscissa(self.axes, Abscissa("samples", np.array([100.0, 400.0, 1600.0])))
        self.assertEqual(len(self.axes.xaxis.get_minorticklocs()), 0)
        self.assertGreater(len(self.axes.yaxis.get_minorticklocs()), 0)


if __name__ == "__main__":
    unittest.main()
