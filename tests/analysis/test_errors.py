"""The mean over realizations and its error, against hand computations."""

import math
import unittest

import numpy as np

import synthetic_results  # noqa: F401  (puts the project's folder on the path)
from analysis.results import combine, student_factor


def combined(values, errors):
    mean, error, source, found = combine(np.array(values, float), np.array(errors, float))
    return float(mean), float(error), int(source), int(found)


class StudentFactor(unittest.TestCase):
    def test_matches_closed_forms(self):
        # One degree of freedom is the Cauchy law: tan(pi (p - 1/2)) with 2 p - 1 = 0.682689.
        self.assertAlmostEqual(student_factor(2), math.tan(math.pi * 0.682689492137086 / 2), places=6)
        # Two degrees of freedom: c sqrt(2 / (1 - c^2)) with c = 0.682689.
        self.assertAlmostEqual(student_factor(3), 0.682689492137086 * math.sqrt(2 / (1 - 0.682689492137086**2)), places=6)

    def test_covers_68_percent(self):
        random = np.random.default_rng(7)
        values = random.standard_normal((40000, 4))
        error = values.std(axis=1, ddof=1) / 2 * student_factor(4)
        self.assertAlmostEqual(float(np.mean(np.abs(values.mean(axis=1)) < error)), 0.6827, delta=0.01)

    def test_is_one_from_twenty_on(self):
        self.assertGreater(student_factor(19), 1.0)
        self.assertEqual(student_factor(20), 1.0)


class Combine(unittest.TestCase):
    def test_large_spread_is_used_with_students_factor(self):
        mean, error, source, found = combined([1, 2, 3, 4], [0.1] * 4)
        self.assertEqual((mean, source, found), (2.5, 2, 4))
        # Three degrees of freedom: P(T < x) = 1/2 + (y / (1 + y^2) + atan y) / pi with y = x / sqrt(3).
        y = error / (math.sqrt(5 / 3) / 2) / math.sqrt(3)
        self.assertAlmostEqual(0.5 + (y / (1 + y**2) + math.atan(y)) / math.pi, 0.841344746068543, places=9)

    def test_large_probe_errors_are_used(self):
        mean, error, source, found = combined([1, 2, 3, 4], [3, 4, 3, 4])
        self.assertEqual((source, found), (1, 4))
        self.assertAlmostEqual(error, math.sqrt(9 + 16 + 9 + 16) / 4)

    def test_few_realizations_use_probe_errors_whatever_the_spread(self):
        mean, error, source, found = combined([1, 2, 3], [0.1, 0.2, 0.2])
        self.assertEqual((mean, source, found), (2.0, 1, 3))
        self.assertAlmostEqual(error, 0.3 / 3)

    def test_missing_realizations_do_not_count(self):
        mean, error, source, found = combined([1, np.nan, 3, 2], [0.3, 0.3, 0.3, 0.3])
        self.assertEqual((mean, source, found), (2.0, 1, 3))
        self.assertAlmostEqual(error, 0.3 / math.sqrt(3))

    def test_twenty_realizations_need_no_factor(self):
        values = np.arange(20.0)
        _, error, source, _ = combined(values, np.zeros(20))
        self.assertEqual(source, 2)
        self.assertAlmostEqual(error, values.std(ddof=1) / math.sqrt(20))

    def test_no_probe_errors(self):
        self.assertEqual(combined([1, 2, 3, 4], [np.nan] * 4)[2], 2)
        _, error, source, _ = combined([1, 2], [np.nan] * 2)
        self.assertEqual(source, 0)
        self.assertTrue(math.isnan(error))

    def test_nothing_there(self):
        mean, error, source, found = combined([np.nan] * 5, [np.nan] * 5)
        self.assertTrue(math.isnan(mean) and math.isnan(error))
        self.assertEqual((source, found), (0, 0))


if __name__ == "__main__":
    unittest.main()
