#include "sweep/queue_simulation.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <optional>
#include <queue>
#include <stdexcept>
#include <utility>
#include <vector>

namespace diffphase {

namespace {

constexpr int none = -1;
constexpr double never = std::numeric_limits<double>::infinity();

// What a leader tells rank 0; the time of the event is that of its arrival there.
enum class EventKind {
  ask,     // it has no task and asks for one
  begin,   // it begins a task, asks ahead, and returns the result of the one before if it has it still
  end,     // it returns a result and waits for the answer to what it asked ahead, which rank 0 keeps until then
  result,  // it returns a result
  split,   // no message: it splits its group
};
constexpr std::size_t kinds = 5;

struct Event {
  double time = 0.0;
  RankRange group;
  int next = none;  // of begin: the variant of the task that begins; of ask and split: the level
};

// Events in the order of time. They wait in lines, each of which must be filled in the order of time.
class EventLines {
 public:
  explicit EventLines(std::size_t lines) : lines_(lines) {}

  void push(std::size_t line, Event event) {
    Line& to = lines_[line];
    const int place = new_node(event);
    if (to.front == none) {
      to.front = place;
      heads_.emplace(event.time, line);
    } else {
      // Rounding may turn two times around.
      nodes_[static_cast<std::size_t>(place)].event.time = std::max(event.time, node(to.back).event.time);
      node(to.back).next = place;
    }
    to.back = place;
  }

  [[nodiscard]] double next_time() const { return heads_.empty() ? never : heads_.top().first; }

  // The line of the earliest event, and that event.
  std::pair<std::size_t, Event> pop() {
    const std::size_t line = heads_.top().second;
    heads_.pop();
    Line& from = lines_[line];
    const int place = from.front;
    const Event event = node(place).event;
    from.front = node(place).next;
    if (from.front != none) heads_.emplace(node(from.front).event.time, line);
    free_.push_back(place);
    return {line, event};
  }

 private:
  struct Node {
    Event event;
    int next = none;
  };
  struct Line {
    int front = none;
    int back = none;
  };

  Node& node(int place) { return nodes_[static_cast<std::size_t>(place)]; }

  int new_node(const Event& event) {
    if (free_.empty()) {
      nodes_.push_back({event, none});
      return static_cast<int>(nodes_.size()) - 1;
    }
    const int place = free_.back();
    free_.pop_back();
    node(place) = {event, none};
    return place;
  }

  using Head = std::pair<double, std::size_t>;

  std::vector<Line> lines_;
  std::vector<Node> nodes_;
  std::vector<int> free_;
  std::priority_queue<Head, std::vector<Head>, std::greater<>> heads_;
};

// Rank 0 as the others see it: one message after the other, between the agreement points of a task of its own.
class Server {
 public:
  explicit Server(const QueueCosts& costs) : costs_(costs) {}

  // Handles what arrives at this time; returns when it is done.
  double serve(double arrival, double seconds) {
    ++messages_;
    const bool waited = arrival <= free_at_;
    double start = std::max(arrival, free_at_);
    if (own_end_ > start) start = std::min(next_look(start), own_end_);
    if (!waited || ++in_batch_ > costs_.batch_messages) {
      in_batch_ = 1;
      seconds += costs_.write_seconds;
    }
    return occupy(start, seconds);
  }

  // Work of its own on the queue, which makes the task that it computes later.
  double occupy(double from, double seconds) {
    const double start = std::max(from, free_at_);
    free_at_ = start + seconds;
    busy_ += seconds;
    if (own_end_ >= start) own_end_ += seconds;
    return free_at_;
  }

  void compute(double from, double seconds) {
    own_begin_ = std::max(from, free_at_);
    own_end_ = own_begin_ + seconds;
  }
  void compute_nothing() { own_end_ = never_computes; }

  // Of the task that rank 0 computes; never if it computes none.
  [[nodiscard]] double own_end() const { return own_end_ == never_computes ? never : own_end_; }
  [[nodiscard]] double free_at() const { return free_at_; }
  [[nodiscard]] double busy() const { return busy_; }
  [[nodiscard]] std::size_t messages() const { return messages_; }

 private:
  static constexpr double never_computes = -1.0;  // before all times

  [[nodiscard]] double next_look(double time) const {
    if (costs_.agreement_seconds <= 0.0) return time;
    return own_begin_ + std::ceil((time - own_begin_) / costs_.agreement_seconds) * costs_.agreement_seconds;
  }

