#include <gtest/gtest.h>

#include <vector>

#include "dense_covariance.hpp"
#include "spectrum/covariance.hpp"

namespace diffphase {
namespace {

GaussianMixture mixture(std::int64_t dimension) {
  MixtureParameters p;
  p.dimension = dimension;
  p.classes = 4;
  return {p, 5, hash_text("covariance mpi test"), 0};
}

// The whole world, and its halves split unevenly; some ranks hold no rows or no columns.
TEST(CovarianceMpi, EqualsTheDenseMatrixForBothPartitionsAndEveryPrefix) {
  const Communicator world = Communicator::world();
  const Communicator part = world.split(world.rank() == 0 ? 0 : 1);
  for (const Communicator* comm : {&world, &part}) {
    const TaskGroup group(*comm);
    for (const std::int64_t dimension : {2, 23}) {
      const GaussianMixture m = mixture(dimension);
      for (const Partition partition : {Partition::component, Partition::dimension}) {
        const DataSlab slab = draw_training_set(m, {partition, 1300, dimension, comm->size(), comm->rank()});
        for (const std::int64_t count : {2, 300, 513, 1300}) {
          const LargestEigenvalue found = largest_covariance_eigenvalue(group, slab, count);
          const double dense = test::dense_covariance_eigenvalue(m, count);
          EXPECT_TRUE(found.converged) << found.stop_reason;
          EXPECT_NEAR(found.value, dense, 1e-10 * dense) << dimension << " " << count;
          EXPECT_LE(found.residual, 1e-7 * dense);
        }
      }
    }
  }
}

TEST(CovarianceMpi, EveryRankHasTheSameValue) {
  const Communicator world = Communicator::world();
  const TaskGroup group(world);
  const DataSlab slab = draw_training_set(mixture(23), {Partition::component, 1300, 23, world.size(), world.rank()});
  const double mine = largest_covariance_eigenvalue(group, slab, 1300).value;
  std::vector<double> total{mine};
  world.sum(std::span(total));
  EXPECT_NEAR(total[0] / world.size(), mine, 1e-14 * mine);
}

}  // namespace
}  // namespace diffphase
