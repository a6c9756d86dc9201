#include "posterior/fused_softmax.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <random>
#include <vector>

#include "support/exact_softmax.hpp"

namespace diffphase {
namespace {

using test::ExactSums;
using test::products_of;

constexpr double epsilon = std::numeric_limits<double>::epsilon();

TEST(FusedSoftmax, SumsAgreeWithLongDoubleForAnyLengthAndMagnitude) {
  std::mt19937_64 generator(1);
  for (const double scale : {0.0, 1e-9, 1.0, 30.0, 300.0, 1e5, 1e12}) {
    for (const std::int64_t n : {1, 2, 7, 8, 9, 63, 64, 65, 511, 512}) {
      std::normal_distribution<double> normal(0.0, scale);
      std::vector<double> d(static_cast<std::size_t>(n)), e(d.size());
      for (double& x : d) x = std::abs(normal(generator));
      for (double& x : e) x = normal(generator);
      const CentredProducts products = products_of(d, e);
      const double distance = 0.3;
      const double overlap = 0.7;
      const double reference = largest_logit(products, distance, overlap);
      const PosteriorSums sums = fused_softmax_sums(products, distance, overlap, reference);
      const ExactSums exact(products, distance, overlap, reference);
      // A logit is rounded by a few parts in 10^16 of its terms, of which those up to 60 below the largest count.
      const double relative =
          epsilon * (static_cast<double>(n) + 8.0 + 8.0 * (std::abs(reference) + 2.0 * scale + 60.0));
      EXPECT_NEAR(sums.sum, static_cast<double>(exact.sum), relative * static_cast<double>(exact.sum));
      EXPECT_NEAR(sums.sum_of_squares, static_cast<double>(exact.squares),
                  2.0 * relative * static_cast<double>(exact.squares));
      EXPECT_NEAR(sums.weighted_logit, static_cast<double>(exact.weighted),
                  relative * static_cast<double>(exact.size_of_weighted + exact.sum));
      EXPECT_NEAR(sums.largest, exact.largest, relative * (1.0 + std::abs(exact.largest)));
      EXPECT_EQ(sums.reference, reference);
    }
  }
}

// One component at a time is the exponential itself, by the code for what is left over from vectors; eight equal ones
// are eight times the exponential, by the code for vectors.
TEST(FusedSoftmax, ExponentialsAreWithinFourUlp) {
  std::mt19937_64 generator(2);
  for (const double most : {1.0, 690.0}) {
    std::uniform_real_distribution<double> uniform(-most, std::min(most, fused_headroom));
    double worst = 0.0;
    for (int i = 0; i < 20000; ++i) {
      const double logit = uniform(generator);
      for (const std::size_t n : {1, 8}) {
        const CentredProducts products = products_of(std::vector(n, 0.0), std::vector(n, logit));
        const double weight = fused_softmax_sums(products, 0.0, 1.0, 0.0).sum / static_cast<double>(n);
        // Of the number to base 2, which is rounded once, as the logit is when it is formed.
        const long double exact = std::exp2(static_cast<long double>(logit * std::numbers::log2e));
        const double ulp = std::nextafter(static_cast<double>(exact), INFINITY) - static_cast<double>(exact);
        worst = std::max(worst, static_cast<double>(std::abs(weight - exact)) / ulp);
      }
    }
    EXPECT_LE(worst, 4.0) << "logits up to " << most;
  }
}

TEST(FusedSoftmax, WhereTheProbeStartsTheWeightIsOne) {
  for (const std::int64_t n : {1, 8, 13}) {
    std::vector<double> d(static_cast<std::size_t>(n), 1e9), zero(d.size(), 0.0);
    for (std::int64_t start = 0; start < n; ++start) {
      CentredProducts products(n);
      products.fill(d.data(), 0.0, zero.data(), zero.data(), 0.0, n, start);
      const PosteriorSums sums = fused_softmax_sums(products, 1.0, 1.0, 0.0);
      EXPECT_EQ(sums.sum, 1.0);
      EXPECT_EQ(sums.sum_of_squares, 1.0);
      EXPECT_EQ(sums.largest, 0.0);
      EXPECT_NEAR(sums.weighted_logit, 0.0, 1e-280);
    }
  }
}

TEST(FusedSoftmax, BoundsHoldForEveryLogit) {
  std::mt19937_64 generator(3);
  std::normal_distribution<double> normal;
  for (int trial = 0; trial < 200; ++trial) {
    const auto n = static_cast<std::size_t>(1 + trial % 20);
    std::vector<double> d(n), e(n);
    for (double& x : d) x = std::abs(normal(generator));
    for (double& x : e) x = normal(generator);
    const CentredProducts products = products_of(d, e);
    const double distance = std::abs(normal(generator));
    const double overlap = std::abs(normal(generator));
    for (std::size_t i = 0; i < n; ++i) {
      const double logit = overlap * e[i] - distance * d[i];
      EXPECT_LE(logit, products.upper_bound(distance, overlap) + 4.0 * epsilon);
      EXPECT_GE(logit, products.lower_bound(distance, overlap) - 4.0 * epsilon * (1.0 + std::abs(logit)));
    }
  }
}

}  // namespace
}  // namespace diffphase
