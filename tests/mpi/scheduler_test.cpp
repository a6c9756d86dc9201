// The scheduler under random schedules: fake tasks, a fake clock, errors, stops, levels and payload sizes
// drawn from fixed seeds, the same on every rank. Every rank knows what must happen and checks its part; rank
// 0 checks the journal's view. A hang ends with the seed on standard error.

#include "sweep/scheduler.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <mpi.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <numeric>
#include <random>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "parallel/idle_wait.hpp"

namespace diffphase {
namespace {

// What the hang handler prints.
volatile std::sig_atomic_t current_seed = 0;
volatile std::sig_atomic_t current_rank = 0;

void on_alarm(int /*signal*/) {
  std::array<char, 100> text{};
  const int length = std::snprintf(text.data(), text.size(), "HANG: rank %d, schedule with seed %d\n",
                                   static_cast<int>(current_rank), static_cast<int>(current_seed));
  static_cast<void>(!write(STDERR_FILENO, text.data(), static_cast<std::size_t>(length)));
  std::abort();
}

// Aborts the program if it lives longer than `seconds`.
class HangAlarm {
 public:
  explicit HangAlarm(unsigned seconds) {
    static_cast<void>(std::signal(SIGALRM, on_alarm));
    alarm(seconds);
  }
  HangAlarm(const HangAlarm&) = delete;
  HangAlarm& operator=(const HangAlarm&) = delete;
  ~HangAlarm() { alarm(0); }
};

enum class Failure {
  none,
  guarded,          // some ranks, inside run_guarded
  between_points,   // one rank, anywhere between two agreement points
  at_the_end,       // some ranks, after the last agreement point
  on_all,           // every rank, a plain exception
  group_error,      // every rank, a GroupError of its own
  not_an_exception  // one rank throws an int at the end
};

struct FakeTask {
  int level = 0;
  int points = 0;  // agreement points
  Failure failure = Failure::none;
  int failing_point = 0;
  unsigned failing_ranks = 1;  // bit r: rank r of the group, modulo its size
  std::size_t payload = 0;
  int microseconds = 0;  // of real time between points
  double seconds = 0.0;  // of the fake clock
};

enum class StopKind { none, owner, other_rank };

struct Plan {
  std::vector<FakeTask> tasks;
  std::vector<std::size_t> order;
  StopKind stop = StopKind::none;
  int stop_rank = 0;
  int stop_after = 0;       // polls of that rank
  int throwing_begin = -1;  // calls of the begin hook until one throws
  int throwing_end = -1;
  int throwing_commit = -1;
  double watchdog = 0.0;  // on the fake clock
};

class PlanMaker {
 public:
  PlanMaker(int seed, const TreeShape& shape) : random_(static_cast<unsigned>(seed)), shape_(shape) {}

  Plan make() {
    Plan plan;
    plan.tasks.resize(below(12) == 0 ? 0 : 1 + below(14));
    const int most_levels = 1 + static_cast<int>(below(shape_.levels()));
    for (FakeTask& task : plan.tasks) task = make_task(most_levels);
    plan.order.resize(plan.tasks.size());
    std::iota(plan.order.begin(), plan.order.end(), std::size_t{0});
    std::shuffle(plan.order.begin(), plan.order.end(), random_);
    if (below(3) == 0) {
      plan.stop_rank = static_cast<int>(below(shape_.world_size()));
      plan.stop = plan.stop_rank == 0 ? StopKind::owner : StopKind::other_rank;
      plan.stop_after = static_cast<int>(below(40));
    }
    if (below(20) == 0) plan.throwing_begin = static_cast<int>(below(6));
    if (below(20) == 0) plan.throwing_end = static_cast<int>(below(6));
    if (below(20) == 0) plan.throwing_commit = static_cast<int>(below(30));
    // Last, so that it changes nothing else. From 100 on the watch on rank 0's own seconds is silent.
    if (below(2) == 0) plan.watchdog = 100.0 * static_cast<double>(1 + below(10));
    return plan;
  }

 private:
  template <typename Bound>
  std::size_t below(Bound bound) {
    return random_() % static_cast<std::size_t>(bound);
  }

