#include "transition/centre_instability.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

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

TEST(CentreInstability, NoneUnderABoundThatIsNotFinite) {
  const double infinity = std::numeric_limits<double>::infinity();
  EXPECT_TRUE(std::isnan(curvature_instability(constant(3.0), infinity, 1.0)));
  EXPECT_TRUE(std::isnan(drift_instability(constant(3.0), infinity, 1.0)));
  EXPECT_TRUE(std::isnan(drift_instability(constant(3.0), std::nan(""), 1.0)));
}

TEST(CentreInstability, FindsTheLastRootOfAVaryingVariance) {
  // lambda(tau) = 10 tau/(tau + 2): tau = lambda at tau = 8 (and 0).
  const CentroidVariance lambda = [](double tau) { return 10.0 * tau / (tau + 2.0); };
  EXPECT_NEAR(curvature_instability(lambda, 10.0, 0.0), 8.0, 1e-11);
}

}  // namespace
}  // namespace diffphase
