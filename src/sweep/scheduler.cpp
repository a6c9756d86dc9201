#include "sweep/scheduler.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <set>
#include <stdexcept>
#include <utility>

#include "parallel/idle_wait.hpp"
#include "sweep/queue_owner.hpp"
#include "sweep/scheduler_message.hpp"

namespace diffphase {

namespace {

using Kind = SchedulerMessage::Kind;

// What a leader tells its group to do next: a task, or one of these.
constexpr std::int64_t command_split = -1;
constexpr std::int64_t command_end = -2;

// The leader of a group as the group sees it, wherever the queue is.
class TaskSource {
 public:
  TaskSource() = default;
  TaskSource(const TaskSource&) = delete;
  TaskSource& operator=(const TaskSource&) = delete;
  virtual ~TaskSource() = default;

  // Serves the queue or reads what its owner says; true if the run stops. Local.
  virtual bool poll() = 0;
  // Now and then while this leader's group computes.
  virtual void show_life() {}
  // What this leader's group does next; waits for the answer.
  virtual std::int64_t next_command(int level) = 0;
  virtual void report(std::size_t task, int level, TaskReport report) = 0;
  // Waits until the whole run is over.
  virtual RunSummary finish() = 0;
};

// Rank 0, which has the queue itself.
class LocalSource : public TaskSource {
 public:
  LocalSource(const TreeShape& shape, Mailbox& mailbox, const SchedulerHooks& hooks, TaskQueue queue,
              const WatchdogSettings& watchdog)
      : owner_(shape, mailbox, hooks, std::move(queue), watchdog) {}

  bool poll() override {
    owner_.serve();
    return owner_.stopping();
  }

  std::int64_t next_command(int level) override {
    owner_.serve();
    if (const auto task = owner_.take(level)) return static_cast<std::int64_t>(*task);
    return owner_.stopping() ? command_end : command_split;
  }

  void report(std::size_t task, int /*level*/, TaskReport report) override { owner_.report(task, report); }
  RunSummary finish() override { return owner_.finish(); }

 private:
  QueueOwner owner_;
};

// Every other rank, which writes to rank 0. Only leaders ask; all forward a wish to stop and wait for the
// end.
class RemoteSource : public TaskSource {
 public:
  RemoteSource(Mailbox& mailbox, const SchedulerHooks& hooks, WatchdogSettings watchdog)
      : mailbox_(mailbox), hooks_(hooks), watchdog_(std::move(watchdog)) {}

  bool poll() override {
    forward_stop_wish();
    while (auto letter = mailbox_.collect()) handle(decode(letter->bytes));
    return stopping_;
  }

  void show_life() override {
    if (watchdog_.limit <= 0.0) return;
    if (watchdog_.clock() - last_post_ >= sign_of_life_interval(watchdog_.limit)) post({.kind = Kind::alive});
  }

  std::int64_t next_command(int level) override {
    for (IdleWait idle; true; idle.pause()) {
      // Read first: a stop that has arrived keeps a task that was handed out ahead from being begun.
      const bool stop = poll();
      if (stop || finished_) {
        return_result();
        give_back(level);
        return command_end;
      }
      if (level_done_) {
        return_result();
        level_done_ = asked_ = false;
        return command_split;
      }
      if (handed_out_) {
        const std::size_t task = *std::exchange(handed_out_, std::nullopt);
        ask(level);
        return static_cast<std::int64_t>(task);
      }
      if (!asked_) ask(level);
      return_result();
    }
  }

  // Kept for next_command, which comes at once and may have a request to send along.
  void report(std::size_t task, int level, TaskReport report) override {
    return_result();
    result_ = SchedulerMessage{.kind = Kind::result,
                               .level = level,
                               .task = task,
                               .outcome = report.outcome,
                               .seconds = report.seconds,
                               .text = std::move(report.message),
                               .payload = std::move(report.payload)};
  }

  RunSummary finish() override {
    return_result();
    for (IdleWait idle; !finished_; idle.pause()) poll();
    post({.kind = Kind::acknowledged});
    mailbox_.flush();
    return summary_;
  }

 private:
  void post(const SchedulerMessage& message) {
    last_post_ = watchdog_.clock();
    mailbox_.post(0, encode(message));
  }

  void ask(int level) {
    asked_ = true;
    if (result_) {
      result_->asks = true;
      return_result();
    } else {
      post({.kind = Kind::request, .level = level});
    }
  }

  void return_result() {
    if (result_) post(*std::exchange(result_, std::nullopt));
  }

  void give_back(int level) {
    if (!handed_out_) return;
    report(*handed_out_, level, {.outcome = Outcome::abandoned});
    return_result();
    handed_out_.reset();
  }

  void forward_stop_wish() {
    if (forwarded_ || finished_ || !hooks_.stop_wanted || !hooks_.stop_wanted()) return;
    forwarded_ = true;
    post({.kind = Kind::stop_wanted});
  }