  FakeTask make_task(int most_levels) {
    FakeTask task;
    // Often the same few levels, so that levels are skipped and queues are long.
    task.level = shape_.levels() - 1 - static_cast<int>(below(most_levels));
    task.points = static_cast<int>(below(4));
    task.failure = below(3) == 0 ? static_cast<Failure>(1 + below(6)) : Failure::none;
    task.failing_point = static_cast<int>(below(task.points + 1));
    task.failing_ranks = static_cast<unsigned>(1 + below(127));
    task.payload = make_payload_size();
    task.microseconds = below(4) == 0 ? static_cast<int>(below(150)) : 0;
    task.seconds = static_cast<double>(below(1000));
    return task;
  }

  std::size_t make_payload_size() {
    switch (below(25)) {
      case 0:
        return below((1 << 20) + 1);
      case 1:
        return 3000 + below(4000);  // where MPI changes from eager to rendezvous
      case 2:
        return 0;
      default:
        return below(100);
    }
  }

  std::mt19937 random_;
  const TreeShape& shape_;
};

std::string payload_of(std::size_t task, std::size_t size) {
  std::string text(size, static_cast<char>('a' + task % 26));
  for (std::size_t i = 0; i < size; i += 1 + size / 16) text[i] = static_cast<char>('0' + (task + i) % 10);
  return text;
}

std::string error_text(std::size_t task, int group_rank) {
  return "task " + std::to_string(task) + " on rank " + std::to_string(group_rank);
}

// Whether this rank of the group is one of those that the plan lets fail.
bool fails_here(const FakeTask& task, int rank, int size) {
  return (task.failing_ranks >> rank & 1U) != 0 || (task.failing_ranks & ((1U << size) - 1)) == 0;
}

int lowest_failing(const FakeTask& task, int size) {
  int rank = 0;
  while (!fails_here(task, rank, size)) ++rank;
  return rank;
}

std::string expected_error(const FakeTask& task, std::size_t index, int size) {
  switch (task.failure) {
    case Failure::none:
      return {};
    case Failure::on_all:
      return error_text(index, 0);
    case Failure::group_error:
      return error_text(index, -1);
    case Failure::not_an_exception:
      return "unknown error";
    default:
      return error_text(index, lowest_failing(task, size));
  }
}

// One schedule on this rank: the fake body, the hooks, and what they saw.
class Schedule {
 public:
  Schedule(int seed, const GroupTree& tree)
      : tree_(tree), plan_(PlanMaker(seed, tree.shape()).make()), bodies_(plan_.tasks.size(), 0) {}

  void run() {
    std::vector<int> levels;
    for (const FakeTask& task : plan_.tasks) levels.push_back(task.level);
    Scheduler scheduler(
        tree_, hooks(), [this] { return now_; }, plan_.watchdog);
    // Only rank 0's order counts.
    const auto order = rank() == 0 ? plan_.order : std::vector<std::size_t>();
    summary_ = scheduler.run(levels, order, [this](std::size_t t, const TaskGroup& g) { return body(t, g); });
  }

  // After run(). Collective.
  void check() {
    check_summary();
    check_bodies();
  }

  // On rank 0: how the tasks ended, how many stalls were reported, and how many of the abandoned tasks came back
  // without having been begun.
  [[nodiscard]] const RunSummary& summary() const { return summary_; }
  [[nodiscard]] std::size_t stalls() const { return stalls_; }
  [[nodiscard]] std::size_t returned() const {
    const auto came_back = [&](const auto& entry) {
      return entry.second.report.outcome == Outcome::abandoned && bodies_[entry.first] == 0;
    };
    return static_cast<std::size_t>(std::ranges::count_if(seen_, came_back));
  }

 private:
  struct Seen {
    int begins = 0;
    int ends = 0;
    int ranks = 0;
    TaskReport report;
  };

  [[nodiscard]] int rank() const { return tree_.world().rank(); }

  SchedulerHooks hooks() {
    SchedulerHooks hooks;
    hooks.begin = [this](std::size_t task, RankRange group) { on_begin(task, group.size); };
    hooks.end = [this](std::size_t task, const TaskReport& report) { on_end(task, report); };
    hooks.commit = [this] { on_commit(); };
    hooks.tick = [this] { on_tick(); };
    hooks.stop_wanted = [this] { return stop_wanted(); };
    hooks.stall = [this](const Stall& stall) { on_stall(stall); };
    return hooks;
  }

