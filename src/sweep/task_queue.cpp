#include "sweep/task_queue.hpp"

#include <algorithm>
#include <numeric>
#include <stdexcept>

namespace diffphase {

TaskQueue::TaskQueue(std::span<const int> levels, std::span<const std::size_t> order, int level_count)
    : waiting_(static_cast<std::size_t>(level_count)), state_(levels.size(), waiting_state) {
  const auto exists = [&](int level) { return level >= 0 && level < level_count; };
  if (!std::ranges::all_of(levels, exists)) throw std::invalid_argument("TaskQueue: level outside of the tree");
  std::vector<bool> seen(levels.size(), false);
  for (const std::size_t task : order) {
    if (task >= levels.size() || seen[task]) throw std::invalid_argument("TaskQueue: the order is no permutation");
    seen[task] = true;
    waiting_[static_cast<std::size_t>(levels[task])].push_back(task);
  }
  if (order.size() != levels.size()) throw std::invalid_argument("TaskQueue: the order leaves tasks out");
}

std::optional<std::size_t> TaskQueue::next(int level) const {
  if (stopping_ || remaining(level) == 0) return std::nullopt;
  return waiting_[static_cast<std::size_t>(level)].front();
}

std::optional<std::size_t> TaskQueue::take(int level, int holder) {
  const auto task = next(level);
  if (!task) return task;
  waiting_[static_cast<std::size_t>(level)].pop_front();
  state_[*task] = holder;
  ++held_[holder];
  return task;
}

void TaskQueue::leave_out(int level) {
  const auto task = next(level);
  if (!task) throw std::logic_error("TaskQueue: no task there to leave out");
  waiting_[static_cast<std::size_t>(level)].pop_front();
  state_[*task] = ended_state;
  ++left_out_;
}

void TaskQueue::end(std::size_t task, int holder, Outcome outcome) {
  if (task >= state_.size() || holder < 0 || state_[task] != holder) {
    throw std::logic_error("TaskQueue: a task ended that its holder does not have");
  }
  state_[task] = ended_state;
  if (--held_[holder] == 0) held_.erase(holder);
  ++ended_[static_cast<std::size_t>(outcome)];
}

std::size_t TaskQueue::remaining(int level) const { return waiting_.at(static_cast<std::size_t>(level)).size(); }

std::size_t TaskQueue::held_by(int holder) const {
  const auto found = held_.find(holder);
  return found == held_.end() ? 0 : found->second;
}

std::vector<int> TaskQueue::holders() const {
  std::vector<int> all;
  for (const auto& [holder, count] : held_) all.push_back(holder);
  return all;
}

std::vector<std::pair<std::size_t, int>> TaskQueue::out() const {
  std::vector<std::pair<std::size_t, int>> tasks;
  for (std::size_t task = 0; task < state_.size(); ++task) {
    if (state_[task] >= 0) tasks.emplace_back(task, state_[task]);
  }
  return tasks;
}

bool TaskQueue::settled() const { return held_.empty() && (stopping_ || waiting() == 0); }

std::size_t TaskQueue::waiting() const {
  return std::accumulate(waiting_.begin(), waiting_.end(), std::size_t{0},
                         [](std::size_t sum, const auto& tasks) { return sum + tasks.size(); });
}

}  // namespace diffphase
