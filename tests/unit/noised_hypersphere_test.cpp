#include "theory/noised_hypersphere.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/math/quadrature/gauss_kronrod.hpp>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <stdexcept>
#include <vector>

#include "random/random_sequence.hpp"
#include "random/text_hash.hpp"
#include "support/statistics.hpp"

namespace diffphase {
namespace {

const NoisingProcess ou(ProcessKind::ornstein_uhlenbeck);

TEST(NoisedHypersphere, ReferenceValues) {
  struct Case {
    std::int64_t dimension;
    double square_radius, tau, fixed_radius, radial;
  };
  for (const Case& c : {Case{11, 11.0, .5, 2.4171107612, .6848488636}, Case{11, 11.0, .01, 3.3015078822, .9954296047},
                        Case{11, 11.0, .9, 1.1256156085, .1855672202}, Case{3, 1.0, .05, .9472135955, .9442719100}}) {
    const NoisedHypersphere sphere(c.dimension, std::sqrt(c.square_radius));
    const double r = sphere.fixed_radius(c.tau);
    EXPECT_NEAR(r, c.fixed_radius, 6e-11);
    EXPECT_NEAR(sphere.spectrum(r, c.tau).radial, c.radial, 6e-11);
    EXPECT_NEAR(sphere.spectrum(r, c.tau).tangential, 0.0, 1e-14);
    EXPECT_NEAR(sphere.radial_score(r, c.tau), 0.0, 1e-13 * r / c.tau);
    EXPECT_EQ(sphere.spectrum(r, c.tau).normal, 1.0);
  }
}

TEST(NoisedHypersphere, SymmetryBreaksAtTauStar) {
  for (const std::int64_t p : {1, 2, 3, 11, 1000, 1000000}) {
    const NoisedHypersphere sphere(p, 3.3);
    const double tau = sphere.symmetry_breaking_tau();
    EXPECT_NEAR(tau, 3.3 * 3.3 / static_cast<double>(p), 1e-14);
    EXPECT_NEAR(sphere.symmetry_breaking_time(ou), 0.5 * std::log1p(tau), 1e-14);
    EXPECT_EQ(sphere.fixed_radius(tau), 0.0);
    EXPECT_EQ(sphere.fixed_radius(2.0 * tau), 0.0);
    EXPECT_NEAR(sphere.spectrum(0.0, tau).radial, 0.0, 1e-13);
    EXPECT_LT(sphere.spectrum(0.0, 0.9 * tau).radial, 0.0);
    EXPECT_GT(sphere.spectrum(0.0, 1.1 * tau).radial, 0.0);
    // Just below: kappa^2 = p (p + 2) (1 - tau/tau*).
    const double r = sphere.fixed_radius(tau * (1.0 - 1e-6));
    const double kappa = std::sqrt(1e-6 * static_cast<double>(p) * static_cast<double>(p + 2));
    EXPECT_NEAR(r / (kappa * tau / 3.3), 1.0, 1e-5) << p;
    // Far below: the sphere itself.
    EXPECT_NEAR(sphere.fixed_radius(1e-9 * tau), 3.3, 1e-8);
    EXPECT_NEAR(sphere.spectrum(sphere.fixed_radius(1e-9 * tau), 1e-9 * tau).radial, 1.0, 1e-8);
  }
}

TEST(NoisedHypersphere, TwoPointsAreAMixture) {
  const NoisedHypersphere points(1, 2.0);
  const double tau = 0.7;
  const double r = 1.3;
  const auto gauss = [&](double x) { return std::exp(-0.5 * x * x / tau) / std::sqrt(2.0 * M_PI * tau); };
  EXPECT_NEAR(points.log_density(r, tau), std::log(0.5 * (gauss(r - 2.0) + gauss(r + 2.0))), 1e-13);
  const double t = std::tanh(2.0 * r / tau);
  EXPECT_NEAR(points.spectrum(r, tau).radial, 1.0 - 4.0 / tau * (1.0 - t * t), 1e-13);
  EXPECT_TRUE(std::isnan(points.spectrum(r, tau).tangential));
}

TEST(NoisedHypersphere, DensityIsNormalisedAndTheScoreItsDerivative) {
  for (const std::int64_t p : {2, 3, 7, 40}) {
    const NoisedHypersphere sphere(p, 1.5);
    const auto dimension = static_cast<double>(p);
    for (const double tau : {0.02, 0.3, 4.0}) {
      const double log_area = std::log(2.0) + 0.5 * dimension * std::log(M_PI) - std::lgamma(0.5 * dimension);
      const auto shell = [&](double r) {
        return r > 0.0 ? std::exp(sphere.log_density(r, tau) + log_area + (dimension - 1.0) * std::log(r)) : 0.0;
      };
      const double far = sphere.typical_radius(tau) + 12.0 * std::sqrt(tau);
      const auto integrate = [&](const auto& f) {
        return boost::math::quadrature::gauss_kronrod<double, 61>::integrate(f, 0.0, far, 12, 1e-11);
      };
      EXPECT_NEAR(integrate(shell), 1.0, 1e-9) << p << " " << tau;
      EXPECT_NEAR(integrate([&](double r) { return r * r * shell(r); }), std::pow(sphere.typical_radius(tau), 2), 1e-8);
      for (const double r : {0.2, 1.4, 2.0}) {
        const double h = 1e-4;
        const auto score = [&](double at) { return sphere.radial_score(at, tau); };
        EXPECT_NEAR((sphere.log_density(r + h, tau) - sphere.log_density(r - h, tau)) / (2.0 * h), score(r),
                    1e-5 / tau / tau);
        EXPECT_NEAR(-tau * (score(r + h) - score(r - h)) / (2.0 * h), sphere.spectrum(r, tau).radial, 1e-5 / tau / tau);
        // The Jacobian of s(r) x/r across the radius is s(r)/r.
        EXPECT_NEAR(-tau * score(r) / r, sphere.spectrum(r, tau).tangential, 1e-11 / tau);
      }
    }
  }
}

// The posterior covariance from points drawn on the sphere.
TEST(NoisedHypersphere, SampledPosterior) {
  const std::int64_t p = 5;
  const double radius = 2.0;
  const double tau = 1.1;
  const double r = 1.7;
  const RandomStream stream(3, hash_text("hypersphere"), 0, "test");
  RandomSequence random(stream, 0);
  double total = 0.0;
  double first = 0.0;
  double second = 0.0;
  double across = 0.0;
  for (int i = 0; i < 400000; ++i) {
    double x[5];
    double square = 0.0;
    for (double& c : x) {
      c = random.normal();
      square += c * c;
    }
    for (double& c : x) c *= radius / std::sqrt(square);
    const double weight = std::exp(r * x[0] / tau);
    total += weight;
    first += weight * x[0];
    second += weight * x[0] * x[0];
    for (std::int64_t k = 1; k < p; ++k) across += weight * x[k] * x[k] / static_cast<double>(p - 1);
  }
  const HypersphereSpectrum spectrum = NoisedHypersphere(p, radius).spectrum(r, tau);
  EXPECT_NEAR(spectrum.radial, 1.0 - (second / total - std::pow(first / total, 2)) / tau, 0.01);
  EXPECT_NEAR(spectrum.tangential, 1.0 - across / total / tau, 0.01);
  EXPECT_NEAR(NoisedHypersphere(p, radius).radial_score(r, tau), (first / total - r) / tau, 0.01);
}

TEST(NoisedHypersphere, TypicalRadiusIsOutsideOfTheFixedOne) {
  for (const std::int64_t p : {3, 11, 100000}) {
    const NoisedHypersphere sphere(p, 1.0);
    for (double tau = 1e-12; tau < 1e3; tau *= 30.0) {
      EXPECT_GT(sphere.typical_spectrum(tau).tangential, 0.0);
      EXPECT_LE(sphere.typical_spectrum(tau).tangential, sphere.typical_spectrum(tau).radial);
      EXPECT_LE(sphere.typical_spectrum(tau).radial, 1.0);
    }
  }
}

// The trapezoidal rule in log r, in which the integrand falls off exponentially on both sides: 4000 points.
HypersphereSpectrum mean_by_logarithms(std::int64_t p, double radius, double tau) {
  const NoisedHypersphere sphere(p, radius);
  const double middle = std::log(sphere.typical_radius(tau));
  const double low = std::max(middle - 40.0, std::log(1e-9));
  const double step = (middle + std::log(1.0 + 12.0 * std::sqrt(tau) / std::exp(middle)) - low) / 4000;
  const double reference = static_cast<double>(p) * middle + sphere.log_density(std::exp(middle), tau);
  HypersphereSpectrum mean{.tangential = 0.0, .radial = 0.0, .normal = 1.0};
  double total = 0.0;
  for (int i = 0; i <= 4000; ++i) {
    const double u = low + i * step;
    const double r = std::exp(u);
    const double weight = std::exp(static_cast<double>(p) * u + sphere.log_density(r, tau) - reference);
    const HypersphereSpectrum at = sphere.spectrum(r, tau);
    mean.tangential += weight * at.tangential;
    mean.radial += weight * at.radial;
    total += weight;
  }
  mean.tangential /= total;
  mean.radial /= total;
  return mean;
}

// Also for even p, where the density of r is not smooth across 0: noise far above the radius shows it.
TEST(NoisedHypersphere, MeanSpectrumIsTheIntegralOverTheLawOfTheRadius) {
  for (const std::int64_t p : {2, 3, 4, 6, 11, 400}) {
    for (const double tau : {0.01, 0.3, 1.0, 20.0}) {
      const HypersphereSpectrum found = NoisedHypersphere(p, 1.3).mean_spectrum(tau);
      const HypersphereSpectrum expected = mean_by_logarithms(p, 1.3, tau);
      EXPECT_NEAR(1.0 - found.tangential, 1.0 - expected.tangential, 1e-10 * (1.0 - expected.tangential))
          << p << " " << tau;
      EXPECT_NEAR(1.0 - found.radial, 1.0 - expected.radial, 1e-10 * (1.0 - expected.radial)) << p << " " << tau;
      EXPECT_EQ(found.normal, 1.0);
    }
  }
}

// Integration by parts: the mean of -div s is the mean of |s|^2. The mean over drawn probes of the left is within the
// error of the closed mean.
TEST(NoisedHypersphere, MeanSpectrumIsTheMeanOverDrawnProbes) {
  constexpr std::int64_t p = 4;
  constexpr double tau = 0.5;
  constexpr int probes = 20000;
  const NoisedHypersphere sphere(p, 1.0);
  std::mt19937_64 generator(3);
  std::normal_distribution<double> normal;
  std::vector<double> traces;
  std::vector<double> squares;
  for (int i = 0; i < probes; ++i) {
    double r2 = 0.0;
    for (std::int64_t k = 0; k < p; ++k) {
      const double c = (k == 0 ? 1.0 : 0.0) + std::sqrt(tau) * normal(generator);
      r2 += c * c;
    }
    const double r = std::sqrt(r2);
    const HypersphereSpectrum at = sphere.spectrum(r, tau);
    traces.push_back(at.radial + 3.0 * at.tangential);
    squares.push_back(tau * std::pow(sphere.radial_score(r, tau), 2));
  }
  const HypersphereSpectrum mean = sphere.mean_spectrum(tau);
  const test::Estimate exact{.mean = mean.radial + 3.0 * mean.tangential, .error = 0.0};
  const test::Estimate drawn = test::estimate(traces);
  const test::Estimate fisher = test::estimate(squares);
  EXPECT_LE(std::abs(test::standard_score(drawn, exact)), 4.0);
  EXPECT_LE(std::abs(test::standard_score(fisher, exact)), 4.0);
}

TEST(NoisedHypersphere, BadInput) {
  EXPECT_THROW(NoisedHypersphere(0, 1.0), std::invalid_argument);
  EXPECT_THROW(NoisedHypersphere(3, 0.0), std::invalid_argument);
  EXPECT_THROW(NoisedHypersphere(3, std::numeric_limits<double>::quiet_NaN()), std::invalid_argument);
  const NoisedHypersphere sphere(3, 1.0);
  EXPECT_TRUE(std::isnan(sphere.log_density(-1.0, 1.0)));
  EXPECT_TRUE(std::isnan(sphere.radial_score(1.0, 0.0)));
  EXPECT_TRUE(std::isnan(sphere.spectrum(1.0, -1.0).radial));
  EXPECT_TRUE(std::isnan(sphere.fixed_radius(0.0)));
  EXPECT_TRUE(std::isnan(sphere.typical_radius(-1.0)));
  EXPECT_FALSE(NoisedHypersphere::source().empty());
}

}  // namespace
}  // namespace diffphase