  const QueueCosts& costs_;
  double free_at_ = 0.0;
  double own_begin_ = 0.0;
  double own_end_ = never_computes;
  double busy_ = 0.0;
  std::size_t messages_ = 0;
  std::size_t in_batch_ = 0;
};

class Simulation {
 public:
  Simulation(const TreeShape& shape, std::span<const AlikeTasks> tasks, const QueueCosts& costs)
      : shape_(shape),
        tasks_(tasks),
        costs_(costs),
        levels_(static_cast<std::size_t>(shape.levels())),
        server_(costs),
        lines_(kinds * (2 * tasks.size() + 1)) {
    for (std::size_t t = 0; t < tasks.size(); ++t) {
      if (tasks[t].count == 0) continue;
      Level& level = levels_[static_cast<std::size_t>(tasks[t].level)];
      level.tasks.push_back(t);
      level.remaining += tasks[t].count;
    }
  }

  QueueForecast run() {
    enter({0, shape_.world_size()}, 0, 0.0);
    while (true) {
      const double next = lines_.next_time();
      const double own = server_.own_end();
      if (next == never && own == never) break;
      if (own <= next) {
        end_own_task();
      } else {
        const auto [line, event] = lines_.pop();
        handle(line, event);
      }
    }
    const double seconds = say_goodbye();
    return {seconds, busy_, server_.busy(), server_.messages()};
  }

 private:
  struct Level {
    std::vector<std::size_t> tasks;  // in the order of the queue
    std::size_t next = 0;            // of these
    std::size_t taken = 0;           // of the next
    std::size_t remaining = 0;
  };

  // A variant is a task on the small or the large groups of its level: all of one variant take equally long. There is a
  // line for each kind of event and variant, and one for events without a task.
  [[nodiscard]] std::size_t line_of(EventKind kind, int variant) const {
    const std::size_t task = variant == none ? 2 * tasks_.size() : static_cast<std::size_t>(variant);
    return kinds * task + static_cast<std::size_t>(kind);
  }
  [[nodiscard]] const AlikeTasks& task_of(int variant) const { return tasks_[static_cast<std::size_t>(variant) / 2]; }

  [[nodiscard]] double seconds_of(int variant, const RankRange& group) const {
    const AlikeTasks& task = task_of(variant);
    return task.work_seconds / group.size + task.fixed_seconds;
  }
  [[nodiscard]] double result_seconds(int variant) const {
    if (variant == none) return 0.0;
    const double byte_seconds = 1.0 / costs_.bandwidth + costs_.result_byte_seconds;
    return costs_.result_seconds + byte_seconds * task_of(variant).result_bytes;
  }
  [[nodiscard]] double hand_out_seconds() const { return costs_.begin_seconds + costs_.message_seconds; }

  // Hands the next task of the level to the group.
  int take(Level& level, const RankRange& group, int level_number) {
    const std::size_t task = level.tasks[level.next];
    if (++level.taken == tasks_[task].count) {
      ++level.next;
      level.taken = 0;
    }
    --level.remaining;
    const int large = group.size > shape_.smallest_group(level_number) ? 1 : 0;
    const int variant = 2 * static_cast<int>(task) + large;
    busy_ += seconds_of(variant, group) * group.size;
    return variant;
  }

  // The groups of the next level with tasks, at or below `level`, that the ranks of `range` make, come there.
  void enter(RankRange range, int level, double time) {
    while (level < shape_.levels() && levels_[static_cast<std::size_t>(level)].tasks.empty()) ++level;
    if (level == shape_.levels()) return;
    for (int rank = range.first; rank < range.first + range.size;) {
      const RankRange group = shape_.group_of(rank, level);
      rank = group.first + group.size;
      if (!shape_.computes(group.first, level)) continue;
      if (group.first == 0) {
        own_level_ = level;
        own_group_ = group;
        begin_own_task(time);
      } else {
        lines_.push(line_of(EventKind::ask, none), {time + costs_.latency, group, level});
      }
    }
  }

  void begin_own_task(double time) {
    Level& level = levels_[static_cast<std::size_t>(own_level_)];
    if (level.remaining == 0) {
      server_.compute_nothing();
      enter(own_group_, own_level_ + 1, std::max(time, server_.free_at()));
      return;
    }
    own_task_ = take(level, own_group_, own_level_);
    const double ready = server_.occupy(time, costs_.begin_seconds + costs_.write_seconds);
    server_.compute(ready, seconds_of(own_task_, own_group_));
  }

  void end_own_task() {
    const double end = server_.own_end();
    server_.compute_nothing();
    begin_own_task(server_.occupy(end, result_seconds(own_task_)));
  }

