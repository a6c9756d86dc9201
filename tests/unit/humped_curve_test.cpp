// Times on curves that rise and fall, against bumps and parabolas whose crossings and maxima are known.

#include "transition/humped_curve.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <random>
#include <vector>

#include "support/measure_runs.hpp"

namespace diffphase {
namespace {

using test::log_spaced;

constexpr double nan = std::numeric_limits<double>::quiet_NaN();
const NoisingProcess ve(ProcessKind::variance_exploding);

std::vector<double> curve_of(const std::vector<double>& times, const std::function<double(double)>& f) {
  std::vector<double> values;
  for (const double t : times) values.push_back(f(std::log(t)));
  return values;
}

// A gap between data variances 1 and 0.01: opens at 1/root, closes at 0.01 root.
double bump(double log_tau) {
  const double tau = std::exp(log_tau);
  return tau / (tau + 0.01) - tau / (tau + 1.0);
}
double bump_opening(double threshold) {
  const double b = 0.99 / threshold - 1.01;
  return 0.5 * (b + std::sqrt(b * b - 0.04));
}

CriticalTime opening(const std::vector<double>& times, const std::vector<double>& curve, double level) {
  return largest_crossing_of_mean(times, curve, 1, level, ve, /*falling=*/true);
}
CriticalTime closing(const std::vector<double>& times, const std::vector<double>& curve, double level) {
  return smallest_crossing_of_mean(times, curve, 1, level, ve, /*falling=*/false);
}

// Interpolation through five nodes on log tau: the error falls with the fourth power of the spacing.
TEST(HumpedCurve, CrossingsOfABumpAreItsRoots) {
  const std::vector<double> levels{0.1, 0.3, 0.5, 0.7};
  for (const double level : levels) {
    const double exact = bump_opening(level);
    double coarse_error = 0.0;
    for (const int nodes : {40, 160}) {
      const std::vector<double> times = log_spaced(1e-4, 100.0, nodes);
      const std::vector<double> curve = curve_of(times, bump);
      const CriticalTime opens = opening(times, curve, level);
      const CriticalTime closes = closing(times, curve, level);
      ASSERT_EQ(opens.status, RootStatus::found);
      ASSERT_EQ(closes.status, RootStatus::found);
      const double spacing = std::log(times[1] / times[0]);
      const double allowed = 0.05 * std::pow(spacing, 4);
      EXPECT_NEAR(std::log(opens.time / exact), 0.0, allowed) << level << " " << nodes;
      EXPECT_NEAR(std::log(closes.time * exact / 0.01), 0.0, allowed) << level << " " << nodes;
      const double error = std::abs(std::log(opens.time / exact));
      if (nodes == 160) {
        EXPECT_LE(error, coarse_error / 16.0 + 1e-12) << level;
      }
      coarse_error = error;
    }
  }
}

// The crossing is as accurate in the last two cells of the grid as in the middle of it.
TEST(HumpedCurve, CrossingsAtTheEndsOfTheGridAreAsAccurate) {
  const double exact = bump_opening(0.3);
  for (const double beyond : {1.02, 1.3, 1.7}) {
    const std::vector<double> times = log_spaced(0.01 / (beyond * exact), beyond * exact, 40);
    const std::vector<double> curve = curve_of(times, bump);
    const double allowed = 0.05 * std::pow(std::log(times[1] / times[0]), 4);
    EXPECT_NEAR(std::log(opening(times, curve, 0.3).time / exact), 0.0, allowed) << beyond;
    EXPECT_NEAR(std::log(closing(times, curve, 0.3).time * exact / 0.01), 0.0, allowed) << beyond;
  }
}

TEST(HumpedCurve, OfSeveralBumpsTheOutermostCrossingsCount) {
  const auto two = [](double x) { return std::exp(-x * x) + std::exp(-(x - 6.0) * (x - 6.0)); };
  const std::vector<double> times = log_spaced(std::exp(-3.0), std::exp(9.0), 200);
  const std::vector<double> curve = curve_of(times, two);
  const double half_width = std::sqrt(std::log(2.0));
  EXPECT_NEAR(std::log(opening(times, curve, 0.5).time), 6.0 + half_width, 1e-5);
  EXPECT_NEAR(std::log(closing(times, curve, 0.5).time), -half_width, 1e-5);
  const CriticalTime loss = largest_crossing_of_mean(times, curve, 1, 0.5, ve, /*falling=*/false);
  EXPECT_EQ(loss.status, RootStatus::after_grid) << "at the last time the curve is below the level, the early side";
}

// Which side of the level is early and which is late, at both ends.
TEST(HumpedCurve, StatusesSayOnWhichSideOfTheGridTheTimeLies) {
  const std::vector<double> times{1.0, 2.0, 3.0, 4.0, 5.0};
  const std::vector<double> high(5, 1.0);
  const std::vector<double> low(5, 0.0);
  EXPECT_EQ(largest_crossing_of_mean(times, high, 1, 0.5, ve, true).status, RootStatus::after_grid);
  EXPECT_EQ(largest_crossing_of_mean(times, low, 1, 0.5, ve, true).status, RootStatus::before_grid);
  EXPECT_EQ(largest_crossing_of_mean(times, high, 1, 0.5, ve, false).status, RootStatus::before_grid);
  EXPECT_EQ(largest_crossing_of_mean(times, low, 1, 0.5, ve, false).status, RootStatus::after_grid);
  EXPECT_EQ(smallest_crossing_of_mean(times, high, 1, 0.5, ve, false).status, RootStatus::before_grid);
  EXPECT_EQ(smallest_crossing_of_mean(times, low, 1, 0.5, ve, false).status, RootStatus::after_grid);
  EXPECT_EQ(smallest_crossing_of_mean(times, high, 1, 0.5, ve, true).status, RootStatus::after_grid);
  EXPECT_EQ(smallest_crossing_of_mean(times, low, 1, 0.5, ve, true).status, RootStatus::before_grid);
  for (const double value : {0.0, 1.0}) {
    const CriticalTime none = opening(times, std::vector<double>(5, value), 0.5);
    EXPECT_TRUE(std::isnan(none.time) && std::isnan(none.standard_error));
  }
}

TEST(HumpedCurve, ASingleTimeAndNotANumberHaveNoCrossing) {
  EXPECT_EQ(opening({2.0}, {1.0}, 0.5).status, RootStatus::after_grid);
  EXPECT_EQ(opening({2.0}, {0.0}, 0.5).status, RootStatus::before_grid);
  EXPECT_EQ(opening({1.0, 2.0, 3.0}, {1.0, nan, 0.0}, 0.5).status, RootStatus::failed);
  EXPECT_EQ(closing({1.0, 2.0, 3.0}, {0.0, nan, 1.0}, 0.5).status, RootStatus::failed);
  EXPECT_EQ(maximum_of_mean(std::vector<double>{1.0, 2.0, 3.0}, std::vector<double>{0.0, nan, 1.0}, 1, ve).time.status,
            RootStatus::failed);
}

TEST(HumpedCurve, ANodeOnTheLevelIsTheCrossing) {
  const std::vector<double> times{1.0, 2.0, 3.0, 4.0, 5.0};
  EXPECT_DOUBLE_EQ(opening(times, {1.0, 1.0, 0.5, 0.2, 0.0}, 0.5).time, 3.0);
  EXPECT_DOUBLE_EQ(closing(times, {0.0, 0.2, 0.5, 0.7, 1.0}, 0.5).time, 3.0);
}

TEST(CurveMaximum, OfAParabolaIsItsVertexOnAnyGridAndClock) {
  for (const ProcessKind kind :
       {ProcessKind::variance_exploding, ProcessKind::ornstein_uhlenbeck, ProcessKind::flow_matching}) {
    const NoisingProcess process(kind);
    for (const double vertex : {-0.7, 0.0, 0.31}) {
      std::vector<double> times;
      std::vector<double> values;
      for (const double x : {-2.0, -1.1, -0.5, 0.2, 0.9, 2.0}) {
        times.push_back(process.time_at(std::exp(x)));
        values.push_back(0.8 - 0.3 * (x - vertex) * (x - vertex));
      }
      const CurveMaximum found = maximum_of_mean(times, values, 1, process);
      ASSERT_EQ(found.time.status, RootStatus::found);
      const double expected = process.time_at(std::exp(vertex));
      EXPECT_NEAR(found.time.time, expected, 1e-12 * expected);
      EXPECT_NEAR(found.height, 0.8, 1e-13);
      EXPECT_LE(found.time.coarse_grid_shift, 1e-12 * expected)
          << "the parabola of neighbours twice as far is the same";
      EXPECT_TRUE(std::isnan(found.standard_error) && std::isnan(found.time.standard_error))
          << "one unit has no spread";
    }
  }
}

// sqrt(ab) and (sqrt a - sqrt b)/(sqrt a + sqrt b); a parabola through three nodes is off by the third power of the
// spacing in place (with an even bump by less) and the fourth in height.
TEST(CurveMaximum, OfAGapIsItsClosedForm) {
  for (const int nodes : {25, 49, 97}) {
    const std::vector<double> times = log_spaced(2.3e-4, 30.0, nodes);
    const double spacing = std::log(times[1] / times[0]);
    const CurveMaximum found = maximum_of_mean(times, curve_of(times, bump), 1, ve);
    ASSERT_EQ(found.time.status, RootStatus::found);
    EXPECT_NEAR(std::log(found.time.time / 0.1), 0.0, 0.2 * std::pow(spacing, 3));
    EXPECT_NEAR(found.height, 0.9 / 1.1, 0.05 * std::pow(spacing, 4));
    EXPECT_GE(found.time.coarse_grid_shift, std::abs(found.time.time - 0.1)) << "the shift bounds the error";
  }
}

TEST(CurveMaximum, AtAnEndOfTheGridIsNotFound) {
  const std::vector<double> times{1.0, 2.0, 3.0, 4.0};
  const auto of = [&](const std::vector<double>& values) { return maximum_of_mean(times, values, 1, ve); };
  EXPECT_EQ(of({3.0, 2.0, 1.0, 0.0}).time.status, RootStatus::before_grid);
  EXPECT_EQ(of({0.0, 1.0, 2.0, 3.0}).time.status, RootStatus::after_grid);
  EXPECT_TRUE(std::isnan(of({0.0, 1.0, 2.0, 3.0}).height));
  EXPECT_EQ(of({0.0, 1.0, 2.0, 1.5}).time.status, RootStatus::found) << "one neighbour on each side suffices";
  EXPECT_EQ(of({2.0, 2.0, 2.0, 2.0}).time.status, RootStatus::unresolved) << "on neither side";
  EXPECT_EQ(maximum_of_mean(std::vector<double>{1.0}, std::vector<double>{1.0}, 1, ve).time.status,
            RootStatus::before_grid);
}

// Units shift a parabola as a whole, sideways by e and upwards by u: the place of the mean's maximum is then linear in
// e up to its square, and the jackknife is the standard error of a mean.
TEST(CurveMaximum, JackknifeOfLinearNoiseIsTheStandardErrorOfTheMean) {
  constexpr std::size_t units = 24;
  const std::vector<double> x{-1.0, -0.4, 0.1, 0.6, 1.2};
  std::vector<double> times;
  for (const double node : x) times.push_back(std::exp(node));
  std::mt19937_64 generator(5);
  std::normal_distribution<double> normal;
  std::vector<double> tilts;
  std::vector<double> lifts;
  std::vector<double> values;
  for (std::size_t unit = 0; unit < units; ++unit) {
    tilts.push_back(1e-5 * normal(generator));
    lifts.push_back(1e-2 * normal(generator));
    for (const double node : x) values.push_back(1.0 - 0.5 * node * node + tilts.back() * node + lifts.back());
  }
  const CurveMaximum found = maximum_of_mean(times, values, units, ve);
  const test::Estimate tilt = test::estimate(tilts);
  const test::Estimate lift = test::estimate(lifts);
  ASSERT_EQ(found.time.status, RootStatus::found);
  // Vertex at x = tilt, height 1 + lift + tilt^2/2; the clock turns x into e^x.
  EXPECT_NEAR(found.time.time, std::exp(tilt.mean), 1e-12);
  EXPECT_NEAR(found.height, 1.0 + lift.mean, 1e-9);
  EXPECT_NEAR(found.time.standard_error, tilt.error, 1e-4 * tilt.error);
  EXPECT_NEAR(found.standard_error, lift.error, 1e-6 * lift.error);
}

TEST(HumpedCurve, JackknifeOfACrossingIsThatOfLinearNoise) {
  constexpr std::size_t units = 20;
  const std::vector<double> times = log_spaced(1e-3, 100.0, 81);
  std::mt19937_64 generator(6);
  std::normal_distribution<double> normal;
  std::vector<double> shifts;
  std::vector<double> values;
  for (std::size_t unit = 0; unit < units; ++unit) {
    shifts.push_back(1e-5 * normal(generator));
    for (const double t : times) values.push_back(bump(std::log(t) - shifts.back()));
  }
  const test::Estimate shift = test::estimate(shifts);
  const CriticalTime opens = largest_crossing_of_mean(times, values, units, 0.3, ve, true);
  const CriticalTime closes = smallest_crossing_of_mean(times, values, units, 0.3, ve, false);
  EXPECT_NEAR(opens.standard_error, opens.time * shift.error, 1e-3 * opens.time * shift.error);
  EXPECT_NEAR(closes.standard_error, closes.time * shift.error, 1e-3 * closes.time * shift.error);
}

// Units of which one has its maximum elsewhere: a leave-one-out curve may have it at the end of the grid.
TEST(CurveMaximum, WithoutErrorsWhereTheMaximumOfASubsetLeavesTheGrid) {
  const std::vector<double> times{1.0, 2.0, 3.0, 4.0};
  const std::vector<double> values{0.0, 1.0, 1.8, 1.5,  //
                                   0.0, 1.0, 1.4, 1.6};
  const CurveMaximum found = maximum_of_mean(times, values, 2, ve);
  EXPECT_EQ(found.time.status, RootStatus::found);
  EXPECT_TRUE(std::isnan(found.time.standard_error));
}

}  // namespace
}  // namespace diffphase