  bool stop_wanted() {
    if (plan_.stop == StopKind::none || rank() != plan_.stop_rank) return false;
    stop_raised_ = stop_raised_ || polls_++ >= plan_.stop_after;
    return stop_raised_;
  }

  void on_begin(std::size_t task, int ranks) {
    EXPECT_EQ(rank(), 0);
    EXPECT_FALSE(stop_raised_ && rank() == plan_.stop_rank) << "task " << task << " begun after the stop";
    EXPECT_FALSE(hook_threw_) << "task " << task << " begun after a hook failed";
    if (plan_.throwing_begin == begins_++) {
      hook_threw_ = true;
      throw std::runtime_error("begin failed");
    }
    Seen& seen = seen_[task];
    uncommitted_.insert(task);
    ++seen.begins;
    seen.ranks = ranks;
    EXPECT_EQ(seen.ends, 0) << "task " << task;
  }

  void on_end(std::size_t task, const TaskReport& report) {
    EXPECT_EQ(rank(), 0);
    Seen& seen = seen_[task];
    to_come_back_.erase(task);
    ++seen.ends;
    seen.report = report;
    EXPECT_EQ(seen.begins, 1) << "task " << task << " ended before it was begun";
    if (plan_.throwing_end == ends_++) {
      hook_threw_ = true;
      throw std::runtime_error("end failed");
    }
  }

  // Throws once, if at all: as a disk that is full for a while.
  void on_commit() {
    EXPECT_EQ(rank(), 0);
    if (plan_.throwing_commit == commits_++) {
      hook_threw_ = true;
      taken_back_ = to_come_back_ = uncommitted_;
      uncommitted_.clear();
      throw std::runtime_error("commit failed");
    }
    uncommitted_.clear();
  }

  void on_tick() {
    EXPECT_EQ(rank(), 0);
    EXPECT_TRUE(to_come_back_.empty()) << "a task whose begin is not kept was sent";
  }

  // The fake clocks of the ranks differ, so that groups that are well are reported, too.
  void on_stall(const Stall& stall) {
    EXPECT_EQ(rank(), 0);
    EXPECT_GE(stall.silent, plan_.watchdog);
    ++stalls_;
    if (!stall.task) return;
    EXPECT_EQ(seen_[*stall.task].begins, 1);
    EXPECT_EQ(seen_[*stall.task].ends, 0);
    EXPECT_EQ(stall.group.size, seen_[*stall.task].ranks);
  }

  std::string body(std::size_t index, const TaskGroup& group) {
    const FakeTask& task = plan_.tasks[index];
    const Communicator& comm = group.comm();
    ++bodies_[index];
    EXPECT_FALSE(uncommitted_.contains(index)) << "task " << index << " runs before its begin is kept";
    EXPECT_EQ(comm.size(), tree_.shape().group_of(rank(), task.level).size) << "task " << index;
    now_ += task.seconds;
    const bool fails = fails_here(task, comm.rank(), comm.size());
    for (int point = 0; point < task.points; ++point) {
      if (task.microseconds > 0) std::this_thread::sleep_for(std::chrono::microseconds(task.microseconds));
      fail_at_point(task, index, point, comm);
      group.run_guarded([&] {
        if (task.failure == Failure::guarded && point == task.failing_point && fails) throw_error(index, comm);
      });
      // Some traffic of the task's own between the points.
      std::array<std::int64_t, 1> sum{1};
      comm.sum(sum);
      EXPECT_EQ(sum[0], comm.size());
      group.agree();
    }
    fail_at_point(task, index, task.points, comm);
    if (task.failing_point == task.points && task.failure == Failure::guarded && fails) throw_error(index, comm);
    if (task.failure == Failure::at_the_end && fails) throw_error(index, comm);
    if (task.failure == Failure::not_an_exception && comm.rank() == comm.size() - 1) throw 42;
    return payload_of(index, comm.is_root() ? task.payload : 0);
  }

  static void fail_at_point(const FakeTask& task, std::size_t index, int point, const Communicator& comm) {
    if (point != task.failing_point) return;
    if (task.failure == Failure::on_all) throw_error(index, comm);
    if (task.failure == Failure::group_error) throw GroupError(error_text(index, -1));
    const bool alone = comm.rank() == lowest_failing(task, comm.size());
    if (task.failure == Failure::between_points && alone) throw_error(index, comm);
  }

