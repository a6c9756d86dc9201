// The simulated queue against closed forms, and against a second simulation that sends every message by itself.

#include "sweep/queue_simulation.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <numeric>
#include <optional>
#include <queue>
#include <random>
#include <set>
#include <stdexcept>
#include <utility>
#include <vector>

namespace diffphase {
namespace {

constexpr int dedicated = 2;  // worlds beyond this size have a rank 0 that only owns the queue

QueueCosts some_costs() {
  return {.latency = 3e-4,
          .bandwidth = 1e6,
          .message_seconds = 2e-5,
          .begin_seconds = 3e-5,
          .result_seconds = 5e-5,
          .result_byte_seconds = 1e-7,
          .write_seconds = 0.0,
          .agreement_seconds = 0.01};
}

int last_level(const TreeShape& shape) { return shape.levels() - 1; }

AlikeTasks alike(int level, std::size_t count, double seconds) {
  return {.level = level, .count = count, .work_seconds = seconds, .fixed_seconds = 0.0, .result_bytes = 0.0};
}

TEST(QueueSimulation, OneRankTakesTheSumOfTasksAndRecords) {
  const TreeShape shape(1);
  const std::vector<AlikeTasks> tasks{alike(0, 3, 2.0), alike(0, 10, 0.25)};
  EXPECT_NEAR(simulate_queue(shape, tasks, free_queue).seconds, 8.5, 1e-12);
  QueueCosts costs = free_queue;
  costs.begin_seconds = 0.001;
  costs.result_seconds = 0.01;
  costs.write_seconds = 0.1;
  const QueueForecast forecast = simulate_queue(shape, tasks, costs);
  EXPECT_NEAR(forecast.seconds, 8.5 + 13 * 0.111, 1e-12);
  EXPECT_NEAR(forecast.queue_seconds, 13 * 0.111, 1e-12);
  EXPECT_NEAR(forecast.busy_seconds, 8.5, 1e-12);
}

TEST(QueueSimulation, AlikeTasksGoInRounds) {
  for (const int ranks : {2, 3, 7, 64, 65, 200}) {
    for (const int above : {dedicated, 1000}) {
      const TreeShape shape(ranks, above);
      const int workers = shape.dedicated_root() ? ranks - 1 : ranks;
      for (const int count : {1, 5, 64, 1000}) {
        const std::vector<AlikeTasks> tasks{alike(last_level(shape), static_cast<std::size_t>(count), 0.5)};
        const int rounds = (count + workers - 1) / workers;
        EXPECT_NEAR(simulate_queue(shape, tasks, free_queue).seconds, 0.5 * rounds, 1e-9) << count << " on " << ranks;
      }
    }
  }
}

TEST(QueueSimulation, MoreRanksThanTasksTakeAsLongAsTheLongest) {
  const TreeShape shape(5000);
  std::vector<AlikeTasks> tasks;
  for (int i = 100; i > 0; --i) tasks.push_back(alike(last_level(shape), 30, 0.1 * i));
  EXPECT_NEAR(simulate_queue(shape, tasks, free_queue).seconds, 10.0, 1e-12);
}

TEST(QueueSimulation, ShortTasksTakeAsLongAsRankZeroNeedsForThem) {
  constexpr std::size_t count = 200000;
  const TreeShape shape(1000);
  QueueCosts costs = some_costs();
  costs.write_seconds = 1e-3;
  costs.batch_messages = 100;
  // A result, a request and an answer; leaders wait, so the first two come one by one.
  const double each = 3 * costs.message_seconds + costs.begin_seconds + costs.result_seconds + 2 * 1e-3 / 100;
  const QueueForecast forecast =
      simulate_queue(shape, std::vector<AlikeTasks>{alike(last_level(shape), count, 1e-6)}, costs);
  EXPECT_NEAR(forecast.seconds, static_cast<double>(count) * each, 0.01 * static_cast<double>(count) * each);
  EXPECT_GT(forecast.root_load(), 0.99);
}

// With one task in hand, neither the way of a message nor rank 0's work is waited for.
TEST(QueueSimulation, WhatIsHandedOutAheadHidesTheWay) {
  const TreeShape shape(3, dedicated);
  const auto seconds = [&](std::size_t count) {
    return simulate_queue(shape, std::vector<AlikeTasks>{alike(last_level(shape), count, 0.01)}, some_costs()).seconds;
  };
  EXPECT_NEAR(seconds(1010) - seconds(10), 500 * 0.01, 1e-9);
  EXPECT_GT(seconds(10), 5 * 0.01 + 4 * some_costs().latency);
}

TEST(QueueSimulation, GroupsDivideTheWorkAndSplitForTheNextLevel) {
  const TreeShape shape(8);
  const std::vector<AlikeTasks> tasks{
      {.level = 0, .count = 2, .work_seconds = 8.0, .fixed_seconds = 0.5, .result_bytes = 0.0},
      {.level = 2, .count = 4, .work_seconds = 4.0, .fixed_seconds = 0.5, .result_bytes = 0.0},
      alike(3, 9, 1.0)};
  const QueueForecast forecast = simulate_queue(shape, tasks, free_queue);
  EXPECT_NEAR(forecast.seconds, 2 * 1.5 + 2.5 + 2 * 1.0, 1e-12);
  EXPECT_NEAR(forecast.busy_seconds, 8 * 3.0 + 4 * 2 * 2.5 + 9.0, 1e-12);
}

TEST(QueueSimulation, ARankZeroThatComputesAnswersAtItsAgreementPoints) {
  const TreeShape shape(2);
  QueueCosts costs = free_queue;
  // The last two tasks are handed out one at a time, each at the end of one of rank 0.
  costs.agreement_seconds = 100.0;
  const double rarely = simulate_queue(shape, std::vector<AlikeTasks>{alike(1, 20, 1.0)}, costs).seconds;
  costs.agreement_seconds = 0.01;
  const double often = simulate_queue(shape, std::vector<AlikeTasks>{alike(1, 20, 1.0)}, costs).seconds;
  EXPECT_GE(often, 10.0);
  EXPECT_LE(often, 10.0 + 20 * 0.01);
  EXPECT_GE(rarely, often);
  EXPECT_LE(rarely, 12.0);
}

// Rank 0 serves a hundred thousand ranks whose tasks take a second and return 4 kB; ten times as many wait for it.
TEST(QueueSimulation, OneSecondTasksAreWorthAHundredThousandRanks) {
  const auto efficiency = [](int ranks, std::size_t count) {
    const TreeShape shape(ranks);
    const std::vector<AlikeTasks> tasks{{.level = last_level(shape),
                                         .count = count,
                                         .work_seconds = 1.0,
                                         .fixed_seconds = 0.0,
                                         .result_bytes = 4096.0}};
    return static_cast<double>(count) / (ranks * simulate_queue(shape, tasks).seconds);
  };
  EXPECT_GT(efficiency(1000, 10000), 0.9);
  EXPECT_GT(efficiency(100000, 500000), 0.5);
  EXPECT_LT(efficiency(1000000, 1000000), 0.5);
}

TEST(QueueSimulation, NothingToDoTakesNoTime) {
  const QueueForecast forecast = simulate_queue(TreeShape(5), {}, free_queue);
  EXPECT_EQ(forecast.seconds, 0.0);
  EXPECT_EQ(forecast.root_load(), 0.0);
}

TEST(QueueSimulation, RefusesWhatCannotBe) {
  const TreeShape shape(4);
  const auto simulate = [&](const AlikeTasks& task, const QueueCosts& costs = {}) {
    (void)simulate_queue(shape, std::vector<AlikeTasks>{task}, costs);
  };
  EXPECT_THROW(simulate(alike(3, 1, 1.0)), std::invalid_argument);
  EXPECT_THROW(simulate(alike(-1, 1, 1.0)), std::invalid_argument);
  EXPECT_THROW(simulate(alike(0, 1, -1.0)), std::invalid_argument);
  EXPECT_THROW(simulate(alike(0, 1, std::numeric_limits<double>::infinity())), std::invalid_argument);
  EXPECT_THROW(simulate(alike(0, 1, 1.0), {.latency = -1.0}), std::invalid_argument);
  EXPECT_THROW(simulate(alike(0, 1, 1.0), {.bandwidth = 0.0}), std::invalid_argument);
  EXPECT_THROW(simulate(alike(0, 1, 1.0), {.batch_messages = 0}), std::invalid_argument);
}

// The protocol of the Scheduler, spelled out: leaders and a dedicated rank 0 as state machines, every message an event.
class MessageByMessage {
 public:
  MessageByMessage(const TreeShape& shape, const std::vector<AlikeTasks>& tasks, const QueueCosts& costs)
      : shape_(shape), costs_(costs), queues_(static_cast<std::size_t>(shape.levels())) {
    for (const AlikeTasks& task : tasks) {
      auto& queue = queues_[static_cast<std::size_t>(task.level)];
      queue.insert(queue.end(), task.count, task);
    }
    for (auto& queue : queues_) std::reverse(queue.begin(), queue.end());
    used_.resize(queues_.size());
    for (std::size_t l = 0; l < queues_.size(); ++l) used_[l] = !queues_[l].empty();
  }

