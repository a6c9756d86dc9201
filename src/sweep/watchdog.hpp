#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <optional>
#include <vector>

#include "parallel/clock.hpp"
#include "sweep/group_tree.hpp"

namespace diffphase {

/// Ranks that make no progress.
struct Stall {
  std::optional<std::size_t> task{};  ///< none: they are outside of any task
  RankRange group{};
  double since_begin = 0.0;  ///< seconds since they began the task, or what else they do
  double silent = 0.0;       ///< seconds since their last sign of life
};

/// Notices groups that have a task and show no sign of life. Pure bookkeeping on rank 0, on the given clock; it knows a
/// group by its leader. Silence counts only while somebody looks: what rank 0 could not hear is no silence.
class Watchdog {
 public:
  /// A group is stalled after `limit` seconds of silence; 0: never.
  explicit Watchdog(double limit, Clock clock = steady_seconds);

  void hand_out(std::size_t task, RankRange group);
  void end(std::size_t task, int leader);
  /// A letter of any kind has come from this rank.
  void hear(int leader);
  /// The groups that have stalled since the last call, each once per stall. Call it often, when all letters that have
  /// arrived are read; most calls cost a look at the clock.
  [[nodiscard]] std::vector<Stall> look();

 private:
  struct Held {
    std::size_t task = 0;
    RankRange group;
  };
  struct Leader {
    std::deque<Held> held;  // the first one runs
    double begun = 0.0;
    double heard = 0.0;
    bool reported = false;
  };

  double limit_;
  Clock clock_;
  double last_look_;
  std::map<int, Leader> leaders_;
};

/// How often a leader should show that it lives, for a watchdog of this limit.
[[nodiscard]] double sign_of_life_interval(double limit);

}  // namespace diffphase
