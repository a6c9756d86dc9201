#include <gtest/gtest.h>

#include <cstdint>

#include "clone_helpers.hpp"

namespace diffphase {
namespace {

TEST(ClonesRanks, TheResultDoesNotDependOnTheGroup) {
  const Communicator world = Communicator::world();
  const Communicator self = Communicator::self();
  // 64 trajectories to a block: four blocks, the last one short, so that some ranks have none in the last
  // round.
  for (const ReverseSampler sampler : {ReverseSampler::euler, ReverseSampler::exact}) {
    const auto experiment = clone_tests::opposite_classes(201, 20, sampler);
    const CloneAgreement together = clone_tests::simulate(TaskGroup(world), experiment, "ranks");
    const CloneAgreement alone = clone_tests::simulate(TaskGroup(self), experiment, "ranks");
    EXPECT_EQ(together.agreement, alone.agreement);
    EXPECT_EQ(together.standard_error, alone.standard_error);
  }
}

TEST(ClonesRanks, AnErrorOnOneRankEndsEverywhere) {
  const Communicator world = Communicator::world();
  auto experiment = clone_tests::opposite_classes(100, 10, ReverseSampler::euler);
  if (world.rank() == world.size() - 1) experiment.settings.final_tau = -1.0;
  EXPECT_THROW(clone_tests::simulate(TaskGroup(world), experiment, "ranks"), GroupError);
}

TEST(ClonesRanks, AStopEndsBetweenSteps) {
  const Communicator world = Communicator::world();
  std::int64_t polls = 0;
  const TaskGroup group(world, [&] { return world.rank() == 0 && ++polls == 7; });
  const auto experiment = clone_tests::opposite_classes(100, 50, ReverseSampler::euler);
  EXPECT_THROW(clone_tests::simulate(group, experiment, "ranks"), Stopped);
}

}  // namespace
}  // namespace diffphase
