#include "posterior/single_softmax.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "support/exact_softmax.hpp"

namespace diffphase {
namespace {

using test::ExactSums;
using test::products_of;

constexpr double epsilon = std::numeric_limits<float>::epsilon();

SingleProducts rounded(const CentredProducts& products) {
  SingleProducts single(products.size());
  single.round(products);
  return single;
}

TEST(SingleSoftmax, SumsAgreeWithLongDoubleForAnyLengthAndMagnitude) {
  std::mt19937_64 generator(1);
  for (const double scale : {0.0, 1e-9, 1.0, 30.0, 1e3}) {
    for (const std::int64_t n : {1, 2, 15, 16, 17, 127, 128, 129, 511, 512}) {
      std::normal_distribution<double> normal(0.0, scale);
      std::vector<double> d(static_cast<std::size_t>(n)), e(d.size());
      for (double& x : d) x = std::abs(normal(generator));
      for (double& x : e) x = normal(generator);
      const CentredProducts products = products_of(d, e);
      const double distance = 0.3;
      const double overlap = 0.7;
      const double reference = largest_logit(products, distance, overlap);
      const SingleProducts single = rounded(products);
      const PosteriorSums sums = fused_softmax_sums(single, distance, overlap, reference);
      const ExactSums exact(single, distance, overlap, reference);
      // A logit is rounded by a few parts in 10^7 of its terms, of which those up to 40 below the largest count; sums
      // of eight are single.
      const double relative = epsilon * (16.0 + 8.0 * (std::abs(reference) + 2.0 * scale + 40.0));
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

// One component is the exponential by the code for what is left over from vectors, sixteen equal ones that by the code
// for vectors.
TEST(SingleSoftmax, ExponentialsAreGoodToThreeEpsilonAndTheRoundingOfTheirLogit) {
  std::mt19937_64 generator(2);
  std::uniform_real_distribution<double> uniform(-42.0, single_headroom);
  for (int i = 0; i < 20000; ++i) {
    const double logit = static_cast<float>(uniform(generator));
    for (const std::size_t n : {1, 16}) {
      const SingleProducts products = rounded(products_of(std::vector(n, 0.0), std::vector(n, logit)));
      const double weight = fused_softmax_sums(products, 0.0, 1.0, 0.0).sum / static_cast<double>(n);
      EXPECT_NEAR(weight / std::exp(logit), 1.0, epsilon * (3.0 + 2.0 * std::abs(logit))) << logit;
    }
  }
}

TEST(SingleSoftmax, WhereTheProbeStartsTheWeightIsOneAndFarPointsAreNothing) {
  for (const std::int64_t n : {1, 16, 21}) {
    std::vector<double> d(static_cast<std::size_t>(n), 1e9), zero(d.size(), 0.0);
    for (std::int64_t start = 0; start < n; ++start) {
      CentredProducts products(n);
      products.fill(d.data(), 0.0, zero.data(), zero.data(), 0.0, n, start);
      const PosteriorSums sums = fused_softmax_sums(rounded(products), 1.0, 1.0, 0.0);
      EXPECT_NEAR(sums.sum, 1.0, 1e-16 * static_cast<double>(n) + 21 * std::exp2(-62.0));
      EXPECT_NEAR(sums.sum_of_squares, 1.0, 1e-15);
      EXPECT_EQ(sums.largest, 0.0);
      EXPECT_NEAR(sums.weighted_logit, 0.0, 21 * 62.0 * std::exp2(-62.0));
    }
  }
}

// Nothing overflows, and no number that is not one comes out.
TEST(SingleSoftmax, SumsAreFiniteUpToTheHeadroomAndForDistancesBeyondSingles) {
  const std::vector<double> most(512, single_headroom);
  const PosteriorSums large = fused_softmax_sums(rounded(products_of(std::vector(512, 0.0), most)), 0.0, 1.0, 0.0);
  EXPECT_NEAR(large.sum_of_squares / (512.0 * std::exp(2.0 * single_headroom)), 1.0, 1e-4);
  EXPECT_NEAR(large.weighted_logit / (512.0 * single_headroom * std::exp(single_headroom)), 1.0, 1e-4);
  const std::vector<double> far(512, 1e60);
  const PosteriorSums none = fused_softmax_sums(rounded(products_of(far, std::vector(512, 1e20))), 1.0, 1.0, 0.0);
  EXPECT_TRUE(std::isfinite(none.sum) && std::isfinite(none.weighted_logit) && std::isfinite(none.sum_of_squares));
  EXPECT_LT(none.sum, 1e-15);
}

}  // namespace
}  // namespace diffphase
