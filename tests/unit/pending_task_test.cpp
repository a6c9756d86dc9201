#include "sweep/pending_task.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace diffphase {
namespace {

using testing::ElementsAre;

PendingTask task(double operations, bool suspect) {
  PendingTask pending;
  pending.operations = operations;
  pending.suspect = suspect;
  return pending;
}

TEST(PendingTask, TheLargestGoesFirstAndSuspectsLast) {
  EXPECT_THAT(hand_out_order({task(1.0, false), task(9.0, true), task(3.0, false), task(10.0, true), task(3.0, false)}),
              ElementsAre(2, 4, 0, 3, 1));
  EXPECT_THAT(hand_out_order({}), ElementsAre());
}

TEST(PendingTask, OtherRanksGetWhatTheyNeed) {
  PendingTask one;
  one.index = 7;
  one.request.counts = {100, 10};
  one.request.count_free = false;
  one.level = 2;
  PendingTask two;
  two.index = 3;
  two.request.count_free = true;
  const auto copies = decode_pending(encode_pending({one, two}));
  ASSERT_EQ(copies.size(), 2U);
  EXPECT_EQ(copies[0].index, 7U);
  EXPECT_THAT(copies[0].request.counts, ElementsAre(100, 10));
  EXPECT_FALSE(copies[0].request.count_free);
  EXPECT_EQ(copies[0].level, 2);
  EXPECT_EQ(copies[1].index, 3U);
  EXPECT_TRUE(copies[1].request.count_free);
}

}  // namespace
}  // namespace diffphase
