#include "spectrum/covariance.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "dense_covariance.hpp"

namespace diffphase {
namespace {

GaussianMixture mixture(std::int64_t dimension, std::int64_t classes, CentroidKind centroids) {
  MixtureParameters p;
  p.dimension = dimension;
  p.classes = classes;
  p.centroids = centroids;
  return {p, 8, hash_text("covariance test"), 0};
}

class CovarianceTest : public testing::Test {
 protected:
  [[nodiscard]] LargestEigenvalue largest(const DataSlab& slab, std::int64_t count) const {
    return largest_covariance_eigenvalue(group_, slab, count);
  }

  Communicator self_ = Communicator::self();
  TaskGroup group_{self_};
};

TEST_F(CovarianceTest, EqualsTheDenseMatrixForEveryPrefix) {
  const std::vector<GaussianMixture> cases{mixture(30, 4, CentroidKind::orthogonal),
                                           mixture(30, 1, CentroidKind::random), mixture(3, 5, CentroidKind::random),
                                           mixture(1, 2, CentroidKind::opposite)};
  for (const auto& m : cases) {
    for (const Partition partition : {Partition::component, Partition::dimension}) {
      const DataSlab slab = draw_training_set(m, {partition, 700, m.dimension(), 1, 0});
      for (const std::int64_t count : {2, 20, 513, 700}) {
        const LargestEigenvalue found = largest(slab, count);
        const double dense = test::dense_covariance_eigenvalue(m, count);
        EXPECT_TRUE(found.converged) << found.stop_reason;
        EXPECT_NEAR(found.value, dense, 1e-10 * dense) << m.dimension() << " " << count;
        EXPECT_LE(found.residual, 1e-7 * dense);
      }
    }
  }
}

// About the mean and divided by n: known by hand.
TEST_F(CovarianceTest, OfThreeRowsByHand) {
  DataSlab slab = zero_slab({Partition::component, 3, 2, 1, 0});
  slab.values = {10.0, -1.0, 13.0, -1.0, 16.0, -1.0};
  EXPECT_NEAR(largest(slab, 3).value, 6.0, 1e-12);
  EXPECT_NEAR(largest(slab, 2).value, 2.25, 1e-12);
}

TEST_F(CovarianceTest, EqualRowsHaveNone) {
  DataSlab slab = zero_slab({Partition::component, 4, 3, 1, 0});
  for (std::int64_t r = 0; r < 4; ++r) slab.row(r)[1] = 0.5;
  EXPECT_NEAR(largest(slab, 4).value, 0.0, 1e-14);
  EXPECT_NEAR(largest(slab, 1).value, 0.0, 1e-14);
}

// Whatever unit the data are in: solvers square what they find, and squares of these have no digits or are infinite.
TEST_F(CovarianceTest, OfTinyAndHugeDataIsThatOfTheOthersInTheirUnit) {
  const GaussianMixture m = mixture(30, 4, CentroidKind::orthogonal);
  for (const Partition partition : {Partition::component, Partition::dimension}) {
    const DataSlab ordinary = draw_training_set(m, {partition, 60, 30, 1, 0});
    const LargestEigenvalue expected = largest(ordinary, 60);
    for (const int exponent : {-508, -400, -300, 300, 400}) {
      DataSlab scaled = ordinary;
      for (double& value : scaled.values) value = std::ldexp(value, exponent);
      const LargestEigenvalue found = largest(scaled, 60);
      ASSERT_TRUE(found.converged) << exponent << " " << found.stop_reason;
      EXPECT_NEAR(std::ldexp(found.value, -2 * exponent), expected.value, 1e-10 * expected.value) << exponent;
      EXPECT_LE(std::ldexp(found.residual, -2 * exponent), 1e-7 * expected.value) << exponent;
    }
  }
}

// Squares that vanish leave no variance, and that is what is found.
TEST_F(CovarianceTest, OfDataWhoseSquaresVanishIsZero) {
  const GaussianMixture m = mixture(30, 4, CentroidKind::orthogonal);
  DataSlab slab = draw_training_set(m, {Partition::component, 60, 30, 1, 0});
  for (double& value : slab.values) value = std::ldexp(value, -600);
  const LargestEigenvalue found = largest(slab, 60);
  EXPECT_TRUE(found.converged) << found.stop_reason;
  EXPECT_LE(found.value, 1e-300);
}

}  // namespace
}  // namespace diffphase
