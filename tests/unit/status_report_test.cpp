#include "sweep/status_report.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>

#include "measure/declared_result.hpp"
#include "sweep_examples.hpp"
#include "temporary_folder.hpp"

namespace diffphase {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

constexpr double start_seconds = 1.7e9;

// A run folder with the sweep of the examples (16 tasks), and a clock.
class StatusOfARun : public testing::Test {
 protected:
  StatusOfARun() {
    write_sweep(example());
    environment.clock = [this] { return from_unix_seconds(now); };
  }

  void write_sweep(const std::string& text) const { std::ofstream(run / "sweep.toml") << text; }

  // A journal as a start of the program by this process writes it.
  [[nodiscard]] std::unique_ptr<Journal> journal(double at = start_seconds, std::int64_t pid = ::getpid()) {
    ProcessIdentity process = this_process();
    process.pid = pid;
    return std::make_unique<Journal>(run.path(), start_stem(from_unix_seconds(at), Shard{}, process),
                                     JournalHeader{.seed = 7, .sweep = example()});
  }

  void begin(Journal& to, std::size_t task, double at) const {
    to.write(BeginRecord{.identity = sweep.tasks[task].identity, .attempt = 1, .ranks = 1, .time = at});
  }
  void done(Journal& to, std::size_t task, double at, double seconds, bool all_counts = true) const {
    begin(to, task, at);
    DoneRecord record;
    record.identity = sweep.tasks[task].identity;
    record.counts = sweep.tasks[task].counts;
    if (!all_counts) record.counts.pop_back();
    record.seconds = seconds;
    for (const DeclaredLength& declared : declared_of(task)) {
      record.variables.push_back({declared.name, declared.per_sample, std::vector<double>(declared.values)});
    }
    to.write(record);
  }
  [[nodiscard]] std::vector<DeclaredLength> declared_of(std::size_t task) const {
    return declared_lengths(sweep.tasks[task].measure(), sweep.parameters(sweep.tasks[task]));
  }
  void failed(Journal& to, std::size_t task, double at, const std::string& message) const {
    begin(to, task, at);
    to.write(FailedRecord{.identity = sweep.tasks[task].identity, .message = message, .seconds = 1.0, .ranks = 1});
  }

  [[nodiscard]] StatusReport report() const { return StatusReport(run.path(), fake_measures(), environment); }

