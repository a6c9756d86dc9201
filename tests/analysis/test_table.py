"""The table's numbers and words on files whose contents are known."""

import csv
import dataclasses
import io
import tempfile
import unittest
from pathlib import Path

import numpy as np
import xarray as xr

from synthetic_results import PRODUCT, Sweep, make_dataset, write_results

from analysis.results import Results, open_results
from analysis.table import WIDTH, csv_table, make_rows, text_table


def results_of(sweep: Sweep) -> Results:
    return Results(make_dataset(sweep), Path("results.h5"))


def read_csv(results: Results) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(csv_table(results))))


class ProductGrid(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.results = results_of(PRODUCT)
        cls.rows = make_rows(cls.results)

    def test_one_row_for_each_point_in_file_order(self):
        self.assertEqual([axis.name for axis in self.results.axes], ["dimension", "classes", "samples"])
        self.assertEqual(len(self.rows), 27)
        self.assertEqual(list(self.rows[1].parameters.items()), [("dimension", 64), ("classes", 2), ("samples", 2000)])

    def test_numbers_are_those_of_the_file(self):
        data = self.results.data
        row = next(r for r in self.rows if tuple(r.parameters.values()) == (256, 4, 20000))
        times = data["collapse_time"].sel(dimension=256, classes=4, samples=20000)
        cell = row.cells["collapse_time"]
        self.assertAlmostEqual(cell.value, float(times.mean()), places=12)
        expected = cell.theory + cell.shift
        self.assertAlmostEqual(cell.theory, float(data["collapse_time_theory"].sel(dimension=256, classes=4, samples=20000)))
        self.assertAlmostEqual(cell.deviation, (cell.value - expected) / cell.error, places=9)
        agreement = data["speciation_time"].sel(dimension=256, classes=4)
        self.assertAlmostEqual(row.cells["speciation_time"].value, float(agreement.mean()), places=12)

    def test_deviations_are_standard_normal_and_none_is_marked(self):
        scores = np.array([row.cells["collapse_time"].deviation for row in self.rows])
        self.assertTrue(0.4 < np.mean(scores**2) < 2.0, np.mean(scores**2))
        self.assertNotIn("!", text_table(self.results))

    def test_a_wrong_prediction_is_marked(self):
        data = make_dataset(PRODUCT)
        data["speciation_time_theory"] = data["speciation_time_theory"] + 1.0
        self.assertIn(" !", text_table(Results(data, Path("results.h5"))))
        data["speciation_time_tolerance"] = xr.full_like(data["speciation_time_theory"], 2.0)
        tolerant = Results(data, Path("results.h5"))
        text = text_table(tolerant)
        self.assertNotIn(" !", text)
        for word in (" ~", "prediction  tolerance", "tolerance: how far the prediction", "~: more than 4"):
            self.assertIn(word, text)
        self.assertEqual(float(read_csv(tolerant)[0]["speciation_time_tolerance"]), 2.0)

    def test_nothing_is_said_of_tolerance_where_there_is_none(self):
        self.assertNotIn("tolerance", text_table(self.results).replace("shift + tolerance", ""))

    def test_text_fits_the_page_and_names_every_time(self):
        text = text_table(self.results)
        self.assertLessEqual(max(map(len, text.splitlines())), WIDTH)
        for name in ("speciation_time", "collapse_time", "speciation_time_spectral", "prediction", "shift", "dev/se"):
            self.assertIn(name, text)
        first = next(line for line in text.splitlines() if line.split()[:3] == ["64", "2", "200"])
        cell = self.rows[0].cells["speciation_time"]
        self.assertIn(f"{cell.value:.4f} ± {cell.error:.4f} {cell.error_source[0]}", first)

    def test_csv_reads_back_exactly(self):
        lines = read_csv(self.results)
        self.assertEqual(len(lines), 27)
        cell = self.rows[5].cells["collapse_time"]
        self.assertEqual(float(lines[5]["collapse_time"]), cell.value)
        self.assertEqual(float(lines[5]["collapse_time_stderr"]), cell.error)
        self.assertEqual(lines[5]["collapse_time_error_source"], cell.error_source)


class OtherShapes(unittest.TestCase):
    def test_words_stand_where_numbers_are_missing(self):
        sweep = Sweep(axes={"dimension": [64, 256, 1024]}, pending=[("collapse", {"dimension": 1})],
                      failed=[("collapse", {"dimension": 2})], times=np.geomspace(1.0, 2.0, 20))
        rows = make_rows(results_of(sweep))
        self.assertEqual([row.cells["speciation_time"].reason for row in rows], ["", "after grid", "after grid"])
        self.assertEqual([row.cells["collapse_time"].reason for row in rows], ["before grid", "pending", "failed"])
        text = text_table(results_of(sweep))
        for word in ("after grid", "before grid", "pending", "failed", "8 pending"):
            self.assertIn(word, text)

    def test_part_of_the_realizations(self):
        sweep = Sweep(axes={"dimension": [64, 256]}, pending=[("speciation", {"dimension": 0, "realization": slice(5, 8)})])
        cell = make_rows(results_of(sweep))[0].cells["speciation_time"]
        self.assertEqual((cell.found, cell.total, cell.reason), (5, 8, "pending"))
        self.assertIn(" 5/8", text_table(results_of(sweep)))

    def test_no_axis_at_all(self):
        results = results_of(Sweep(realizations=1))
        self.assertEqual(results.axes, [])
        self.assertEqual(make_rows(results)[0].parameters, {})
        self.assertIn("speciation_time", text_table(results))

    def test_points_show_their_parameters(self):
        points = [{"dimension": 64, "classes": 2, "samples": 200}, {"dimension": 256, "classes": 2, "samples": 2000}]
        rows = make_rows(results_of(Sweep(axes={"point": points})))
        self.assertEqual([dict(row.parameters) for row in rows], [{"dimension": 64, "samples": 200},
                                                                  {"dimension": 256, "samples": 2000}])

    def test_zip_and_word_axes(self):
        pairs = [{"dimension": 64, "samples": 200}, {"dimension": 256, "samples": 2000}]
        rows = make_rows(results_of(Sweep(axes={"zip": pairs, "centroids": ["orthogonal", "simplex"]})))
        self.assertEqual(dict(rows[1].parameters), {"dimension": 64, "samples": 200, "centroids": "simplex"})

    def test_every_clock(self):
        for process in ("variance-exploding", "flow-matching", "ddpm-linear"):
            with self.subTest(process):
                results = results_of(Sweep(axes={"dimension": [64, 256]}, process=process))
                self.assertTrue(all(abs(row.cells["speciation_time"].deviation) < 4 for row in make_rows(results)))
                self.assertIn(process, text_table(results))

    def test_missing_variables(self):
        gone = tuple(f"collapse_time{s}" for s in ("", "_stderr", "_theory", "_status", "_shift")) + ("task_status",)
        results = results_of(dataclasses.replace(PRODUCT, omit=gone))
        self.assertNotIn("collapse_time", make_rows(results)[0].cells)
        self.assertIn("speciation_time", text_table(results))

    def test_a_file_goes_through_the_disk_unchanged(self):
        with tempfile.TemporaryDirectory() as folder:
            write_results(Path(folder), PRODUCT)
            self.assertEqual(text_table(open_results(folder)), text_table(results_of(PRODUCT)))


if __name__ == "__main__":
    unittest.main()
