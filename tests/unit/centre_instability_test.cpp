#include "transition/centre_instability.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <stdexcept>
#include <vector>

namespace diffphase {
namespace {

CentroidVariance constant(double value) {
  return [value](double) { return value; };
}

TEST(CentreInstability, ConstantVarianceHasTheClosedForms) {
  for (const double lambda : {3.0, 256.0, 1e6}) {
    // Unit variance within the classes: t = 1/2 log lambda and 1/2 log(2 lambda) on the Ornstein-Uhlenbeck
    // clock.
    EXPECT_NEAR(curvature_instability(constant(lambda), lambda, 1.0) / (lambda - 1.0), 1.0, 1e-12);
    EXPECT_NEAR(drift_instability(constant(lambda), lambda, 1.0) / (2.0 * lambda - 1.0), 1.0, 1e-12);
    // The bound need not be sharp.
    EXPECT_NEAR(drift_instability(constant(lambda), 37.0 * lambda, 1.0) / (2.0 * lambda - 1.0), 1.0, 1e-12);
    for (const double sigma : {0.0, 0.3, 1.4}) {
      EXPECT_NEAR(curvature_instability(constant(lambda), 2.0 * lambda, sigma), lambda - sigma * sigma, 1e-11 * lambda);
      // det(1 + 2 (a^2 lambda/v - 1)/v) = 0 with a^2 = 1/(1 + tau), v = (tau + sigma^2)/(1 + tau).
      const double tau = drift_instability(constant(lambda), lambda, sigma);
      const double v = (tau + sigma * sigma) / (1.0 + tau);
      EXPECT_NEAR(1.0 + 2.0 * (lambda / (1.0 + tau) / v - 1.0) / v, 0.0, 1e-10);
    }
  }
}

TEST(CentreInstability, NoneWhereTheClassesOverlap) {
  EXPECT_TRUE(std::isnan(curvature_instability(constant(0.5), 0.5, 1.0)));
  EXPECT_TRUE(std::isnan(drift_instability(constant(0.4), 0.4, 1.0)));
}

TEST(CentreInstability, FindsTheLastRootOfAVaryingVariance) {
  // lambda(tau) = 10 tau/(tau + 2): tau = lambda at tau = 8 (and 0).
  const CentroidVariance lambda = [](double tau) { return 10.0 * tau / (tau + 2.0); };
  EXPECT_NEAR(curvature_instability(lambda, 10.0, 0.0), 8.0, 1e-11);
}

TEST(PosteriorCentroidVariance, TwoClasses) {
  // Centroids +-m on one axis, weights w and 1 - w, Gram matrix about the weighted mean.
  const double m = 3.0;
  const double w = 0.8;
  const double centre = (2.0 * w - 1.0) * m;
  const double first = m - centre;
  const double second = -m - centre;
  const std::vector<double> gram{first * first, first * second, second * first, second * second};
  const std::vector<double> weights{w, 1.0 - w};
  for (const double s : {0.5, 4.0, 1e9}) {
    const double odds = w / (1.0 - w) * std::exp((second * second - first * first) / (2.0 * s));
    const double p = odds / (1.0 + odds);
    EXPECT_NEAR(posterior_centroid_variance(gram, weights, s), 4.0 * m * m * p * (1.0 - p), 1e-11);
  }
}

TEST(PosteriorCentroidVariance, IsTheLargestEigenvalueOfTheCovariance) {
  // In the plane: compared with the eigenvalue of the 2 x 2 covariance.
  std::mt19937_64 random(2);
  std::normal_distribution<double> normal;
  const std::vector<double> weights{0.1, 0.2, 0.15, 0.25, 0.3};
  std::vector<double> x(5), y(5);
  double mean_x = 0.0, mean_y = 0.0;
  for (std::size_t c = 0; c < 5; ++c) {
    mean_x += weights[c] * (x[c] = normal(random));
    mean_y += weights[c] * (y[c] = normal(random));
  }
  std::vector<double> gram;
  std::vector<double> p;
  double sum = 0.0;
  const double s = 0.7;
  for (std::size_t i = 0; i < 5; ++i) {
    for (std::size_t j = 0; j < 5; ++j) {
      gram.push_back((x[i] - mean_x) * (x[j] - mean_x) + (y[i] - mean_y) * (y[j] - mean_y));
    }
    const double distance = std::pow(x[i] - mean_x, 2) + std::pow(y[i] - mean_y, 2);
    p.push_back(weights[i] * std::exp(-distance / (2.0 * s)));
    sum += p.back();
  }
  double ex = 0, ey = 0, exx = 0, eyy = 0, exy = 0;
  for (std::size_t c = 0; c < 5; ++c) {
    const double q = p[c] / sum;
    ex += q * x[c], ey += q * y[c], exx += q * x[c] * x[c], eyy += q * y[c] * y[c], exy += q * x[c] * y[c];
  }
  const double a = exx - ex * ex, b = exy - ex * ey, d = eyy - ey * ey;
  EXPECT_NEAR(posterior_centroid_variance(gram, weights, s), 0.5 * (a + d) + std::hypot(0.5 * (a - d), b), 1e-13);
}

TEST(PosteriorCentroidVariance, BadShapesAreRefused) {
  const std::vector<double> gram{1.0, 0.0, 1.0};
  const std::vector<double> weights{0.5, 0.5};
  EXPECT_THROW((void)posterior_centroid_variance(gram, weights, 1.0), std::invalid_argument);
  EXPECT_THROW((void)posterior_centroid_variance({}, {}, 1.0), std::invalid_argument);
}

}  // namespace
}  // namespace diffphase
