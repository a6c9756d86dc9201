"""Figures and tables of the measures of spectra, read off what was drawn."""

import csv
import io
import tempfile
import unittest
import warnings
from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.collections import PolyCollection, QuadMesh
from matplotlib.colors import to_rgba

from synthetic_results import slow  # also puts the package on the path
from synthetic_spectra import MEASURES, Law, Manifolds, make_dataset, write_results

from analysis.figures import (FIGURES, dimension, eigenvalue_density, gaps, retained_fraction, spectral_times, spectrum)
from analysis.figures.drawing import GREY, OKABE_ITO
from analysis.page import write_report
from analysis.results import Results, open_results
from analysis.table import csv_table, make_tables, text_table

TWO, THREE = [(6, 1.0), (4, 0.1)], [(5, 1.0), (3, 0.3), (2, 0.05)]
ALL = {"spectrum", "gaps", "eigenvalue_density", "dimension", "retained_fraction"}


def results_of(sweep: Manifolds) -> Results:
    return Results(make_dataset(sweep), Path("results.h5"))


def lines_of(panel, color: str, style: str = "-", marker: str = "None") -> list:
    """The lines of a panel with this look, in the order drawn."""
    return [line for line in panel.lines if to_rgba(line.get_color()) == to_rgba(color)
            and line.get_linestyle() == style and line.get_marker() == marker]


def data_panels(figure) -> list:
    return [axes for axes in figure.axes if axes.get_label() != "<colorbar>"]


class Drawn(unittest.TestCase):
    """Draws and closes figures; matplotlib's warnings are errors."""

    def setUp(self):
        self.enterContext(warnings.catch_warnings())
        warnings.simplefilter("error", UserWarning)
        warnings.simplefilter("error", RuntimeWarning)
        self.addCleanup(plt.close, "all")

    def draw(self, module, sweep: Manifolds):
        drawing = module.draw(results_of(sweep))
        drawing.figure.canvas.draw()
        return drawing, data_panels(drawing.figure)