  [[noreturn]] static void throw_error(std::size_t index, const Communicator& comm) {
    throw std::runtime_error(error_text(index, comm.rank()));
  }

  [[nodiscard]] bool stop_was_possible() const { return plan_.stop != StopKind::none || hook_threw_; }

  // Rank 0: the journal's view and the summary agree with each other and with the plan.
  void check_summary() {
    const Communicator& world = tree_.world();
    std::array<std::int64_t, 5> counts{
        static_cast<std::int64_t>(summary_.done), static_cast<std::int64_t>(summary_.failed),
        static_cast<std::int64_t>(summary_.abandoned), static_cast<std::int64_t>(summary_.not_begun),
        static_cast<std::int64_t>(summary_.error.size())};
    const auto mine = counts;
    world.broadcast(std::span<std::int64_t>(counts));
    EXPECT_EQ(mine, counts) << "the summary differs between ranks";
    EXPECT_EQ(summary_.done + summary_.failed + summary_.abandoned + summary_.not_begun, plan_.tasks.size());
    if (rank() != 0) return;
    EXPECT_EQ(summary_.error.empty(), !hook_threw_);
    EXPECT_TRUE(stop_was_possible() || !summary_.stopped());
    RunSummary counted;
    for (std::size_t task = 0; task < plan_.tasks.size(); ++task) count(task, counted);
    EXPECT_EQ(counted.done, summary_.done);
    EXPECT_EQ(counted.failed, summary_.failed);
    EXPECT_EQ(counted.abandoned, summary_.abandoned);
    EXPECT_EQ(counted.not_begun, summary_.not_begun);
  }

  void count(std::size_t index, RunSummary& counted) {
    SCOPED_TRACE("task " + std::to_string(index));
    const FakeTask& task = plan_.tasks[index];
    const Seen& seen = seen_[index];
    EXPECT_EQ(seen.begins, seen.ends);
    if (seen.begins == 0) {
      ++counted.not_begun;
      return;
    }
    EXPECT_EQ(seen.begins, 1);
    EXPECT_EQ(seen.ranks, seen.report.ranks);
    const int smallest = tree_.shape().smallest_group(task.level);
    EXPECT_TRUE(seen.ranks == smallest || seen.ranks == smallest + 1);
    const std::string error = expected_error(task, index, seen.ranks);
    switch (seen.report.outcome) {
      case Outcome::done:
        ++counted.done;
        EXPECT_EQ(error, "");
        EXPECT_TRUE(seen.report.payload == payload_of(index, task.payload)) << "another payload";
        EXPECT_EQ(seen.report.seconds, task.seconds);
        return;
      case Outcome::failed:
        ++counted.failed;
        EXPECT_EQ(seen.report.message, error);
        EXPECT_EQ(seen.report.seconds, task.seconds);
        return;
      case Outcome::abandoned:
        ++counted.abandoned;
    }
  }

  // How often each body ran, over all ranks: once on every rank of one group, or never.
  void check_bodies() {
    tree_.world().sum(bodies_);
    if (rank() != 0) return;
    for (std::size_t task = 0; task < bodies_.size(); ++task) {
      const Seen& seen = seen_[task];
      const bool may_not_have_run = seen.begins == 0 || seen.report.outcome == Outcome::abandoned;
      const bool must_not_have_run = seen.begins == 0 || taken_back_.contains(task);
      const std::int64_t runs = bodies_[task];
      EXPECT_TRUE((runs == seen.ranks && !must_not_have_run) || (runs == 0 && may_not_have_run))
          << "task " << task << ": " << runs << " ranks ran it, " << seen.ranks << " should have";
    }
  }

