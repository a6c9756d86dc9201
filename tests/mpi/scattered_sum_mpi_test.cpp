// Sums of which every rank gets a piece, several under way one after another.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <limits>
#include <span>
#include <stdexcept>
#include <thread>
#include <vector>

#include "parallel/communicator.hpp"
#include "parallel/scattered_sum.hpp"

namespace diffphase {
namespace {

// Of unequal length, one of them empty where there are three ranks or more.
std::vector<int> uneven_counts(int ranks, int least) {
  std::vector<int> counts;
  for (int r = 0; r < ranks; ++r) counts.push_back(r == 1 && ranks > 2 ? 0 : least + 2 * r);
  return counts;
}

double value_of(int from, int to, int round, int i) {
  return 0.1 * (from + 1) + 7.0 * to + 10.0 * round + 1.0 / (3.0 + static_cast<double>(i));
}

// Rounding of the sums only: what is added are the numbers that are sent.
template <typename Number>
void expect_sum_of_others(const Communicator& world, int round, std::span<const Number> found) {
  const double tolerance = 4.0 * static_cast<double>(std::numeric_limits<Number>::epsilon());
  for (std::size_t i = 0; i < found.size(); ++i) {
    double expected = 0.0;
    for (int r = 0; r < world.size(); ++r) {
      if (r == world.rank()) continue;
      expected += static_cast<double>(static_cast<Number>(value_of(r, world.rank(), round, static_cast<int>(i))));
    }
    ASSERT_NEAR(static_cast<double>(found[i]), expected, tolerance * expected) << "round " << round << ", value " << i;
  }
}

// One sum after another.
template <typename Number>
class Rounds {
 public:
  Rounds(const Communicator& world, const std::vector<int>& counts, int direct_ranks)
      : world_(world), counts_(counts), sum_(world, counts, direct_ranks) {}

  void start(int round) {
    const std::span<Number> values = sum_.values();
    std::size_t next = 0;
    for (int step = 1; step < world_.size(); ++step) {
      const int to = (world_.rank() + step) % world_.size();
      for (int i = 0; i < counts_[static_cast<std::size_t>(to)]; ++i) {
        values[next++] = static_cast<Number>(value_of(world_.rank(), to, round, i));
      }
    }
    EXPECT_EQ(next, values.size());
    sum_.start();
  }

  void finish(int round) {
    const std::span<Number> found = sum_.finish();
    EXPECT_EQ(found.size(), static_cast<std::size_t>(counts_[static_cast<std::size_t>(world_.rank())]));
    expect_sum_of_others<Number>(world_, round, found);
    std::fill(found.begin(), found.end(), Number{-1});
  }

  void wait_sent() { sum_.wait_sent(); }

 private:
  const Communicator& world_;
  std::vector<int> counts_;
  ScatteredSum<Number> sum_;
};

// Three objects under way at once, with pieces that travel with their message and pieces that are fetched.
template <typename Number>
void expect_sums(int direct_ranks) {
  const Communicator world = Communicator::world();
  Rounds<Number> small(world, uneven_counts(world.size(), 3), direct_ranks);
  std::array<Rounds<Number>, 2> large{Rounds<Number>(world, uneven_counts(world.size(), 20000), direct_ranks),
                                      Rounds<Number>(world, uneven_counts(world.size(), 20000), direct_ranks)};
  large[0].start(0);
  for (int round = 0; round < 50; ++round) {
    small.start(round);
    large[static_cast<std::size_t>(round + 1) % 2].start(round + 1);
    if (round % 7 == 0) {
      // Other traffic on the same communicator does not mix with it.
      std::vector<double> other{1.0};
      world.sum(other);
      EXPECT_EQ(other[0], world.size());
    }
    large[static_cast<std::size_t>(round) % 2].finish(round);
    small.finish(round);
  }
  large[0].finish(50);
  small.wait_sent();
  for (Rounds<Number>& rounds : large) rounds.wait_sent();
}

TEST(ScatteredSum, IsThatOfTheOtherRanksInLargeGroupsAndSmall) {
  for (const int direct_ranks : {0, 16}) {
    expect_sums<double>(direct_ranks);
    expect_sums<float>(direct_ranks);
  }
}

// The last rank fetches what it is sent long after the others have the sum.
TEST(ScatteredSum, ValuesMayBeOverwrittenOnceTheyAreSent) {
  const Communicator world = Communicator::world();
  constexpr int count = 100000;
  ScatteredSum<double> sum(world, std::vector<int>(static_cast<std::size_t>(world.size()), count));
  for (int round = 0; round < 3; ++round) {
    std::ranges::fill(sum.values(), round + 1.0);
    sum.start();
    if (world.rank() == world.size() - 1) std::this_thread::sleep_for(std::chrono::milliseconds(50));
    const std::span<const double> found = sum.finish();
    EXPECT_EQ(std::ranges::count(found, (world.size() - 1) * (round + 1.0)), count);
    std::ranges::fill(sum.values(), -1.0);
  }
}

TEST(ScatteredSum, RefusesWhatDoesNotFit) {
  const Communicator world = Communicator::world();
  const auto ranks = static_cast<std::size_t>(world.size());
  EXPECT_THROW(ScatteredSum<double>(world, std::vector<int>(ranks + 1)), std::logic_error);
  ScatteredSum<double> sum(world, std::vector<int>(ranks, 1));
  EXPECT_THROW(static_cast<void>(sum.finish()), std::logic_error);
}

}  // namespace
}  // namespace diffphase
