#include "spectrum/gauss_quadrature.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <stdexcept>

#include "support/matrix_operator.hpp"

namespace diffphase {
namespace {

// The recurrence of the Chebyshev polynomials of the second kind: the semicircle on [-2, 2], of mass 1.
LanczosRecurrence semicircle(std::size_t steps) {
  return {std::vector<double>(steps, 0.0), std::vector<double>(steps, 1.0), false};
}

double semicircle_distribution(double x) {
  return 0.5 + (x * std::sqrt(4.0 - x * x) + 4.0 * std::asin(x / 2.0)) / (4.0 * std::acos(-1.0));
}

TEST(GaussQuadrature, OfTheSemicircleHasItsNodesAndWeights) {
  for (const std::size_t m : {1, 2, 7, 64, 300}) {
    const Quadrature q = gauss_quadrature(semicircle(m));
    ASSERT_EQ(q.nodes.size(), m);
    for (std::size_t i = 0; i < m; ++i) {
      const double angle = std::acos(-1.0) * static_cast<double>(m - i) / static_cast<double>(m + 1);
      const double weight = 2.0 / static_cast<double>(m + 1) * std::pow(std::sin(angle), 2);
      EXPECT_NEAR(q.nodes[i], 2.0 * std::cos(angle), 1e-13);
      EXPECT_NEAR(q.weights[i], weight, 1e-13);
    }
    EXPECT_NEAR(std::accumulate(q.weights.begin(), q.weights.end(), 0.0), 1.0, 1e-13);
  }
}

TEST(GaussQuadrature, EqualsTheEigensystemOfARandomRecurrence) {
  const std::size_t m = 50;
  LanczosRecurrence r{test::normals("diagonal", m), test::normals("off-diagonal", m), false};
  for (double& e : r.off_diagonal) e = std::abs(e);
  r.diagonal[3] = r.diagonal[4] = 0.0;
  r.off_diagonal[20] = 0.0;   // two blocks
  r.off_diagonal[30] = 1e-9;  // nearly
  r.diagonal[40] = 1e6;       // graded
  std::vector<double> dense(m * m, 0.0);
  for (std::size_t i = 0; i < m; ++i) {
    dense[i * m + i] = r.diagonal[i];
    if (i + 1 < m) dense[i * m + i + 1] = dense[(i + 1) * m + i] = r.off_diagonal[i];
  }
  const std::vector<double> eigenvalues = test::eigensystem(dense);
  const Quadrature q = gauss_quadrature(r);
  for (std::size_t i = 0; i < m; ++i) {
    EXPECT_NEAR(q.nodes[i], eigenvalues[i], 1e-9);
    EXPECT_NEAR(q.weights[i], dense[i * m] * dense[i * m], 1e-10);
  }
}

TEST(GaussQuadrature, OfTheZeroMatrixIsOnePeak) {
  const Quadrature q = gauss_quadrature({{0.0}, {0.0}, true});
  EXPECT_EQ(q.nodes, std::vector<double>{0.0});
  EXPECT_EQ(q.weights, std::vector<double>{1.0});
}

TEST(GaussQuadrature, RefusesAnEmptyRecurrence) { EXPECT_THROW((void)gauss_quadrature({}), std::invalid_argument); }

TEST(DistributionFunction, HoldsTheTrueOneBetweenItsBounds) {
  for (const std::size_t m : {4, 16, 64}) {
    double worst = 0.0;
    for (double x = -1.99; x < 2.0; x += 0.0173) {
      const DistributionValue d = distribution_function(semicircle(m), x);
      const double difference = d.value - semicircle_distribution(x);
      EXPECT_LE(std::abs(difference), d.bound + 1e-12) << m << " " << x;
      EXPECT_LE(d.bound, 1.2 / static_cast<double>(m));
      worst = std::max(worst, std::abs(difference));
    }
    EXPECT_LE(worst, 0.6 / static_cast<double>(m * m)) << "half of the weight is nearly all of the bias";
  }
}

TEST(DistributionFunction, IsAccurateAtNodesAndFarOutside) {
  const LanczosRecurrence r = semicircle(9);  // 0 is a node
  EXPECT_NEAR(distribution_function(r, 0.0).value, 0.5, 1e-12);
  EXPECT_NEAR(distribution_function(r, 1e-10).value, 0.5, 1e-6);
  EXPECT_NEAR(distribution_function(r, -50.0).value, 0.0, 1e-12);
  EXPECT_NEAR(distribution_function(r, 50.0).value, 1.0, 1e-12);
  EXPECT_EQ(distribution_function(r, -INFINITY).value, 0.0);
  EXPECT_EQ(distribution_function(r, INFINITY).value, 1.0);
}

TEST(DistributionFunction, OfAnExactRecurrenceCountsItsPeaks) {
  // Weights 1/2 at 1 and 3.
  const LanczosRecurrence r{{2.0, 2.0}, {1.0, 0.0}, true};
  EXPECT_NEAR(distribution_function(r, 0.9).value, 0.0, 1e-15);
  EXPECT_NEAR(distribution_function(r, 2.0).value, 0.5, 1e-15);
  EXPECT_NEAR(distribution_function(r, 3.1).value, 1.0, 1e-15);
  EXPECT_EQ(distribution_function(r, 2.0).bound, 0.0);
}

}  // namespace
}  // namespace diffphase