  double run() {
    come({0, shape_.world_size()}, 0);
    while (!events_.empty()) {
      const Event event = events_.top();
      events_.pop();
      now_ = event.time;
      event.action();
    }
    return root_free_ + 2.0 * (shape_.world_size() - 1) * costs_.message_seconds + 2.0 * costs_.latency;
  }

 private:
  struct Event {
    double time;
    int order;
    std::function<void()> action;
    bool operator>(const Event& other) const { return std::pair(time, order) > std::pair(other.time, other.order); }
  };
  struct Leader {
    RankRange group;
    int level = 0;
    bool computing = false;
    bool asked = false;
    bool level_done = false;
    std::optional<AlikeTasks> ahead;
    std::optional<AlikeTasks> result;  // not sent yet
  };

  void at(double time, std::function<void()> action) { events_.push({time, ++order_, std::move(action)}); }

  void come(const RankRange& range, int level) {
    while (level < shape_.levels() && !used_[static_cast<std::size_t>(level)]) ++level;
    if (level == shape_.levels()) return;
    for (int rank = range.first; rank < range.first + range.size; ++rank) {
      const RankRange group = shape_.group_of(rank, level);
      if (group.first != rank || !shape_.computes(rank, level)) continue;
      leaders_[rank] = Leader{.group = group, .level = level};
      go_on(rank);
    }
  }

