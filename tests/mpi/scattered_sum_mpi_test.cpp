// Sums of which every rank gets a piece, several under way one after another.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include "parallel/communicator.hpp"
#include "parallel/scattered_sum.hpp"

namespace diffphase {
namespace {

// Pieces of unequal length, one of them empty where there are three ranks or more; the last value of each is the first
// of the next.
std::vector<ScatteredPiece> uneven_pieces(int ranks, int least) {
  std::vector<ScatteredPiece> pieces;
  std::size_t first = 0;
  for (int r = 0; r < ranks; ++r) {
    pieces.push_back({first, r == 1 && ranks > 2 ? 0 : least + 2 * r});
    if (pieces.back().count > 0) first += static_cast<std::size_t>(pieces.back().count) - 1;
  }
  return pieces;
}

std::vector<double> added_up(const TwoTerms& terms, int count) {
  std::vector<double> sum(terms.first, terms.first + count);
  for (std::size_t i = 0; terms.second != nullptr && i < sum.size(); ++i) sum[i] += terms.second[i];
  return sum;
}

double value_of(int rank, int round, std::size_t i) {
  return 0.1 * (rank + 1) + 10.0 * round + 1.0 / (3.0 + static_cast<double>(i));
}

template <typename Number>
std::vector<Number> values_of(int rank, int round, std::size_t count) {
  std::vector<Number> values(count);
  for (std::size_t i = 0; i < count; ++i) values[i] = static_cast<Number>(value_of(rank, round, i));
  return values;
}

// Rounding of the sums only: what is added are the numbers that are sent.
template <typename Number>
void expect_own_piece(const Communicator& world, const std::vector<ScatteredPiece>& pieces, int round,
                      const std::vector<double>& found) {
  const ScatteredPiece& own = pieces[static_cast<std::size_t>(world.rank())];
  for (std::size_t i = 0; i < found.size(); ++i) {
    double expected = 0.0;
    for (int r = 0; r < world.size(); ++r) {
      expected += static_cast<double>(static_cast<Number>(value_of(r, round, own.first + i)));
    }
    ASSERT_NEAR(found[i], expected, 1e-14 * expected) << "round " << round << ", value " << i;
  }
}

// Values of a few rounds, each overwritten as soon as it has been sent.
template <typename Number>
class Rounds {
 public:
  Rounds(const Communicator& world, std::vector<ScatteredPiece> pieces, std::size_t count, int direct_ranks)
      : world_(world), pieces_(std::move(pieces)), count_(count), sum_(world, pieces_, direct_ranks) {}

  void start(int round) {
    sum_.wait_sent(kept_.size() - 1);
    std::vector<Number>& values = kept_[static_cast<std::size_t>(round) % kept_.size()];
    values = values_of<Number>(world_.rank(), round, count_);
    sum_.start(values);
    EXPECT_TRUE(sum_.started());
  }

  void finish(int round) {
    const std::vector<double> found = added_up(sum_.finish(), pieces_[static_cast<std::size_t>(world_.rank())].count);
    EXPECT_FALSE(sum_.started());
    expect_own_piece<Number>(world_, pieces_, round, found);
  }

  void wait_sent() { sum_.wait_sent(0); }

 private:
  const Communicator& world_;
  std::vector<ScatteredPiece> pieces_;
  std::size_t count_;
  std::array<std::vector<Number>, 3> kept_;
  ScatteredSum<Number> sum_;
};

// Two objects under way at once, with pieces that travel with their message and pieces that are fetched.
template <typename Number>
void expect_sums(int direct_ranks) {
  const Communicator world = Communicator::world();
  Rounds<Number> first(world, uneven_pieces(world.size(), 3), 100, direct_ranks);
  Rounds<Number> second(world, uneven_pieces(world.size(), 20000), 100000, direct_ranks);
  for (int round = 0; round < 50; ++round) {
    first.start(round);
    second.start(round + 1000);
    if (round % 7 == 0) {
      // Other traffic on the same communicator does not mix with it.
      std::vector<double> other{1.0};
      world.sum(other);
      EXPECT_EQ(other[0], world.size());
    }
    first.finish(round);
    second.finish(round + 1000);
  }
  first.wait_sent();
  second.wait_sent();
}

TEST(ScatteredSum, IsTheSumOfTheOwnPieceInLargeGroupsAndSmall) {
  for (const int direct_ranks : {0, 16}) {
    expect_sums<double>(direct_ranks);
    expect_sums<float>(direct_ranks);
  }
}

// The last rank fetches what it is sent long after the others have the sum.
TEST(ScatteredSum, ValuesMayBeOverwrittenOnceTheyAreSent) {
  const Communicator world = Communicator::world();
  constexpr int count = 100000;
  ScatteredSum<double> sum(world, std::vector<ScatteredPiece>(static_cast<std::size_t>(world.size()), {0, count}));
  std::vector<double> values(count);
  for (int round = 0; round < 3; ++round) {
    std::fill(values.begin(), values.end(), round + 1.0);
    sum.start(values);
    if (world.rank() == world.size() - 1) std::this_thread::sleep_for(std::chrono::milliseconds(50));
    const std::vector<double> found = added_up(sum.finish(), count);
    EXPECT_EQ(found, std::vector<double>(count, world.size() * (round + 1.0)));
    sum.wait_sent(0);
    std::fill(values.begin(), values.end(), -1.0);
  }
}

TEST(ScatteredSum, RefusesWhatDoesNotFit) {
  const Communicator world = Communicator::world();
  const auto ranks = static_cast<std::size_t>(world.size());
  EXPECT_THROW(ScatteredSum<double>(world, std::vector<ScatteredPiece>(ranks + 1)), std::logic_error);
  ScatteredSum<double> sum(world, std::vector<ScatteredPiece>(ranks, {0, 1}));
  EXPECT_THROW(static_cast<void>(sum.finish()), std::logic_error);
}

}  // namespace
}  // namespace diffphase