  const GroupTree& tree_;
  Plan plan_;
  RunSummary summary_;
  std::vector<std::int64_t> bodies_;
  std::map<std::size_t, Seen> seen_;
  double now_ = 0.0;
  int polls_ = 0;
  int begins_ = 0;
  int ends_ = 0;
  int commits_ = 0;
  std::size_t stalls_ = 0;
  std::set<std::size_t> uncommitted_;   // begun on rank 0 since the last commit
  std::set<std::size_t> taken_back_;    // not committed because it threw
  std::set<std::size_t> to_come_back_;  // of these, not ended yet
  bool stop_raised_ = false;
  bool hook_threw_ = false;
};

// The worlds in which a schedule may run. The parts of a split world run the same schedule side by side.
class Worlds {
 public:
  Worlds() : world_(Communicator::world()) {
    trees_.emplace_back(world_);
    trees_.emplace_back(world_, 2);  // with a dedicated rank 0 from three ranks on
    const int front = (world_.size() + 1) / 2;
    part_ = world_.split(world_.rank() < front ? 0 : 1);
    trees_.emplace_back(part_);
  }

  [[nodiscard]] const GroupTree& tree(int seed) const { return trees_[static_cast<std::size_t>(seed) % 3]; }
  [[nodiscard]] const Communicator& world() const { return world_; }

