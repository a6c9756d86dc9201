#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <vector>

#include "ensemble/data_slab.hpp"
#include "ensemble/hypersphere.hpp"
#include "ensemble/linear_manifold.hpp"
#include "ensemble/row_view.hpp"

namespace diffphase {
namespace {

constexpr std::int64_t dimension = 19;
constexpr std::int64_t rows = 1300;

std::vector<std::unique_ptr<Ensemble>> ensembles() {
  std::vector<std::unique_ptr<Ensemble>> all;
  const Hash128 hash = hash_text("ensemble mpi test");
  for (const FactorKind factor : {FactorKind::orthonormal, FactorKind::gaussian}) {
    for (const double noise : {0.0, 0.2}) {
      ManifoldParameters p;
      p.dimension = dimension;
      p.blocks = {{.size = 5, .sigma = 1.0}, {.size = 6, .sigma = 0.1}};
      p.factor = factor;
      p.ambient_noise = noise;
      all.push_back(std::make_unique<LinearManifold>(p, 5, hash, 0));
    }
  }
  SphereParameters p;
  p.dimension = dimension;
  p.sphere_dimension = 10;
  p.radius = 3.3;
  all.push_back(std::make_unique<Hypersphere>(p, 5, hash, 0));
  return all;
}

// The sum over ranks of each rank's entries, by position, is the whole matrix: no entry missing, none twice, none
// different in its last bit.
TEST(EnsembleMpi, TheTrainingSetDoesNotDependOnRanksOrPartition) {
  const Communicator world = Communicator::world();
  for (const auto& ensemble : ensembles()) {
    const DataSlab whole = draw_training_set(*ensemble, {.rows = rows, .columns = dimension});
    for (const Partition partition : {Partition::component, Partition::dimension}) {
      const SlabLayout layout{partition, rows, dimension, world.size(), world.rank()};
      const DataSlab slab = draw_training_set(*ensemble, layout);
      SlabNumbers<double> assembled(whole.values.size());
      for (std::int64_t local = 0; local < layout.local_rows(); ++local) {
        const auto row = slab.row(local);
        std::copy(row.begin(), row.end(),
                  assembled.begin() + layout.global_row(local) * dimension + layout.first_column());
      }
      world.sum(std::span<double>(assembled));
      EXPECT_EQ(assembled, whole.values);
    }
  }
}

TEST(EnsembleMpi, FetchedRowsEqualThoseDrawnAlone) {
  const Communicator world = Communicator::world();
  const TaskGroup group(world);
  const std::vector<std::int64_t> asked{1299, 0, 511, 512, 513, 1024};
  for (const auto& ensemble : ensembles()) {
    for (const Partition partition : {Partition::component, Partition::dimension}) {
      const SlabLayout layout{partition, rows, dimension, world.size(), world.rank()};
      const DataSlab slab = draw_training_set(*ensemble, layout);
      const auto columns = static_cast<std::size_t>(layout.local_columns());
      std::vector<double> out(asked.size() * columns, -1.0);
      fetch_rows(group, slab, asked, out);
      for (std::size_t i = 0; i < asked.size(); ++i) {
        std::vector<double> direct(columns);
        ensemble->sample(asked[i], layout.first_column(), direct);
        EXPECT_TRUE(std::equal(direct.begin(), direct.end(), out.begin() + static_cast<std::ptrdiff_t>(i * columns)));
      }
    }
  }
}

// Ranks agree between the steps of a draw, so all must have the same number.
TEST(EnsembleMpi, EveryRankHasTheSameSteps) {
  const Communicator world = Communicator::world();
  ManifoldParameters p;
  p.dimension = 2003;
  p.blocks = {{.size = 2000, .sigma = 1.0}};
  p.factor = FactorKind::gaussian;
  const LinearManifold manifold(p, 5, hash_text("steps"), 0);
  for (const Partition partition : {Partition::component, Partition::dimension}) {
    const TrainingSetDraw draw(manifold, {partition, 2100, 2003, world.size(), world.rank()});
    std::vector<std::int64_t> steps(static_cast<std::size_t>(world.size()));
    steps[static_cast<std::size_t>(world.rank())] = draw.steps();
    world.sum(std::span(steps));
    EXPECT_EQ(std::count(steps.begin(), steps.end(), draw.steps()), world.size());
    EXPECT_GT(draw.steps(), 1);
  }
}

}  // namespace
}  // namespace diffphase
