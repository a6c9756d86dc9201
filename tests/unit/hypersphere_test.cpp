#include "ensemble/hypersphere.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "ensemble/data_slab.hpp"

namespace diffphase {
namespace {

using testing::HasSubstr;

SphereParameters parameters(std::int64_t dimension, std::int64_t sphere_dimension, double radius) {
  SphereParameters p;
  p.dimension = dimension;
  p.sphere_dimension = sphere_dimension;
  p.radius = radius;
  return p;
}

Hypersphere make(const SphereParameters& p, std::int64_t realization = 0) {
  return {p, 3, hash_text("sphere test"), realization};
}

TEST(Hypersphere, EveryRowHasTheRadiusAndLiesInTheFirstCoordinates) {
  for (const SphereParameters& p : {parameters(2, 1, 1.0), parameters(30, 10, 3.3), parameters(1200, 1199, 40.0)}) {
    const DataSlab slab = draw_training_set(make(p), {.rows = 200, .columns = p.dimension});
    EXPECT_TRUE(slab.labels.empty());
    for (std::int64_t row = 0; row < 200; ++row) {
      const auto x = slab.row(row);
      const double norm = std::sqrt(std::inner_product(x.begin(), x.end(), x.begin(), 0.0));
      EXPECT_NEAR(norm, p.radius, 4e-15 * p.radius);
      EXPECT_THAT(std::vector<double>(x.begin() + p.span(), x.end()), testing::Each(0.0));
    }
  }
}

// Moments of the uniform law: E x_i = 0, E x_i x_j = delta R^2/p, E x_i^2 x_j^2 = (1 + 2 delta) R^4/(p (p + 2)).
TEST(Hypersphere, MomentsAreThoseOfTheUniformLaw) {
  constexpr std::int64_t n = 40000;
  for (const std::int64_t p : {2, 3, 6}) {
    const double radius = 1.7;
    const DataSlab slab = draw_training_set(make(parameters(8, p - 1, radius)), {.rows = n, .columns = 8});
    const auto size = static_cast<double>(p);
    const double fourth = std::pow(radius, 4) / (size * (size + 2.0));
    for (std::size_t i = 0; i < static_cast<std::size_t>(p); ++i) {
      for (std::size_t j = 0; j <= i; ++j) {
        double first = 0.0;
        double second = 0.0;
        double square = 0.0;
        for (std::int64_t row = 0; row < n; ++row) {
          const double xi = slab.row(row)[i];
          const double xj = slab.row(row)[j];
          first += xi / n;
          second += xi * xj / n;
          square += xi * xi * xj * xj / n;
        }
        const double delta = i == j ? 1.0 : 0.0;
        const double second_exact = delta * radius * radius / size;
        const double square_exact = (1.0 + 2.0 * delta) * fourth;
        EXPECT_LE(std::abs(first), 4.5 * radius / std::sqrt(size * n));
        EXPECT_LE(std::abs(second - second_exact), 4.5 * std::sqrt((square_exact - second_exact * second_exact) / n));
        // x_i^2 x_j^2 <= R^4
        EXPECT_LE(std::abs(square - square_exact), 4.5 * std::pow(radius, 2) * std::sqrt(square_exact / n));
      }
    }
  }
}

// On the circle every angle is as likely as another: the mean resultants of the first harmonics vanish.
TEST(Hypersphere, AnglesOnTheCircleAreUniform) {
  constexpr std::int64_t n = 40000;
  const DataSlab slab = draw_training_set(make(parameters(2, 1, 2.0)), {.rows = n, .columns = 2});
  for (int harmonic = 1; harmonic <= 8; ++harmonic) {
    double c = 0.0;
    double s = 0.0;
    for (std::int64_t row = 0; row < n; ++row) {
      const double angle = harmonic * std::atan2(slab.row(row)[1], slab.row(row)[0]);
      c += std::cos(angle) / n;
      s += std::sin(angle) / n;
    }
    EXPECT_LE(std::abs(c), 4.5 * std::sqrt(0.5 / n)) << harmonic;
    EXPECT_LE(std::abs(s), 4.5 * std::sqrt(0.5 / n)) << harmonic;
  }
}

// The third coordinate on the ordinary sphere is uniform on [-R, R] (Archimedes): Kolmogorov's distance.
TEST(Hypersphere, HeightsOnTheSphereAreUniform) {
  constexpr std::int64_t n = 20000;
  const DataSlab slab = draw_training_set(make(parameters(3, 2, 1.0)), {.rows = n, .columns = 3});
  std::vector<double> heights;
  for (std::int64_t row = 0; row < n; ++row) heights.push_back(slab.row(row)[2]);
  std::sort(heights.begin(), heights.end());
  double distance = 0.0;
  for (std::size_t i = 0; i < heights.size(); ++i) {
    distance = std::max(distance, std::abs(0.5 * (1.0 + heights[i]) - static_cast<double>(i) / n));
  }
  EXPECT_LE(distance, 2.2 / std::sqrt(static_cast<double>(n)));  // probability 1e-4
}

TEST(Hypersphere, FirstNumbersOfTheStreamDoNotChange) {
  std::vector<double> x(2);
  make(parameters(2, 1, 1.0)).sample(5, 0, x);
  EXPECT_DOUBLE_EQ(x[0], 0.84322494485534083);
  EXPECT_DOUBLE_EQ(x[1], -0.53756087317968693);
}

TEST(Hypersphere, AnyColumnsEqualThoseOfTheWholeRow) {
  const Hypersphere sphere = make(parameters(1500, 1300, 2.0));
  std::vector<double> whole(1500);
  sphere.sample(77, 0, whole);
  for (const std::int64_t first : {0, 1, 3, 511, 513, 1299, 1301, 1499}) {
    for (const std::size_t count : {0UL, 1UL, 2UL, 7UL, 513UL, 900UL}) {
      if (static_cast<std::size_t>(first) + count > whole.size()) continue;
      std::vector<double> part(count);
      sphere.sample(77, first, part);
      EXPECT_TRUE(std::equal(part.begin(), part.end(), whole.begin() + first)) << first << " + " << count;
    }
  }
  std::vector<double> other(1500);
  make(sphere.parameters(), 1).sample(77, 0, other);
  EXPECT_NE(other, whole);
}

TEST(Hypersphere, ProblemNamesKeyValueAndWhatIsAllowed) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  const std::vector<std::pair<SphereParameters, const char*>> cases{
      {parameters(5, 0, 1.0), "sphere_dimension = 0: must be at least 1"},
      {parameters(5, 5, 1.0), "sphere_dimension = 5: must be below dimension = 5"},
      {parameters(0, 1, 1.0), "sphere_dimension = 1: must be below dimension = 0"},
      {parameters(5, 2, 0.0), "radius = 0: must be a finite number above 0"},
      {parameters(5, 2, infinity), "radius = inf: must be a finite number above 0"},
  };
  for (const auto& [p, expected] : cases) {
    EXPECT_THAT(p.problem(), HasSubstr(expected));
    EXPECT_THROW(make(p), std::invalid_argument);
  }
  EXPECT_EQ(parameters(5, 4, 1.0).problem(), "");
}

}  // namespace
}  // namespace diffphase
