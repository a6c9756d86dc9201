#include "parallel/stop_request.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <thread>

namespace diffphase {
namespace {

// A clock that goes only when it is told to.
struct FakeClock {
  double now = 100.0;
  Clock clock() {
    return [this] { return now; };
  }
};

class StopFile : public testing::Test {
 protected:
  void SetUp() override {
    directory_ = std::filesystem::temp_directory_path() / ("diffphase-stop-" + std::to_string(getpid()));
    std::filesystem::create_directories(directory_);
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  [[nodiscard]] std::filesystem::path file() const { return directory_ / "stop"; }
  void touch(int minute) const {
    std::ofstream(file()).put('\n');
    std::filesystem::last_write_time(file(), std::filesystem::file_time_type() + std::chrono::minutes(minute));
  }

 private:
  std::filesystem::path directory_;
};

TEST(StopRequest, NothingAsksByItself) {
  StopRequest stop({});
  EXPECT_FALSE(stop.wanted());
  EXPECT_EQ(stop.reason(), "");
}

TEST(StopRequest, GetsTheSignalsThatWereHeldAndHoldsThemAgainBehindIt) {
  const pid_t child = fork();
  if (child == 0) {
    hold_stop_signals();
    raise(SIGUSR1);
    bool as_expected = false;
    {
      StopRequest stop({});
      as_expected = stop.wanted() && stop.reason() == "signal SIGUSR1";
    }
    raise(SIGTERM);
    _exit(as_expected ? 7 : 8);
  }
  int status = 0;
  waitpid(child, &status, 0);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 7);
}

TEST_F(StopFile, CanBeNamedLater) {
  touch(1);
  FakeClock fake;
  StopRequest stop({}, fake.clock());
  stop.watch(file());
  fake.now += 2.0;
  EXPECT_FALSE(stop.wanted());
  touch(2);
  fake.now += 2.0;
  EXPECT_TRUE(stop.wanted());
}

TEST(StopRequest, OneSignalSetsTheFlag) {
  for (const auto& [number, name] :
       {std::pair{SIGUSR1, "signal SIGUSR1"}, {SIGTERM, "signal SIGTERM"}, {SIGINT, "signal SIGINT"}}) {
    StopRequest stop({});
    EXPECT_FALSE(stop.wanted());
    raise(number);
    EXPECT_TRUE(stop.wanted());
    EXPECT_TRUE(stop.wanted());
    EXPECT_EQ(stop.reason(), name);
  }
}

// In a child: raises twice with a pause and returns the child's wait status.
int status_after_two_signals(std::chrono::milliseconds pause) {
  const pid_t child = fork();
  if (child == 0) {
    StopRequest stop({});
    raise(SIGTERM);
    std::this_thread::sleep_for(pause);
    raise(SIGUSR1);
    _exit(stop.wanted() ? 3 : 4);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return status;
}

TEST(StopRequest, SecondSignalEndsAtOnce) {
  const int status = status_after_two_signals(std::chrono::milliseconds(300));
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 75);
}

TEST(StopRequest, TheSameSignalDeliveredTwiceIsOne) {
  const int status = status_after_two_signals(std::chrono::milliseconds(0));
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 3);
}

TEST(StopRequest, PutsTheOldHandlersBack) {
  struct sigaction before {};
  struct sigaction after {};
  sigaction(SIGUSR1, nullptr, &before);
  { const StopRequest stop({}); }
  sigaction(SIGUSR1, nullptr, &after);
  EXPECT_EQ(before.sa_handler, after.sa_handler);
}

TEST(StopRequest, ThereIsOnlyOne) {
  const StopRequest stop({});
  EXPECT_THROW(StopRequest({}), std::logic_error);
}

TEST(StopRequest, DeadlineCountsFromConstruction) {
  FakeClock time;
  StopRequest stop({.after_seconds = 60.0}, time.clock());
  time.now += 59.9;
  EXPECT_FALSE(stop.wanted());
  time.now += 0.2;
  EXPECT_TRUE(stop.wanted());
  EXPECT_EQ(stop.reason(), "time limit reached");
}

TEST(StopRequest, DeadlineCanBeGivenLater) {
  FakeClock time;
  StopRequest stop({}, time.clock());
  EXPECT_EQ(stop.seconds_left(), std::nullopt);
  time.now += 10.0;
  stop.end_after(5.0);
  EXPECT_DOUBLE_EQ(stop.seconds_left().value(), 5.0);
  time.now += 4.5;
  EXPECT_FALSE(stop.wanted());
  EXPECT_DOUBLE_EQ(stop.seconds_left().value(), 0.5);
  time.now += 1.0;
  EXPECT_DOUBLE_EQ(stop.seconds_left().value(), -0.5);
  EXPECT_TRUE(stop.wanted());
  EXPECT_EQ(stop.reason(), "time limit reached");
}

TEST_F(StopFile, IsLookedAtOncePerSecond) {
  FakeClock time;
  StopRequest stop({.file = file()}, time.clock());
  EXPECT_FALSE(stop.wanted());
  touch(1);
  time.now += 0.9;
  EXPECT_FALSE(stop.wanted());
  time.now += 0.2;
  EXPECT_TRUE(stop.wanted());
  EXPECT_EQ(stop.reason(), "stop file " + file().string());
  std::filesystem::remove(file());
  time.now += 2.0;
  EXPECT_TRUE(stop.wanted());
}

TEST_F(StopFile, AnOldOneCountsWhenTouchedAgain) {
  FakeClock time;
  touch(1);
  StopRequest stop({.file = file()}, time.clock());
  EXPECT_FALSE(stop.wanted());
  touch(2);
  time.now += 1.5;
  EXPECT_TRUE(stop.wanted());
}

TEST_F(StopFile, RemovedAndMadeAgainCounts) {
  FakeClock time;
  touch(1);
  StopRequest stop({.file = file()}, time.clock());
  std::filesystem::remove(file());
  EXPECT_FALSE(stop.wanted());
  touch(1);
  time.now += 1.5;
  EXPECT_TRUE(stop.wanted());
}

}  // namespace
}  // namespace diffphase
