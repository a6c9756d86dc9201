// Points and classes that are drawn or projected: the same on any number of ranks.

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <vector>

#include "measure/collapse.hpp"
#include "measure/speciation.hpp"
#include "posterior/frame_probes.hpp"
#include "posterior/projected_source.hpp"
#include "posterior/reduction.hpp"
#include "posterior/streamed_source.hpp"
#include "support/measure_runs.hpp"

namespace diffphase {
namespace {

const Hash128 key = hash_text("streamed mpi");

MixtureParameters classes_of(CentroidKind kind, std::int64_t dimension) {
  MixtureParameters mixture{.dimension = dimension,
                            .classes = 3,
                            .centroids = kind,
                            .class_sigma = {1.0, 0.6, 0.8},
                            .weights = {3.0, 2.0, 1.0}};
  if (kind == CentroidKind::opposite) {
    mixture.classes = 2;
    mixture.class_sigma.clear();
    mixture.weights.clear();
  }
  return mixture;
}

TEST(StreamedSourceOverRanks, EveryPointIsHandedOutOnceWithTheNumbersOfOneRank) {
  const Communicator world = Communicator::world();
  const Communicator self = Communicator::self();
  const GaussianMixture mixture(classes_of(CentroidKind::simplex, 50), 1, key, 0);
  const ClassFrame frame(mixture, 1, key, 0);
  const ProbeBlock probes = own_training_sets(FrameProbes(frame, 1, key, 0).draw(3, 2));
  const StreamedSource source(frame, 1, key, 0);
  constexpr std::int64_t points = 512 * 9 + 77;
  const auto products = [&](const Communicator& comm) {
    std::vector<double> all(3 * points + 1);
    const TaskGroup group(comm);
    std::int64_t last = -1;
    const auto collect = [&](const ProductTile& tile) {
      EXPECT_GT(tile.first, last);
      EXPECT_EQ(tile.first / SlabLayout::block, (tile.first + tile.components - 1) / SlabLayout::block);
      last = tile.first;
      for (std::int64_t i = 0; i < tile.components; ++i) {
        const auto at = static_cast<std::size_t>(3 * (tile.first + i));
        all[at] = tile.start_products[tile.stride + i];
        all[at + 1] = tile.noise_products[tile.stride + i];
        all[at + 2] = tile.half_norm2[tile.half_norm2_stride + i];
        all.back() += 1.0;
      }
    };
    source.visit(group, probes, points, {.consume = collect});
    comm.sum(all);
    return all;
  };
  const std::vector<double> expected = products(self);
  const std::vector<double> measured = products(world);
  EXPECT_EQ(expected.back(), static_cast<double>(points));
  for (std::size_t i = 0; i < expected.size(); ++i) ASSERT_EQ(measured[i], expected[i]) << i;
}

// All variables of a task: on the world as on one rank.
void expect_same(const Measure& measure, const TaskParameters& task) {
  ASSERT_EQ(measure.representation_problem(task) + measure.problem(task), "");
  const Communicator world = Communicator::world();
  const Communicator self = Communicator::self();
  const TaskRequest request{.counts = task.samples, .count_free = true};
  const MeasureResult expected = measure.run(task, request, TaskGroup(self));
  const MeasureResult measured = measure.run(task, request, TaskGroup(world));
  if (!world.is_root()) return;
  ASSERT_EQ(measured.variables.size(), expected.variables.size());
  for (std::size_t v = 0; v < expected.variables.size(); ++v) {
    const std::string& name = expected.variables[v].name;
    ASSERT_EQ(measured.variables[v].values.size(), expected.variables[v].values.size()) << name;
    for (std::size_t i = 0; i < expected.variables[v].values.size(); ++i) {
      const double value = expected.variables[v].values[i];
      if (std::isnan(value)) {
        EXPECT_TRUE(std::isnan(measured.variables[v].values[i])) << name;
      } else {
        EXPECT_NEAR(measured.variables[v].values[i], value, 1e-8 * std::max(1.0, std::abs(value))) << name;
      }
    }
  }
}

TEST(StreamedSourceOverRanks, CollapseIsThatOfOneRank) {
  const CollapseMeasure measure;
  TaskParameters task = test::mixture_task(measure, classes_of(CentroidKind::random, 1000000), {5.0, 5.6, 6.0}, "mpi");
  task.samples = {100, 700, 3000};
  task.options["probes"] = 70;
  task.representation = Representation::streaming;
  expect_same(measure, task);
}

TEST(ProjectedSourceOverRanks, SpeciationIsThatOfOneRank) {
  const SpeciationMeasure measure;
  for (const CentroidKind kind :
       {CentroidKind::random, CentroidKind::opposite, CentroidKind::orthogonal, CentroidKind::simplex}) {
    TaskParameters task = test::mixture_task(measure, classes_of(kind, 1000000000000), {13.0, 13.8, 15.0}, "mpi");
    task.options["probes"] = 70;
    task.representation = Representation::projected;
    expect_same(measure, task);
  }
  MixtureParameters many{.dimension = 2000, .classes = 1200, .centroids = CentroidKind::orthogonal};
  TaskParameters task = test::mixture_task(measure, many, {1.5, 2.0}, "mpi");
  task.options["probes"] = 70;
  task.representation = Representation::projected;
  expect_same(measure, task);
}

}  // namespace
}  // namespace diffphase
