#include "sweep/run_lock.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "temporary_folder.hpp"

namespace diffphase {
namespace {

namespace fs = std::filesystem;
using std::chrono::seconds;
using testing::AllOf;
using testing::HasSubstr;

// A run folder, clocks, and starts on various machines.
class RunLockTest : public testing::Test {
 protected:
  [[nodiscard]] LockEnvironment here() {
    LockEnvironment environment;
    environment.clock = [this] { return now; };
    environment.monotonic = [this] { return monotonic; };
    environment.self.slurm_job.clear();
    environment.self.slurm_cluster.clear();
    environment.job_is_gone = [this](const ProcessIdentity& owner) {
      ++questions;
      return owner.slurm_job == gone_job && owner.slurm_cluster == "here";
    };
    environment.stop_wanted = [this] { return waited >= stop_after; };
    environment.pause = [this](std::chrono::milliseconds time) {
      waited += std::chrono::duration<double>(time).count();
      monotonic += std::chrono::duration<double>(time).count();
      meanwhile();
    };
    environment.say = [this](const std::string& text) { said.push_back(text); };
    return environment;
  }
  // A host whose processes cannot be seen from here.
  [[nodiscard]] LockEnvironment elsewhere(const std::string& host, const std::string& job = "",
                                          std::int64_t restarts = 0) {
    LockEnvironment environment = here();
    environment.self.host = host;
    environment.self.boot = "boot-of-" + host;
    environment.self.pid = 4242;
    environment.self.slurm_job = job;
    environment.self.slurm_cluster = job.empty() ? "" : "here";
    environment.self.slurm_restarts = restarts;
    return environment;
  }
  [[nodiscard]] std::string refusal(const LockEnvironment& environment) const {
    try {
      const RunLock lock(run.path(), {}, environment);
    } catch (const std::runtime_error& error) {
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
  double monotonic = 1000.0;
  double waited = 0.0;
  double stop_after = 1e9;
  int questions = 0;
  std::function<void()> meanwhile = [] {};
  std::vector<std::string> said;
  std::string gone_job = "none";
};

TEST_F(RunLockTest, ASecondStartIsRefusedAtOnceAndToldOfTheFirst) {
  std::optional<RunLock> first;
  first.emplace(run.path(), Shard{}, here());
  now += seconds(20);
  EXPECT_THAT(refusal(here()),
              AllOf(HasSubstr("worked on"), HasSubstr(fmt::format("process {} on ", ::getpid())),
                    HasSubstr("since " + iso8601(now - seconds(20))), HasSubstr("20 s ago"), HasSubstr("stop")));
  EXPECT_EQ(waited, 0.0);
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

TEST_F(RunLockTest, ANewBeatOfAStartThatCannotBeSeenIsARefusal) {
  RunLock first(run.path(), {}, elsewhere("node7", "991"));
  meanwhile = [&] { EXPECT_TRUE(first.beat()); };
  for (const auto& second : {here(), elsewhere("node8"), elsewhere("node8", "992")}) {
    waited = 0.0;
    EXPECT_THAT(refusal(second), AllOf(HasSubstr("node7"), HasSubstr("4242"), HasSubstr("SLURM job 991"),
                                       HasSubstr("worked on"), HasSubstr("has just changed")));
    EXPECT_GE(waited, 0.0);
    EXPECT_LE(waited, 35.0);
  }
}

TEST_F(RunLockTest, TakenOverWhenNoBeatCameForTenMinutes) {
  RunLock first(run.path(), {}, elsewhere("node7"));
  EXPECT_EQ(refusal(here()), "taken");
  EXPECT_NEAR(waited, 600.0, 5.0);
  ASSERT_THAT(said, testing::SizeIs(testing::AllOf(testing::Ge(9U), testing::Le(11U))));
  EXPECT_THAT(said.front(), AllOf(HasSubstr("waiting for"), HasSubstr("process 4242 on node7"), HasSubstr("600 s")));
  EXPECT_FALSE(first.beat());
  EXPECT_EQ(run.entries(), 0);
}

TEST_F(RunLockTest, ClocksOfOtherHostsDecideNothing) {
  for (const std::chrono::minutes off :
       {std::chrono::minutes(-11), std::chrono::minutes(11), std::chrono::minutes(9999)}) {
    RunLock first(run.path(), {}, elsewhere("node7"));
    now += off;
    EXPECT_EQ(live_locks(run.path(), here()).size(), 1U);
    meanwhile = [&] { EXPECT_TRUE(first.beat()); };
    EXPECT_THAT(refusal(here()), HasSubstr("worked on"));
    // Nor does this host's, for the beats.
    now -= 2 * off;
    monotonic += 31.0;
    EXPECT_TRUE(first.beat());
    meanwhile = [] {};
  }
}

TEST_F(RunLockTest, AnOlderStartThatReleasesItsLockMakesWay) {
  auto first = std::make_unique<RunLock>(run.path(), Shard{}, elsewhere("node7"));
  meanwhile = [&] {
    if (waited > 100.0) first.reset();
  };
  EXPECT_EQ(refusal(here()), "taken");
  EXPECT_LE(waited, 110.0);
}

TEST_F(RunLockTest, AWaitEndsWhenAStopIsWanted) {
  leave_lock(elsewhere("node7"));
  stop_after = 20.0;
  EXPECT_THROW(RunLock(run.path(), {}, here()), LockWaitStopped);
  EXPECT_NEAR(waited, 20.0, 1.0);
  EXPECT_THAT(refusal(here()), AllOf(HasSubstr("while waiting for"), HasSubstr("node7")));
  EXPECT_TRUE(fs::exists(lock_path()));
  EXPECT_EQ(run.entries(), 1);
}

TEST_F(RunLockTest, BeatsAtMostEveryThirtySecondsAndCountsThem) {
  RunLock lock(run.path(), {}, here());
  const std::string before = read_text(lock_path());
  monotonic += 29.0;
  now += std::chrono::hours(1);
  EXPECT_TRUE(lock.beat());
  EXPECT_EQ(read_text(lock_path()), before);
  monotonic += 1.0;
  EXPECT_TRUE(lock.beat());
  EXPECT_NE(read_text(lock_path()), before);
  EXPECT_EQ(read_text(lock_path()).size(), before.size());
  monotonic += 30.0;
  EXPECT_TRUE(lock.beat());
  ASSERT_EQ(live_locks(run.path(), here()).size(), 1U);
  EXPECT_EQ(live_locks(run.path(), here())[0].beats, 2);
}

TEST_F(RunLockTest, ALostLockIsNoticedAndThatOfTheOtherIsLeftAlone) {
  std::optional<RunLock> first;
  first.emplace(run.path(), Shard{}, here());
  fs::remove(lock_path());
  const RunLock second(run.path(), {}, here());
  monotonic += 31.0;
  EXPECT_FALSE(first->beat());
  EXPECT_FALSE(first->beat());
  first.reset();
  EXPECT_TRUE(fs::exists(lock_path()));
}

TEST_F(RunLockTest, BeatsInAThreadOfItsOwnEndWithIt) {
  LockEnvironment alone = here();
  alone.beats_alone = true;
  std::optional<RunLock> lock;
  lock.emplace(run.path(), Shard{}, alone);
  EXPECT_TRUE(lock->beat());
  lock.reset();
  EXPECT_EQ(run.entries(), 0);
}

TEST_F(RunLockTest, AtOnceWhenTheProcessOnThisHostIsDead) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  ::waitpid(child, nullptr, 0);
  LockEnvironment dead = here();
  dead.self.pid = child;
  leave_lock(dead);
  EXPECT_EQ(refusal(here()), "taken");
  EXPECT_EQ(waited, 0.0);
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

TEST_F(RunLockTest, AStoppedProcessIsThere) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::raise(SIGSTOP);
    ::_exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, WUNTRACED), child);
  LockEnvironment stopped = here();
  stopped.self.pid = child;
  stopped.self.start_ticks = process_start_ticks(child).value_or(0);
  leave_lock(stopped);
  EXPECT_THAT(refusal(here()), AllOf(HasSubstr("was stopped"), HasSubstr(fmt::format("kill -CONT {}", child))));
  EXPECT_EQ(waited, 0.0);
  ::kill(child, SIGKILL);
  ::waitpid(child, &status, 0);
  EXPECT_EQ(refusal(here()), "taken");
}

// The pid of the lock is that of this very process, in a namespace where it is another's.
TEST_F(RunLockTest, PidsOfOtherNamespacesSayNothing) {
  LockEnvironment container = here();
  container.self.pid_namespace = "17";
  container.self.pid = 4194305;  // no process has this number
  RunLock first(run.path(), {}, container);
  meanwhile = [&] { EXPECT_TRUE(first.beat()); };
  EXPECT_EQ(live_locks(run.path(), here()).size(), 1U);
  EXPECT_THAT(refusal(here()), HasSubstr("has just changed"));
}

TEST_F(RunLockTest, AtOnceWhenSlurmDoesNotRunTheJob) {
  leave_lock(elsewhere("node7", "991"));
  stop_after = 5.0;
  EXPECT_THAT(refusal(elsewhere("node8", "992")), HasSubstr("while waiting"));
  gone_job = "991";
  EXPECT_TRUE(live_locks(run.path(), elsewhere("node8")).empty());
  EXPECT_EQ(refusal(elsewhere("node8", "992")), "taken");
}

TEST_F(RunLockTest, SlurmIsAskedOnceAMinute) {
  leave_lock(elsewhere("node7", "991"));
  EXPECT_EQ(refusal(elsewhere("node8", "992")), "taken");
  EXPECT_GE(questions, 9);
  EXPECT_LE(questions, 11);
}

TEST_F(RunLockTest, AtOnceWhenOurJobWasRequeuedSince) {
  leave_lock(elsewhere("node7", "991", 1));
  EXPECT_TRUE(live_locks(run.path(), elsewhere("node8", "991", 2)).empty());
  EXPECT_EQ(refusal(elsewhere("node8", "991", 2)), "taken");
  EXPECT_EQ(waited, 0.0);
}

TEST_F(RunLockTest, NotWhenAnotherStepOfOurJobHasIt) {
  RunLock first(run.path(), {}, elsewhere("node7", "991", 1));
  meanwhile = [&] { EXPECT_TRUE(first.beat()); };
  for (const std::int64_t restarts : {0, 1}) {
    EXPECT_EQ(live_locks(run.path(), elsewhere("node8", "991", restarts)).size(), 1U);
    EXPECT_THAT(refusal(elsewhere("node8", "991", restarts)), HasSubstr("has just changed"));
  }
  LockEnvironment other_cluster = elsewhere("node8", "991", 2);
  other_cluster.self.slurm_cluster = "there";
  EXPECT_THAT(refusal(other_cluster), HasSubstr("has just changed"));
}

TEST_F(RunLockTest, WhatIsNoFileIsNoLock) {
  ASSERT_EQ(::mkfifo(lock_path().c_str(), 0600), 0);
  EXPECT_THAT(refusal(here()), AllOf(HasSubstr(lock_path().string()), HasSubstr("it is a FIFO")));
  EXPECT_TRUE(live_locks(run.path(), here()).empty());
  fs::remove(lock_path());
  fs::create_directory(lock_path());
  EXPECT_THAT(refusal(here()), HasSubstr("it is a folder"));
  fs::remove(lock_path());
  fs::create_symlink("/dev/zero", lock_path());
  EXPECT_THAT(refusal(here()), HasSubstr("it is a device"));
  fs::remove(lock_path());
  fs::create_symlink("nowhere", lock_path());
  EXPECT_THAT(refusal(here()), HasSubstr("cannot create"));
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

TEST_F(RunLockTest, AnEmptyLockIsThatOfAProcessWhichDiedWhileItMadeIt) {
  PosixFile::create(lock_path());
  ASSERT_EQ(live_locks(run.path(), here()).size(), 1U);
  EXPECT_EQ(live_locks(run.path(), here())[0].heartbeat, now - std::chrono::minutes(1));
  EXPECT_EQ(live_locks(run.path(), here())[0].name(), "a start whose lock does not name it");
  EXPECT_EQ(refusal(here()), "taken");
  EXPECT_NEAR(waited, 10.0, 1.0);
}

TEST_F(RunLockTest, AnEmptyLockThatIsFilledBelongsToSomebody) {
  PosixFile file = PosixFile::create(lock_path());
  meanwhile = [&] {
    if (file.size() == 0) file.write_all("host=");
  };
  EXPECT_THAT(refusal(here()), HasSubstr("has just changed"));
}

TEST_F(RunLockTest, GarbageInALockIsNoOwner) {
  for (const char* text :
       {"\n\n==\n", "pid=x\nprocess_start=1\nsince=1\nheartbeat=1\n", "pid=99999999999999999999999",
        "host=a\npid=1\nprocess_start=1\nsince=1\n", "host=a\npid=1\nprocess_start=1\nsince=1\nheartbeat=nan\n",
        "host=a\npid=1\nprocess_start=1\nsince=-1e300\nheartbeat=1\n",
        "host=a\npid=1\nprocess_start=1\nbeats=1e\nsince=1\nheartbeat=1\nuser=\n"}) {
    PosixFile::create(lock_path()).write_all(text);
    waited = 0.0;
    EXPECT_EQ(live_locks(run.path(), here())[0].process.host, "");
    EXPECT_EQ(refusal(here()), "taken");
    EXPECT_NEAR(waited, 600.0, 5.0);
  }
}

TEST_F(RunLockTest, ALockOfAnEarlierVersionIsWaitedFor) {
  PosixFile::create(lock_path())
      .write_all(fmt::format(
          "host={}\npid=4194305\nprocess_start=1\nslurm_job=7\nsince=1000000000.000\nheartbeat=1000000000.000\n",
          this_process().host));
  EXPECT_EQ(live_locks(run.path(), here())[0].process.slurm_job, "7");
  stop_after = 5.0;
  EXPECT_THAT(refusal(here()), HasSubstr("process 4194305"));
}

TEST_F(RunLockTest, ATakeOverThatDiedDoesNotBlockForEver) {
  LockEnvironment earlier = here();
  earlier.self.start_ticks -= 1;
  leave_lock(earlier);
  const fs::path marker = run.path() / "lock-1of1.takeover";
  fs::copy_file(lock_path(), marker);
  EXPECT_EQ(refusal(here()), "taken");
  EXPECT_LT(waited, 1.0);
  leave_lock(earlier);
  PosixFile::create(marker);
  EXPECT_EQ(refusal(here()), "taken");
  EXPECT_NEAR(waited, 10.0, 2.0);
  EXPECT_EQ(run.entries(), 0);
}

// Says whether it got the lock, and holds it until all have said so.
[[noreturn]] void start_in_child(const fs::path& run, int answers, int end) {
  char answer = 'n';
  char none = 0;
  try {
    LockEnvironment environment;
    environment.self = this_process();
    const RunLock lock(run, {}, environment);
    answer = 'y';
    if (::write(answers, &answer, 1) == 1) static_cast<void>(!::read(end, &none, 1));
    ::_exit(0);
  } catch (...) {
    static_cast<void>(!::write(answers, &answer, 1));
    ::_exit(1);
  }
}

TEST_F(RunLockTest, OfManyStartsAtOnceOneGetsTheStaleLock) {
  constexpr int starts = 8;
  for (int trial = 0; trial < 5; ++trial) {
    fs::remove(lock_path());
    LockEnvironment earlier = here();
    earlier.self.start_ticks -= 1;
    leave_lock(earlier);
    std::array<int, 2> answers{};
    std::array<int, 2> end{};
    ASSERT_EQ(::pipe(answers.data()), 0);
    ASSERT_EQ(::pipe(end.data()), 0);
    std::vector<pid_t> children;
    for (int i = 0; i < starts; ++i) {
      children.push_back(::fork());
      if (children.back() != 0) continue;
      ::close(end[1]);
      start_in_child(run.path(), answers[1], end[0]);
    }
    int winners = 0;
    for (int i = 0; i < starts; ++i) {
      char answer = 0;
      ASSERT_EQ(::read(answers[0], &answer, 1), 1);
      winners += answer == 'y' ? 1 : 0;
    }
    EXPECT_EQ(winners, 1);
    for (const int descriptor : {end[1], end[0], answers[0], answers[1]}) ::close(descriptor);
    for (const pid_t child : children) ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  }
}

// A SLURM of stand-ins in PATH.
class SlurmJobIsGone : public testing::Test {
 protected:
  SlurmJobIsGone() {
    ::setenv("PATH", (folder.path().string() + ":" + path).c_str(), 1);
    ::unsetenv("SLURM_CLUSTER_NAME");
    ::unsetenv("SLURM_JOB_ID");
  }
  ~SlurmJobIsGone() override { ::setenv("PATH", path.c_str(), 1); }

  void stand_in(const std::string& name, const std::string& script) const {
    fs::remove(folder / name);
    PosixFile::create(folder / name).write_all("#!/bin/sh\n" + script + "\n");
    fs::permissions(folder / name, fs::perms::owner_all);
  }
  void cluster(const std::string& name, const std::string& hidden = "none") const {
    stand_in("scontrol",
             "echo 'ClusterName             = " + name + "'; echo 'PrivateData             = " + hidden + "'");
  }
  [[nodiscard]] bool gone(const std::string& cluster_of_owner, const std::string& job,
                          std::int64_t user = ::geteuid()) const {
    ProcessIdentity owner;
    owner.slurm_cluster = cluster_of_owner;
    owner.slurm_job = job;
    owner.user = user;
    return slurm_job_is_gone(owner);
  }

  TemporaryFolder folder;
  std::string path = std::getenv("PATH");
};

TEST_F(SlurmJobIsGone, AsTheSameClusterSays) {
  cluster("here");
  stand_in("squeue", "echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1");
  EXPECT_TRUE(gone("here", "7"));
  stand_in("squeue", "exit 0");
  EXPECT_TRUE(gone("here", "7"));
  for (const char* state : {"PENDING", "COMPLETED", "CANCELLED"}) {
    stand_in("squeue", std::string("echo ") + state);
    EXPECT_TRUE(gone("here", "7")) << state;
  }
  for (const char* state : {"RUNNING", "COMPLETING", "SUSPENDED"}) {
    stand_in("squeue", std::string("echo ") + state);
    EXPECT_FALSE(gone("here", "7")) << state;
  }
  stand_in("squeue", "echo 'Unable to contact slurm controller' >&2; exit 1");
  EXPECT_FALSE(gone("here", "7"));
}

TEST_F(SlurmJobIsGone, AnotherClusterKnowsNothingOfIt) {
  stand_in("squeue", "echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1");
  cluster("there");
  EXPECT_FALSE(gone("here", "7"));
  EXPECT_FALSE(gone("", "7"));
  stand_in("scontrol", "exit 1");
  EXPECT_FALSE(gone("here", "7"));
  EXPECT_FALSE(gone("", "7"));
}

TEST_F(SlurmJobIsGone, WhatTheEnvironmentFiltersIsNotGone) {
  cluster("here");
  stand_in("squeue", "test -n \"$SQUEUE_PARTITION$SQUEUE_STATES$SLURM_CLUSTERS\" || echo RUNNING");
  for (const char* name : {"SQUEUE_PARTITION", "SQUEUE_STATES", "SLURM_CLUSTERS"}) ::setenv(name, "other", 1);
  EXPECT_FALSE(gone("here", "7"));
  for (const char* name : {"SQUEUE_PARTITION", "SQUEUE_STATES", "SLURM_CLUSTERS"}) ::unsetenv(name);
}

TEST_F(SlurmJobIsGone, JobsOfOthersMayBeHidden) {
  stand_in("squeue", "exit 0");
  cluster("here", "jobs,usage");
  EXPECT_TRUE(gone("here", "7"));
  EXPECT_FALSE(gone("here", "7", ::geteuid() + 1));
  EXPECT_FALSE(gone("here", "7", -1));
}

TEST_F(SlurmJobIsGone, AsksOnlyAboutNumbers) {
  cluster("here");
  stand_in("squeue", "exit 0");
  EXPECT_FALSE(gone("here", ""));
  EXPECT_FALSE(gone("here", "1; touch " + (folder / "never").string()));
  EXPECT_FALSE(fs::exists(folder / "never"));
}

}  // namespace
}  // namespace diffphase
