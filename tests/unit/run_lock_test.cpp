#include "sweep/run_lock.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "temporary_folder.hpp"

namespace diffphase {
namespace {

namespace fs = std::filesystem;
using std::chrono::seconds;
using testing::AllOf;
using testing::HasSubstr;

// A run folder, a clock, and starts on various machines.
class RunLockTest : public testing::Test {
 protected:
  [[nodiscard]] LockEnvironment here() {
    LockEnvironment environment;
    environment.clock = [this] { return now; };
    environment.self.slurm_job.clear();
    environment.job_is_gone = [this](const std::string& job) { return job == gone_job; };
    return environment;
  }
  [[nodiscard]] LockEnvironment elsewhere(const std::string& host, const std::string& job = "") {
    LockEnvironment environment = here();
    environment.self.host = host;
    environment.self.pid = 4242;
    environment.self.slurm_job = job;
    return environment;
  }
  [[nodiscard]] std::string refusal(const LockEnvironment& environment) const {
    try {
      const RunLock lock(run.path(), {}, environment);
    } catch (const LockHeld& error) {
      return error.what();
    }
    return "taken";
  }
  [[nodiscard]] fs::path lock_path() const { return run.path() / "lock-1of1"; }

  // As a killed process leaves it.
  void leave_lock(const LockEnvironment& environment) {
    auto lock = std::make_unique<RunLock>(run.path(), Shard{}, environment);
    const std::string text = read_text(lock_path());
    lock.reset();
    PosixFile::create(lock_path()).write_all(text);
  }

