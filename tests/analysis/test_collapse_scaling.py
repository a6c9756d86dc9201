"""The figure of the sharpening collapse: widths, clocks and sizes from edges whose law is known."""

import tempfile
import unittest
import warnings
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib import pyplot as plt
from scipy.stats import norm

from synthetic_results import PRODUCT, make_dataset, slow

from analysis.clock import log_tau, time_at
from analysis.figures import collapse_scaling
from analysis.figures.drawing import MARKERS
from analysis.results import Results

TIMES = {"ornstein-uhlenbeck": np.geomspace(0.02, 1.5, 60), "variance-exploding": np.geomspace(0.02, 20.0, 60),
         "flow-matching": np.linspace(0.05, 0.95, 60), "ddpm-linear": np.linspace(10.0, 600.0, 60)}
SIZES = {"dimension": [50, 400, 3200], "alpha": [0.2, 0.6]}
SQUARED_SIGMA = 2.0


def edges(process: str = "ornstein-uhlenbeck", realizations: int = 4, sizes: dict[str, list[float]] | None = None,
          samples_as_text: bool = True) -> Results:
    """Normal edges of the width 2/sqrt(d_eff) at the collapse of large sizes, with n = exp(alpha d)."""
    sizes = sizes or SIZES
    d, alpha = np.meshgrid(sizes["dimension"], sizes["alpha"], indexing="ij")
    tau = SQUARED_SIGMA / np.expm1(2.0 * alpha)
    window = 2.0 / np.sqrt(d * SQUARED_SIGMA / (SQUARED_SIGMA + tau))
    times = TIMES[process]
    x = (log_tau(process, times) - np.log(tau)[..., None]) / window[..., None]
    one = norm.cdf(-x)
    axes, inner = ("dimension", "samples"), ("dimension", "samples", "realization")
    collapse = time_at(process, np.log(tau))
    repeat = lambda values: np.repeat(values[:, :, None], realizations, axis=2)
    variables = {"participation": ((*inner, "time"), repeat(one)), "collapse_window": (axes, window),
                 "participation_stderr": ((*inner, "time"), 0.01 * np.ones((*d.shape, realizations, len(times)))),
                 "collapse_time": (inner, repeat(collapse)), "collapse_time_theory": (axes, collapse),
                 "collapse_time_theory_asymptotic": (axes, collapse), "log_samples": (axes, alpha * d)}
    text = [f"exp({a:g}*d)" for a in sizes["alpha"]]
    samples = text if samples_as_text else np.exp(np.array(sizes["alpha"]) * sizes["dimension"][0])
    coords = {"dimension": sizes["dimension"], "samples": samples, "realization": np.arange(realizations), "time": times}
    if not samples_as_text:
        del variables["log_samples"]
    unit = "step" if process == "ddpm-linear" else "1"
    data = xr.Dataset(variables, coords=coords, attrs={"process_kind": process})
    data["time"].attrs["units"] = unit
    return Results(data, Path(tempfile.gettempdir()) / "results.h5")


class Clocks(unittest.TestCase):
    def test_time_of_log_tau_is_its_inverse(self):
        for process, times in TIMES.items():
            np.testing.assert_allclose(time_at(process, log_tau(process, times)), times, rtol=1e-9, err_msg=process)

    def test_values(self):
        self.assertAlmostEqual(float(log_tau("ornstein-uhlenbeck", 0.5 * np.log(3.0))), np.log(2.0))
        self.assertAlmostEqual(float(log_tau("flow-matching", 0.5)), 0.0)
        self.assertAlmostEqual(float(log_tau("ddpm-linear", 1000.0)), 2 * 5.058857, places=4)
        self.assertAlmostEqual(float(time_at("variance-exploding", np.log(7.0))), 7.0)
        self.assertTrue(np.isnan(time_at("ddpm-linear", 100.0)))
        self.assertTrue(np.isnan(log_tau("unheard-of", 1.0)))


