#include "parallel/root_wait.hpp"

#include <gtest/gtest.h>

#include "parallel/clock.hpp"
#include "parallel/communicator.hpp"

namespace diffphase {
namespace {

TEST(WorkOfRoot, EveryRankReturnsWhatItReturned) {
  const Communicator world = Communicator::world();
  bool called = false;
  const int code = work_of_root(
      world, [] { return false; },
      [&](const auto&) {
        called = true;
        return 75;
      });
  EXPECT_EQ(code, 75);
  EXPECT_EQ(called, world.is_root());
}

TEST(WorkOfRoot, AStopOfTheLastRankAloneReachesIt) {
  const Communicator world = Communicator::world();
  int asked = 0;
  const auto wants = [&] { return ++asked > 5 && world.rank() == world.size() - 1; };
  int questions = 0;
  const int code = work_of_root(world, wants, [&](const auto& anyone_wants_stop) {
    while (!anyone_wants_stop()) ++questions;
    return questions;
  });
  EXPECT_EQ(code, 5);
  EXPECT_EQ(asked, 6);
}

TEST(WorkOfRoot, TheOthersSleep) {
  const Communicator world = Communicator::world();
  const double before = processor_seconds();
  (void)work_of_root(
      world, [] { return false; },
      [](const auto&) {
        const double end = steady_seconds() + 1.0;
        while (steady_seconds() < end) continue;
        return 0;
      });
  const double used = processor_seconds() - before;
  EXPECT_TRUE(world.is_root() || used < 0.5) << used << " s of computing";
}

}  // namespace
}  // namespace diffphase
