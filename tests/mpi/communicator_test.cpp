#include "parallel/communicator.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

namespace diffphase {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::IsEmpty;

// The world, its uneven halves, and this rank alone: every operation must work on each.
class CommunicatorTest : public testing::Test {
 protected:
  CommunicatorTest() : world_(Communicator::world()) {
    comms_.push_back(world_.duplicate());
    comms_.push_back(world_.split(world_.rank() < (world_.size() + 1) / 2 ? 0 : 1));
    comms_.push_back(Communicator::self());
  }

  [[nodiscard]] const Communicator& world() const { return world_; }
  [[nodiscard]] const std::vector<Communicator>& comms() const { return comms_; }

 private:
  Communicator world_;
  std::vector<Communicator> comms_;
};

TEST_F(CommunicatorTest, SplitsInRankOrder) {
  const int front = (world().size() + 1) / 2;
  const bool in_front = world().rank() < front;
  EXPECT_EQ(comms()[1].size(), in_front ? front : world().size() - front);
  EXPECT_EQ(comms()[1].rank(), in_front ? world().rank() : world().rank() - front);
  EXPECT_EQ(comms()[1].is_root(), world().rank() == 0 || world().rank() == front);
  EXPECT_EQ(comms()[2].size(), 1);
}

TEST_F(CommunicatorTest, MovesLeaveNothingBehind) {
  Communicator first = world().duplicate();
  Communicator second = std::move(first);
  EXPECT_EQ(second.size(), world().size());
  first = world().split(0);
  second = std::move(first);
  EXPECT_EQ(second.rank(), world().rank());
  second.barrier();
}

TEST_F(CommunicatorTest, ReducesElementwise) {
  for (const Communicator& comm : comms()) {
    const int size = comm.size();
    std::vector<double> values{1.0, static_cast<double>(comm.rank())};
    comm.sum(values);
    EXPECT_THAT(values, ElementsAre(size, size * (size - 1) / 2.0));
    std::vector<std::int64_t> counts{(std::int64_t{1} << 40) + comm.rank()};
    auto largest = counts;
    auto smallest = counts;
    comm.sum(counts);
    comm.maximum(largest);
    comm.minimum(smallest);
    EXPECT_EQ(counts[0], (std::int64_t{1} << 40) * size + size * (size - 1) / 2);
    EXPECT_EQ(largest[0], (std::int64_t{1} << 40) + size - 1);
    EXPECT_EQ(smallest[0], std::int64_t{1} << 40);
    std::vector<double> real{-1.5 * comm.rank()};
    comm.maximum(real);
    EXPECT_EQ(real[0], 0.0);
    comm.sum(std::span<double>());
  }
}

TEST_F(CommunicatorTest, SumScatterGivesEveryRankItsBlock) {
  for (const Communicator& comm : comms()) {
    // Block r has r elements, so rank 0 gets nothing.
    std::vector<int> counts(static_cast<std::size_t>(comm.size()));
    std::iota(counts.begin(), counts.end(), 0);
    const int total = comm.size() * (comm.size() - 1) / 2;
    std::vector<double> values(static_cast<std::size_t>(total));
    std::iota(values.begin(), values.end(), 100.0 * comm.rank());
    std::vector<double> out(static_cast<std::size_t>(comm.rank()), -1.0);
    comm.sum_scatter(values, out, counts);
    const int first = comm.rank() * (comm.rank() - 1) / 2;
    for (int i = 0; i < comm.rank(); ++i) {
      EXPECT_EQ(out[static_cast<std::size_t>(i)], comm.size() * (first + i) + 100.0 * total);
    }
    std::vector<double> too_long(out.size() + 1);
    EXPECT_THROW(comm.sum_scatter(values, too_long, counts), std::logic_error);
  }
}

TEST_F(CommunicatorTest, ExchangesBlocksAndGathersParts) {
  for (const Communicator& comm : comms()) {
    // Block r has r elements; element i of what rank q sends is 100 q + i.
    std::vector<int> counts(static_cast<std::size_t>(comm.size()));
    std::iota(counts.begin(), counts.end(), 0);
    const int total = comm.size() * (comm.size() - 1) / 2;
    std::vector<double> values(static_cast<std::size_t>(total));
    std::iota(values.begin(), values.end(), 100.0 * comm.rank());
    std::vector<double> out(static_cast<std::size_t>(comm.rank() * comm.size()), -1.0);
    comm.exchange(values, out, counts);
    const int first = comm.rank() * (comm.rank() - 1) / 2;
    for (int i = 0; i < static_cast<int>(out.size()); ++i) {
      const int sender = i / comm.rank();
      EXPECT_EQ(out[static_cast<std::size_t>(i)], 100.0 * sender + first + i % comm.rank());
    }
    // The part of each rank is its block of what rank 1 would have sent.
    std::vector<double> part(static_cast<std::size_t>(comm.rank()));
    std::iota(part.begin(), part.end(), 100.0 + first);
    const int root = comm.size() - 1;
    std::vector<double> all(static_cast<std::size_t>(comm.rank() == root ? total : 0), -1.0);
    comm.gather_parts(part, all, counts, root);
    for (std::size_t i = 0; i < all.size(); ++i) EXPECT_EQ(all[i], 100.0 + static_cast<double>(i));

    std::vector<double> too_long(out.size() + 1);
    EXPECT_THROW(comm.exchange(values, too_long, counts), std::logic_error);
    EXPECT_THROW(comm.gather_parts(too_long, all, counts, root), std::logic_error);
    counts.push_back(0);
    EXPECT_THROW(comm.exchange(values, out, counts), std::logic_error);
  }
}

TEST_F(CommunicatorTest, BroadcastsFromAnyRoot) {
  for (const Communicator& comm : comms()) {
    for (int root = 0; root < comm.size(); ++root) {
      std::vector<int> values(1000, comm.rank());
      comm.broadcast(std::span(values), root);
      EXPECT_THAT(values, Each(root));
      std::string text(static_cast<std::size_t>(10 * comm.rank() + root), 'x');
      text += std::to_string(comm.rank());
      comm.broadcast(text, root);
      EXPECT_EQ(text, std::string(static_cast<std::size_t>(11 * root), 'x') + std::to_string(root));
      std::string empty = comm.rank() == root ? "" : "not empty";
      comm.broadcast(empty, root);
      EXPECT_EQ(empty, "");
    }
  }
}

TEST_F(CommunicatorTest, GathersInRankOrder) {
  for (const Communicator& comm : comms()) {
    const int root = comm.size() - 1;
    const std::array<double, 2> mine{1.0 * comm.rank(), 0.5};
    const auto all = comm.gather(mine, root);
    // Texts of different length, one of them empty.
    const auto texts = comm.gather(std::string(static_cast<std::size_t>(comm.rank()), 'a'), root);
    if (comm.rank() != root) {
      EXPECT_THAT(all, IsEmpty());
      EXPECT_THAT(texts, IsEmpty());
      continue;
    }
    ASSERT_EQ(all.size(), 2 * static_cast<std::size_t>(comm.size()));
    ASSERT_EQ(texts.size(), static_cast<std::size_t>(comm.size()));
    for (std::size_t r = 0; r < texts.size(); ++r) {
      EXPECT_EQ(all[2 * r], static_cast<double>(r));
      EXPECT_EQ(texts[r], std::string(r, 'a'));
    }
  }
}

TEST_F(CommunicatorTest, ReceivesMessagesOfAnyLength) {
  const int rank = world().rank();
  if (rank > 0) {
    for (const std::size_t length : {std::size_t{0}, std::size_t{5}, std::size_t{300000}}) {
      world().send(std::vector<std::byte>(length, static_cast<std::byte>(rank)), 0, 7);
    }
    return;
  }
  for (int other = 1; other < world().size(); ++other) {
    for (const std::size_t length : {std::size_t{0}, std::size_t{5}, std::size_t{300000}}) {
      const auto bytes = world().receive(other, 7);
      EXPECT_TRUE(bytes == std::vector<std::byte>(length, static_cast<std::byte>(other))) << length;
    }
  }
}

TEST_F(CommunicatorTest, ProbeFindsWhatHasArrived) {
  int source = MPI_ANY_SOURCE;
  int tag = MPI_ANY_TAG;
  EXPECT_FALSE(world().probe(source, tag));
  world().barrier();
  if (world().rank() == world().size() - 1) world().send(std::vector<std::byte>(3), 0, 42);
  if (world().rank() == 0) {
    while (!world().probe(source, tag)) {
    }
    EXPECT_EQ(source, world().size() - 1);
    EXPECT_EQ(tag, 42);
    EXPECT_EQ(world().receive(source, tag).size(), 3U);
  }
}

TEST_F(CommunicatorTest, ErrorsOfMpiAreThrownWithItsText) {
  EXPECT_THROW(world().send({}, world().size(), 0), std::runtime_error);
  EXPECT_NO_THROW(check_mpi(MPI_SUCCESS, "nothing"));
}

}  // namespace
}  // namespace diffphase
