#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "spectrum/interval_count.hpp"
#include "support/matrix_operator.hpp"

namespace diffphase {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

class IntervalCountMpi : public testing::Test {
 protected:
  Communicator world = Communicator::world();
  TaskGroup group{world};
  RandomStream probes{3, hash_text("interval count test"), 0, "probes"};
};

TEST_F(IntervalCountMpi, InertiaEqualsTheEigenvaluesOfLapack) {
  const std::size_t d = 130;
  std::vector<double> values = test::wishart("count", 200, d);
  for (std::size_t i = 0; i < d; ++i) values[i * d + i] -= 1.0;  // indefinite
  const test::SplitMatrix matrix(group, d, values);
  const std::vector<double> eigenvalues = test::eigensystem(values);
  for (const double lower : {-infinity, -0.9, -0.3, 0.0, 0.4}) {
    for (const double upper : {0.5, 1.1, infinity}) {
      const CountEstimate c = count_by_inertia(group, matrix.symmetric(), lower, upper);
      const auto exact =
          std::count_if(eigenvalues.begin(), eigenvalues.end(), [&](double x) { return lower < x && x <= upper; });
      EXPECT_EQ(c.value, static_cast<double>(exact));
      EXPECT_EQ(c.bound, 0.0);
    }
  }
}

// 31 of 90 eigenvalues are 1 but for rounding, which nothing can place on either side of 1.
TEST_F(IntervalCountMpi, InertiaSaysWhatRoundingLeavesOpen) {
  std::vector<double> eigenvalues(90, 0.25);
  std::fill_n(eigenvalues.begin(), 31, 1.0);
  const test::SplitMatrix matrix(group, 90, test::with_spectrum(eigenvalues, test::rotation("degenerate", 90)));
  const CountEstimate between = count_by_inertia(group, matrix.symmetric(), 0.5, 2.0);
  EXPECT_EQ(between.value, 31.0);
  EXPECT_EQ(between.bound, 0.0);
  const CountEstimate at = count_by_inertia(group, matrix.symmetric(), 0.5, 1.0);
  EXPECT_EQ(at.value, 15.5);
  EXPECT_EQ(at.bound, 15.5);
}

TEST_F(IntervalCountMpi, ZeroMatrixAndSingleNumber) {
  const test::SplitMatrix zero(group, 7, std::vector<double>(49, 0.0));
  EXPECT_EQ(count_by_inertia(group, zero.symmetric(), -1.0, 1.0).value, 7.0);
  EXPECT_EQ(count_by_inertia(group, zero.symmetric(), 0.5, 1.0).value, 0.0);
  const test::SplitMatrix one(group, 1, {2.0});
  EXPECT_EQ(count_by_inertia(group, one.symmetric(), 1.5, infinity).value, 1.0);
}

TEST_F(IntervalCountMpi, ChoosesInertiaWhereTheMatrixIsSmall) {
  const std::size_t d = 150;
  const test::SplitMatrix matrix(group, d, test::wishart("choice", 300, d));
  const DensitySettings settings{.probes = 32, .steps = 40, .block = 8};
  const IntervalCount exact = count_eigenvalues(group, matrix.symmetric(), 0.5, 1.5, probes, settings);
  EXPECT_EQ(exact.method, CountMethod::inertia);
  const IntervalCount density =
      count_eigenvalues(group, matrix.symmetric(), 0.5, 1.5, probes, settings, {}, CountMethod::density);
  EXPECT_EQ(density.method, CountMethod::density);
  EXPECT_FALSE(density.reason.empty());
  EXPECT_GT(density.count.standard_error, 0.0);
  EXPECT_LE(std::abs(density.count.value - exact.count.value),
            4.0 * density.count.standard_error + std::abs(density.count.bias) + density.count.bound);
}

TEST_F(IntervalCountMpi, RefusesEverywhere) {
  const test::SplitMatrix matrix(group, 5, std::vector<double>(25, 1.0));
  EXPECT_THROW((void)count_by_inertia(group, matrix.symmetric(), 1.0, 1.0), std::invalid_argument);
  SymmetricOperator large = matrix.symmetric();
  large.size = max_inertia_size + 1;
  EXPECT_THROW((void)count_by_inertia(group, large, 0.0, 1.0), std::invalid_argument);
  SymmetricOperator broken = matrix.symmetric();
  broken.apply = [](std::int64_t, std::span<const double>, std::span<double> out) {
    std::fill(out.begin(), out.end(), std::numeric_limits<double>::quiet_NaN());
  };
  EXPECT_THROW((void)count_by_inertia(group, broken, 0.0, 1.0), GroupError);
}

}  // namespace
}  // namespace diffphase
