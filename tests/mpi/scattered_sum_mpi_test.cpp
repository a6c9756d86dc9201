// Sums of which every rank gets a piece, several under way one after another.

#include <gtest/gtest.h>

#include <numeric>
#include <stdexcept>
#include <vector>

#include "parallel/communicator.hpp"
#include "parallel/scattered_sum.hpp"

namespace diffphase {
namespace {

// Pieces of unequal length, one of them empty where there are three ranks or more.
std::vector<int> uneven_counts(int ranks) {
  std::vector<int> counts;
  for (int r = 0; r < ranks; ++r) counts.push_back(r == 1 && ranks > 2 ? 0 : 3 + 2 * r);
  return counts;
}

double value_of(int rank, int round, std::size_t i) {
  return 0.1 * (rank + 1) + 10.0 * round + 1.0 / (3.0 + static_cast<double>(i));
}

template <typename Number>
void expect_the_sum_that_the_collective_gives(int direct_ranks) {
  const Communicator world = Communicator::world();
  const std::vector<int> counts = uneven_counts(world.size());
  const auto total = static_cast<std::size_t>(std::accumulate(counts.begin(), counts.end(), 0));
  const auto own = static_cast<std::size_t>(counts[static_cast<std::size_t>(world.rank())]);
  ScatteredSum<Number> sum(world, counts, direct_ranks);
  std::vector<Number> values(total);
  std::vector<double> exact(total);
  std::vector<double> found(own);
  std::vector<double> expected(own);
  for (int round = 0; round < 50; ++round) {
    for (std::size_t i = 0; i < total; ++i) {
      values[i] = static_cast<Number>(value_of(world.rank(), round, i));
      exact[i] = static_cast<double>(values[i]);
    }
    sum.start(values);
    EXPECT_TRUE(sum.started());
    // Other traffic on the same communicator does not mix with it.
    std::vector<double> other{1.0};
    world.sum(other);
    EXPECT_EQ(other[0], world.size());
    sum.finish(found);
    EXPECT_FALSE(sum.started());
    world.sum_scatter(exact, expected, counts);
    for (std::size_t i = 0; i < own; ++i) EXPECT_NEAR(found[i], expected[i], 1e-13 * expected[i]);
  }
}

TEST(ScatteredSum, IsTheSumThatTheCollectiveGivesInLargeGroupsAndSmall) {
  for (const int direct_ranks : {0, 16}) {
    expect_the_sum_that_the_collective_gives<double>(direct_ranks);
    expect_the_sum_that_the_collective_gives<float>(direct_ranks);
  }
}

TEST(ScatteredSum, TwoMayBeUnderWayWhenTheyFinishInOrder) {
  const Communicator world = Communicator::world();
  const std::vector<int> counts(static_cast<std::size_t>(world.size()), 2);
  ScatteredSum<double> first(world, counts);
  ScatteredSum<double> second(world, counts);
  const std::vector<double> ones(2 * counts.size(), 1.0);
  const std::vector<double> tens(2 * counts.size(), 10.0);
  std::vector<double> out(2);
  first.start(ones);
  second.start(tens);
  first.finish(out);
  EXPECT_EQ(out[1], world.size());
  second.finish(out);
  EXPECT_EQ(out[0], 10.0 * world.size());
}

TEST(ScatteredSum, RefusesWhatDoesNotFit) {
  const Communicator world = Communicator::world();
  EXPECT_THROW(ScatteredSum<double>(world, std::vector<int>(static_cast<std::size_t>(world.size()) + 1, 1)),
               std::logic_error);
  ScatteredSum<double> sum(world, std::vector<int>(static_cast<std::size_t>(world.size()), 1));
  std::vector<double> out(1);
  EXPECT_THROW(sum.finish(out), std::logic_error);
}

}  // namespace
}  // namespace diffphase