  TemporaryFolder run;
  Sweep sweep = sweep_of(example());
  double now = start_seconds;
  LockEnvironment environment;
};

TEST_F(StatusOfARun, WhatLacksAVariableOrHasItShortOrLongIsNotDone) {
  ASSERT_THAT(declared_of(0), SizeIs(1));
  const auto writer = journal();
  for (std::size_t length = 0; length < 3; ++length) {
    DoneRecord record{.identity = sweep.tasks[length].identity, .counts = sweep.tasks[length].counts};
    record.variables.push_back({declared_of(length)[0].name, false, std::vector<double>(length)});
    writer->write(record);
  }
  DoneRecord lacking{.identity = sweep.tasks[3].identity, .counts = sweep.tasks[3].counts};
  lacking.variables.push_back({"another", false, {1.0}});
  writer->write(lacking);
  const StatusReport status = report();
  EXPECT_EQ(status.counts().done, 1U);
  EXPECT_THAT(status.warnings(), ElementsAre(HasSubstr("3 finished tasks are not complete")));
}

TEST_F(StatusOfARun, BeforeAnythingHappenedEverythingIsLeft) {
  const StatusReport status = report();
  EXPECT_EQ(status.counts().total, 16U);
  EXPECT_EQ(status.counts().waiting, 16U);
  EXPECT_EQ(status.counts().left(), 16U);
  EXPECT_FALSE(status.complete());
  EXPECT_FALSE(status.tasks_per_hour());
  EXPECT_FALSE(status.seconds_left());
  EXPECT_THAT(status.warnings(), IsEmpty());
  EXPECT_THAT(status.text(), HasSubstr("0 of 16 tasks"));
  EXPECT_THAT(status.text(), HasSubstr("to go on: mpirun -n N diffphase run"));
}

TEST_F(StatusOfARun, CountsDoneFailedRunningAndWaitingTasks) {
  const auto writer = journal();
  const RunLock lock(run.path(), Shard{}, environment);
  for (std::size_t t = 0; t < 5; ++t) done(*writer, t, start_seconds + 10.0 * static_cast<double>(t), 10.0);
  failed(*writer, 5, start_seconds + 50.0, "something broke\nand more");
  begin(*writer, 6, start_seconds + 60.0);
  done(*writer, 7, start_seconds, 1.0, /*all_counts=*/false);
  writer->write(AbandonedRecord{.identity = sweep.tasks[8].identity});
  now = start_seconds + 100.0;

  const StatusReport status = report();
  EXPECT_EQ(status.counts().done, 5U);
  EXPECT_EQ(status.counts().failed, 1U);
  EXPECT_EQ(status.counts().running, 1U);
  EXPECT_EQ(status.counts().waiting, 9U);
  EXPECT_EQ(status.counts().left(), 10U);
  EXPECT_FALSE(status.complete());
  ASSERT_THAT(status.failures(), SizeIs(1));
  EXPECT_EQ(status.failures()[0].task, sweep.label(sweep.tasks[5]));
  EXPECT_EQ(status.failures()[0].message, "something broke");
  ASSERT_THAT(status.owners(), SizeIs(1));
  const std::string text = status.text();
  EXPECT_THAT(text, HasSubstr("5 of 16 tasks (31 %)"));
  EXPECT_THAT(text, HasSubstr(": something broke\n"));
  EXPECT_THAT(text, HasSubstr(fmt::format("process {} on {}", ::getpid(), this_process().host)));
  EXPECT_THAT(text, HasSubstr("touch "));
}

TEST_F(StatusOfARun, ATaskOfADeadProgramIsNotRunning) {
  const auto writer = journal(start_seconds, 999999999);
  begin(*writer, 0, start_seconds);
  EXPECT_EQ(report().counts().running, 0U);
  EXPECT_EQ(report().counts().waiting, 16U);
  // Nor is it when another start holds the lock, or one of the same number.
  const auto reused = journal(start_seconds - 1000.0);
  begin(*reused, 1, start_seconds - 1000.0);
  const RunLock lock(run.path(), Shard{}, environment);
  EXPECT_EQ(report().counts().running, 0U);
  // After the last attempt that is due it has failed.
  for (const double later : {1.0, 2.0}) {
    const auto again = journal(start_seconds + later, 999999999);
    begin(*again, 0, start_seconds + later);
  }
  const StatusReport status = report();
  EXPECT_EQ(status.counts().failed, 1U);
  ASSERT_THAT(status.failures(), SizeIs(1));
  EXPECT_EQ(status.failures()[0].message, "ended the program");
}

TEST_F(StatusOfARun, RateIsThatOfTheLatestStart) {
  const auto slow = journal(start_seconds);
  done(*slow, 0, start_seconds, 5000.0);
  const auto fast = journal(start_seconds + 1e5);
  for (std::size_t t = 1; t <= 4; ++t) {
    done(*fast, t, start_seconds + 1e5 + 90.0 * static_cast<double>(t - 1), 90.0);
  }
  now = start_seconds + 2e5;
  StatusReport status = report();
  ASSERT_TRUE(status.tasks_per_hour());
  EXPECT_NEAR(*status.tasks_per_hour(), 40.0, 1e-6);
  // The fake measures predict the same for every task.
  ASSERT_TRUE(status.seconds_left());
  EXPECT_NEAR(*status.seconds_left(), 11.0 * 90.0, 1e-3);
  EXPECT_THAT(status.text(), HasSubstr("40.0 tasks per hour, when it last ran"));

  // While it runs, time goes on.
  now = start_seconds + 1e5;
  const RunLock lock(run.path(), Shard{}, environment);
  now += 480.0;
  status.refresh();
  EXPECT_NEAR(*status.tasks_per_hour(), 30.0, 1e-6);
  EXPECT_NEAR(*status.seconds_left(), 11.0 * 120.0, 1e-3);
}

TEST_F(StatusOfARun, RefreshSeesWhatWasAddedAndAnotherSweep) {
  StatusReport status = report();
  const auto writer = journal();
  done(*writer, 3, start_seconds, 2.0);
  EXPECT_EQ(status.counts().done, 0U);
  status.refresh();
  EXPECT_EQ(status.counts().done, 1U);
  write_sweep(with(example(), "realizations = 2", "realizations = 3"));
  status.refresh();
  EXPECT_EQ(status.counts().total, 24U);
  EXPECT_EQ(status.counts().done, 1U);
}

TEST_F(StatusOfARun, CompleteRunsSaySoAndFailedOnesHowToTryAgain) {
  const auto writer = journal();
  for (std::size_t t = 0; t < 15; ++t) done(*writer, t, start_seconds, 1.0);
  failed(*writer, 15, start_seconds, "no memory");
  StatusReport status = report();
  EXPECT_TRUE(status.complete());
  EXPECT_THAT(status.text(), HasSubstr("--retry-failed"));
  done(*writer, 15, start_seconds + 5.0, 1.0);
  status.refresh();
  EXPECT_EQ(status.counts().done, 16U);
  EXPECT_THAT(status.failures(), IsEmpty());
  EXPECT_THAT(status.text(), HasSubstr("Complete. To write the results: diffphase collect "));
  std::ofstream(run / "results.h5") << "there";
  EXPECT_THAT(status.text(), HasSubstr("Complete. Results: "));
  EXPECT_THAT(status.text(), Not(HasSubstr("time left")));
}

TEST_F(StatusOfARun, WaitsForARunThatIsYetToBegin) {
  std::filesystem::remove(run / "sweep.toml");
  std::ostringstream out;
  int pauses = 0;
  const auto pause = [&](std::chrono::milliseconds /*interval*/) {
    if (++pauses == 3) write_sweep(example());
  };
  const auto never = [] { return false; };
  wait_for_begin(run.path(), out, never, pause);
  EXPECT_EQ(pauses, 3);
  EXPECT_THAT(out.str(), HasSubstr("Nothing has begun in " + run.path().string()));
  wait_for_begin(run.path(), out, never, pause);
  wait_for_begin(run / "nowhere", out, never, pause);
  EXPECT_EQ(pauses, 3);
  std::filesystem::remove(run / "sweep.toml");
  wait_for_begin(
      run.path(), out, [&] { return pauses == 5; }, pause);
  EXPECT_EQ(pauses, 5);
}

TEST_F(StatusOfARun, ListsTheLastFailuresNewestFirst) {
  const auto writer = journal();
  for (std::size_t t = 0; t < 14; ++t) {
    failed(*writer, t, start_seconds + static_cast<double>(t), fmt::format("failure {}", t));
  }
  const StatusReport status = report();
  ASSERT_THAT(status.failures(), SizeIs(StatusReport::most_failures));
  EXPECT_EQ(status.failures().front().message, "failure 13");
  EXPECT_EQ(status.failures().back().message, "failure 4");
  EXPECT_THAT(status.text(), HasSubstr("and 4 more"));
}

TEST_F(StatusOfARun, ReportsFromTheJournalsWhenTheDataAreGone) {
  const std::string text = R"(name = "digits"
seed = 7
[process]
kind = "ornstein-uhlenbeck"
time = { from = 0.05, to = 6.0, count = 5 }
[ensemble]
kind = "file"
[dataset]
file = "not-there.npy"
[measure]
speciation = { probes = 64 }
)";
  write_sweep(text);
  sweep = sweep_of(text);
  ASSERT_THAT(sweep.tasks, SizeIs(1));
  StatusReport status = report();
  EXPECT_EQ(status.counts().waiting, 1U);
  ASSERT_THAT(status.warnings(), SizeIs(1));
  EXPECT_THAT(status.warnings()[0], HasSubstr("not-there.npy"));
  const auto writer = journal();
  done(*writer, 0, start_seconds, 1.0);
  status.refresh();
  EXPECT_EQ(status.counts().done, 1U);
  EXPECT_THAT(status.text(), HasSubstr("from the journals alone"));
}