 private:
  Communicator world_;
  Communicator part_;
  std::vector<GroupTree> trees_;
};

bool anybody_failed(const Communicator& world) {
  std::array<std::int64_t, 1> failed{testing::Test::HasFailure() ? 1 : 0};
  world.maximum(failed);
  return failed[0] != 0;
}

// `count` schedules from seed `first`; stops at the first that fails, with its seed in the message.
void run_schedules(int first, int count, unsigned limit_seconds) {
  const HangAlarm alarm(limit_seconds);
  const Worlds worlds;
  current_rank = worlds.world().rank();
  RunSummary total;
  std::size_t returned = 0;
  std::size_t stalls = 0;
  for (int seed = first; seed < first + count; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    current_seed = seed;
    Schedule schedule(seed, worlds.tree(seed));
    schedule.run();
    schedule.check();
    if (anybody_failed(worlds.world())) {
      FAIL() << "schedule with seed " << seed << " on " << worlds.world().size() << " ranks";
    }
    total.done += schedule.summary().done;
    total.failed += schedule.summary().failed;
    total.abandoned += schedule.summary().abandoned;
    total.not_begun += schedule.summary().not_begun;
    returned += schedule.returned();
    stalls += schedule.stalls();
  }
  // The schedules reach what they are meant to reach.
  if (!worlds.world().is_root()) return;
  const auto some = static_cast<std::size_t>(count);
  EXPECT_GT(total.done, 2 * some);
  EXPECT_GT(total.failed, some / 2);
  EXPECT_GT(total.abandoned, some / 100);
  EXPECT_GT(total.not_begun, some / 4);
  EXPECT_TRUE(returned > 0 || worlds.world().size() == 1);
  std::printf("done %zu, failed %zu, abandoned %zu (%zu of them never begun), not handed out %zu; %zu stalls\n",
              total.done, total.failed, total.abandoned, returned, total.not_begun, stalls);
}

int world_size() {
  int size = 1;
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  return size;
}

// 1000 schedules on each of 1 to 4 ranks and 200 on 5 to 7; the full suite brings 5 to 7 to 2000 each, 10000
// in all, and runs other seeds on 1 to 4.
TEST(Scheduler, RandomSchedules) { run_schedules(0, world_size() <= 4 ? 1000 : 200, 240); }

TEST(FullScheduler, RandomSchedules) {
  const int done = world_size() <= 4 ? 1000 : 200;
  run_schedules(done, 2000 - done, 1500);
}

TEST(Scheduler, LargestFirstWithinALevelOnOneGroup) {
  const HangAlarm alarm(60);
  const Communicator world = Communicator::world();
  const GroupTree tree(world);
  std::vector<std::size_t> begun;
  Scheduler scheduler(tree, {.begin = [&](std::size_t task, RankRange /*group*/) { begun.push_back(task); }});
  const std::vector<int> levels{0, 0, 0, 0};
  const auto summary = scheduler.run(levels, std::vector<std::size_t>{2, 0, 3, 1},
                                     [](std::size_t, const TaskGroup&) { return std::string("x"); });
  EXPECT_EQ(summary.done, 4U);
  if (!world.is_root()) return;
  EXPECT_THAT(begun, testing::ElementsAre(2, 0, 3, 1));
}

TEST(Scheduler, RunsAgainAfterAStop) {
  const HangAlarm alarm(60);
  const Communicator world = Communicator::world();
  const GroupTree tree(world);
  bool stop = true;
  Scheduler scheduler(tree, {.stop_wanted = [&] { return stop; }});
  const std::vector<int> levels(20, tree.shape().levels() - 1);
  std::vector<std::size_t> order(levels.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto body = [](std::size_t, const TaskGroup&) { return std::string("x"); };
  const RunSummary stopped = scheduler.run(levels, order, body);
  EXPECT_TRUE(stopped.stopped());
  EXPECT_EQ(stopped.not_begun, 20U);
  stop = false;
  EXPECT_EQ(scheduler.run(levels, order, body).done, 20U);
  EXPECT_EQ(scheduler.run({}, {}, body).done, 0U);
}

TEST(Scheduler, AStopAbandonsWhatRunsAtItsNextAgreementPoint) {
  const HangAlarm alarm(60);
  const Communicator world = Communicator::world();
  const GroupTree tree(world);
  bool stop = false;
  std::string payload;
  Scheduler scheduler(tree, {.stop_wanted = [&] { return stop; }});
  const std::vector<int> levels{0};
  const auto endless = [&](std::size_t, const TaskGroup& group) -> std::string {
    while (true) {
      // Only the last rank knows.
      stop = world.rank() == world.size() - 1;
      group.agree();
    }
  };
  const RunSummary summary = scheduler.run(levels, std::vector<std::size_t>{0}, endless);
  EXPECT_EQ(summary.abandoned, 1U);
  EXPECT_TRUE(summary.stopped());
}

TEST(Scheduler, ATaskThatIsFinishedWhenTheStopComesIsDone) {
  const HangAlarm alarm(60);
  const Communicator world = Communicator::world();
  const GroupTree tree(world);
  bool stop = false;
  Scheduler scheduler(tree, {.stop_wanted = [&] { return stop; }});
  const RunSummary summary =
      scheduler.run(std::vector<int>{0}, std::vector<std::size_t>{0}, [&](std::size_t, const TaskGroup&) {
        stop = true;
        return std::string("kept");
      });
  EXPECT_EQ(summary.done, 1U);
  EXPECT_FALSE(summary.stopped());
}

TEST(Scheduler, BadInputIsRefusedOnEveryRank) {
  const HangAlarm alarm(60);
  const Communicator world = Communicator::world();
  const GroupTree tree(world);
  Scheduler scheduler(tree);
  const auto body = [](std::size_t, const TaskGroup&) { return std::string("x"); };
  const std::vector<std::size_t> order{0};
  EXPECT_THROW(scheduler.run(std::vector<int>{tree.shape().levels()}, order, body), GroupError);
  EXPECT_THROW(scheduler.run(std::vector<int>{0, 0}, order, body), GroupError);
  EXPECT_EQ(scheduler.run(std::vector<int>{0}, order, body).done, 1U);
}

TEST(Scheduler, LevelsThatDifferBetweenRanksAreRefused) {
  const HangAlarm alarm(60);
  const Communicator world = Communicator::world();
  if (world.size() == 1) GTEST_SKIP() << "needs two ranks";
  const GroupTree tree(world);
  Scheduler scheduler(tree);
  const auto body = [](std::size_t, const TaskGroup&) { return std::string("x"); };
  EXPECT_THROW(scheduler.run(std::vector<int>{world.rank() % 2}, std::vector<std::size_t>{0}, body), GroupError);
}

// Every rank but 0 falls silent in its tasks until rank 0 reports it. A second report of the same stall would be one
// more than there are tasks.
TEST(Scheduler, ASilentGroupIsReportedOnceAndLeftAlone) {
  const HangAlarm alarm(60);
  const Communicator world = Communicator::world();
  const GroupTree tree(world);
  double now = 0.0;
  std::map<std::size_t, int> reported;
  std::map<std::size_t, int> holder;
  SchedulerHooks hooks;
  hooks.begin = [&](std::size_t task, RankRange group) { holder[task] = group.first; };
  hooks.tick = [&] { now += 1.0; };
  hooks.stall = [&](const Stall& stall) {
    ASSERT_TRUE(stall.task.has_value());
    EXPECT_EQ(holder[*stall.task], stall.group.first);
    EXPECT_GE(stall.silent, 100.0);
    if (++reported[*stall.task] == 1) world.send({}, stall.group.first, 0);
  };
  Scheduler scheduler(
      tree, hooks, [&] { return now; }, 100.0);
  const std::vector<int> levels(static_cast<std::size_t>(2 * world.size()), tree.shape().levels() - 1);
  std::vector<std::size_t> order(levels.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const RunSummary summary = scheduler.run(levels, order, [&](std::size_t, const TaskGroup&) {
    if (!world.is_root()) {
      static_cast<void>(world.receive(0, 0));
    } else {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));  // so that the others get tasks, too
    }
    return std::string("x");
  });
  EXPECT_EQ(summary.done, levels.size());
  for (const auto& [task, rank] : holder) EXPECT_EQ(reported[task], rank == 0 ? 0 : 1) << "task " << task;
}

// Rank 0 waits for another rank of its own group, and only its watching thread can tell.
TEST(Scheduler, RankZeroBlockedByItsGroupIsReported) {
  const HangAlarm alarm(60);
  const Communicator world = Communicator::world();
  if (world.size() == 1) GTEST_SKIP() << "needs two ranks";
  const GroupTree tree(world);
  std::atomic<int> reported = 0;
  SchedulerHooks hooks;
  hooks.stall = [&](const Stall& stall) {
    if (!stall.task) return;  // on a busy machine ranks may be slow to end
    EXPECT_EQ(stall.group, (RankRange{0, world.size()}));
    ++reported;
  };
  Scheduler scheduler(tree, hooks, steady_seconds, 0.2);
  const auto summary =
      scheduler.run(std::vector<int>{0}, std::vector<std::size_t>{0}, [&](std::size_t, const TaskGroup&) {
        if (world.rank() == 1) std::this_thread::sleep_for(std::chrono::seconds(1));
        world.barrier();
        return std::string("x");
      });
  EXPECT_EQ(summary.done, 1U);
  EXPECT_TRUE(reported >= 1 || !world.is_root());
}

// A group never holds more than one task that may not wait.
TEST(Scheduler, TasksThatMayNotWaitAreNotHandedOutAhead) {
  const HangAlarm alarm(60);
  const Communicator world = Communicator::world();
  const GroupTree tree(world);
  std::map<int, int> held;
  std::vector<int> holder(40, -1);
  SchedulerHooks hooks;
  hooks.begin = [&](std::size_t task, RankRange group) {
    EXPECT_EQ(++held[group.first], 1) << "task " << task << " for rank " << group.first;
    holder[task] = group.first;
  };
  hooks.end = [&](std::size_t task, const TaskReport&) { --held[holder[task]]; };
  hooks.may_wait = [](std::size_t) { return false; };
  Scheduler scheduler(tree, hooks);
  const std::vector<int> levels(holder.size(), tree.shape().levels() - 1);
  std::vector<std::size_t> order(levels.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const RunSummary summary = scheduler.run(levels, order, [](std::size_t, const TaskGroup& group) {
    group.agree();
    return std::string("x");
  });
  EXPECT_EQ(summary.done, levels.size());
}

// A busy leader must not sit on tasks that an idle one could take: as many tasks as ranks, none of which ends
// before every rank has one, and a rank that asks late.
TEST(Scheduler, NearTheEndTasksWaitForAnIdleGroup) {
  const HangAlarm alarm(60);
  const Communicator world = Communicator::world();
  const GroupTree tree(world);
  bool late = world.rank() == world.size() - 1;
  const auto be_late_once = [&] {
    if (std::exchange(late, false)) std::this_thread::sleep_for(std::chrono::milliseconds(100));
    return false;
  };
  Scheduler scheduler(tree, {.stop_wanted = be_late_once});
  const std::vector<int> levels(static_cast<std::size_t>(world.size()), tree.shape().levels() - 1);
  std::vector<std::size_t> order(levels.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const RunSummary summary = scheduler.run(levels, order, [&](std::size_t, const TaskGroup& group) {
    idle_barrier(world, [&] { group.agree(); });
    return std::string("x");
  });
  EXPECT_EQ(summary.done, levels.size());
}

}  // namespace
}  // namespace diffphase
