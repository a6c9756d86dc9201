// Sums of which every rank gets a piece, several under way one after another.

#include <gtest/gtest.h>

#include <cstddef>
#include <stdexcept>
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

// Two objects under way at once, with pieces of different length, for many rounds.
template <typename Number>
void expect_sums(int direct_ranks) {
  const Communicator world = Communicator::world();
  const auto rank = static_cast<std::size_t>(world.rank());
  const std::vector<ScatteredPiece> few = uneven_pieces(world.size(), 3);
  const std::vector<ScatteredPiece> many = uneven_pieces(world.size(), 400);
  ScatteredSum<Number> first(world, few, direct_ranks);
  ScatteredSum<Number> second(world, many, direct_ranks);
  for (int round = 0; round < 50; ++round) {
    const std::vector<Number> first_values = values_of<Number>(world.rank(), round, 100);
    const std::vector<Number> second_values = values_of<Number>(world.rank(), round + 1000, 4000);
    first.start(first_values);
    second.start(second_values);
    EXPECT_TRUE(first.started());
    // Other traffic on the same communicator does not mix with it.
    std::vector<double> other{1.0};
    world.sum(other);
    EXPECT_EQ(other[0], world.size());
    const std::vector<double> found_first = added_up(first.finish(), few[rank].count);
    const std::vector<double> found_second = added_up(second.finish(), many[rank].count);
    EXPECT_FALSE(first.started());
    expect_own_piece<Number>(world, few, round, found_first);
    expect_own_piece<Number>(world, many, round + 1000, found_second);
  }
}

TEST(ScatteredSum, IsTheSumOfTheOwnPieceInLargeGroupsAndSmall) {
  for (const int direct_ranks : {0, 16}) {
    expect_sums<double>(direct_ranks);
    expect_sums<float>(direct_ranks);
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
