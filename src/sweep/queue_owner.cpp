#include "sweep/queue_owner.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "parallel/idle_wait.hpp"

namespace diffphase {

namespace {

// Letters that share one commit, and that rank 0 handles before it looks at anything else.
constexpr int most_letters = 256;

}  // namespace

using Kind = SchedulerMessage::Kind;

QueueOwner::QueueOwner(const TreeShape& shape, Mailbox& mailbox, const SchedulerHooks& hooks, TaskQueue queue,
                       const WatchdogSettings& watchdog)
    : shape_(shape),
      mailbox_(mailbox),
      hooks_(hooks),
      queue_(std::move(queue)),
      watched_(watchdog),
      watchdog_(hooks.stall ? watched_.limit : 0.0, watched_.clock) {
  if (!hooks.stall) watched_.limit = 0.0;
  if (watched_.limit > 0.0 || hooks_.held) timer_.emplace(watched_.limit, RankRange{0, 1}, hooks_.stall);
  if (hooks_.held && hooks_.stop_wanted) {
    timer_->end_when_held(hooks_.stop_wanted, watched_.stop_patience, hooks_.held);
  }
}

bool QueueOwner::serve() {
  if (!stopping() && hooks_.stop_wanted && hooks_.stop_wanted()) stop();
  const bool arrived = read_mail();
  call(hooks_.tick);
  give_up_if_nobody_comes();
  return arrived;
}

bool QueueOwner::read_mail() {
  int arrived = 0;
  for (; arrived < most_letters; ++arrived) {
    const auto letter = mailbox_.collect();
    if (!letter) break;
    watchdog_.hear(letter->source);
    handle(letter->source, decode(letter->bytes));
  }
  send_out();
  if (timer_) timer_->kick();
  if (arrived < most_letters) watch();
  return arrived > 0;
}

// What is held by ranks that do not hear is nobody's.
void QueueOwner::give_up_if_nobody_comes() {
  if (!stopped_ || !hooks_.give_up) return;
  if (watched_.clock() - std::max(*stopped_, told_end_) < watched_.stop_patience) return;
  if (finished_ ? unacknowledged_.empty() : queue_.holders().empty()) return;
  for (const auto& [task, holder] : queue_.out()) end(task, holder, {.outcome = Outcome::abandoned});
  static_cast<void>(commit());
  hooks_.give_up(summary());
}

void QueueOwner::watch() {
  for (const Stall& stall : watchdog_.look()) call(hooks_.stall, stall);
  if (!finished_ || watched_.limit <= 0.0) return;
  const double silent = watched_.clock() - told_end_;
  if (silent < watched_.limit) return;
  for (const int rank : unacknowledged_) {
    call(hooks_.stall, Stall{.group = {rank, 1}, .since_begin = silent, .silent = silent});
  }
  watched_.limit = 0.0;  // once
}

bool QueueOwner::commit() { return !std::exchange(uncommitted_, false) || call(hooks_.commit); }

void QueueOwner::send_out() {
  if (!commit()) take_back();
  for (const auto& [rank, message] : outbox_) mailbox_.post(rank, encode(message));
  outbox_.clear();
}

// A task whose begin is not kept must not run.
void QueueOwner::take_back() {
  for (auto& [rank, message] : std::exchange(outbox_, {})) {
    if (message.kind == Kind::task) {
      end(message.task, rank, {.outcome = Outcome::abandoned, .ranks = shape_.group_of(rank, message.level).size});
      tell_stop(rank);
    } else {
      post(rank, std::move(message));
    }
  }
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
      if (const auto request = postponed_.extract(rank)) {
        answer(rank, request.mapped());
      } else if (message.asks) {
        answer(rank, message.level);
      }
      return;
    case Kind::stop_wanted:
      if (!finished_) stop();
      return;
    case Kind::alive:
      return;
    case Kind::acknowledged:
      unacknowledged_.erase(rank);
      return;
    default:
      throw std::logic_error("scheduler: a rank sent what only the owner of the queue sends");
  }
}