class Numbers(Drawn):
    def test_the_map_has_the_eigenvalues_of_n(self):
        sweep = Manifolds()
        _, (heat, bands) = self.draw(spectrum, sweep)
        mesh = next(c for c in heat.collections if isinstance(c, QuadMesh))
        expected = 1 - Law(sweep, TWO, 1000).eigenvalues(sweep.times, 14)
        np.testing.assert_allclose(np.asarray(mesh.get_array()).reshape(14, len(sweep.times)), expected.T, atol=1e-12)
        corners = mesh.get_coordinates()
        self.assertTrue(np.all(corners[0, :-1, 0] < sweep.times) and np.all(sweep.times < corners[0, 1:, 0]))
        measured, predicted = heat.lines
        np.testing.assert_array_equal(measured.get_ydata() - 0.5, np.sum(expected < 0.5, axis=1))
        np.testing.assert_array_equal(predicted.get_ydata(), measured.get_ydata())
        self.assertEqual((heat.get_xscale(), bands.get_xscale()), ("log", "log"))

    def test_bands_are_the_blocks_with_their_prediction_above(self):
        sweep = Manifolds()
        _, (_, bands) = self.draw(spectrum, sweep)
        law = Law(sweep, TWO, 1000)
        for block in range(2):
            for line in lines_of(bands, OKABE_ITO[block]):
                np.testing.assert_allclose(line.get_ydata(), law.band(block))
        self.assertEqual(len(lines_of(bands, "black", "--")), 4)
        names = [text.get_text() for text in bands.get_legend().get_texts()]
        self.assertEqual(names, [r"$\sigma$ = 1", r"$\sigma$ = 0.1", "theory"])

    def test_few_times_are_drawn_against_the_index(self):
        sweep = Manifolds(spectrum_times=np.array([0.01, 1.0]), measures=["spectrum"])
        _, (panel,) = self.draw(spectrum, sweep)
        measured = [line for line in panel.lines if line.get_marker() == "o"]
        expected = 1 - Law(sweep, TWO, 1000).eigenvalues(sweep.spectrum_times, 14)
        np.testing.assert_allclose([line.get_ydata() for line in measured], expected)

    def test_gaps_their_times_and_phases(self):
        sweep = Manifolds()
        _, (panel,) = self.draw(gaps, sweep)
        law = Law(sweep, TWO, 1000)
        theory = lines_of(panel, OKABE_ITO[0])[0]
        np.testing.assert_allclose(theory.get_ydata(), law.gap(0))
        marks = {line.get_marker(): line.get_xdata()[0] for line in panel.lines
                 if line.get_markerfacecolor() == OKABE_ITO[0] and line.get_marker() in "><D"}
        for marker, kind in ((">", "opening"), ("D", "maximum"), ("<", "closing")):
            self.assertAlmostEqual(marks[marker], law.gap_time(0, kind), places=12)
        ticks = sorted(line.get_xdata()[0] for line in panel.lines
                       if line.get_marker() == "|" and line.get_color() == OKABE_ITO[0])
        np.testing.assert_allclose(ticks, [law.gap_time(0, kind) for kind in ("closing", "maximum", "opening")])
        spans = sorted(patch.get_extents().transformed(panel.transData.inverted()).x0 for patch in panel.patches)
        np.testing.assert_allclose(spans, [sweep.times[0], 0.01, 9.0])
        self.assertTrue(any(np.allclose(line.get_ydata(orig=False), 0.1) for line in lines_of(panel, GREY, "--")))

    def test_laws_of_large_size_are_dotted(self):
        _, (panel,) = self.draw(gaps, Manifolds(asymptotic=True))
        self.assertEqual((len(lines_of(panel, OKABE_ITO[0])), len(lines_of(panel, OKABE_ITO[0], ":"))), (0, 1))
        self.assertEqual([line.get_linestyle() for line in panel.get_legend().get_lines()][:2], [":", ":"])
        _, panels = self.draw(spectrum, Manifolds(asymptotic=True))
        self.assertEqual(len(lines_of(panels[1], "black", ":")), 4)

    def test_dimension_steps_and_hides_what_is_noise(self):
        sweep = Manifolds()
        _, (panel,) = self.draw(dimension, sweep)
        expected = Law(sweep, TWO, 1000).dimension()
        points = {line.get_color(): line for line in panel.lines if line.get_marker() in "os^"}
        np.testing.assert_allclose(points[OKABE_ITO[0]].get_ydata(), expected[:, 0])
        self.assertLess(max(points[OKABE_ITO[2]].get_ydata()), 14)
        self.assertEqual(len(lines_of(panel, "black")), 2)  # none for the score matrix
        beyond = next(line for line in panel.lines if line.get_markerfacecolor() == "none")
        np.testing.assert_allclose(beyond.get_xdata(), sweep.times[expected[:, 2] == 37])
        self.assertIn(dimension.BEYOND, [text.get_text() for text in panel.get_legend().get_texts()])

    def test_nothing_is_said_of_values_beyond_where_there_are_none(self):
        _, (panel,) = self.draw(dimension, Manifolds(times=np.geomspace(1e-4, 1.0, 20)))
        self.assertNotIn(dimension.BEYOND, [text.get_text() for text in panel.get_legend().get_texts()])

    def test_retained_fractions_and_losses(self):
        sweep = Manifolds(samples=[100, 1000])
        _, panels = self.draw(retained_fraction, sweep)
        self.assertEqual(len(panels), 8)
        law = Law(sweep, TWO, 1000)
        for kind, panel in enumerate(panels[4:7]):
            for block in range(2):
                theory = lines_of(panel, OKABE_ITO[block])[0]
                np.testing.assert_allclose(theory.get_ydata(), law.retained(kind, block))
            diamonds = [line.get_xdata()[0] for line in panel.lines if line.get_marker() == "D"]
            expected = [t for t in (law.loss_time(kind, b) for b in range(2)) if np.isfinite(t)]
            np.testing.assert_allclose(sorted(diamonds), sorted(expected))
        origin = panels[5]
        vertical = sorted(line.get_xdata()[0] for line in origin.lines if to_rgba(line.get_color()) == to_rgba("0.45"))
        np.testing.assert_allclose(vertical, [law.condensation(1), 2.5 * law.condensation(1)])
        self.assertEqual(len([line for line in panels[4].lines if to_rgba(line.get_color()) == to_rgba("0.45")]), 1)

    def test_open_directions_are_drawn_without_a_law_that_is_far_from_them(self):
        data = make_dataset(Manifolds(samples=[100, 1000]))
        law = data["open_directions"].isel(realization=0, drop=True)
        data["open_directions_theory_asymptotic"] = law.copy(data=np.full(law.shape, 17.0))
        drawing = retained_fraction.draw(Results(data, Path("results.h5")))
        panel = data_panels(drawing.figure)[3]
        self.assertEqual({line.get_linestyle() for line in panel.lines}, {"None"})  # points and ends of error bars
        self.assertIn("has no prediction", drawing.caption)

    def test_density_ridges(self):
        sweep = Manifolds()
        _, (panel,) = self.draw(eigenvalue_density, sweep)
        ridges = [line for line in panel.lines if line.get_marker() == "None"]
        self.assertEqual(len(ridges), eigenvalue_density.MAX_RIDGES)
        for place, ridge in enumerate(ridges):
            self.assertAlmostEqual(max(ridge.get_ydata()) - place, eigenvalue_density.RIDGE_HEIGHT, places=9)
        edges = [line for line in panel.lines if line.get_marker() == "|"]
        self.assertEqual(len(edges), 2 * len(ridges))
        law = Law(sweep, TWO, 1000)
        np.testing.assert_allclose(edges[0].get_xdata(), [law.band(0)[0]] * 2)

    def test_numbers_beside_the_ridges_are_named(self):
        _, (panel,) = self.draw(eigenvalue_density, Manifolds())
        heading = next(text for text in panel.texts if "maximum" in text.get_text())
        boxes = [text.get_window_extent() for text in (*panel.texts, panel.title) if text is not heading]
        boxes.append(panel.get_legend().get_window_extent())
        self.assertFalse(any(heading.get_window_extent().overlaps(box) for box in boxes))

    def test_levels_of_a_hypersphere_are_named_by_direction(self):
        results = results_of(Manifolds(measures=["spectrum"]))
        del results.data.attrs["blocks"]
        results.data.attrs.update(ensemble_kind="hypersphere", sphere_dimension=9)
        levels = data_panels(spectrum.draw(results).figure)[1]
        names = [text.get_text() for text in levels.get_legend().get_texts()]
        self.assertEqual(names, ["tangent: 1–9", "radial: 10", "normal: 11–14", "theory"])
        points = [line for line in levels.lines if line.get_marker() == "o"]
        self.assertEqual([line.get_color() for line in points],
                         [OKABE_ITO[0]] * 9 + [OKABE_ITO[1]] + [OKABE_ITO[2]] * 4)

    def test_levels_of_a_manifold_are_named_by_block(self):
        _, (_, levels) = self.draw(spectrum, Manifolds(measures=["spectrum"]))
        names = [text.get_text() for text in levels.get_legend().get_texts()]
        self.assertEqual(names, [r"$\sigma$ = 1: 1–6", r"$\sigma$ = 0.1: 7–10", "normal: 11–14", "theory"])

    def test_levels_without_a_name_are_counted(self):
        results = results_of(Manifolds(measures=["spectrum"]))
        del results.data.attrs["blocks"]
        levels = data_panels(spectrum.draw(results).figure)[1]
        names = [text.get_text() for text in levels.get_legend().get_texts()]
        self.assertEqual(names, ["index 1", "index 14", "theory"])

    def test_tolerance_of_a_prediction_is_a_band(self):
        sweep = Manifolds(samples=[100, 1000, 10000], measures=["lost_directions"])
        data = make_dataset(sweep)
        plain = data_panels(spectral_times.draw(Results(data, Path("results.h5"))).figure)[0]
        self.assertEqual(len(plain.collections), 2)  # error bars of two blocks
        data["loss_time_tolerance"] = 0.2 * data["loss_time_theory"]
        panel = data_panels(spectral_times.draw(Results(data, Path("results.h5"))).figure)[0]
        bands = [c for c in panel.collections if isinstance(c, PolyCollection)]
        self.assertEqual(len(bands), 2)
        corners = bands[0].get_paths()[0].vertices
        expected = Law(sweep, TWO, 1000).loss_time(0, 0)
        self.assertEqual(sorted({round(y / expected, 9) for x, y in corners if x == 1000}), [0.8, 1.2])
        self.assertIn("theory's tolerance", [text.get_text() for text in panel.get_legend().get_texts()])

    def test_a_legend_has_lines_only_where_lines_are(self):
        data = make_dataset(Manifolds(samples=[100, 1000], measures=["lost_directions"]))
        for names, style in ((("condensation_time", "condensation_time_code", "loss_time_theory"), "None"),
                             (("condensation_time", "condensation_time_code"), "-")):
            panel = data_panels(spectral_times.draw(Results(data.drop_vars(names), Path("results.h5"))).figure)[0]
            self.assertEqual([line.get_linestyle() for line in panel.get_legend().get_lines()][:2], [style] * 2)

    def test_times_along_an_axis(self):
        sweep = Manifolds(samples=[100, 1000, 10000], measures=["lost_directions"])
        _, panels = self.draw(spectral_times, sweep)
        self.assertEqual(len(panels), 3)
        planted = [line for line in panels[0].lines if line.get_marker() == "o"][0]
        laws = [Law(sweep, TWO, n) for n in sweep.samples]
        np.testing.assert_allclose(planted.get_xdata(), sweep.samples)
        np.testing.assert_allclose(planted.get_ydata(), [law.loss_time(0, 0) for law in laws])
        self.assertIsNone(spectral_times.draw(results_of(Manifolds())))  # no axis