  TemporaryFolder run;
  WallTime now = std::chrono::floor<seconds>(std::chrono::system_clock::now());
  std::string gone_job = "none";
};

TEST_F(RunLockTest, ASecondStartIsRefusedAndToldOfTheFirst) {
  std::optional<RunLock> first;
  first.emplace(run.path(), Shard{}, elsewhere("node7", "991"));
  now += seconds(20);
  EXPECT_THAT(refusal(here()),
              AllOf(HasSubstr("node7"), HasSubstr("4242"), HasSubstr("991"),
                    HasSubstr("since " + iso8601(now - seconds(20))), HasSubstr("20 s ago"), HasSubstr("stop")));
  first.reset();
  EXPECT_FALSE(fs::exists(lock_path()));
  EXPECT_EQ(refusal(here()), "taken");
  EXPECT_EQ(run.entries(), 0);
}

TEST_F(RunLockTest, ShardsDoNotDisturbEachOther) {
  const RunLock first(run.path(), {1, 2}, here());
  const RunLock second(run.path(), {2, 2}, here());
  EXPECT_THROW(RunLock(run.path(), {2, 2}, here()), LockHeld);
  EXPECT_EQ(live_locks(run.path(), here()).size(), 2U);
}

TEST_F(RunLockTest, StaleTenMinutesAfterTheLastBeat) {
  RunLock first(run.path(), {}, elsewhere("node7"));
  now += seconds(599);
  EXPECT_THAT(refusal(here()), HasSubstr("node7"));
  EXPECT_TRUE(first.beat());
  now += seconds(599);
  EXPECT_THAT(refusal(here()), HasSubstr("599 s ago"));
  now += seconds(2);
  EXPECT_TRUE(live_locks(run.path(), here()).empty());
  const RunLock second(run.path(), {}, here());
  EXPECT_FALSE(first.beat());
  EXPECT_EQ(live_locks(run.path(), here()).size(), 1U);
}

TEST_F(RunLockTest, BeatsAtMostEveryThirtySeconds) {
  RunLock lock(run.path(), {}, here());
  const std::string before = read_text(lock_path());
  now += seconds(29);
  EXPECT_TRUE(lock.beat());
  EXPECT_EQ(read_text(lock_path()), before);
  now += seconds(1);
  EXPECT_TRUE(lock.beat());
  EXPECT_NE(read_text(lock_path()), before);
  EXPECT_EQ(read_text(lock_path()).size(), before.size());
}

TEST_F(RunLockTest, ALostLockIsNoticedAndThatOfTheOtherIsLeftAlone) {
  std::optional<RunLock> first;
  first.emplace(run.path(), Shard{}, here());
  fs::remove(lock_path());
  const RunLock second(run.path(), {}, here());
  now += seconds(31);
  EXPECT_FALSE(first->beat());
  first.reset();
  EXPECT_TRUE(fs::exists(lock_path()));
}

TEST_F(RunLockTest, AtOnceWhenTheProcessOnThisHostIsDead) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  ::waitpid(child, nullptr, 0);
  LockEnvironment dead = here();
  dead.self.pid = child;
  leave_lock(dead);
  EXPECT_EQ(refusal(here()), "taken");
}

TEST_F(RunLockTest, AtOnceWhenThePidWasGivenOutAgain) {
  LockEnvironment earlier = here();
  earlier.self.start_ticks -= 1;
  leave_lock(earlier);
  EXPECT_EQ(refusal(here()), "taken");
}

TEST_F(RunLockTest, NotWhileTheProcessOnThisHostLives) {
  leave_lock(here());
  EXPECT_THAT(refusal(here()), HasSubstr("worked on"));
}

TEST_F(RunLockTest, AtOnceWhenTheSlurmJobIsOursOrGone) {
  leave_lock(elsewhere("node7", "991"));
  EXPECT_THAT(refusal(elsewhere("node8", "992")), HasSubstr("991"));
  EXPECT_EQ(refusal(elsewhere("node8", "991")), "taken");
  leave_lock(elsewhere("node7", "991"));
  gone_job = "991";
  EXPECT_EQ(refusal(elsewhere("node8", "992")), "taken");
  leave_lock(elsewhere("node7", ""));
  EXPECT_THAT(refusal(elsewhere("node8", "")), HasSubstr("node7"));
}

// A full disk, in a process of its own: the limit is for good.
TEST_F(RunLockTest, WhereItsNameCannotBeWrittenThereIsNoLock) {
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit one_byte{1, 1};
    if (::setrlimit(RLIMIT_FSIZE, &one_byte) != 0) ::_exit(2);
    try {
      const RunLock lock(run.path(), {}, here());
    } catch (const FileError&) {
      ::_exit(0);
    }
    ::_exit(1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
  EXPECT_FALSE(fs::exists(lock_path()));
  EXPECT_EQ(refusal(here()), "taken");
}

TEST_F(RunLockTest, ALockWithoutAnOwnerIsHeldUntilItIsOld) {
  PosixFile::create(lock_path());
  EXPECT_THAT(refusal(here()), HasSubstr("not yet written"));
  now += seconds(700);
  EXPECT_EQ(refusal(here()), "taken");
}

TEST_F(RunLockTest, GarbageInALockIsNoOwner) {
  for (const char* text :
       {"\n\n==\n", "pid=x\nprocess_start=1\nsince=1\nheartbeat=1\n", "pid=99999999999999999999999",
        "host=a\npid=1\nprocess_start=1\nsince=1\n", "host=a\npid=1\nprocess_start=1\nsince=1\nheartbeat=nan\n",
        "host=a\npid=1\nprocess_start=1\nsince=-1e300\nheartbeat=1\n"}) {
    PosixFile::create(lock_path()).write_all(text);
    EXPECT_THAT(refusal(here()), HasSubstr("not yet written"));
    fs::remove(lock_path());
  }
}

TEST_F(RunLockTest, ATakeOverThatDiedDoesNotBlockForEver) {
  LockEnvironment earlier = here();
  earlier.self.start_ticks -= 1;
  leave_lock(earlier);
  const fs::path marker = run.path() / "lock-1of1.takeover";
  PosixFile::create(marker);
  EXPECT_THAT(refusal(here()), HasSubstr("taking"));
  fs::last_write_time(marker, fs::file_time_type::clock::now() - std::chrono::minutes(2));
  EXPECT_EQ(refusal(here()), "taken");
  EXPECT_EQ(run.entries(), 0);
}

// Exits with 0 if it got the lock; holds it long enough for all others to try.
[[noreturn]] void start_in_child(const fs::path& run) {
  try {
    LockEnvironment environment;
    environment.self = this_process();
    const RunLock lock(run, {}, environment);
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    ::_exit(0);
  } catch (...) {
    ::_exit(1);
  }
}

TEST_F(RunLockTest, OfManyStartsAtOnceOneGetsTheStaleLock) {
  for (int trial = 0; trial < 5; ++trial) {
    fs::remove(lock_path());
    LockEnvironment earlier = here();
    earlier.self.start_ticks -= 1;
    leave_lock(earlier);
    std::vector<pid_t> children;
    for (int i = 0; i < 8; ++i) {
      children.push_back(::fork());
      if (children.back() == 0) start_in_child(run.path());
    }
    int winners = 0;
    for (const pid_t child : children) {
      int status = 0;
      ASSERT_EQ(::waitpid(child, &status, 0), child);
      if (status == 0) ++winners;
    }
    EXPECT_EQ(winners, 1);
  }
}

TEST(SlurmJobIsGone, AsksOnlyAboutNumbers) {
  EXPECT_FALSE(slurm_job_is_gone(""));
  EXPECT_FALSE(slurm_job_is_gone("1; touch /tmp/never"));
}

}  // namespace
}  // namespace diffphase
