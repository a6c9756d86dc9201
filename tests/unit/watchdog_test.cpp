#include "sweep/watchdog.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace diffphase {
namespace {

// Looks as rank 0 does, often; returns what was reported.
class WatchdogTest : public testing::Test {
 protected:
  std::vector<Stall> after(double seconds) {
    std::vector<Stall> all;
    for (const double end = now_ + seconds; now_ < end; now_ += 1.0) {
      for (const Stall& stall : watchdog_.look()) all.push_back(stall);
    }
    return all;
  }

  double now_ = 1000.0;
  Watchdog watchdog_{80.0, [this] { return now_; }};
};

TEST_F(WatchdogTest, ASilentGroupIsReportedOnceWithWhatItDoes) {
  watchdog_.hand_out(7, {2, 2});
  EXPECT_TRUE(after(75).empty());
  const auto stalls = after(1000);
  ASSERT_EQ(stalls.size(), 1U);
  EXPECT_EQ(stalls[0].task, 7U);
  EXPECT_EQ(stalls[0].group, (RankRange{2, 2}));
  EXPECT_GE(stalls[0].silent, 80.0);
  EXPECT_LE(stalls[0].silent, 90.0);
  EXPECT_EQ(stalls[0].since_begin, stalls[0].silent);
}

TEST_F(WatchdogTest, SignsOfLifeKeepItQuietAndEndAStall) {
  watchdog_.hand_out(7, {2, 2});
  for (int i = 0; i < 20; ++i) {
    EXPECT_TRUE(after(60).empty());
    watchdog_.hear(2);
  }
  EXPECT_EQ(after(200).size(), 1U);
  watchdog_.hear(2);
  const auto again = after(200);
  ASSERT_EQ(again.size(), 1U) << "a second stall is another one";
  EXPECT_GE(again[0].since_begin, 1400.0);
  EXPECT_LE(again[0].silent, 90.0);
}

TEST_F(WatchdogTest, OnlyGroupsThatHaveATaskAreWatched) {
  watchdog_.hand_out(1, {1, 1});
  watchdog_.hand_out(2, {3, 1});
  watchdog_.end(1, 1);
  watchdog_.hear(1);
  const auto stalls = after(500);
  ASSERT_EQ(stalls.size(), 1U);
  EXPECT_EQ(stalls[0].group.first, 3);
  watchdog_.end(2, 3);
  watchdog_.end(2, 3);  // unknown: nothing happens
  EXPECT_TRUE(after(500).empty());
}

TEST_F(WatchdogTest, ATaskHandedOutAheadBeginsWhenTheOneBeforeEnds) {
  watchdog_.hand_out(1, {1, 1});
  watchdog_.hand_out(2, {1, 1});
  EXPECT_TRUE(after(50).empty());
  watchdog_.hear(1);
  watchdog_.end(1, 1);
  const auto stalls = after(500);
  ASSERT_EQ(stalls.size(), 1U);
  EXPECT_EQ(stalls[0].task, 2U);
  EXPECT_LE(stalls[0].since_begin, 90.0);
}

TEST_F(WatchdogTest, WhatNobodyCouldHearIsNoSilence) {
  watchdog_.hand_out(1, {1, 1});
  EXPECT_TRUE(after(10).empty());
  now_ += 1000.0;  // rank 0 was busy; letters have waited since
  EXPECT_TRUE(watchdog_.look().empty());
  watchdog_.hear(1);
  EXPECT_TRUE(after(60).empty());
}

TEST_F(WatchdogTest, ZeroIsOff) {
  Watchdog off(0.0, [this] { return now_; });
  off.hand_out(1, {1, 1});
  for (int i = 0; i < 100; ++i, now_ += 100.0) EXPECT_TRUE(off.look().empty());
}

TEST(SignOfLife, ComesSeveralTimesPerLimit) {
  EXPECT_EQ(sign_of_life_interval(2.0), 0.5);
  EXPECT_EQ(sign_of_life_interval(600.0), 10.0);
}

}  // namespace
}  // namespace diffphase
