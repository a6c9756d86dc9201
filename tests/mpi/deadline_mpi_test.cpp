// The scheduler before a deadline: fake tasks of many lengths and levels, and a fake clock on rank 0 that goes on while
// tasks are handed out and end.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "parallel/communicator.hpp"
#include "sweep/scheduler.hpp"
#include "sweep/timetable.hpp"

namespace diffphase {
namespace {

constexpr double deadline = 100.0;

// One run: what every rank knows of it, and what rank 0 keeps.
class DeadlineRun {
 public:
  DeadlineRun(unsigned seed, const GroupTree& tree, bool timed) : tree_(tree), random_(seed) {
    const std::size_t count = 1 + random_() % 30;
    for (std::size_t i = 0; i < count; ++i) {
      seconds_.push_back(static_cast<double>(1 + random_() % 60));
      levels_.push_back(static_cast<int>(random_() % static_cast<unsigned>(tree.shape().levels())));
    }
    begun_.assign(count, false);
    if (timed) timetable_.learn(work(1.0), 1.0);
  }

  RunSummary run() {
    std::vector<std::size_t> order(seconds_.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    Scheduler scheduler(tree_, hooks());
    return scheduler.run(levels_, order, [](std::size_t, const TaskGroup& group) {
      group.agree();
      return std::string("x");
    });
  }

  [[nodiscard]] std::size_t count() const { return seconds_.size(); }

  // After run(), on rank 0.
  void check(const RunSummary& summary) const {
    std::size_t never_begun = 0;
    for (std::size_t i = 0; i < count(); ++i) {
      if (begun_[i]) continue;
      ++never_begun;
      EXPECT_GT(now_ + seconds_[i], deadline) << "task " << i << " would still fit";
    }
    EXPECT_EQ(summary.left_out, never_begun);
  }

 private:
  static PredictedWork work(double seconds) { return {.measure = "fake", .nominal_seconds = seconds}; }

  SchedulerHooks hooks() {
    SchedulerHooks hooks;
    if (tree_.world().rank() != 0) return hooks;
    hooks.may_begin = [this](std::size_t task, RankRange group, bool waits) {
      return timetable_.fits(work(seconds_[task]), group.first, waits, deadline - now_);
    };
    hooks.begin = [this](std::size_t task, RankRange group) {
      const double end = now_ + timetable_.seconds(work(seconds_[task])).value_or(0.0);
      EXPECT_LE(end, deadline) << "task " << task;
      timetable_.begin(task, group.first, work(seconds_[task]));
      begun_[task] = true;
      now_ += static_cast<double>(random_() % 4);
    };
    hooks.end = [this](std::size_t task, const TaskReport&) {
      now_ += static_cast<double>(random_() % 8);
      timetable_.end(task, std::nullopt);
    };
    return hooks;
  }

  const GroupTree& tree_;
  std::mt19937 random_;
  std::vector<double> seconds_;
  std::vector<int> levels_;
  std::vector<bool> begun_;
  double now_ = 0.0;
  Timetable timetable_{[this] { return now_; }};
};

class DeadlineTest : public testing::Test {
 protected:
  // A hang ends the test.
  void SetUp() override { alarm(60); }
  void TearDown() override { alarm(0); }
};

TEST_F(DeadlineTest, WhatCannotEndBeforeItIsLeftOutAndEverythingElseRuns) {
  const Communicator world = Communicator::world();
  const GroupTree tree(world);
  std::size_t left_out = 0;
  std::size_t done = 0;
  for (unsigned seed = 0; seed < 60; ++seed) {
    DeadlineRun run(seed, tree, true);
    const RunSummary summary = run.run();
    ASSERT_EQ(summary.done + summary.left_out, run.count()) << "seed " << seed;
    EXPECT_EQ(summary.failed + summary.abandoned + summary.not_begun, 0U) << "seed " << seed;
    EXPECT_EQ(summary.stopped(), summary.left_out > 0) << "seed " << seed;
    EXPECT_EQ(summary.error, "") << "seed " << seed;
    if (world.is_root()) run.check(summary);
    left_out += summary.left_out;
    done += summary.done;
  }
  EXPECT_GT(left_out, 0U);
  EXPECT_GT(done, 0U);
}

TEST_F(DeadlineTest, WithoutAMeasurementEverythingIsBegun) {
  const Communicator world = Communicator::world();
  const GroupTree tree(world);
  DeadlineRun run(5, tree, false);
  EXPECT_EQ(run.run().done, run.count());
}

}  // namespace
}  // namespace diffphase