class Width(unittest.TestCase):
    def test_of_a_normal_edge_is_its_standard_deviation_on_any_grid(self):
        for points in (7, 20, 200):
            x = np.linspace(-5.0, 6.0, points)
            self.assertAlmostEqual(collapse_scaling.measured_width(x, norm.cdf(-(x - 0.3) / 0.7)), 0.7, places=9)

    def test_of_an_edge_that_is_not_whole_is_not_a_number(self):
        x = np.linspace(-0.5, 5.0, 50)
        self.assertTrue(np.isnan(collapse_scaling.measured_width(x, norm.cdf(-x))))
        self.assertTrue(np.isnan(collapse_scaling.measured_width(-x[::-1], norm.cdf(x[::-1]))))
        self.assertTrue(np.isnan(collapse_scaling.measured_width(x, np.full(50, np.nan))))

    def test_of_every_point_is_the_predicted_window(self):
        for process in TIMES:
            results = edges(process)
            for d in range(2):
                edge = collapse_scaling.edge_at(results, {"dimension": d, "samples": 1})
                self.assertAlmostEqual(edge.width / edge.window, 1.0, places=6, msg=process)
                self.assertAlmostEqual(edge.effective_dimension, SIZES["dimension"][d] * (1.0 - np.exp(-1.2)), places=6)
                self.assertAlmostEqual(edge.width_error, 0.0, places=9)


class Figure(unittest.TestCase):
    def setUp(self):
        self.enterContext(warnings.catch_warnings())
        warnings.simplefilter("error")  # layouts that did not work out, logarithms of nothing

    def drawn(self, results: Results):
        drawing = collapse_scaling.draw(results)
        self.assertIsNotNone(drawing)
        drawing.figure.canvas.draw()
        self.addCleanup(plt.close, drawing.figure)
        return drawing

    def test_curves_of_one_alpha_lie_on_the_normal_law(self):
        panels = self.drawn(edges()).figure.axes
        self.assertEqual(len(panels), 4)
        scaled = [line for line in panels[1].lines if line.get_marker() in MARKERS]
        self.assertEqual(len(scaled), 3)
        for line in scaled:
            np.testing.assert_allclose(line.get_ydata(), norm.cdf(-line.get_xdata()), atol=1e-9)

    def test_the_closed_form_runs_through_the_times(self):
        results = edges()
        panel = self.drawn(results).figure.axes[3]
        black = next(line for line in panel.lines if line.get_color() == "black")
        alpha, time = black.get_xdata(), black.get_ydata()
        expected = 0.5 * np.log1p(SQUARED_SIGMA / np.expm1(2.0 * alpha))
        np.testing.assert_allclose(time, expected, rtol=1e-5)
        self.assertLessEqual(alpha.min(), 0.2)
        self.assertGreaterEqual(alpha.max(), 0.6)

    def test_labels_name_the_size_of_the_training_set(self):
        legend = self.drawn(edges()).figure.axes[0].get_legend()
        self.assertIn("= 640", legend.get_texts()[-1].get_text())  # 0.2 * 3200: the first alpha is the reference

    @slow
    def test_every_clock_one_realization(self):
        for process in TIMES:
            with self.subTest(process):
                self.drawn(edges(process, realizations=1))

    def test_samples_as_numbers(self):
        self.drawn(edges(samples_as_text=False, sizes={"dimension": [50, 400], "alpha": [0.2, 0.3]}))

    def test_of_one_alpha_has_no_panel_of_times(self):
        self.assertEqual(len(self.drawn(edges(sizes={"dimension": [50, 400], "alpha": [0.3]})).figure.axes), 3)

    def test_is_left_out_where_nothing_sharpens_or_nothing_is_predicted(self):
        self.assertIsNone(collapse_scaling.draw(edges(sizes={"dimension": [400], "alpha": [0.3]})))
        self.assertIsNone(collapse_scaling.draw(edges(sizes={"dimension": [400, 1500], "alpha": [0.3]})))
        self.assertIsNone(collapse_scaling.draw(Results(make_dataset(PRODUCT), Path("results.h5"))))

    def test_unfinished_points_are_left_out(self):
        results = edges()
        for name in ("participation", "participation_stderr", "collapse_time"):
            results.data[name][{"dimension": 1}] = np.nan
        self.drawn(results)
        results.data["participation"][{"dimension": slice(None), "samples": 0}] = np.nan
        self.drawn(results)


if __name__ == "__main__":
    unittest.main()
