#include "spectrum/score_jacobian.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "spectrum_cases.hpp"

namespace diffphase {
namespace {

using test::SpectrumCase;
using test::Stage;

class ScoreJacobianTest : public testing::Test {
 protected:
  Communicator self_ = Communicator::self();
  TaskGroup group_{self_};
};

// N = I - C is -b^2 times the derivative of the score.
TEST_F(ScoreJacobianTest, IsTheDerivativeOfTheScore) {
  for (const SpectrumCase& c : test::spectrum_cases()) {
    if (c.name == "training points far away") continue;  // rounding of the score is as large as its differences
    for (const Partition partition : {Partition::component, Partition::dimension}) {
      SCOPED_TRACE(c.name);
      const Stage stage(group_, c, partition);
      const std::size_t d = c.x.size();
      const std::vector<double> matrix = test::matrix_of(group_, stage.jacobian.covariance(), 64);
      const double step = 1e-4 * c.level.noise;
      const double noise2 = c.level.noise * c.level.noise;
      for (std::size_t j = 0; j < d; ++j) {
        std::vector<double> points(2 * d);
        for (std::size_t k = 0; k < d; ++k) points[k] = points[d + k] = c.x[k];
        points[j] += step;
        points[d + j] -= step;
        const std::vector<double> score = stage.posterior.score(c.level, 2, points);
        for (std::size_t k = 0; k < d; ++k) {
          const double n = -noise2 * (score[k] - score[d + k]) / (2.0 * step);
          EXPECT_NEAR(n, (j == k ? 1.0 : 0.0) - matrix[j * d + k], 3e-7 * (1.0 + test::largest_entry(matrix)));
        }
      }
    }
  }
}

TEST_F(ScoreJacobianTest, OfOneGaussianIsKnown) {
  const SpectrumCase c = test::noised("one class", test::equal_classes(1, 8, 1.5), NoiseLevel::at_tau(0.5));
  const Stage stage(group_, c, Partition::component);
  EXPECT_EQ(stage.jacobian.support(), 0);
  EXPECT_NEAR(stage.jacobian.isotropic(), 2.25 / 2.75, 1e-15);
  EXPECT_NEAR(stage.jacobian.trace(), 8 * 2.25 / 2.75, 1e-14);
}

// The eigenvalues of orthogonal classes seen from the origin: s + (4/tau) s^2/K with multiplicity K - 1, where
// s = tau/(tau + sigma^2).
TEST_F(ScoreJacobianTest, OfSymmetricClassesIsKnown) {
  const SpectrumCase c = test::symmetric_classes(6, 13, 0.5);
  const Stage stage(group_, c, Partition::component);
  const double shrink = 1.0 / 1.25;
  std::vector<double> matrix = test::matrix_of(group_, stage.jacobian.covariance(), 13);
  const DenseEigenpairs pairs = dense_largest_eigenpairs(matrix, 13);
  for (std::size_t i = 0; i < 13; ++i) {
    EXPECT_NEAR(pairs.values[i], shrink * 0.25 + (i < 5 ? 4.0 * shrink * shrink / 6.0 : 0.0), 1e-14);
  }
}

TEST_F(ScoreJacobianTest, OfAllWeightOnOnePointIsExactlyZero) {
  for (const double offset : {0.0, 1e6}) {
    SpectrumCase c = test::noised("one", dense::random_points(40, 9, 1.0, "points"), NoiseLevel::at_tau(1e-6));
    for (auto& row : c.mixture.centres) {
      for (double& value : row) value += offset;
    }
    const Stage stage(group_, c, Partition::component);
    std::vector<double> p(40);
    p[7] = 1.0;
    const ScoreJacobian jacobian(group_, stage.slab, c.law(), c.level, c.x, p);
    EXPECT_EQ(jacobian.support(), 0);
    EXPECT_EQ(jacobian.trace(), 0.0);
    EXPECT_EQ(test::largest_entry(test::matrix_of(group_, jacobian.covariance(), 4)), 0.0);
  }
}

// Two points y, y' with weights 1 - p, p: the one eigenvalue p (1 - p) |y - y'|^2/tau, to all digits for tiny p too.
TEST_F(ScoreJacobianTest, ATinyWeightKeepsItsDigits) {
  const SpectrumCase c = test::noised("two", dense::random_points(2, 5, 1.0, "two points"), NoiseLevel::at_tau(0.5));
  double distance2 = 0.0;
  for (std::size_t j = 0; j < 5; ++j) distance2 += std::pow(c.mixture.centres[0][j] - c.mixture.centres[1][j], 2);
  const Stage stage(group_, c, Partition::component);
  for (const double p : {0.3, 1e-5, 1e-12, 1e-20, 1e-40}) {
    const ScoreJacobian jacobian(group_, stage.slab, c.law(), c.level, c.x, {1.0 - p, p});
    EXPECT_NEAR(jacobian.trace() / (p * (1.0 - p) * distance2 / 0.5), 1.0, 1e-10) << p;
    const std::vector<double> matrix = test::matrix_of(group_, jacobian.covariance(), 5);
    EXPECT_NEAR(dense_largest_eigenvalue(matrix) / jacobian.trace(), 1.0, 1e-10) << p;
  }
}

}  // namespace
}  // namespace diffphase
