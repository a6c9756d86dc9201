// Collapse with several noises for each starting point.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "measure/collapse.hpp"
#include "measure/probes.hpp"
#include "posterior/reduction.hpp"
#include "support/measure_runs.hpp"

namespace diffphase {
namespace {

using test::Measured;
using test::mixture_task;

const CollapseMeasure collapse;

constexpr std::int64_t noises = 8;
constexpr std::int64_t starts = 19;
constexpr std::int64_t probes = starts * noises;  // two blocks, the last one smaller

TaskParameters task_of_noises() {
  MixtureParameters mixture;
  mixture.dimension = 24;
  mixture.classes = 2;
  mixture.centroids = CentroidKind::opposite;
  TaskParameters task = mixture_task(collapse, mixture, {0.05, 0.2, 0.5, 1.0, 2.0}, "noises");
  task.samples = {7, 600};
  task.options["probes"] = static_cast<double>(probes);
  task.options["noises"] = static_cast<double>(noises);
  return task;
}

// Participation of every probe among the first `count` points, [probe][time]: one probe at a time, each with its own
// start in its block.
std::vector<double> participation_of_each(const TaskParameters& task, std::int64_t count) {
  const Communicator self = Communicator::self();
  const TaskGroup group(self);
  const DataSlab slab = make_training_set(group, task, Partition::component, count);
  const StoredSource source(group, slab);
  const ProbeStarts rows(task);
  const ReductionPlan plan{.times = task.times, .process = task.process, .counts = {count}, .law = {}};
  std::vector<double> participation;
  for (std::int64_t p = 0; p < probes; ++p) {
    const ProbeBlock block = fetch_probes(group, slab, rows.noise(), p, 1,
                                          [&](std::int64_t probe) { return rows.row(probe / noises, count); });
    Reduction reduction(plan, task.dimension(), block);
    source.visit(group, block, count, reduction.consumer());
    reduction.merge_over(group);
    for (std::size_t t = 0; t < task.times.size(); ++t)
      participation.push_back(reduction.summary(0, 0, t).participation);
  }
  return participation;
}

// The mean over all probes, and its standard error from the spread of the means over the noises of each start.
TEST(CollapseNoises, TheUnitOfTheErrorIsTheStart) {
  const TaskParameters task = task_of_noises();
  const Measured measured(collapse, task);
  constexpr auto units = static_cast<double>(starts);
  const std::size_t times = task.times.size();
  for (std::size_t c = 0; c < task.samples.size(); ++c) {
    const std::vector<double> each = participation_of_each(task, task.samples[c]);
    for (std::size_t t = 0; t < times; ++t) {
      double sum = 0.0;
      double squares = 0.0;
      for (std::int64_t start = 0; start < starts; ++start) {
        double mean = 0.0;
        for (std::int64_t i = 0; i < noises; ++i) {
          mean += each[static_cast<std::size_t>(start * noises + i) * times + t] / static_cast<double>(noises);
        }
        sum += mean;
        squares += mean * mean;
      }
      const double variance = (squares - sum * sum / units) / (units - 1.0);
      EXPECT_NEAR(measured.value("participation", c * times + t), sum / units, 1e-11);
      EXPECT_NEAR(measured.value("participation_stderr", c * times + t), std::sqrt(std::max(variance, 0.0) / units),
                  1e-8);
    }
  }
}

TEST(CollapseNoises, TakeTheProductsOfTheirStartsOnce) {
  TaskParameters task = task_of_noises();
  const TaskRequest request{.counts = task.samples, .count_free = true};
  const double shared = collapse.cost(task, request).flops;
  task.options["noises"] = 1.0;
  task.representation = Representation::full;
  EXPECT_NEAR(shared / collapse.cost(task, request).flops, (1.0 + 1.0 / static_cast<double>(noises)) / 2.0, 1e-12);
}

TEST(CollapseNoises, AreOfStoredTrainingSets) {
  TaskParameters task = task_of_noises();
  EXPECT_EQ(Measured(collapse, task).value("collapse_representation"), 0.0);
  task.representation = Representation::streaming;
  EXPECT_THAT(collapse.problem(task), testing::HasSubstr("noises = 1"));
  task.representation = Representation::extreme;
  EXPECT_THAT(collapse.problem(task), testing::HasSubstr("noises = 1"));
}

TEST(CollapseNoises, DivideTheProbes) {
  TaskParameters task = task_of_noises();
  task.options["noises"] = 3.0;
  EXPECT_THAT(collapse.problem(task), testing::HasSubstr("measure.collapse.noises is 3; it must divide 64"));
  task.options["noises"] = 16.0;
  EXPECT_THAT(collapse.problem(task), testing::HasSubstr("measure.collapse.probes is 152"));
  task.options["noises"] = 64.0;
  task.options["probes"] = 64.0;
  EXPECT_THAT(collapse.problem(task), testing::HasSubstr("128 or more"));
}

}  // namespace
}  // namespace diffphase
