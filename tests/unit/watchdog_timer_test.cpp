// The timer's thread really waits, a few milliseconds; what it decides follows a clock that the tests own.

#include "sweep/watchdog_timer.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <vector>

namespace diffphase {
namespace {

constexpr double limit = 0.02;

class WatchdogTimerTest : public testing::Test {
 protected:
  // Waits for the report number `count`; false if it does not come.
  bool wait_for(std::size_t count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(60), [&] { return stalls_.size() >= count; });
  }

  // After the thread has surely looked again.
  std::size_t count_later() {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    const std::lock_guard lock(mutex_);
    return stalls_.size();
  }

  Stall stall(std::size_t i) {
    const std::lock_guard lock(mutex_);
    return stalls_.at(i);
  }

  std::atomic<double> now_{100.0};
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Stall> stalls_;
  WatchdogTimer timer_{limit,
                       {0, 1},
                       [this](const Stall& stall) {
                         const std::lock_guard lock(mutex_);
                         stalls_.push_back(stall);
                         changed_.notify_all();
                         throw std::runtime_error("ignored");
                       },
                       [this] { return now_.load(); }};
};

TEST_F(WatchdogTimerTest, EndsWhatIsHeldAfterAStop) {
  std::atomic<bool> stop{false};
  std::atomic<int> held{0};
  timer_.end_when_held([&] { return stop.load(); }, 60.0, [&] { ++held; });
  now_ = 1000.0;
  ASSERT_TRUE(wait_for(1));
  EXPECT_EQ(count_later(), 1U);
  EXPECT_EQ(held, 0) << "silence alone ends nothing";
  stop = true;
  count_later();
  now_ = 1050.0;
  timer_.kick();
  now_ = 1109.0;
  count_later();
  EXPECT_EQ(held, 0) << "a sign of life 59 s ago";
  now_ = 1111.0;
  while (held == 0) std::this_thread::yield();
  count_later();
  EXPECT_EQ(held, 1);
  now_ = 1172.0;
  while (held == 1) std::this_thread::yield();
  count_later();
  EXPECT_EQ(held, 2) << "again where it returns";
}

TEST_F(WatchdogTimerTest, ReportsSilenceOncePerStallWithTheTask) {
  timer_.begin(5, {0, 2});
  EXPECT_EQ(count_later(), 0U) << "no time has passed";
  now_ = 130.0;
  ASSERT_TRUE(wait_for(1));
  EXPECT_EQ(stall(0).task, 5U);
  EXPECT_EQ(stall(0).group, (RankRange{0, 2}));
  EXPECT_EQ(stall(0).since_begin, 30.0);
  EXPECT_EQ(stall(0).silent, 30.0);
  now_ = 140.0;
  EXPECT_EQ(count_later(), 1U);
  timer_.kick();
  now_ = 150.0;
  ASSERT_TRUE(wait_for(2));
  EXPECT_EQ(stall(1).since_begin, 50.0);
  EXPECT_EQ(stall(1).silent, 10.0);
}

TEST_F(WatchdogTimerTest, OutsideOfTasksItNamesTheRanksItWasMadeFor) {
  timer_.begin(5, {0, 2});
  timer_.end();
  now_ = 101.0;
  ASSERT_TRUE(wait_for(1));
  EXPECT_FALSE(stall(0).task.has_value());
  EXPECT_EQ(stall(0).group, (RankRange{0, 1}));
}

}  // namespace
}  // namespace diffphase
