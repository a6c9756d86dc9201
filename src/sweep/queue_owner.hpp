#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "sweep/scheduler.hpp"
#include "sweep/scheduler_message.hpp"
#include "sweep/watchdog.hpp"
#include "sweep/watchdog_timer.hpp"

namespace diffphase {

/// After how many seconds of silence, on which clock, groups are reported; 0: never. And given up after a stop.
struct WatchdogSettings {
  double limit = 0.0;
  double stop_patience = Scheduler::stop_patience;
  Clock clock = steady_seconds;
};

/// Rank 0's side of the scheduler for one run: owns the queue, calls the hooks, answers leaders. Every
/// function returns without waiting for anybody, except finish(). Not collective.
class QueueOwner {
 public:
  QueueOwner(const TreeShape& shape, Mailbox& mailbox, const SchedulerHooks& hooks, TaskQueue queue,
             const WatchdogSettings& watchdog = {});

  /// Handles the letters that have arrived, so many that it soon returns, looks whether a stop is wanted, ticks.
  /// Returns whether any had arrived.
  bool serve();
  [[nodiscard]] bool stopping() const { return queue_.stopping(); }

  /// The next task for rank 0's own group, begun; none if the level is done or the run stops.
  [[nodiscard]] std::optional<std::size_t> take(int level);
  /// How a task of rank 0's own group ended.
  void report(std::size_t task, const TaskReport& report);

  /// Serves until every task is settled, tells every rank, and returns when all have answered.
  RunSummary finish();

 private:
  bool read_mail();
  void watch();
  void handle(int rank, SchedulerMessage message);
  void answer(int leader, int level);
  [[nodiscard]] bool may_hand_out_ahead(int level, int leader) const;
  void leave_out_late(int level, int leader);
  void end(std::size_t task, int holder, const TaskReport& report);
  [[nodiscard]] std::optional<std::size_t> begin_next(int level, int leader);
  void stop();
  void give_up_if_nobody_comes();
  void tell_stop(int leader);
  void post(int rank, SchedulerMessage message) { outbox_.emplace_back(rank, std::move(message)); }
  [[nodiscard]] bool commit();
  void send_out();
  void take_back();
  template <typename Hook, typename... Arguments>
  bool call(const Hook& hook, const Arguments&... arguments);
  [[nodiscard]] RunSummary summary() const;

  const TreeShape& shape_;
  Mailbox& mailbox_;
  const SchedulerHooks& hooks_;
  TaskQueue queue_;
  std::map<int, int> postponed_;  // leader -> level of a request posted ahead that waits for its running task
  std::vector<std::pair<int, SchedulerMessage>> outbox_;  // what waits for the next commit
  bool uncommitted_ = false;                              // something was begun or ended since
  std::set<int> unacknowledged_;                          // ranks that were told the end
  double told_end_ = 0.0;
  std::optional<double> stopped_;  // when
  bool finished_ = false;
  std::string error_;
  WatchdogSettings watched_;
  Watchdog watchdog_;                   // of other groups
  std::optional<WatchdogTimer> timer_;  // of rank 0
};

/// The summary as the payload of a `finished` message, and back.
[[nodiscard]] SchedulerMessage finished_message(const RunSummary& summary);
[[nodiscard]] RunSummary summary_of(const SchedulerMessage& finished);

}  // namespace diffphase
