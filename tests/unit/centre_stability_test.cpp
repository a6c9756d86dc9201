#include "spectrum/centre_stability.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <vector>

#include "process/noising_process.hpp"
#include "spectrum/dense_eigenvalues.hpp"
#include "transition/centre_instability.hpp"

namespace diffphase {
namespace {

using Vector = std::vector<double>;

MixtureParameters two_classes(std::int64_t dimension, double separation, double sigma) {
  MixtureParameters m;
  m.dimension = dimension;
  m.classes = 2;
  m.centroids = CentroidKind::opposite;
  m.separation = separation;
  m.sigma = sigma;
  return m;
}

class CentreStabilityTest : public testing::Test {
 protected:
  [[nodiscard]] GaussianMixture mixture(const MixtureParameters& parameters) const {
    return {parameters, 4, hash_text("centre stability test"), 0};
  }
  [[nodiscard]] CentreStability stability(const MixtureParameters& parameters) const {
    return {group_, mixture(parameters)};
  }

  Communicator self_ = Communicator::self();
  TaskGroup group_{self_};
  NoisingProcess ou_{ProcessKind::ornstein_uhlenbeck};
};

TEST_F(CentreStabilityTest, TwoEqualClassesHaveTheClosedForms) {
  for (const std::int64_t dimension : {4, 64, 1000}) {
    const auto d = static_cast<double>(dimension);
    for (const double separation : {0.8, 1.0, 3.0}) {
      const double square = d * separation * separation;
      const CentreStability unit = stability(two_classes(dimension, separation, 1.0));
      EXPECT_NEAR(unit.centroid_eigenvalue(), square, 1e-10 * square);
      EXPECT_NEAR(ou_.time_at(centre_instability(group_, unit, 0.5)), 0.5 * std::log(2.0 * square), 1e-12);
      for (const double sigma : {0.3, 1.0, 1.4}) {
        const CentreStability centre = stability(two_classes(dimension, separation, sigma));
        EXPECT_NEAR(ou_.time_at(centre_instability(group_, centre, 0.0)), 0.5 * std::log(square + 1.0 - sigma * sigma),
                    1e-12);
      }
    }
  }
}

// A bound that is not finite comes down by no factor.
TEST_F(CentreStabilityTest, OfDistancesWhoseSquaresOverflowHasNoInstability) {
  for (const double separation : {1e152, 1e155, 1e200}) {
    const CentreStability centre = stability(two_classes(64, separation, 1.0));
    const double found = centre_instability(group_, centre, 0.5);
    EXPECT_TRUE(std::isnan(found) || std::isfinite(found)) << separation;
  }
  EXPECT_TRUE(std::isnan(centre_instability(group_, stability(two_classes(64, 1e155, 1.0)), 0.5)));
}

TEST_F(CentreStabilityTest, ASearchForAnInstabilityCanBeStopped) {
  const CentreStability centre = stability(two_classes(64, 1.0, 1.0));
  int polls = 0;
  const TaskGroup stopping(self_, [&] { return ++polls == 10; });
  EXPECT_THROW((void)centre_instability(stopping, centre, 0.5), Stopped);
  EXPECT_EQ(polls, 10);
}

TEST_F(CentreStabilityTest, NoneWhereTheClassesOverlap) {
  const CentreStability centre = stability(two_classes(1, 0.5, 1.0));
  EXPECT_TRUE(std::isnan(centre_instability(group_, centre, 0.0)));
  EXPECT_TRUE(std::isnan(centre_instability(group_, centre, 0.5)));
}

// Wide classes, and narrow rare ones whose posterior at the centre has little to do with their weights.
TEST_F(CentreStabilityTest, TheLastInstabilityOfUnequalClassesIsTheLast) {
  struct Case {
    std::int64_t dimension;
    double separation;
    Vector weights, sigmas;
    double offset;
  };
  const Case cases[] = {{4096, 1.0, {0.9963, 0.0037}, {3.0, 1.5}, 0.5},
                        {1024, 1.0, {0.9995, 0.0005}, {3.0, 2.0}, 0.5},
                        {1024, 0.5, {0.998, 0.001, 0.001}, {2.0, 1.0, 1.0}, 0.5},
                        {4096, 1.0, {0.999, 0.0002, 0.0008}, {2.0, 2.0, 1.0}, 0.0},
                        {64, 1.0, {0.5, 0.3, 0.2}, {1.0, 0.6, 0.8}, 0.5}};
  for (const Case& c : cases) {
    MixtureParameters parameters{.dimension = c.dimension,
                                 .classes = static_cast<std::int64_t>(c.weights.size()),
                                 .centroids = CentroidKind::orthogonal,
                                 .separation = c.separation};
    parameters.weights = c.weights;
    parameters.class_sigma = c.sigmas;
    const CentreStability centre = stability(parameters);
    double last = 0.0;  // by steps of 1 %, far beyond all distances
    for (double tau = 1e-3; tau < 1e3 * static_cast<double>(c.dimension); tau *= 1.01) {
      if (centre.largest_jacobian_eigenvalue(tau) + c.offset > 0.0) last = tau;
    }
    ASSERT_GT(last, 0.0);
    const double found = centre_instability(group_, centre, c.offset);
    EXPECT_GE(found, last);
    EXPECT_LE(found, 1.01 * last);
  }
}

TEST_F(CentreStabilityTest, WideClassesHaveTheClosedForm) {
  for (const std::int64_t dimension : {1, 16, 1024}) {
    const double square = static_cast<double>(dimension);
    const CentreStability centre = stability(two_classes(dimension, 1.0, 20.0));
    const double kappa = 1.0 - 400.0;
    EXPECT_NEAR(centre_instability(group_, centre, 0.5), square - kappa + std::hypot(square, kappa) - 400.0,
                1e-8 * square);
    EXPECT_EQ(std::isnan(centre_instability(group_, centre, 0.0)), square < 400.0);
  }
}

/// Score of the noised mixture on the Ornstein-Uhlenbeck clock, from its definition.
Vector score(const GaussianMixture& mixture, double tau, const Vector& x) {
  const double signal = 1.0 / std::sqrt(1.0 + tau);
  Vector sum(x.size(), 0.0);
  Vector centroid(x.size());
  double evidence = 0.0;
  for (std::int64_t c = 0; c < mixture.classes(); ++c) {
    mixture.centroid(c, 0, centroid);
    const double variance = signal * signal * (tau + mixture.sigma(c) * mixture.sigma(c));
    double square = 0.0;
    for (std::size_t i = 0; i < x.size(); ++i) square += std::pow(x[i] - signal * centroid[i], 2);
    const double density = mixture.weight(c) * std::exp(-0.5 * square / variance) /
                           std::pow(variance, 0.5 * static_cast<double>(x.size()));
    evidence += density;
    for (std::size_t i = 0; i < x.size(); ++i) sum[i] -= density * (x[i] - signal * centroid[i]) / variance;
  }
  for (double& s : sum) s /= evidence;
  return sum;
}

/// Largest eigenvalue of its Jacobian at the weighted centre by central differences.
double jacobian_eigenvalue(const GaussianMixture& mixture, double tau) {
  const auto d = static_cast<std::size_t>(mixture.dimension());
  const double signal = 1.0 / std::sqrt(1.0 + tau);
  Vector centre(d, 0.0);
  Vector centroid(d);
  for (std::int64_t c = 0; c < mixture.classes(); ++c) {
    mixture.centroid(c, 0, centroid);
    for (std::size_t i = 0; i < d; ++i) centre[i] += signal * mixture.weight(c) * centroid[i];
  }
  const double step = 1e-4;
  Vector jacobian(d * d);
  for (std::size_t j = 0; j < d; ++j) {
    Vector above = centre;
    Vector below = centre;
    above[j] += step;
    below[j] -= step;
    const Vector high = score(mixture, tau, above);
    const Vector low = score(mixture, tau, below);
    for (std::size_t i = 0; i < d; ++i) jacobian[i * d + j] = (high[i] - low[i]) / (2.0 * step);
  }
  return dense_largest_eigenvalue(jacobian);
}

TEST_F(CentreStabilityTest, EqualsFiniteDifferencesOfTheScore) {
  std::vector<MixtureParameters> cases;
  cases.push_back(two_classes(6, 1.0, 1.0));
  cases.back().weights = {0.8, 0.2};
  cases.push_back(two_classes(6, 0.7, 0.6));
  cases.back().weights = {1.0, 3.0};
  cases.back().class_sigma = {0.6, 1.1};
  for (const CentroidKind kind : {CentroidKind::random, CentroidKind::orthogonal, CentroidKind::simplex}) {
    MixtureParameters m;
    m.dimension = 7;
    m.classes = 4;
    m.centroids = kind;
    m.weights = {0.4, 0.3, 0.2, 0.1};
    if (kind != CentroidKind::simplex) m.class_sigma = {1.0, 0.8, 1.2, 0.9};
    cases.push_back(m);
  }
  for (const auto& m : cases) {
    const CentreStability centre = stability(m);
    const GaussianMixture ensemble = mixture(m);
    for (const double tau : {0.5, 2.0, 6.0, 20.0}) {
      const double dense = jacobian_eigenvalue(ensemble, tau);
      EXPECT_NEAR(centre.largest_jacobian_eigenvalue(tau), dense, 1e-6 * std::max(1.0, std::abs(dense)));
    }
    for (const double offset : {0.0, 0.5}) {
      const double tau = centre_instability(group_, centre, offset);
      if (!std::isnan(tau)) {
        EXPECT_NEAR(jacobian_eigenvalue(ensemble, tau), -offset, 1e-6);
      }
    }
  }
}

// Of several instabilities the one at the largest noise is found: the Jacobian stays below above it.
TEST_F(CentreStabilityTest, FindsTheInstabilityAtTheLargestNoise) {
  MixtureParameters m = two_classes(40, 1.0, 0.5);
  m.weights = {0.6, 0.4};
  const CentreStability centre = stability(m);
  const double tau = centre_instability(group_, centre, 0.0);
  ASSERT_FALSE(std::isnan(tau));
  for (double above = 1.001 * tau; above < 1e6; above *= 1.05)
    EXPECT_LT(centre.largest_jacobian_eigenvalue(above), 0.0);
}

// In one dimension the centre of two unequal classes can be unstable in a narrow window of noise alone: where
// u sech^2(L/2 + u (2 w - 1)) exceeds 1, u = separation^2/s at s = tau + sigma^2, L = log w/(1 - w).
TEST_F(CentreStabilityTest, NarrowWindowsOfInstabilityAreSeen) {
  for (const double separation : {2.3, 2.5, 3.1, 4.0, 4.4, 5.0}) {
    MixtureParameters parameters{
        .dimension = 1, .classes = 2, .centroids = CentroidKind::opposite, .separation = separation, .sigma = 0.05};
    const double w = 0.6462;
    parameters.weights = {w, 1.0 - w};
    double last = std::nan("");
    for (double tau = 1e-3; tau < 1e3; tau *= 1.001) {
      const double u = separation * separation / (tau + 0.0025);
      const double sech = 1.0 / std::cosh(0.5 * std::log(w / (1.0 - w)) + u * (2.0 * w - 1.0));
      if (u * sech * sech > 1.0) last = tau;
    }
    ASSERT_FALSE(std::isnan(last));
    const double found = centre_instability(group_, stability(parameters), 0.0);
    EXPECT_GE(found, last) << separation;
    EXPECT_LE(found, 1.001 * last) << separation;
  }
}

TEST_F(CentreStabilityTest, TooManyClassesAreRefused) {
  MixtureParameters m;
  m.dimension = 2;
  m.classes = CentreStability::max_classes + 1;
  EXPECT_THROW((void)stability(m), GroupError);
}

TEST(DenseEigenvalues, ReferenceMatrices) {
  EXPECT_NEAR(dense_largest_eigenvalue({2.0, 1.0, 1.0, 2.0}), 3.0, 1e-14);
  EXPECT_EQ(dense_largest_eigenvalue({-4.0}), -4.0);
  const std::size_t k = 30;  // the chain: 2 - 2 cos(pi j/(k + 1))
  Vector chain(k * k, 0.0);
  for (std::size_t i = 0; i < k; ++i) {
    chain[i * k + i] = 2.0;
    if (i > 0) chain[i * k + i - 1] = chain[(i - 1) * k + i] = -1.0;
  }
  const double largest = 2.0 - 2.0 * std::cos(M_PI * static_cast<double>(k) / static_cast<double>(k + 1));
  EXPECT_NEAR(dense_largest_eigenvalue(chain), largest, 1e-13);
  EXPECT_NEAR(tridiagonal_largest_eigenvalue(Vector(k, 2.0), Vector(k - 1, -1.0)), largest, 1e-13);
  EXPECT_NEAR(tridiagonal_largest_eigenvalue(Vector(k, 2.0), Vector(k, -1.0)), largest, 1e-13);
  EXPECT_THROW((void)dense_largest_eigenvalue({}), std::invalid_argument);
  EXPECT_THROW((void)dense_largest_eigenvalue({1.0, 2.0}), std::invalid_argument);
  EXPECT_THROW((void)tridiagonal_largest_eigenvalue({}, {}), std::invalid_argument);
  EXPECT_THROW((void)tridiagonal_largest_eigenvalue({1.0, 2.0}, {}), std::invalid_argument);
}

}  // namespace
}  // namespace diffphase
