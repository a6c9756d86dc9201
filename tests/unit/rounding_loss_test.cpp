#include "posterior/rounding_loss.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "random/random_stream.hpp"
#include "random/text_hash.hpp"

namespace diffphase {
namespace {

// Half squared distances of points near each other, far from the origin, from float products: the model's error is that
// of what BLAS-like sums of floats yield, within a factor of a few, and never much too small.
TEST(RoundingModel, IsThatOfProductsOfFloats) {
  const RandomStream stream(1, hash_text("rounding"), 0, "test");
  for (const std::size_t dimension : {4U, 30U, 200U}) {
    for (const double offset : {0.0, 100.0}) {
      double squares = 0.0;
      double modelled = 0.0;
      constexpr int pairs = 400;
      for (int pair = 0; pair < pairs; ++pair) {
        std::vector<double> x(dimension);
        std::vector<double> y(dimension);
        stream.normals(static_cast<std::uint64_t>(2 * pair), 0, x);
        stream.normals(static_cast<std::uint64_t>(2 * pair + 1), 0, y);
        float product = 0.0F;
        double exact = 0.0;
        double norm2 = 0.0;
        for (std::size_t j = 0; j < dimension; ++j) {
          const auto a = static_cast<float>(x[j] + offset);
          const auto b = static_cast<float>(x[j] + 0.1 * y[j] + offset);
          product += a * b;
          exact += static_cast<double>(a) * static_cast<double>(b);
          norm2 += static_cast<double>(a) * static_cast<double>(a);
        }
        squares += (static_cast<double>(product) - exact) * (static_cast<double>(product) - exact);
        const double error =
            RoundingModel(static_cast<std::int64_t>(dimension), true).of_half_distance2({.start_norm2 = norm2});
        modelled += error * error;
      }
      EXPECT_LE(squares, 4.0 * modelled) << dimension << " " << offset;
      EXPECT_GE(squares, 0.02 * modelled) << dimension << " " << offset;
    }
  }
}

TEST(RoundingModel, KnowsWhatMatters) {
  const RoundingModel single(30, true);
  const RoundingModel exact(30, false);
  const RoundedProbe far{.start_norm2 = 1e8, .noise_norm2 = 30.0, .half_nearest2 = 30.0};
  // Errors of about 8 in a distance of 30: neighbours are not told from the point itself, whatever weight it has.
  EXPECT_EQ(single.error(far, 1.0, 1.0, 1.0), 1.0);
  EXPECT_LT(exact.error(far, 1.0, 1.0, 0.5), 1e-6);
  // At so much noise the distance does not count.
  EXPECT_LT(single.error(far, 1e-9, 3e-5, 0.5), 1e-4);
  const RoundedProbe near{.start_norm2 = 60.0, .noise_norm2 = 30.0, .half_nearest2 = 30.0};
  EXPECT_EQ(single.error(near, 1.0, 1.0, 1.0), 0.0);
  EXPECT_GT(single.error(near, 1.0, 1.0, 0.5), 1e-7);
  EXPECT_LT(single.error(near, 1.0, 1.0, 0.5), 1e-4);
  // The only point of its set has no neighbour.
  EXPECT_EQ(single.error({.start_norm2 = 1e8, .half_nearest2 = INFINITY}, 1e9, 1e4, 1.0), 0.0);
}

TEST(RoundingLoss, OfAMeanFallsWithItsStarts) {
  RoundingLoss loss;
  for (int probe = 0; probe < 100; ++probe) loss.add(1e-3);
  EXPECT_NEAR(loss.of_mean(100, 100), 3e-4, 1e-12);
  EXPECT_NEAR(loss.of_mean(100, 25), 6e-4, 1e-12);
  EXPECT_NEAR(loss.of_mean(100, 1000000), 1e-4, 1e-12);
  // Probes of which nothing is known count whole.
  loss.add(1.0);
  EXPECT_GT(loss.of_mean(101, 100), 1.0 / 101.0);
}

}  // namespace
}  // namespace diffphase