  void handle(std::size_t line, const Event& event) {
    const std::size_t task = line / kinds;
    const int variant = task == 2 * tasks_.size() ? none : static_cast<int>(task);
    switch (static_cast<EventKind>(line % kinds)) {
      case EventKind::ask:
        answer(event.group, event.next, event.time, 0.0);
        return;
      case EventKind::begin:
        begin(event, variant);
        return;
      case EventKind::end:
        answer(event.group, task_of(variant).level, event.time, result_seconds(variant));
        return;
      case EventKind::result:
        server_.serve(event.time, costs_.message_seconds + result_seconds(variant));
        return;
      case EventKind::split:
        enter(event.group, event.next + 1, event.time);
        return;
    }
  }

  // A leader that waits gets a task or hears that there is none.
  void answer(const RankRange& group, int level_number, double arrival, double seconds) {
    Level& level = levels_[static_cast<std::size_t>(level_number)];
    seconds += costs_.message_seconds;
    if (level.remaining == 0) {
      const double told = server_.serve(arrival, seconds + costs_.message_seconds) + costs_.latency;
      lines_.push(line_of(EventKind::split, none), {told, group, level_number});
      return;
    }
    const int next = take(level, group, level_number);
    const double begun = server_.serve(arrival, seconds + hand_out_seconds()) + costs_.latency;
    lines_.push(line_of(EventKind::begin, none), {begun + costs_.latency, group, next});
  }

  // A leader begins a task and asks for another.
  void begin(const Event& event, int returned) {
    const int variant = event.next;
    const RankRange& group = event.group;
    const int level_number = task_of(variant).level;
    Level& level = levels_[static_cast<std::size_t>(level_number)];
    const double end = event.time - costs_.latency + seconds_of(variant, group);
    const double result = end + costs_.latency;
    const double seconds = costs_.message_seconds + result_seconds(returned);
    if (level.remaining == 0) {
      const double told = server_.serve(event.time, seconds + costs_.message_seconds) + costs_.latency;
      lines_.push(line_of(EventKind::result, variant), {result, group, none});
      if (told > end) {
        lines_.push(line_of(EventKind::split, none), {told, group, level_number});
      } else {
        lines_.push(line_of(EventKind::split, variant), {end, group, level_number});
      }
    } else if (level.remaining > static_cast<std::size_t>(shape_.groups(level_number))) {
      const int next = take(level, group, level_number);
      const double handed = server_.serve(event.time, seconds + hand_out_seconds()) + costs_.latency;
      if (handed > end) {  // the leader waits, and its result does not wait with it
        lines_.push(line_of(EventKind::result, variant), {result, group, none});
        lines_.push(line_of(EventKind::begin, none), {handed + costs_.latency, group, next});
      } else {
        lines_.push(line_of(EventKind::begin, variant), {result, group, next});
      }
    } else {
      server_.serve(event.time, seconds);
      lines_.push(line_of(EventKind::end, variant), {result, group, none});
    }
  }

  // Rank 0 tells every rank that all is over, and hears from each.
  [[nodiscard]] double say_goodbye() {
    if (shape_.world_size() == 1) return server_.free_at();
    const double others = shape_.world_size() - 1;
    return server_.occupy(server_.free_at(), 2.0 * others * costs_.message_seconds) + 2.0 * costs_.latency;
  }

  const TreeShape& shape_;
  std::span<const AlikeTasks> tasks_;
  const QueueCosts& costs_;
  std::vector<Level> levels_;
  Server server_;
  EventLines lines_;
  double busy_ = 0.0;
  int own_level_ = 0;
  RankRange own_group_;
  int own_task_ = none;
};

bool is_time(double seconds) { return std::isfinite(seconds) && seconds >= 0.0; }

void check(const TreeShape& shape, std::span<const AlikeTasks> tasks, const QueueCosts& costs) {
  for (const AlikeTasks& task : tasks) {
    if (task.level < 0 || task.level >= shape.levels()) {
      throw std::invalid_argument("simulate_queue: level outside of the tree");
    }
    if (!is_time(task.work_seconds) || !is_time(task.fixed_seconds) || !is_time(task.result_bytes)) {
      throw std::invalid_argument("simulate_queue: a task's time or size is negative or no number");
    }
  }
  if (!costs.valid()) throw std::invalid_argument("simulate_queue: a cost that no queue can have");
}

}  // namespace

bool QueueCosts::valid() const {
  const auto times = {latency,       message_seconds,  begin_seconds, result_seconds, result_byte_seconds,
                      write_seconds, agreement_seconds};
  return std::ranges::all_of(times, is_time) && bandwidth > 0.0 && batch_messages >= 1;
}

QueueForecast simulate_queue(const TreeShape& shape, std::span<const AlikeTasks> tasks, const QueueCosts& costs) {
  check(shape, tasks, costs);
  return Simulation(shape, tasks, costs).run();
}

}  // namespace diffphase