void QueueOwner::answer(int leader, int level) {
  const bool idle = queue_.held_by(leader) == 0;
  if (idle) leave_out_late(level, leader);
  if (stopping()) {
    tell_stop(leader);
  } else if (queue_.remaining(level) == 0) {
    post(leader, {.kind = Kind::level_done});
  } else if (idle || may_hand_out_ahead(level, leader)) {
    if (const auto task = begin_next(level, leader)) post(leader, {.kind = Kind::task, .level = level, .task = *task});
  } else {
    postponed_[leader] = level;
  }
}

bool QueueOwner::may_hand_out_ahead(int level, int leader) const {
  if (queue_.remaining(level) <= static_cast<std::size_t>(shape_.groups(level))) return false;
  const auto task = queue_.next(level);
  if (!task || (hooks_.may_wait && !hooks_.may_wait(*task))) return false;
  return !hooks_.may_begin || hooks_.may_begin(*task, shape_.group_of(leader, level), true);
}

// What does not fit before a deadline now will not fit later.
void QueueOwner::leave_out_late(int level, int leader) {
  if (!hooks_.may_begin) return;
  const RankRange group = shape_.group_of(leader, level);
  for (auto task = queue_.next(level); task && !hooks_.may_begin(*task, group, false); task = queue_.next(level)) {
    queue_.leave_out(level);
  }
}

std::optional<std::size_t> QueueOwner::take(int level) {
  leave_out_late(level, 0);
  const auto task = begin_next(level, 0);
  if (!task) return std::nullopt;
  if (commit()) {
    if (timer_) timer_->begin(*task, shape_.group_of(0, level));
    return task;
  }
  end(*task, 0, {.outcome = Outcome::abandoned, .ranks = shape_.group_of(0, level).size});
  return std::nullopt;
}

std::optional<std::size_t> QueueOwner::begin_next(int level, int leader) {
  const auto task = queue_.next(level);
  if (!task) return std::nullopt;
  // If begin throws, the run stops, and stopping leaves the task in the queue.
  if (!call(hooks_.begin, *task, shape_.group_of(leader, level))) {
    tell_stop(leader);
    return std::nullopt;
  }
  uncommitted_ = true;
  if (leader != 0) watchdog_.hand_out(*task, shape_.group_of(leader, level));
  return queue_.take(level, leader);
}

void QueueOwner::report(std::size_t task, const TaskReport& report) {
  if (timer_) timer_->end();
  end(task, 0, report);
}

void QueueOwner::end(std::size_t task, int holder, const TaskReport& report) {
  queue_.end(task, holder, report.outcome);
  watchdog_.end(task, holder);
  uncommitted_ = true;
  call(hooks_.end, task, report);
}

void QueueOwner::stop() {
  if (stopping()) return;
  queue_.stop();
  stopped_ = watched_.clock();
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
  told_end_ = watched_.clock();
  for (int rank = 1; rank < shape_.world_size(); ++rank) {
    unacknowledged_.insert(rank);
    post(rank, finished_message(result));
  }
  send_out();
  for (IdleWait idle; !unacknowledged_.empty() || !mailbox_.all_sent(); idle.pause()) {
    if (read_mail()) idle = {};
    if (!stopped_ && hooks_.stop_wanted && hooks_.stop_wanted()) stopped_ = watched_.clock();
    give_up_if_nobody_comes();
  }
  return result;
}

RunSummary QueueOwner::summary() const {
  return {queue_.ended(Outcome::done),
          queue_.ended(Outcome::failed),
          queue_.ended(Outcome::abandoned),
          queue_.waiting(),
          queue_.left_out(),
          error_};
}

SchedulerMessage finished_message(const RunSummary& summary) {
  const std::array<std::uint64_t, 5> counts{summary.done, summary.failed, summary.abandoned, summary.not_begun,
                                            summary.left_out};
  std::string bytes(sizeof counts, '\0');
  std::memcpy(bytes.data(), counts.data(), sizeof counts);
  return {.kind = Kind::finished, .text = summary.error, .payload = std::move(bytes)};
}

RunSummary summary_of(const SchedulerMessage& finished) {
  std::array<std::uint64_t, 5> counts{};
  if (finished.payload.size() != sizeof counts) throw std::runtime_error("scheduler: summary of another size");
  std::memcpy(counts.data(), finished.payload.data(), sizeof counts);
  return {counts[0], counts[1], counts[2], counts[3], counts[4], finished.text};
}

}  // namespace diffphase