TEST_F(StatusOfARun, RefusesFoldersThatAreNoRuns) {
  const auto problem = [](const fs::path& folder) -> std::string {
    try {
      (void)StatusReport(folder, fake_measures());
    } catch (const BadInput& error) {
      return error.what();
    }
    return "accepted";
  };
  EXPECT_THAT(problem(run / "nowhere"), HasSubstr("nowhere: no such folder"));
  fs::remove(run / "sweep.toml");
  EXPECT_THAT(problem(run.path()), HasSubstr("no sweep.toml"));
  write_sweep("name = ");
  EXPECT_THAT(problem(run.path()), HasSubstr("sweep.toml"));
}

TEST_F(StatusOfARun, WatchingPrintsUntilTheRunIsComplete) {
  const auto writer = journal();
  StatusReport status = report();
  std::size_t next = 0;
  std::ostringstream out;
  watch_status(
      status, out, [] { return false; }, /*terminal=*/false, std::chrono::milliseconds(1),
      [&](std::chrono::milliseconds) {
        for (int i = 0; i < 8; ++i) done(*writer, next++, start_seconds, 1.0);
      });
  EXPECT_TRUE(status.complete());
  EXPECT_EQ(next, 16U);
  for (const char* part : {"0 of 16", "8 of 16", "16 of 16"}) EXPECT_THAT(out.str(), HasSubstr(part));
}

TEST_F(StatusOfARun, WatchingEndsWhenInterrupted) {
  StatusReport status = report();
  int asked = 0;
  std::ostringstream out;
  watch_status(
      status, out, [&] { return ++asked > 3; }, /*terminal=*/true, std::chrono::hours(1));
  EXPECT_FALSE(status.complete());
  EXPECT_THAT(out.str(), HasSubstr("\033["));
}

}  // namespace
}  // namespace diffphase
