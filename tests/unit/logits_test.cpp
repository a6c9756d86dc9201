#include "posterior/logits.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <numbers>

namespace diffphase {
namespace {

constexpr double rounding = std::numeric_limits<double>::epsilon();

struct Point {
  double half_distance2 = 0.0;
  double noise_overlap = 0.0;
  double half_noise_norm2 = 0.0;
};

// log w N(x; a y, v I) from |x - a y|^2 = a^2 |y - x_0|^2 - 2 a b xi.(y - x_0) + b^2 |xi|^2.
long double log_density(double signal, double noise, double sigma, double weight, std::int64_t dimension,
                        const Point& at) {
  const long double a = signal;
  const long double b = noise;
  const long double variance = b * b + a * a * sigma * sigma;
  const long double half_distance2 = a * a * at.half_distance2 - a * b * at.noise_overlap + b * b * at.half_noise_norm2;
  return std::log(static_cast<long double>(weight)) -
         0.5L * static_cast<long double>(dimension) * std::log(2.0L * std::numbers::pi_v<long double> * variance) -
         half_distance2 / variance;
}

TEST(LogitCoefficients, WithTheCommonPartAreTheLogDensity) {
  const Point at{.half_distance2 = 31.0, .noise_overlap = -4.5, .half_noise_norm2 = 18.0};
  for (const double t : {1e-3, 0.1, 1.0, 4.0}) {
    const double signal = std::exp(-t);
    const double noise = std::sqrt(-std::expm1(-2.0 * t));
    for (const double sigma : {0.0, 0.3, 2.0}) {
      const auto c = logit_coefficients(signal, noise, sigma, std::log(0.2), 40);
      const double found = c.logit(at.half_distance2, at.noise_overlap, at.half_noise_norm2) +
                           log_common_density(noise, 40, 2.0 * at.half_noise_norm2);
      const auto expected = static_cast<double>(log_density(signal, noise, sigma, 0.2, 40, at));
      const double largest_term = c.distance * at.half_distance2 + at.half_noise_norm2 + 40.0 * (1.0 + t);
      EXPECT_NEAR(found, expected, 16.0 * rounding * largest_term) << t << ' ' << sigma;
    }
  }
}

// Two classes of unequal width where the noise is as large as 10^12 dimensions make it: their variances differ in the
// twelfth digit, and what their logits differ by is of order one.
TEST(LogitCoefficients, DifferencesKeepTheirDigitsInManyDimensions) {
  constexpr std::int64_t dimension = 1'000'000'000'000;
  const auto d = static_cast<long double>(dimension);
  const double t = 13.4;
  const double signal = std::exp(-t);
  const double noise = std::sqrt(-std::expm1(-2.0 * t));
  const double half_noise_norm2 = 0.5 * 1.000001e12;
  const auto wide = logit_coefficients(signal, noise, 1.0, 0.0, dimension);
  const auto narrow = logit_coefficients(signal, noise, 0.6, 0.0, dimension);
  const double found = wide.logit(0.0, 0.0, half_noise_norm2) - narrow.logit(0.0, 0.0, half_noise_norm2);
  // u_wide - u_narrow, and the ratio of the variances less one, without differences of nearly equal numbers.
  const long double tau = static_cast<long double>(noise) * noise / (static_cast<long double>(signal) * signal);
  const long double excess = (1.0L - static_cast<long double>(0.6) * 0.6) / tau;
  const long double u_wide = 1.0L / tau;
  const long double u_narrow = static_cast<long double>(0.6) * 0.6 / tau;
  const long double expected = -0.5L * d * std::log1p(excess / (1.0L + u_narrow)) +
                               half_noise_norm2 * excess / ((1.0L + u_wide) * (1.0L + u_narrow));
  const auto largest_term = static_cast<double>(0.5L * d * u_wide);
  EXPECT_NEAR(found, static_cast<double>(expected), 16.0 * rounding * largest_term);
  EXPECT_GT(largest_term, 0.1);
  EXPECT_LT(largest_term, 10.0);
}

}  // namespace
}  // namespace diffphase
