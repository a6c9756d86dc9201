#include "sweep/placement.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <stdexcept>

#include "files/checksummed_record.hpp"

namespace diffphase {
namespace {

using testing::HasSubstr;

constexpr double gib = 1024.0 * 1024.0 * 1024.0;

int ranks_for(const TaskLoad& load, int world, const PlacementRules& rules = {}) {
  const TreeShape shape(world);
  return shape.smallest_group(place(load, shape, rules).level);
}

TEST(Placement, SmallTasksGetOneRank) {
  for (int world : {1, 2, 3, 5, 8, 64, 100}) EXPECT_EQ(ranks_for({}, world), 1) << world;
}

TEST(Placement, MemoryAsksForRanks) {
  EXPECT_EQ(ranks_for({.divided_bytes = 4 * gib}, 8), 1);
  EXPECT_EQ(ranks_for({.divided_bytes = 4.1 * gib}, 8), 2);
  EXPECT_EQ(ranks_for({.divided_bytes = 6 * gib, .rank_bytes = 2 * gib}, 8), 4);
  EXPECT_EQ(ranks_for({.divided_bytes = 30 * gib}, 8), 8);
  // 7 ranks split into 4 + 3: a task that needs four ranks may come to the three.
  EXPECT_EQ(ranks_for({.divided_bytes = 16 * gib}, 7), 7);
}

TEST(Placement, WorkAsksForRanksUpToTheWorld) {
  const double ten_minutes = PlacementRules{}.operations_per_rank;
  EXPECT_EQ(ranks_for({.operations = ten_minutes}, 8), 1);
  EXPECT_EQ(ranks_for({.operations = 1.01 * ten_minutes}, 8), 2);
  EXPECT_EQ(ranks_for({.operations = 1e3 * ten_minutes}, 8), 8);
  const Placement endless = place({.operations = std::numeric_limits<double>::infinity()}, TreeShape(8));
  EXPECT_EQ(endless.level, 0);
  EXPECT_EQ(endless.problem, "");
}

TEST(Placement, RanksPerTaskReplacesTheWorkRuleButNotMemory) {
  const TaskLoad heavy{.operations = 1e20};
  EXPECT_EQ(ranks_for(heavy, 8, {.ranks_per_task = 1}), 1);
  EXPECT_EQ(ranks_for({}, 8, {.ranks_per_task = 3}), 4);
  EXPECT_EQ(ranks_for({}, 8, {.ranks_per_task = 8}), 8);
  EXPECT_EQ(ranks_for({}, 8, {.ranks_per_task = 100}), 8);
  EXPECT_EQ(ranks_for({.divided_bytes = 8 * gib}, 8, {.ranks_per_task = 1}), 2);
}

TEST(Placement, AResultBeyondARecordFitsNowhere) {
  const double most = static_cast<double>(max_record_bytes);
  EXPECT_EQ(place({.result_bytes = most}, TreeShape(4)).problem, "");
  EXPECT_THAT(place({.result_bytes = 2.0 * most}, TreeShape(4)).problem, HasSubstr("128 MiB"));
}

TEST(Placement, SaysWhatWouldHelpWhereNothingFits) {
  const Placement divided = place({.divided_bytes = 20 * gib, .rank_bytes = 1 * gib}, TreeShape(4));
  EXPECT_THAT(divided.problem, HasSubstr("needs 6 GiB on each of 4 ranks"));
  EXPECT_THAT(divided.problem, HasSubstr("memory_per_rank is 4 GiB"));
  EXPECT_THAT(divided.problem, HasSubstr("at least 7 ranks"));
  const Placement undivided = place({.rank_bytes = 5 * gib}, TreeShape(1));
  EXPECT_THAT(undivided.problem, HasSubstr("on each of 1 rank,"));
  EXPECT_THAT(undivided.problem, HasSubstr("above 5 GiB"));
}

TEST(Placement, IsMonotone) {
  for (int world : {1, 3, 5, 7, 16, 63, 70}) {
    const TreeShape shape(world);
    for (int b = 0; b < 15; ++b) {
      for (int o = 0; o < 9; ++o) {
        const double bytes = 0.1 * gib * std::pow(1.7, b);
        const double operations = 1e11 * std::pow(3.0, o);
        const TaskLoad load{.divided_bytes = bytes, .rank_bytes = 0.1 * gib, .operations = operations};
        const auto grown = [&](double divided, double rank, double work) {
          return place({load.divided_bytes * divided, load.rank_bytes * rank, load.operations * work}, shape).level;
        };
        const int level = place(load, shape).level;
        EXPECT_LE(grown(1.5, 1, 1), level);
        EXPECT_LE(grown(1, 1.5, 1), level);
        EXPECT_LE(grown(1, 1, 1.5), level);
        EXPECT_LE(place(load, shape, {.ranks_per_task = 4}).level, place(load, shape, {.ranks_per_task = 3}).level);
      }
    }
  }
}

TEST(Placement, RefusesNonsense) {
  const TreeShape shape(2);
  EXPECT_THROW(static_cast<void>(place({.operations = -1.0}, shape)), std::invalid_argument);
  EXPECT_THROW(static_cast<void>(place({.rank_bytes = std::nan("")}, shape)), std::invalid_argument);
  EXPECT_THROW(static_cast<void>(place({}, shape, {.memory_per_rank = 0.0})), std::invalid_argument);
  EXPECT_THROW(static_cast<void>(place({}, shape, {.ranks_per_task = -2})), std::invalid_argument);
}

}  // namespace
}  // namespace diffphase
