"""Figures and page over complete and incomplete files, and the command line's exit codes."""

import io
import re
import subprocess
import sys
import tempfile
import unittest
import warnings
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import matplotlib.image
import numpy as np
from matplotlib import pyplot as plt

from synthetic_results import ROOT, Sweep, make_dataset, slow, write_results

from analysis.__main__ import main
from analysis.figures import FIGURES as DRAW
from analysis.figures import critical_times, phase_diagram
from analysis.page import write_report
from analysis.results import Axis, Results, open_results

SMALL = {"dimension": [64, 256], "samples": [200, 2000]}
FIGURES = {"class_agreement", "collapse", "critical_times", "phase_diagram"}


def command(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-m", "analysis", *arguments], cwd=ROOT, capture_output=True, text=True)


class Report(unittest.TestCase):
    def setUp(self):
        self.enterContext(warnings.catch_warnings())
        warnings.simplefilter("error", UserWarning)  # matplotlib's, such as a layout that did not work out

    def written(self, sweep: Sweep) -> Path:
        folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        write_results(folder, sweep)
        return folder

    def report(self, sweep: Sweep) -> Path:
        folder = self.written(sweep)
        self.message = write_report(open_results(folder))
        return folder / "figures"

    def check(self, figures: Path, names: set[str]) -> str:
        self.assertEqual({file.stem for file in figures.glob("*.png")}, names)
        self.assertEqual({file.stem for file in figures.glob("*.pdf")}, names)
        page = (figures / "index.html").read_text(encoding="utf-8")
        self.assertEqual(set(re.findall(r'<img src="([^"/]+)\.png"', page)), names)
        for name in names:
            self.assertIn(f'href="{name}.pdf"', page)
            self.check_pixels(matplotlib.image.imread(figures / f"{name}.png")[..., :3], name)
            self.assertTrue((figures / f"{name}.pdf").read_bytes().startswith(b"%PDF"))
        return page

    def check_drawn(self, sweep: Sweep, names: set[str]) -> None:
        """The same pictures, not saved, which takes most of the time."""
        results = open_results(self.written(sweep))
        drawings = {name: draw(results) for name, draw in DRAW.items()}
        self.assertEqual({name for name, drawing in drawings.items() if drawing}, names)
        for name in names:
            figure = drawings[name].figure
            figure.canvas.draw()
            self.check_pixels(np.asarray(figure.canvas.buffer_rgba())[..., :3] / 255, name)
            plt.close(figure)

    def check_pixels(self, pixels: np.ndarray, file: Path | str) -> None:
        """Drawn on: several colours, ink on more than the frame, nothing cut at the rim."""
        self.assertGreater(min(pixels.shape[:2]), 300, file)
        self.assertGreater(float(np.mean(pixels.min(axis=2) < 0.9)), 0.01, file)
        colours = (pixels[::2, ::2] * 8).astype(int) @ [81, 9, 1]
        self.assertGreater(len(np.unique(colours)), 8, file)
        rim = np.concatenate([pixels[:1].reshape(-1, 3), pixels[-1:].reshape(-1, 3), pixels[:, 0], pixels[:, -1]])
        self.assertGreater(float(rim.min()), 0.9, file)

    def test_product_with_clones(self):
        page = self.check(self.report(Sweep(axes=SMALL, clones=True, superclass=True)), FIGURES | {"clones"})
        for text in ("speciation_time", "0123abc", "diffphase run", "&lt;clock&gt;", "64, 256", "table.csv", "closed form"):
            self.assertIn(text, page)
        self.assertNotIn("<clock>", page)
        parameters, provenance = page.split("<h2>Provenance</h2>")
        for text in ("0.1.0", "blas=one, mpi=two", "0123abc"):
            self.assertIn(text, provenance)
            self.assertNotIn(text, parameters)
        self.assertNotRegex(page, r'(src|href)="(/|http)')

    def test_agreement_is_drawn_against_time_and_against_that_of_speciation(self):
        data = make_dataset(Sweep(axes={"classes": [2, 4]}, realizations=2))
        agreement = data["class_agreement"]
        data["distinct_class_agreement"] = 0.5 * agreement
        data["distinct_class_agreement_stderr"] = 0.01 + 0.0 * agreement
        drawing = DRAW["class_agreement"](Results(data, Path("results.h5")))
        panels = drawing.figure.axes
        self.assertEqual([panel.get_ylabel() for panel in panels],
                         [r"$\phi(t)$", r"$\phi(t)$", r"$\phi(t)$, different points"])
        time = data["time"].values
        measured = [[line for line in panel.lines if line.get_marker() == "o"][0].get_xdata() for panel in panels]
        np.testing.assert_allclose(measured[0], time)
        np.testing.assert_allclose(measured[2], time)
        unit = float(data["speciation_time_theory"].isel(classes=0))
        np.testing.assert_allclose(measured[1], time / unit)
        self.assertIn("different</i> training points", drawing.caption)
        plt.close(drawing.figure)

    def test_incomplete(self):
        sweep = Sweep(axes={"dimension": [64, 256]}, pending=[("collapse", {"dimension": 1}), ("speciation", {"dimension": 0})],
                      times=np.geomspace(0.5, 2.0, 16))
        page = self.check(self.report(sweep), FIGURES)
        self.assertIn("16 tasks pending", page)  # two tasks, 8 realizations
        self.assertIn("pending", self.message)

    def test_nothing_finished(self):
        everything = [("collapse", {"dimension": slice(0, 2)}), ("speciation", {"dimension": slice(0, 2)})]
        page = self.check(self.report(Sweep(axes=SMALL, pending=everything)), {"critical_times", "phase_diagram"})
        self.assertIn("no figure class_agreement", page)

    @slow
    def test_one_point_one_realization(self):
        self.check_drawn(Sweep(realizations=1), FIGURES)

    @slow
    def test_only_speciation(self):
        names = ("participation", "weight_entropy", "collapse_time")
        gone = tuple(n + s for n in names for s in ("", "_stderr", "_theory", "_status", "_shift"))
        self.check_drawn(Sweep(axes={"classes": [2, 4]}, omit=gone), FIGURES - {"collapse"})

    @slow
    def test_points_words_and_zip(self):
        points = [{"dimension": 64, "classes": 2, "samples": 200}, {"dimension": 256, "classes": 8, "samples": 2000}]
        self.check_drawn(Sweep(axes={"point": points}), FIGURES)
        zipped = [{"dimension": 64, "samples": 200}, {"dimension": 256, "samples": 2000}]
        self.check_drawn(Sweep(axes={"zip": zipped, "centroids": ["orthogonal", "simplex"]}), FIGURES)
        self.check_drawn(Sweep(axes={"centroids": ["orthogonal", "simplex"]}), FIGURES)

    @slow
    def test_every_clock(self):
        for process in ("variance-exploding", "flow-matching", "ddpm-linear"):
            with self.subTest(process):
                self.check_drawn(Sweep(axes={"dimension": [64, 256]}, process=process), FIGURES)

    @slow
    def test_a_figure_that_is_no_longer_there_is_removed(self):
        figures = self.report(Sweep(clones=True))
        write_results(figures.parent, Sweep())
        write_report(open_results(figures.parent))
        self.check(figures, FIGURES)


class Drawn(unittest.TestCase):
    """Read off figures that are not saved."""

    def setUp(self):
        self.addCleanup(plt.close, "all")

    def legend_styles(self, module, data) -> list[dict[str, str]]:
        """Line styles of each panel's legend, by label."""
        figure = module.draw(Results(data, Path("results.h5"))).figure
        legends = [axes.get_legend() for axes in figure.axes if axes.get_legend()]
        return [{text.get_text(): line.get_linestyle() for text, line in zip(legend.get_texts(), legend.get_lines())}
                for legend in legends]

    def test_a_legend_has_lines_only_where_lines_are(self):
        data = make_dataset(Sweep(axes=SMALL))
        with_theory = self.legend_styles(critical_times, data)[1]
        self.assertEqual((with_theory["$n$ = 200"], with_theory["measured"]), ("-", "None"))
        bare = data.drop_vars([name for name in data if "_theory" in name])
        for styles in self.legend_styles(critical_times, bare):
            self.assertEqual(set(styles.values()), {"None"})

    def test_tolerance_of_the_speciation_time_is_a_band(self):
        data = make_dataset(Sweep(axes=SMALL))
        data["speciation_time_tolerance"] = data["speciation_time_theory"] * 0 + 0.05
        figure = critical_times.draw(Results(data, Path("results.h5"))).figure
        labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
        self.assertIn("theory's tolerance", labels)
        self.assertNotIn("theory's tolerance", self.legend_styles(critical_times, make_dataset(Sweep(axes=SMALL)))[0])

    def test_means_over_some_realizations_are_said_to_be_so(self):
        data = make_dataset(Sweep(axes={"dimension": [64, 256, 1024]}))
        data["collapse_time"][{"dimension": 1, "realization": 0}] = np.nan
        data["collapse_time_status"][{"dimension": 1, "realization": 0}] = 1
        for figure in (phase_diagram, critical_times):
            notes = " ".join(figure.draw(Results(data, Path("results.h5"))).notes)
            self.assertIn("not all: 1 critical times", notes)
            self.assertNotIn("not drawn", notes)

    def test_points_that_differ_in_many_keys_are_called_by_their_number(self):
        keys = ("dimension", "classes", "samples", "sigma", "separation")
        axis = Axis("point", 3, {key: np.array([1, 2, 3]) for key in keys}, {})
        self.assertEqual(axis.label(2), "point 2")
        self.assertEqual(axis.abscissae(), [])
        few = Axis("point", 3, {key: np.array([1, 2, 3]) for key in keys[:3]}, {})
        self.assertEqual(few.label(2), "$d$ = 3, $K$ = 3, $n$ = 3")
        self.assertEqual(len(few.abscissae()), 3)

    def test_where_the_time_never_comes_the_regime_below_it_is_that_of_all_times(self):
        data = make_dataset(Sweep(axes={"dimension": [64, 256, 1024]}))
        gone = {"dimension": 1}
        for name in ("collapse_time", "collapse_time_theory"):
            data[name][gone] = np.nan
        data["collapse_time_status"][gone] = 5
        results = Results(data, Path("results.h5"))
        points = [{"dimension": i} for i in range(3)]
        boundary = phase_diagram.make_boundary(results, "collapse_time", points, (0.25, 9.0))
        self.assertEqual(boundary.edge[1], 9.0)
        self.assertTrue(any("1 never" in note for note in phase_diagram.draw(results).notes))
        # Points that are equal are not one point: no trajectory is bound to any.
        data["participation"][gone] = 1 / 3
        boundary = phase_diagram.make_boundary(Results(data, Path("results.h5")), "collapse_time", points, (0.25, 9.0))
        self.assertEqual(boundary.edge[1], 0.25)


class CommandLine(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        write_results(cls.folder / "run", Sweep(axes={"dimension": [64, 256]}))

    def test_table(self):
        done = command("table", str(self.folder / "run"))
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("speciation_time", done.stdout)
        self.assertTrue(command("table", str(self.folder / "run" / "results.h5"), "--csv").stdout.startswith("dimension,"))

    def test_report_elsewhere(self):
        done = command("report", str(self.folder / "run"), "-o", str(self.folder / "elsewhere"))
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertTrue((self.folder / "elsewhere" / "index.html").is_file())

    def test_bad_input_is_one_line_and_exit_code_2(self):
        junk = self.folder / "junk.h5"
        junk.write_bytes(b"not HDF5 at all")
        blocked = ["report", str(self.folder / "run"), "-o", str(junk / "figures")]
        for arguments in (["table", str(self.folder / "nowhere")], ["report", str(self.folder)], ["table", str(junk)], blocked):
            with self.subTest(arguments), redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as errors:
                self.assertEqual(main(arguments), 2)
                self.assertEqual((len(errors.getvalue().splitlines()), out.getvalue()), (1, ""))
                self.assertIn(str(self.folder), errors.getvalue())

    def test_bad_command_line(self):
        for arguments in ([], ["plot", "x"], ["table"]):
            self.assertEqual(command(*arguments).returncode, 2)


if __name__ == "__main__":
    unittest.main()
