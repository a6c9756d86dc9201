#include "sweep/queue_owner.hpp"

#include <array>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "parallel/idle_wait.hpp"

namespace diffphase {

using Kind = SchedulerMessage::Kind;

QueueOwner::QueueOwner(const TreeShape& shape, Mailbox& mailbox, const SchedulerHooks& hooks, TaskQueue queue)
    : shape_(shape), mailbox_(mailbox), hooks_(hooks), queue_(std::move(queue)) {}

bool QueueOwner::serve() {
  if (!stopping() && hooks_.stop_wanted && hooks_.stop_wanted()) stop();
  const bool arrived = read_mail();
  call(hooks_.tick);
  return arrived;
}

bool QueueOwner::read_mail() {
  bool arrived = false;
  while (auto letter = mailbox_.collect()) {
    handle(letter->source, decode(letter->bytes));
    arrived = true;
  }
  return arrived;
}

void QueueOwner::handle(int rank, SchedulerMessage message) {
  switch (message.kind) {
    case Kind::request:
      // A leader that asks while `finished` is on its way needs no other answer.
      if (!finished_) answer(rank, message.level);
      return;
    case Kind::result:
      end(message.task, rank,
          {message.outcome, std::move(message.text), std::move(message.payload), message.seconds,
           shape_.group_of(rank, message.level).size});
      if (const auto request = postponed_.extract(rank)) answer(rank, request.mapped());
      return;
    case Kind::stop_wanted:
      if (!finished_) stop();
      return;
    case Kind::acknowledged:
      ++acknowledged_;
      return;
    default:
      throw std::logic_error("scheduler: a rank sent what only the owner of the queue sends");
  }
}

void QueueOwner::answer(int leader, int level) {
  if (stopping()) {
    tell_stop(leader);
  } else if (queue_.remaining(level) == 0) {
    post(leader, {.kind = Kind::level_done});
  } else if (queue_.held_by(leader) == 0 || may_hand_out_ahead(level)) {
    if (const auto task = begin_next(level, leader)) post(leader, {.kind = Kind::task, .task = *task});
  } else {
    postponed_[leader] = level;
  }
}

bool QueueOwner::may_hand_out_ahead(int level) const {
  if (queue_.remaining(level) <= static_cast<std::size_t>(shape_.groups(level))) return false;
  const auto task = queue_.next(level);
  return task && (!hooks_.may_wait || hooks_.may_wait(*task));
}

std::optional<std::size_t> QueueOwner::take(int level) { return begin_next(level, 0); }

std::optional<std::size_t> QueueOwner::begin_next(int level, int leader) {
  const auto task = queue_.next(level);
  if (!task) return std::nullopt;
  // If begin throws, the run stops, and stopping leaves the task in the queue.
  if (!call(hooks_.begin, *task, shape_.group_of(leader, level))) {
    tell_stop(leader);
    return std::nullopt;
  }
  return queue_.take(level, leader);
}

void QueueOwner::end(std::size_t task, int holder, const TaskReport& report) {
  queue_.end(task, holder, report.outcome);
  call(hooks_.end, task, report);
}

void QueueOwner::stop() {
  if (stopping()) return;
  queue_.stop();
  for (const int leader : queue_.holders()) tell_stop(leader);
}

// A leader may hear it twice, as a holder and as one who asks.
void QueueOwner::tell_stop(int leader) {
  if (leader != 0) post(leader, {.kind = Kind::stop});
}

template <typename Hook, typename... Arguments>
bool QueueOwner::call(const Hook& hook, const Arguments&... arguments) {
  if (!hook) return true;
  try {
    hook(arguments...);
    return true;
  } catch (...) {
    if (error_.empty()) error_ = current_error();
  }
  stop();
  return false;
}

RunSummary QueueOwner::finish() {
  for (IdleWait idle; true; idle.pause()) {
    if (serve()) idle = {};
    if (queue_.settled()) break;
  }
  RunSummary result = summary();
  finished_ = true;
  for (int rank = 1; rank < shape_.world_size(); ++rank) post(rank, finished_message(result));
  for (IdleWait idle; acknowledged_ < shape_.world_size() - 1 || !mailbox_.all_sent(); idle.pause()) read_mail();
  return result;
}

RunSummary QueueOwner::summary() const {
  return {queue_.ended(Outcome::done), queue_.ended(Outcome::failed), queue_.ended(Outcome::abandoned),
          queue_.waiting(), error_};
}

SchedulerMessage finished_message(const RunSummary& summary) {
  const std::array<std::uint64_t, 4> counts{summary.done, summary.failed, summary.abandoned, summary.not_begun};
  std::string bytes(sizeof counts, '\0');
  std::memcpy(bytes.data(), counts.data(), sizeof counts);
  return {.kind = Kind::finished, .text = summary.error, .payload = std::move(bytes)};
}

RunSummary summary_of(const SchedulerMessage& finished) {
  std::array<std::uint64_t, 4> counts{};
  if (finished.payload.size() != sizeof counts) throw std::runtime_error("scheduler: summary of another size");
  std::memcpy(counts.data(), finished.payload.data(), sizeof counts);
  return {counts[0], counts[1], counts[2], counts[3], finished.text};
}

}  // namespace diffphase
