// The posterior pass in single precision on several ranks: as on one, in either partition.

#include <gtest/gtest.h>

#include <vector>

#include "measure/collapse.hpp"
#include "support/measure_runs.hpp"

namespace diffphase {
namespace {

using test::Measured;

const CollapseMeasure collapse;

Measured run_on(const Communicator& comm, TaskParameters task, const char* partition) {
  task.words["partition"] = partition;
  return Measured(collapse.run(task, {.counts = task.samples, .count_free = true}, TaskGroup(comm)));
}

TEST(SinglePrecisionOverRanks, BothPartitionsGiveTheNumbersOfOneRankTo1e5) {
  const Communicator world = Communicator::world();
  const Communicator self = Communicator::self();
  TaskParameters task = test::mixture_task(collapse, {.dimension = 37, .classes = 3}, {0.3, 0.8, 1.2, 2.0}, "single");
  task.samples = {17, 600, 1700};
  task.options["probes"] = 200;
  task.representation = Representation::full;
  task.single_precision = true;
  const Measured alone = run_on(self, task, "component");
  for (const char* partition : {"component", "dimension"}) {
    const Measured together = run_on(world, task, partition);
    if (!world.is_root()) continue;
    for (const char* name : {"participation", "weight_entropy", "parent_weight", "largest_weight"}) {
      ASSERT_EQ(together.values(name).size(), 12U);
      for (std::size_t i = 0; i < 12; ++i) {
        EXPECT_NEAR(together.value(name, i), alone.value(name, i), 1e-5) << partition << " " << name << " " << i;
      }
    }
  }
}

// All ranks go over to double together, where clusters are too far apart for single.
TEST(SinglePrecisionOverRanks, IsDoubleWhereDigitsAreLost) {
  const Communicator world = Communicator::world();
  const Communicator self = Communicator::self();
  TaskParameters task = test::mixture_task(
      collapse, {.dimension = 16, .classes = 2, .centroids = CentroidKind::opposite, .separation = 1e4},
      {0.1, 0.3, 0.8, 2.0}, "lost digits");
  task.samples = {300, 700};
  task.options["probes"] = 200;
  task.representation = Representation::full;
  const Measured exact = run_on(self, task, "component");
  task.single_precision = true;
  for (const char* partition : {"component", "dimension"}) {
    const Measured together = run_on(world, task, partition);
    if (!world.is_root()) continue;
    EXPECT_FALSE(together.result().warnings.empty()) << partition;
    for (std::size_t i = 0; i < 8; ++i) {
      EXPECT_NEAR(together.value("participation", i), exact.value("participation", i), 1e-5) << partition << " " << i;
    }
  }
}

}  // namespace
}  // namespace diffphase
