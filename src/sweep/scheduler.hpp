#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>

#include "parallel/clock.hpp"
#include "parallel/mailbox.hpp"
#include "parallel/task_group.hpp"
#include "sweep/group_tree.hpp"
#include "sweep/task_queue.hpp"
#include "sweep/watchdog.hpp"

namespace diffphase {

/// How one task ended, as rank 0 learns it.
struct TaskReport {
  Outcome outcome = Outcome::done;
  std::string message{};  ///< failed: the error of the lowest rank of the group that had one
  std::string payload{};  ///< done: what the body returned on the group's root
  double seconds = 0.0;   ///< on the group's root; 0 if it was never begun
  int ranks = 0;          ///< size of the group
};

/// How a run ended; the same on every rank.
struct RunSummary {
  std::size_t done = 0;
  std::size_t failed = 0;
  std::size_t abandoned = 0;  ///< handed out and not finished because of a stop
  std::size_t not_begun = 0;  ///< never handed out because of a stop
  std::size_t left_out = 0;   ///< never handed out because may_begin said no
  std::string error;          ///< the first exception of a hook; empty if none threw

  /// Whether the run ended with work left.
  [[nodiscard]] bool stopped() const { return left() > 0; }
  /// Tasks that a further run has to compute.
  [[nodiscard]] std::size_t left() const { return abandoned + not_begun + left_out; }
};

/// What rank 0 does with the queue's events, in the run loop: journal, progress, stop. Any may be empty. They
/// run while rank 0 serves the queue, possibly inside a task's agreement point: short, and without MPI. An
/// exception of begin, end, commit or tick stops the run cleanly and is reported in RunSummary::error.
struct SchedulerHooks {
  /// Before a task is handed out to a group. If it throws, the task is not handed out and has no end.
  std::function<void(std::size_t task, RankRange group)> begin{};
  /// Whether a task may be handed out ahead, to a group that is still at another one. Must not throw. Empty: all
  /// may.
  std::function<bool(std::size_t task)> may_wait{};
  /// Whether a group may still begin a task: now, or, with `waits`, after the one that it is still at. A task that may
  /// not begin now is left out of the run. Must not throw. Empty: all may.
  std::function<bool(std::size_t task, RankRange group, bool waits)> may_begin{};
  /// Exactly once for every task whose begin returned. Abandoned does not count as an attempt.
  std::function<void(std::size_t task, const TaskReport& report)> end{};
  /// After begins and ends, of one message or of many that had arrived: brings what they recorded where it is kept.
  /// Tasks are sent to their groups only afterwards; if it throws, those of the begins since the last commit are not
  /// sent, and end as abandoned.
  std::function<void()> commit{};
  /// Often: progress, housekeeping.
  std::function<void()> tick{};
  /// Often, on every rank: whether this rank knows a reason to stop. Rank 0 decides; others only tell it.
  /// Must be cheap and not throw; where there is `held`, any thread may call it.
  std::function<bool()> stop_wanted{};
  /// On rank 0, where there is a watchdog: ranks show no sign of life. Called from a thread of its own, possibly while
  /// another hook runs, where rank 0 itself is silent. What it throws there is ignored.
  std::function<void(const Stall& stall)> stall{};
  /// On rank 0, when Scheduler::stop_patience after a stop some group has not come to an agreement point. Its tasks
  /// have ended as abandoned. Must end the program.
  std::function<void(const RunSummary& summary)> give_up{};
  /// The same where rank 0's own thread is held by a communication with its group: called by a thread of its own, after
  /// `stop_wanted` has been, and without MPI. Must end the program.
  std::function<void()> held{};
};

/// Distributes tasks over groups of ranks. Knows nothing about what a task is.
///
/// A group takes tasks of its level of the tree from rank 0 until that level has none left, then splits for
/// good into its halves; levels without tasks are skipped. Rank 0 owns the queue and answers at its own
/// agreement points, while its group computes like the others (see TreeShape for large worlds). Leaders have
/// one request posted ahead. It is answered early only while the level has more tasks than groups: near the
/// end of a level a task waits for the first idle group instead of behind a busy one.
///
/// Stop: rank 0 decides, from its own hook or because another rank told it, and tells the leaders. Nothing is
/// handed out any more, what runs is abandoned at its next agreement point, and a task that is finished there
/// counts as done.
///
/// A group that has a task shows at its agreement points that it lives: at least as often as the watchdog needs, by
/// letters to rank 0. Stalled groups are reported and left alone.
///
/// Ranks that wait sleep. Nothing blocks on a message, so no order of events deadlocks.
class Scheduler {
 public:
  /// Seconds from a stop until groups that have not agreed to it are given up.
  static constexpr double stop_patience = 60.0;

  /// Computes one task, on every rank of the group at once. The returned bytes count on the group's root.
  /// Between two agreement points of the group any exception may be thrown on any ranks, by the rules of
  /// TaskGroup; the scheduler agrees once more after the body, so an exception of a single rank there fails
  /// the task too. Stopped and GroupError must be those of an agreement point, or be thrown on every rank.
  using Body = std::function<std::string(std::size_t task, const TaskGroup& group)>;

  /// `tree` must outlive the scheduler. `clock` measures the seconds of tasks. `watchdog`: seconds without a sign of
  /// life after which ranks are reported, the same on every rank; 0: never. Other groups are watched on `clock`, rank 0
  /// itself on the machine's. Collective over the tree's world.
  explicit Scheduler(const GroupTree& tree, SchedulerHooks hooks = {}, Clock clock = steady_seconds,
                     double watchdog = 0.0, double patience = stop_patience);

  /// Runs every task, `levels[task]` being its level of the tree. `order`, read on rank 0 alone, is a
  /// permutation of the tasks: those of one level are handed out in this order. Throws GroupError on every
  /// rank, before anything is begun, if `levels` differ between ranks or do not fit the tree, or `order` is
  /// no permutation. May be called again. Collective over the tree's world.
  RunSummary run(std::span<const int> levels, std::span<const std::size_t> order, const Body& body);

 private:
  const GroupTree& tree_;
  SchedulerHooks hooks_;
  Clock clock_;
  double watchdog_;
  double patience_;
  Mailbox mailbox_;
};

}  // namespace diffphase
