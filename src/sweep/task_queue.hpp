#pragma once

#include <array>
#include <cstddef>
#include <deque>
#include <map>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace diffphase {

/// How a task that was handed out ended. Abandoned: the run was asked to stop before the task was finished,
/// or before it was begun at all by the group that already had it.
enum class Outcome { done, failed, abandoned };

/// Which task goes to whom, and what became of it. Pure bookkeeping without MPI or clock; tasks are 0 to
/// count - 1, a holder is the leader of a group. Throws std::logic_error when asked for something that cannot
/// be: ending a task twice or for another holder.
class TaskQueue {
 public:
  /// `levels`: one per task. `order`: every task once; tasks of one level are handed out in this order.
  /// Throws std::invalid_argument if a level is not in [0, level_count) or `order` is no permutation.
  TaskQueue(std::span<const int> levels, std::span<const std::size_t> order, int level_count);

  /// The task that take() would hand out at `level`; none if there is none left or the queue was stopped.
  [[nodiscard]] std::optional<std::size_t> next(int level) const;
  /// Hands the next task of `level` to `holder`.
  std::optional<std::size_t> take(int level, int holder);
  /// Never hands out the task that take() would hand out at `level`. Throws std::logic_error if there is none.
  void leave_out(int level);
  /// Records how a task that `holder` has ended.
  void end(std::size_t task, int holder, Outcome outcome);
  /// From now on nothing is handed out. What is out can still end in every way.
  void stop() { stopping_ = true; }

  [[nodiscard]] bool stopping() const { return stopping_; }
  /// Tasks of `level` that may still be handed out.
  [[nodiscard]] std::size_t remaining(int level) const;
  /// Tasks that `holder` has and that have not ended.
  [[nodiscard]] std::size_t held_by(int holder) const;
  /// The holders of at least one task, ascending.
  [[nodiscard]] std::vector<int> holders() const;
  /// The tasks that are out, each with its holder.
  [[nodiscard]] std::vector<std::pair<std::size_t, int>> out() const;
  /// True when nothing is out and nothing will be handed out any more.
  [[nodiscard]] bool settled() const;

  [[nodiscard]] std::size_t ended(Outcome outcome) const { return ended_[static_cast<std::size_t>(outcome)]; }
  /// Tasks not handed out and not left out; final once settled.
  [[nodiscard]] std::size_t waiting() const;
  [[nodiscard]] std::size_t left_out() const { return left_out_; }

 private:
  static constexpr int waiting_state = -1;
  static constexpr int ended_state = -2;

  std::vector<std::deque<std::size_t>> waiting_;  // by level
  std::vector<int> state_;                        // by task: holder, waiting or ended
  std::map<int, std::size_t> held_;               // by holder: tasks that are out
  std::array<std::size_t, 3> ended_{};            // by outcome
  std::size_t left_out_ = 0;
  bool stopping_ = false;
};

}  // namespace diffphase
