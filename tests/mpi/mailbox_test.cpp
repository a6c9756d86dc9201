#include "parallel/mailbox.hpp"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "parallel/idle_wait.hpp"

namespace diffphase {
namespace {

Mailbox::Letter wait_for_letter(Mailbox& mailbox) {
  for (IdleWait idle; true; idle.pause()) {
    if (auto letter = mailbox.collect()) return *letter;
  }
}

std::string letter_of(int from, int to, int number, std::size_t length) {
  std::string text = std::to_string(from) + ">" + std::to_string(to) + "#" + std::to_string(number) + ":";
  return text + std::string(length, static_cast<char>('a' + number % 26));
}

// Everybody writes to everybody, itself included, before anybody reads: nothing blocks, and the letters of
// one sender keep their order, whatever their length and however small the frames.
TEST(Mailbox, AllToAllInOrder) {
  const Communicator world = Communicator::world();
  const std::vector<std::size_t> lengths{0, 1, 100000, 7, 0, 3000000, 2};
  for (const std::size_t frame : {std::size_t{1} << 26, std::size_t{50021}}) {
    Mailbox mailbox(world.duplicate(), frame);
    const int letters = static_cast<int>(lengths.size());
    for (int n = 0; n < letters; ++n) {
      for (int to = 0; to < world.size(); ++to) {
        mailbox.post(to, letter_of(world.rank(), to, n, lengths[static_cast<std::size_t>(n)]));
      }
    }
    std::vector<int> arrived(static_cast<std::size_t>(world.size()), 0);
    for (int n = 0; n < letters * world.size(); ++n) {
      const auto letter = wait_for_letter(mailbox);
      const int number = arrived[static_cast<std::size_t>(letter.source)]++;
      ASSERT_LT(number, letters);
      EXPECT_TRUE(letter.bytes ==
                  letter_of(letter.source, world.rank(), number, lengths[static_cast<std::size_t>(number)]));
    }
    mailbox.flush();
    EXPECT_TRUE(mailbox.all_sent());
    EXPECT_FALSE(mailbox.collect());
    idle_barrier(world);
  }
}

TEST(Mailbox, EmptyLetterArrives) {
  const Communicator world = Communicator::world();
  Mailbox mailbox(world.duplicate());
  const int next = (world.rank() + 1) % world.size();
  mailbox.post(next, "");
  EXPECT_EQ(wait_for_letter(mailbox).bytes, "");
  mailbox.flush();
}

TEST(Mailbox, RefusesFramesThatFitNoMessage) {
  EXPECT_THROW(Mailbox(Communicator::self(), 0), std::logic_error);
  EXPECT_THROW(Mailbox(Communicator::self(), std::size_t{1} << 40), std::logic_error);
}

TEST(IdleWait, BroadcastAndBarrier) {
  const Communicator world = Communicator::world();
  int calls = 0;
  std::vector<int> values(3, world.rank());
  idle_broadcast(world, std::as_writable_bytes(std::span(values)), world.size() - 1, [&] { ++calls; });
  EXPECT_EQ(values, std::vector<int>(3, world.size() - 1));
  idle_barrier(world, [&] { ++calls; });
  EXPECT_GE(calls, 0);
}

}  // namespace
}  // namespace diffphase
