#include "sweep/group_tree.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

namespace diffphase {
namespace {

using testing::ElementsAre;

std::vector<int> sizes(const TreeShape& shape, int level) {
  std::vector<int> all;
  for (int rank = 0; rank < shape.world_size();) {
    const RankRange group = shape.group_of(rank, level);
    all.push_back(group.size);
    rank += group.size;
  }
  return all;
}

TEST(TreeShape, HalvesUnevenly) {
  const TreeShape five(5);
  EXPECT_EQ(five.levels(), 4);
  EXPECT_THAT(sizes(five, 0), ElementsAre(5));
  EXPECT_THAT(sizes(five, 1), ElementsAre(3, 2));
  EXPECT_THAT(sizes(five, 2), ElementsAre(2, 1, 1, 1));
  EXPECT_THAT(sizes(five, 3), ElementsAre(1, 1, 1, 1, 1));
  EXPECT_THAT(sizes(TreeShape(7), 1), ElementsAre(4, 3));
  EXPECT_THAT(sizes(TreeShape(7), 2), ElementsAre(2, 2, 2, 1));
  EXPECT_EQ(TreeShape(1).levels(), 1);
  EXPECT_EQ(TreeShape(8).levels(), 4);
}

// The groups that take tasks at one level: disjoint, each known to all its members, each inside one of the
// level above.
std::set<int> check_groups(const TreeShape& shape, int level) {
  std::set<int> group_sizes;
  int groups = 0;
  for (int rank = 0; rank < shape.world_size(); ++rank) {
    const RankRange group = shape.group_of(rank, level);
    EXPECT_TRUE(group.contains(rank));
    EXPECT_EQ(shape.group_of(group.first, level), group);
    if (!shape.computes(rank, level)) {
      EXPECT_EQ(group, (RankRange{0, 1}));
      continue;
    }
    if (group.first == rank) ++groups;
    group_sizes.insert(group.size);
    const RankRange parent = shape.group_of(rank, std::max(level - 1, 0));
    EXPECT_TRUE(parent.contains(group.first) && parent.contains(group.first + group.size - 1));
  }
  EXPECT_EQ(groups, shape.groups(level));
  return group_sizes;
}

TEST(TreeShape, IsATreeOfNearlyEqualGroups) {
  for (int dedicated_above : {2, 1 << 20}) {
    for (int world = 1; world <= 200; ++world) {
      const TreeShape shape(world, dedicated_above);
      for (int level = 0; level < shape.levels(); ++level) {
        SCOPED_TRACE("world " + std::to_string(world) + ", level " + std::to_string(level));
        const std::set<int> group_sizes = check_groups(shape, level);
        EXPECT_EQ(*group_sizes.begin(), shape.smallest_group(level));
        EXPECT_LE(*group_sizes.rbegin(), shape.smallest_group(level) + 1);
      }
      EXPECT_EQ(shape.smallest_group(shape.levels() - 1), 1);
    }
  }
}

TEST(TreeShape, LargeWorldsHaveADedicatedRoot) {
  EXPECT_FALSE(TreeShape(64).dedicated_root());
  const TreeShape shape(65);
  EXPECT_TRUE(shape.dedicated_root());
  EXPECT_TRUE(shape.computes(0, 0));
  EXPECT_FALSE(shape.computes(0, 1));
  EXPECT_TRUE(shape.computes(1, 1));
  EXPECT_EQ(shape.group_of(0, 0), (RankRange{0, 65}));
  EXPECT_EQ(shape.group_of(0, 3), (RankRange{0, 1}));
  EXPECT_EQ(shape.group_of(1, 1), (RankRange{1, 32}));
  EXPECT_EQ(shape.group_of(33, 1), (RankRange{33, 32}));
}

TEST(TreeShape, RefusesWhatDoesNotExist) {
  EXPECT_THROW(TreeShape(0), std::invalid_argument);
  const TreeShape shape(4);
  EXPECT_THROW(static_cast<void>(shape.group_of(4, 0)), std::out_of_range);
  EXPECT_THROW(static_cast<void>(shape.group_of(-1, 0)), std::out_of_range);
  EXPECT_THROW(static_cast<void>(shape.group_of(0, 3)), std::out_of_range);
  EXPECT_THROW(static_cast<void>(shape.groups(-1)), std::out_of_range);
}

}  // namespace
}  // namespace diffphase
