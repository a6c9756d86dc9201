#include "parallel/stop_request.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

namespace {
std::int64_t seconds_ahead = 0;
}

// In place of libc's, so that nobody waits.
extern "C" int clock_gettime(clockid_t clock, timespec* time) noexcept {
  const long result = syscall(SYS_clock_gettime, clock, time);
  time->tv_sec += seconds_ahead;
  return static_cast<int>(result);
}

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

// What a child process returns from `body`; the signal that ended it, negative, where one did.
template <typename Body>
int in_child(Body&& body) {
  const pid_t child = fork();
  if (child == 0) _exit(body());
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

TEST(StopRequest, GetsTheSignalsThatWereNotedAndNothingEndsTheProgramBehindIt) {
  EXPECT_EQ(in_child([] {
              note_stop_signals();
              raise(SIGUSR1);
              bool as_expected = false;
              {
                StopRequest stop({});
                as_expected = stop.wanted() && stop.reason() == "signal SIGUSR1";
              }
              for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2, SIGXCPU}) raise(number);
              seconds_ahead = 20;
              raise(SIGTERM);
              return as_expected ? 7 : 8;
            }),
            7);
}

TEST(StopRequest, EndsWhatDoesNotStart) {
  const auto started = std::chrono::steady_clock::now();
  EXPECT_EQ(in_child([] {
              note_stop_signals();
              raise(SIGTERM);
              alarm(1);  // in place of the one after 10 s, which it was set for
              for (;;) pause();
              return 0;
            }),
            75);
  EXPECT_GE(std::chrono::steady_clock::now() - started, std::chrono::milliseconds(900));
}

TEST(StopRequest, WaitsTenSecondsForWhatDoesNotStart) {
  EXPECT_EQ(in_child([] {
              note_stop_signals();
              raise(SIGUSR1);
              const unsigned before = alarm(0);
              raise(SIGINT);
              return before == 0 ? static_cast<int>(alarm(0)) : 0;
            }),
            10);
}

TEST(StopRequest, TakesTheAlarmBack) {
  EXPECT_EQ(in_child([] {
              note_stop_signals();
              raise(SIGTERM);
              const StopRequest stop({});
              return static_cast<int>(alarm(0));
            }),
            0);
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
  for (const auto& [number, name] : {std::pair{SIGUSR1, "signal SIGUSR1"},
                                     {SIGUSR2, "signal SIGUSR2"},
                                     {SIGXCPU, "signal SIGXCPU"},
                                     {SIGTERM, "signal SIGTERM"},
                                     {SIGINT, "signal SIGINT"},
                                     {SIGHUP, "signal SIGHUP"}}) {
    StopRequest stop({});
    EXPECT_FALSE(stop.wanted());
    raise(number);
    EXPECT_TRUE(stop.wanted());
    EXPECT_TRUE(stop.wanted());
    EXPECT_EQ(stop.reason(), name);
  }
}

// Raises two signals, the second so many seconds after the first; 3 if the process goes on.
int after_two_signals(int first, int second, std::int64_t seconds) {
  return in_child([&] {
    StopRequest stop({});
    raise(first);
    seconds_ahead = seconds;
    raise(second);
    return stop.wanted() ? 3 : 4;
  });
}

TEST(StopRequest, OnlyAnotherInterruptOrTerminationMuchLaterEndsAtOnce) {
  for (const int first : {SIGINT, SIGTERM}) {
    for (const int second : {SIGINT, SIGTERM}) {
      EXPECT_EQ(after_two_signals(first, second, 0), 3);
      EXPECT_EQ(after_two_signals(first, second, 9), 3);
      EXPECT_EQ(after_two_signals(first, second, 11), 75);
    }
  }
  for (const int other : {SIGUSR1, SIGUSR2, SIGXCPU, SIGHUP}) {
    EXPECT_EQ(after_two_signals(other, other, 11), 3);
    EXPECT_EQ(after_two_signals(other, SIGTERM, 11), 3);
    EXPECT_EQ(after_two_signals(SIGINT, other, 11), 3);
  }
}

TEST(StopRequest, WhatIsIgnoredStaysIgnored) {
  EXPECT_EQ(in_child([] {
              signal(SIGHUP, SIG_IGN);
              note_stop_signals();
              StopRequest stop({});
              raise(SIGHUP);
              return stop.wanted() ? 1 : 0;
            }),
            0);
}

TEST_F(StopFile, ASignalLeavesAMark) {
  std::ofstream(file()).write("\0\0\0\0", 4);
  EXPECT_EQ(in_child([this] {
              const StopRequest stop({});
              mark_stop_signals(file(), 2);
              raise(SIGHUP);
              return 0;
            }),
            0);
  std::string bytes(5, 'x');
  std::ifstream(file()).read(bytes.data(), 5);
  EXPECT_EQ(bytes, (std::string{'\0', '\0', '\1', '\0', 'x'}));
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
