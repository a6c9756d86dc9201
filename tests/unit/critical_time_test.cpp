#include "transition/critical_time.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <stdexcept>
#include <vector>

namespace diffphase {
namespace {

const std::vector<ProcessKind> kinds{ProcessKind::ornstein_uhlenbeck, ProcessKind::variance_exploding,
                                     ProcessKind::flow_matching, ProcessKind::ddpm_linear};

/// Times of `count` equidistant log tau in [low, high].
std::vector<double> grid(const NoisingProcess& process, double low, double high, int count) {
  std::vector<double> times(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) times[i] = process.time_at(std::exp(low + (high - low) * i / (count - 1)));
  return times;
}

/// A curve that falls from 1 to 0 with log tau, 1/2 at `centre`.
std::vector<double> falling_curve(const std::vector<double>& times, const NoisingProcess& process, double centre,
                                  double width) {
  std::vector<double> curve(times.size());
  for (std::size_t i = 0; i < times.size(); ++i) {
    curve[i] = 1.0 / (1.0 + std::exp((-process.log_snr(times[i]) - centre) / width));
  }
  return curve;
}

std::vector<double> mirrored(std::vector<double> curve) {
  for (double& y : curve) y = 1.0 - y;
  return curve;
}

TEST(FindCrossing, RecoversLogisticCurvesOnEveryClock) {
  for (const auto kind : kinds) {
    const NoisingProcess process(kind);
    const auto times = grid(process, -4.0, 4.0, 41);
    for (int k = 0; k < 24; ++k) {
      const double centre = 0.173 * k - 2.0;
      const auto curve = falling_curve(times, process, centre, 0.8);
      for (const double level : {0.3, 0.5, 0.6}) {
        const double exact = process.time_at(std::exp(centre + 0.8 * std::log((1.0 - level) / level)));
        const CriticalTime falling = find_crossing(times, curve, level, process, true);
        ASSERT_EQ(falling.status, RootStatus::found);
        EXPECT_NEAR(falling.time / exact, 1.0, 1e-4);
        EXPECT_TRUE(std::isnan(falling.standard_error));
        const CriticalTime rising = find_crossing(times, mirrored(curve), 1.0 - level, process, false);
        EXPECT_NEAR(rising.time, falling.time, 1e-12 * falling.time);
      }
    }
  }
}

TEST(FindCrossing, HalvingTheSpacingDividesTheErrorBySixteen) {
  const NoisingProcess process;
  const auto error = [&](int count) {
    double sum = 0.0;
    const auto times = grid(process, -4.0, 4.0, count);
    for (int k = 0; k < 146; ++k) {
      const double centre = 0.0137 * k - 1.0;
      const CriticalTime found = find_crossing(times, falling_curve(times, process, centre, 0.8), 0.4, process, true);
      sum += std::abs(found.time - process.time_at(std::exp(centre + 0.8 * std::log(1.5))));
    }
    return sum;
  };
  for (const int cells : {20, 40, 80}) {
    const double ratio = error(cells + 1) / error(2 * cells + 1);
    EXPECT_GT(ratio, 12.0);
    EXPECT_LT(ratio, 30.0);
  }
}

TEST(FindCrossing, IsExactAtAGridPoint) {
  const NoisingProcess process;
  const std::vector<double> times{0.1, 0.4, 0.9, 1.6};
  EXPECT_EQ(find_crossing(times, std::vector<double>{1.0, 0.5, 0.3, 0.1}, 0.5, process, true).time, 0.4);
  EXPECT_EQ(find_crossing(times, std::vector<double>{0.5, 0.4, 0.3, 0.1}, 0.5, process, true).time, 0.1);
  EXPECT_EQ(find_crossing(times, std::vector<double>{1.0, 0.9, 0.8, 0.5}, 0.5, process, true).time, 1.6);
  EXPECT_EQ(find_crossing(times, std::vector<double>{0.1, 0.5, 0.8, 0.9}, 0.5, process, false).time, 0.4);
}

TEST(FindCrossing, EveryStatus) {
  const NoisingProcess process;
  const std::vector<double> times{0.1, 0.4, 0.9, 1.6, 2.5};
  const auto status = [&](std::vector<double> curve, bool falling = true) {
    const CriticalTime result = find_crossing(times, curve, 0.5, process, falling);
    EXPECT_EQ(std::isnan(result.time), result.status != RootStatus::found);
    EXPECT_TRUE(std::isnan(result.standard_error));
    return result.status;
  };
  EXPECT_EQ(status({.9, .8, .4, .2, .1}), RootStatus::found);
  EXPECT_EQ(status({.9, .8, .85, .2, .1}),
            RootStatus::found);  // wiggles that stay off the level are none of its business
  EXPECT_EQ(status({.4, .3, .2, .1, .0}), RootStatus::before_grid);
  EXPECT_EQ(status({.9, .8, .7, .6, .55}), RootStatus::after_grid);
  EXPECT_EQ(status({.0, .1, .2, .3, .4}, false), RootStatus::after_grid);
  EXPECT_EQ(status({.6, .7, .8, .9, 1.}, false), RootStatus::before_grid);
  EXPECT_EQ(status({.9, .4, .6, .2, .1}), RootStatus::not_monotone);
  EXPECT_EQ(status({.1, .2, .6, .7, .8}), RootStatus::not_monotone);  // crosses once, the wrong way
  EXPECT_EQ(status({.9, .5, .6, .2, .1}), RootStatus::not_monotone);  // touches, then crosses
  EXPECT_EQ(status({.9, .5, .6, .7, .8}), RootStatus::not_monotone);  // touches only
  EXPECT_EQ(status({.4, .5, .4, .3, .2}), RootStatus::not_monotone);
  EXPECT_EQ(status({.4, .4, .4, .4, .5}), RootStatus::not_monotone);
  EXPECT_EQ(status({.9, .5, .5, .3, .2}), RootStatus::not_monotone);  // stays on the level
  EXPECT_EQ(status({.9, std::nan(""), .4, .3, .2}), RootStatus::failed);
  EXPECT_EQ(root_status_meanings(), "found before_grid after_grid not_monotone failed never not_measured unresolved");
}

TEST(FindCrossing, OneTimeIsAGridToo) {
  const NoisingProcess process;
  const std::vector<double> times{0.3};
  EXPECT_EQ(find_crossing(times, std::vector<double>{0.7}, 0.5, process, true).status, RootStatus::after_grid);
  EXPECT_EQ(find_crossing(times, std::vector<double>{0.2}, 0.5, process, true).status, RootStatus::before_grid);
  EXPECT_EQ(find_crossing(times, std::vector<double>{0.5}, 0.5, process, true).time, 0.3);
}

TEST(FindCrossing, BadArgumentsAreRefused) {
  const NoisingProcess process;
  const std::vector<double> times{0.1, 0.2};
  EXPECT_THROW((void)find_crossing(times, std::vector<double>{1.0}, 0.5, process, true), std::invalid_argument);
  EXPECT_THROW((void)find_crossing({}, {}, 0.5, process, true), std::invalid_argument);
  const std::vector<double> backwards{0.2, 0.1};
  const std::vector<double> zero{0.0, 0.1};
  const std::vector<double> curve{1.0, 0.0};
  EXPECT_THROW((void)find_crossing(backwards, curve, 0.5, process, true), std::invalid_argument);
  EXPECT_THROW((void)find_crossing(zero, curve, 0.5, process, true), std::invalid_argument);
  EXPECT_THROW((void)average_curve(curve, 2, 2), std::invalid_argument);
}

TEST(AverageCurve, MeanAndStandardError) {
  const std::vector<double> values{1.0, 10.0, 2.0, 10.0, 6.0, 10.0};
  const MeasuredCurve curve = average_curve(values, 3, 2);
  EXPECT_THAT(curve.mean, testing::ElementsAre(3.0, 10.0));
  EXPECT_NEAR(curve.standard_error[0], std::sqrt(7.0 / 3.0), 1e-15);
  EXPECT_EQ(curve.standard_error[1], 0.0);
  EXPECT_TRUE(std::isnan(average_curve(curve.mean, 1, 2).standard_error[0]));
}

/// Curves of units whose centres scatter with standard deviation `spread` around `centre`.
std::vector<double> scattered_units(const std::vector<double>& times, const NoisingProcess& process, int units,
                                    double centre, double spread, std::mt19937_64& random) {
  std::normal_distribution<double> normal(centre, spread);
  std::vector<double> values;
  for (int u = 0; u < units; ++u) {
    const auto curve = falling_curve(times, process, normal(random), 0.7);
    values.insert(values.end(), curve.begin(), curve.end());
  }
  return values;
}

TEST(CrossingOfMean, JackknifeIsDeleteOneByBruteForce) {
  std::mt19937_64 random(3);
  for (const auto kind : kinds) {
    const NoisingProcess process(kind);
    const auto times = grid(process, -3.0, 3.0, 24);
    const int units = 37;
    const auto values = scattered_units(times, process, units, 0.3, 0.6, random);
    const CriticalTime result = crossing_of_mean(times, values, units, 0.5, process, true);
    ASSERT_EQ(result.status, RootStatus::found);

    std::vector<double> estimates;
    for (int left_out = 0; left_out < units; ++left_out) {
      std::vector<double> rest;
      for (int u = 0; u < units; ++u) {
        if (u == left_out) continue;
        rest.insert(rest.end(), values.begin() + u * 24, values.begin() + (u + 1) * 24);
      }
      estimates.push_back(find_crossing(times, average_curve(rest, units - 1, 24).mean, 0.5, process, true).time);
    }
    double mean = 0.0;
    for (const double e : estimates) mean += e / units;
    double squares = 0.0;
    for (const double e : estimates) squares += (e - mean) * (e - mean);
    EXPECT_NEAR(result.standard_error, std::sqrt(squares * (units - 1) / units), 1e-9 * result.standard_error);
    EXPECT_EQ(result.time, find_crossing(times, average_curve(values, units, 24).mean, 0.5, process, true).time);
  }
}

TEST(CrossingOfMean, JackknifeErrorIsTheScatterOfTheEstimate) {
  std::mt19937_64 random(11);
  const NoisingProcess process(ProcessKind::ornstein_uhlenbeck);
  const auto times = grid(process, -3.0, 3.0, 30);
  const int repeats = 400;
  double sum = 0.0;
  double squares = 0.0;
  double mean_variance = 0.0;
  for (int r = 0; r < repeats; ++r) {
    const auto values = scattered_units(times, process, 50, 0.2, 0.9, random);
    const CriticalTime result = crossing_of_mean(times, values, 50, 0.5, process, true);
    sum += result.time / repeats;
    squares += result.time * result.time / repeats;
    mean_variance += result.standard_error * result.standard_error / repeats;
  }
  // The relative error of a variance from 400 repeats is sqrt(2/400) = 0.07.
  EXPECT_NEAR(mean_variance / (squares - sum * sum), 1.0, 0.28);
}

TEST(CrossingOfMean, KnownErrorOfShiftedLines) {
  // Curves y = 1/2 - (x - x_u), x_u of known variance: the crossing of the mean is the mean of x_u.
  const NoisingProcess process(ProcessKind::variance_exploding);
  const auto times = grid(process, -1.0, 1.0, 9);
  const std::vector<double> centres{-0.12, 0.05, 0.21, -0.02, 0.11, 0.0, -0.08, 0.03};
  std::vector<double> values;
  double mean = 0.0;
  for (const double c : centres) {
    mean += c / 8.0;
    for (const double t : times) values.push_back(0.5 - (std::log(t) - c));
  }
  double squares = 0.0;
  for (const double c : centres) squares += (c - mean) * (c - mean);
  const CriticalTime result = crossing_of_mean(times, values, 8, 0.5, process, true);
  EXPECT_NEAR(result.time, std::exp(mean), 1e-12);
  EXPECT_NEAR(result.standard_error / std::exp(mean), std::sqrt(squares / 56.0), 2e-4);  // 2nd order: log
}

TEST(CrossingOfMean, SlopeErrorWhereADeleteOneCurveHasNoCrossing) {
  // Three straight lines in log t; without the lowest the mean stays above the level to the end of the grid.
  const NoisingProcess process(ProcessKind::variance_exploding);
  const auto times = grid(process, 0.0, 1.0, 6);
  std::vector<double> values;
  for (const double offset : {0.0, -1.0, 0.5}) {
    for (const double t : times) values.push_back(1.3 + offset - std::log(t));
  }
  const double x = 1.3 - 1.0 / 6.0 - 0.5;
  const CriticalTime result = crossing_of_mean(times, values, 3, 0.5, process, true);
  ASSERT_EQ(result.status, RootStatus::found);
  EXPECT_NEAR(result.time, std::exp(x), 1e-12);
  const double variance = (std::pow(1.0 / 6.0, 2) + std::pow(5.0 / 6.0, 2) + std::pow(2.0 / 3.0, 2)) / 6.0;
  EXPECT_NEAR(result.standard_error, std::sqrt(variance) * std::exp(x), 1e-6);
}

TEST(CrossingOfMean, OneUnitHasNoError) {
  const NoisingProcess process;
  const auto times = grid(process, -3.0, 3.0, 12);
  const CriticalTime result = crossing_of_mean(times, falling_curve(times, process, 0.1, 0.5), 1, 0.5, process, true);
  EXPECT_EQ(result.status, RootStatus::found);
  EXPECT_TRUE(std::isnan(result.standard_error));
}

TEST(CrossingOfMean, ACoarseGridIsSaidToBeSo) {
  const NoisingProcess process(ProcessKind::ornstein_uhlenbeck);
  for (const auto& [count, is_coarse] : {std::pair{9, true}, std::pair{128, false}}) {
    std::mt19937_64 random(5);
    const auto times = grid(process, -4.0, 4.0, count);
    const auto values = scattered_units(times, process, 400, 0.3, 0.05, random);
    const CriticalTime result = crossing_of_mean(times, values, 400, 0.5, process, true);
    ASSERT_EQ(result.status, RootStatus::found);
    EXPECT_EQ(result.coarse_grid_shift > 4.0 * result.standard_error, is_coarse) << count;
    EXPECT_EQ(grid_warning("speciation_time", result, times).find("coarse") != std::string::npos, is_coarse) << count;
  }
}

TEST(GridWarning, SaysWhichWayToExtend) {
  const std::vector<double> times{0.25, 4.0};
  const auto warning = [&](RootStatus status) {
    return grid_warning("collapse_time", CriticalTime{.time = 0.0, .standard_error = 0.0, .status = status}, times);
  };
  EXPECT_EQ(warning(RootStatus::found), "");
  EXPECT_THAT(
      warning(RootStatus::before_grid),
      testing::AllOf(testing::HasSubstr("collapse_time"), testing::HasSubstr("0.25"), testing::HasSubstr("earlier")));
  EXPECT_THAT(warning(RootStatus::after_grid), testing::AllOf(testing::HasSubstr("4"), testing::HasSubstr("later")));
  EXPECT_THAT(warning(RootStatus::not_monotone), testing::HasSubstr("several times"));
  EXPECT_THAT(warning(RootStatus::failed), testing::HasSubstr("not numbers"));
}

}  // namespace
}  // namespace diffphase