  // A leader that is not computing.
  void go_on(int rank) {
    Leader& leader = leaders_.at(rank);
    if (leader.level_done) {
      if (leader.result) send(rank, leader.level, std::exchange(leader.result, std::nullopt), false);
      const Leader gone = leader;
      leaders_.erase(rank);
      come(gone.group, gone.level + 1);
    } else if (leader.ahead) {
      const AlikeTasks task = *std::exchange(leader.ahead, std::nullopt);
      leader.computing = true;
      send(rank, leader.level, std::exchange(leader.result, std::nullopt), true);
      at(now_ + task.work_seconds / leader.group.size + task.fixed_seconds, [this, rank, task] {
        leaders_.at(rank).computing = false;
        leaders_.at(rank).result = task;
        go_on(rank);
      });
    } else if (!std::exchange(leader.asked, true)) {
      send(rank, leader.level, std::nullopt, true);
    } else if (leader.result) {
      send(rank, leader.level, std::exchange(leader.result, std::nullopt), false);
    }
  }

  // From a leader to rank 0: a result, a request, or both.
  void send(int rank, int level, const std::optional<AlikeTasks>& result, bool asks) {
    at(now_ + costs_.latency, [this, rank, level, result, asks] { arrive(rank, level, result, asks); });
  }

  void arrive(int rank, int level, const std::optional<AlikeTasks>& result, bool asks) {
    double seconds = costs_.message_seconds;
    if (result) {
      seconds += costs_.result_seconds + (costs_.result_byte_seconds + 1.0 / costs_.bandwidth) * result->result_bytes;
      --held_[rank];
      asks = asks || postponed_.erase(rank) > 0;
    }
    auto& queue = queues_[static_cast<std::size_t>(level)];
    std::optional<AlikeTasks> handed;
    bool done = false;
    if (asks) {
      if (queue.empty()) {
        done = true;
        seconds += costs_.message_seconds;
      } else if (held_[rank] == 0 || queue.size() > static_cast<std::size_t>(shape_.groups(level))) {
        handed = queue.back();
        queue.pop_back();
        ++held_[rank];
        seconds += costs_.begin_seconds + costs_.message_seconds;
      } else {
        postponed_.insert(rank);
      }
    }
    root_free_ = std::max(root_free_, now_) + seconds;
    if (!handed && !done) return;
    at(root_free_ + costs_.latency, [this, rank, handed, done] {
      Leader& told = leaders_.at(rank);
      told.level_done = done;
      told.ahead = handed;
      if (!told.computing) go_on(rank);
    });
  }

  const TreeShape& shape_;
  const QueueCosts& costs_;
  std::vector<std::vector<AlikeTasks>> queues_;
  std::vector<bool> used_;
  std::map<int, Leader> leaders_;
  std::map<int, int> held_;  // as rank 0 counts them
  std::set<int> postponed_;  // whose requests rank 0 keeps
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
  int order_ = 0;
  double now_ = 0.0;
  double root_free_ = 0.0;
};

TEST(QueueSimulation, AgreesWithASimulationOfEveryMessage) {
  std::mt19937 random(7);
  const auto below = [&](int bound) { return static_cast<int>(random() % static_cast<unsigned>(bound)); };
  std::uniform_real_distribution<double> uniform(0.0, 1.0);
  int exact = 0;
  for (int trial = 0; trial < 300; ++trial) {
    const TreeShape shape(3 + below(80), dedicated);
    // From rank 0 as the bottleneck to rank 0 asleep.
    const double scale = std::pow(10.0, 3.0 * uniform(random) - 4.0);
    std::vector<AlikeTasks> tasks;
    // Below the world: there rank 0 computes too.
    for (int i = below(12); i >= 0; --i) {
      tasks.push_back({.level = 1 + below(last_level(shape)),
                       .count = static_cast<std::size_t>(1 + below(60)),
                       .work_seconds = scale * uniform(random),
                       .fixed_seconds = scale * 0.1,
                       .result_bytes = 1000.0 * uniform(random)});
    }
    const QueueCosts costs = some_costs();
    const double expected = MessageByMessage(shape, tasks, costs).run();
    const double simulated = simulate_queue(shape, tasks, costs).seconds;
    // Where an answer arrives just when a task ends, rounding decides whether the result goes with the next request.
    EXPECT_NEAR(simulated, expected, 1e-9 * expected + costs.message_seconds)
        << "trial " << trial << ", " << shape.world_size() << " ranks";
    exact += std::abs(simulated - expected) < 1e-9 * expected ? 1 : 0;
  }
  EXPECT_GE(exact, 290);
}

}  // namespace
}  // namespace diffphase