  void handle(const SchedulerMessage& message) {
    switch (message.kind) {
      case Kind::task:
        handed_out_ = message.task;
        return;
      case Kind::level_done:
        level_done_ = true;
        return;
      case Kind::stop:
        stopping_ = true;
        return;
      case Kind::finished:
        finished_ = true;
        summary_ = summary_of(message);
        return;
      default:
        throw std::logic_error("scheduler: the owner of the queue sent what only others send");
    }
  }

  Mailbox& mailbox_;
  const SchedulerHooks& hooks_;
  WatchdogSettings watchdog_;
  double last_post_ = 0.0;
  std::optional<std::size_t> handed_out_;
  std::optional<SchedulerMessage> result_;  // not sent yet
  bool asked_ = false;
  bool level_done_ = false;
  bool stopping_ = false;
  bool forwarded_ = false;
  bool finished_ = false;
  RunSummary summary_;
};

// One run on this rank: goes down the levels with its groups.
class Worker {
 public:
  Worker(const GroupTree& tree, TaskSource& source, const Clock& clock, const Scheduler::Body& body)
      : tree_(tree), source_(source), clock_(clock), body_(body) {}

  RunSummary run(std::span<const int> levels) {
    for (const int level : std::set<int>(levels.begin(), levels.end())) {
      if (tree_.shape().computes(tree_.world().rank(), level) && !work_at(level)) break;
    }
    return source_.finish();
  }

 private:
  // Computes tasks until the level is done; false if the run ends instead.
  bool work_at(int level) {
    while (true) {
      const std::int64_t command = agree_on_command(level);
      if (command < 0) return command == command_split;
      compute(static_cast<std::size_t>(command), level);
    }
  }

  std::int64_t agree_on_command(int level) {
    const Communicator& comm = tree_.group(level);
    std::array<std::int64_t, 1> command{0};
    if (comm.is_root()) command[0] = source_.next_command(level);
    if (comm.size() > 1) {
      idle_broadcast(comm, std::as_writable_bytes(std::span(command)), 0, [this] { source_.poll(); });
    }
    return command[0];
  }

  void compute(std::size_t task, int level) {
    const Communicator& comm = tree_.group(level);
    const TaskGroup group(comm, [this, leads = comm.is_root()] {
      if (leads) source_.show_life();
      return source_.poll();
    });
    const double start = clock_();
    TaskReport report = compute_guarded(task, group);
    report.seconds = clock_() - start;
    report.ranks = comm.size();
    if (comm.is_root()) source_.report(task, level, std::move(report));
  }

  // Returns the same outcome and message on every rank of the group.
  TaskReport compute_guarded(std::size_t task, const TaskGroup& group) const {
    std::string payload;
    std::string error;
    try {
      payload = body_(task, group);
    } catch (const Stopped&) {
      return {.outcome = Outcome::abandoned};
    } catch (const GroupError&) {
      return {.outcome = Outcome::failed, .message = current_error()};
    } catch (...) {
      error = current_error();
    }
    error = group.finish(error);
    if (!error.empty()) return {.outcome = Outcome::failed, .message = error};
    return {.outcome = Outcome::done, .payload = std::move(payload)};
  }

  const GroupTree& tree_;
  TaskSource& source_;
  const Clock& clock_;
  const Scheduler::Body& body_;
};

// A number that differs, almost certainly, between different lists.
std::int64_t fingerprint(std::span<const int> values) {
  std::uint64_t hash = 14695981039346656037U;
  for (const int value : values) hash = (hash ^ static_cast<std::uint64_t>(value)) * 1099511628211U;
  return static_cast<std::int64_t>((hash ^ values.size()) >> 1);
}

void check_same_everywhere(const Communicator& world, std::span<const int> levels) {
  std::array<std::int64_t, 2> ends{fingerprint(levels), -fingerprint(levels)};
  world.maximum(ends);
  if (ends[0] != -ends[1]) throw GroupError("Scheduler: the levels of the tasks differ between ranks");
}

}  // namespace

Scheduler::Scheduler(const GroupTree& tree, SchedulerHooks hooks, Clock clock, double watchdog, double patience)
    : tree_(tree),
      hooks_(std::move(hooks)),
      clock_(std::move(clock)),
      watchdog_(watchdog),
      patience_(patience),
      mailbox_(tree.world().duplicate()) {}

RunSummary Scheduler::run(std::span<const int> levels, std::span<const std::size_t> order, const Body& body) {
  const Communicator& world = tree_.world();
  check_same_everywhere(world, levels);
  const WatchdogSettings watchdog{watchdog_, patience_, clock_};
  std::optional<LocalSource> local;
  TaskGroup(world).run_guarded([&] {
    if (!world.is_root()) return;
    local.emplace(tree_.shape(), mailbox_, hooks_, TaskQueue(levels, order, tree_.shape().levels()), watchdog);
  });
  if (local) return Worker(tree_, *local, clock_, body).run(levels);
  RemoteSource remote(mailbox_, hooks_, watchdog);
  return Worker(tree_, remote, clock_, body).run(levels);
}

}  // namespace diffphase