class AnyFile(Drawn):
    """A figure is drawn or left out, whatever a file holds."""

    def report(self, sweep: Manifolds) -> set[str]:
        folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        write_results(folder, sweep)
        self.message = write_report(open_results(folder))
        return {file.stem for file in (folder / "figures").glob("*.png")}

    def drawn(self, data, rendered: bool = True) -> set[str]:
        """Names of the figures that a data set gives; not saved, which takes most of the time."""
        names = set()
        for name, draw in FIGURES.items():
            drawing = draw(Results(data, Path("results.h5")))
            if drawing:
                if rendered:
                    drawing.figure.canvas.draw()
                plt.close(drawing.figure)
                names.add(name)
        return names

    def test_whole(self):
        self.assertEqual(self.report(Manifolds(scatter=0.02)), ALL)
        self.assertNotIn("no figure", self.message)

    @slow
    def test_blocks_of_different_length_and_samples(self):
        data = make_dataset(Manifolds(blocks=[TWO, [(8, 1.0)], THREE], samples=[100, 1000], scatter=0.02))
        self.assertEqual(self.drawn(data), ALL | {"spectral_times"})

    @slow
    def test_many_points(self):
        blocks = [[(4, 1.0), (4, 1.0 / k)] for k in range(2, 12)]
        data = make_dataset(Manifolds(blocks=blocks, samples=[10, 100, 1000, 10000]))
        self.assertEqual(self.drawn(data), ALL | {"spectral_times"})

    @slow
    def test_one_realization_one_block(self):
        self.assertEqual(self.drawn(make_dataset(Manifolds(blocks=[[(5, 1.0)]], realizations=1))), ALL)

    @slow
    def test_bounded_clock(self):
        sweep = Manifolds(process="ornstein-uhlenbeck", times=np.linspace(0.01, 3.0, 30), scatter=0.02)
        self.assertEqual(self.drawn(make_dataset(sweep)), ALL)

    def test_each_measure_alone(self):
        expected = {"spectrum": {"spectrum", "eigenvalue_density"}, "gap": {"spectrum", "gaps"},
                    "dimension": {"dimension"}, "lost_directions": {"retained_fraction"}}
        for measure in MEASURES:
            with self.subTest(measure):
                data = make_dataset(Manifolds(measures=[measure]))
                self.assertEqual(self.drawn(data, rendered=False), expected[measure])

    @slow
    def test_without_predictions_errors_or_part_of_the_variables(self):
        data = make_dataset(Manifolds())
        derived = [n for n in data.data_vars if "_theory" in n or n.endswith(("_stderr", "_status"))]
        self.assertEqual(self.drawn(data.drop_vars(derived)), ALL)
        for name in ("gap", "final_gap", "block_eigenvalue_upper", "loss_time", "open_directions", "condensation_time",
                     "coverage_time", "consolidation_time", "gap_maximum_time", "jacobian_eigenvalue"):
            with self.subTest(name):
                self.assertLessEqual(self.drawn(data.drop_vars(name), rendered=False), ALL)

    @slow
    def test_missing_numbers(self):
        data = make_dataset(Manifolds(samples=[100, 1000], blocks=[TWO, THREE], scatter=0.02))
        for name, variable in data.data_vars.items():
            if variable.dtype.kind == "f" and "samples" in variable.dims:
                variable[{"samples": 0}] = np.nan  # not finished
            if variable.dtype.kind == "f" and "realization" in variable.dims:
                variable[{"realization": 2}] = np.nan  # failed
        self.assertEqual(self.drawn(data), ALL | {"spectral_times"})
        data = data.map(lambda v: v * np.nan if v.dtype.kind == "f" else v, keep_attrs=True)
        self.assertEqual(self.drawn(data), set())


class Tables(unittest.TestCase):
    def test_gaps_and_blocks_have_rows_of_their_own(self):
        sweep = Manifolds(samples=[100, 1000])
        plain, of_gaps, of_blocks = make_tables(results_of(sweep))
        self.assertEqual([len(table.rows) for table in (plain, of_gaps, of_blocks)], [2, 2, 12])
        self.assertEqual(of_gaps.rows[0].parameters, {"samples": 100, "block_gap": "σ=1|0.1"})
        self.assertEqual(of_blocks.rows[3].parameters, {"samples": 100, "probe_kind": "origin", "block": "4(σ=0.1)"})
        law = Law(sweep, TWO, 100)
        cell = of_gaps.rows[0].cells["gap_maximum_time"]
        self.assertAlmostEqual(cell.value, 0.1)
        self.assertFalse(cell.outside)
        self.assertAlmostEqual(of_blocks.rows[1].cells["loss_time"].value, law.loss_time(0, 1))
        self.assertAlmostEqual(of_blocks.rows[2].cells["condensation_time"].theory, law.condensation(1))

    def test_blocks_that_a_manifold_does_not_have_are_left_out(self):
        tables = make_tables(results_of(Manifolds(blocks=[TWO, [(8, 1.0)], THREE])))
        self.assertEqual([len(table.rows) for table in tables], [3, 1 + 0 + 2, 3 * (2 + 1 + 3)])

    def test_interpolation_errors_widen_what_is_allowed_and_are_no_times(self):
        data = make_dataset(Manifolds(blocks=[TWO, THREE], scatter=1e-3))
        data["gap_maximum_time_theory"] = 1.5 * data["gap_maximum_time_theory"]
        plain = make_tables(Results(data, Path("results.h5")))
        self.assertTrue(plain[1].rows[0].cells["gap_maximum_time"].outside)
        data["gap_maximum_time_interpolation_error"] = 0.5 * data["gap_maximum_time"]
        data["gap_maximum_time_interpolation_error"][{"realization": 0}] = np.nan  # too few times
        results = Results(data, Path("results.h5"))
        tables = make_tables(results)
        self.assertEqual([table.names for table in tables], [table.names for table in plain])
        self.assertEqual([list(axis.parameters) for axis in results.axes], [["blocks"]])
        cell = tables[1].rows[0].cells["gap_maximum_time"]
        self.assertTrue(cell.tolerated and not cell.outside)
        self.assertAlmostEqual(cell.interpolation, 0.05, places=3)
        line = next(csv.DictReader(io.StringIO(csv_table(results))))
        self.assertEqual(float(line["gap_maximum_time_interpolation_error[0]"]), cell.interpolation)
        self.assertIn("time grid half as fine", text_table(results))

    def test_never_is_a_reason(self):
        data = make_dataset(Manifolds())
        self.assertNotIn("never", text_table(Results(data, Path("results.h5"))))
        status = data["final_gap_closing_time_status"]
        data["final_gap_closing_time_status"] = status.copy(data=np.full(status.shape, 5, np.int8))
        results = Results(data, Path("results.h5"))
        self.assertEqual(make_tables(results)[0].rows[0].cells["final_gap_closing_time"].reason, "never")
        self.assertIn("never: there is no such time", text_table(results))
        self.assertEqual(next(csv.DictReader(io.StringIO(csv_table(results))))["final_gap_closing_time_status"], "never")

    def test_unresolved_is_a_reason_with_the_sets_that_would_tell(self):
        data = make_dataset(Manifolds())
        self.assertNotIn("unresolved", text_table(Results(data, Path("results.h5"))))
        gone = data["loss_time_status"].copy(data=np.full(data["loss_time_status"].shape, 7, np.int8))
        data["loss_time_status"], data["loss_time"] = gone, data["loss_time"] * np.nan
        data["loss_time_sets_needed"] = data["loss_time"].copy(data=np.full(gone.shape, 640.0))
        results = Results(data, Path("results.h5"))
        text = text_table(results)
        self.assertIn("unresolved (640)", text)
        self.assertIn("how many training sets per realization could", text)
        line = next(csv.DictReader(io.StringIO(csv_table(results))))
        self.assertEqual(line["loss_time_status[planted,0]"], "unresolved")
        self.assertEqual(float(line["loss_time_sets_needed[planted,0]"]), 640.0)

    def test_text(self):
        text = text_table(results_of(Manifolds(asymptotic=True)))
        self.assertLessEqual(max(map(len, text.splitlines())), 120)
        for word in ("gap_opening_time", "consolidation_time", "loss_time", "large size", "before grid", "planted",
                     "σ=1|0.1"):
            self.assertIn(word, text)
        self.assertIn("0.0011250", text_table(results_of(Manifolds())))  # five digits of a small time

    def test_csv_has_a_column_for_each_place(self):
        sweep = Manifolds(samples=[100, 1000])
        lines = list(csv.DictReader(io.StringIO(csv_table(results_of(sweep)))))
        self.assertEqual([line["samples"] for line in lines], ["100", "1000"])
        law = Law(sweep, TWO, 1000)
        self.assertEqual(float(lines[1]["loss_time[planted,1]"]), law.loss_time(0, 1))
        self.assertEqual(float(lines[1]["gap_opening_time_theory[0]"]), law.gap_time(0, "opening"))


if __name__ == "__main__":
    unittest.main()
