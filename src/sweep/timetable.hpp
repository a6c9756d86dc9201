#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "parallel/clock.hpp"

namespace diffphase {

/// What the cost model says of a task: nominal seconds, right up to a factor that tasks of one measure share.
struct PredictedWork {
  std::string measure;
  double nominal_seconds = 0.0;
};

/// Predicts when tasks end, from what the cost model says of them and from how long tasks of the same measure took: in
/// this start, and until one of those has ended, in earlier ones. Knows what each group, named by its first rank, is
/// at. Pure bookkeeping but for the clock. Rank 0 only.
class Timetable {
 public:
  explicit Timetable(Clock clock = steady_seconds) : clock_(std::move(clock)) {}

  /// A task of an earlier start took so long. Numbers that are not above zero are ignored.
  void learn(const PredictedWork& work, double seconds) { add(earlier_[work.measure], work, seconds); }

  /// A task was handed to a group, which begins it when it has ended those that it had.
  void begin(std::size_t task, int group, const PredictedWork& work);
  /// It ended, after so many seconds if it was finished. Throws std::logic_error for a task that was not begun.
  void end(std::size_t task, std::optional<double> seconds);

  /// Predicted seconds; nothing as long as no task of the measure was timed.
  [[nodiscard]] std::optional<double> seconds(const PredictedWork& work) const;
  /// Whether a group can end a task `within` so many seconds that it begins now or, with `waits`, after those that it
  /// has. True where the task's measure was never timed.
  [[nodiscard]] bool fits(const PredictedWork& work, int group, bool waits, double within) const;

 private:
  struct Timed {
    double nominal = 0.0;
    double seconds = 0.0;
  };
  struct Begun {
    int group = 0;
    PredictedWork work;
  };
  struct Busy {
    double since = 0.0;             // when the first of them began
    std::deque<std::size_t> tasks;  // in the order in which they are computed
  };

  static void add(Timed& timed, const PredictedWork& work, double seconds);
  [[nodiscard]] double seconds_until_idle(int group) const;

  Clock clock_;
  std::map<std::string, Timed> earlier_;  // by measure
  std::map<std::string, Timed> here_;
  std::map<std::size_t, Begun> begun_;
  std::map<int, Busy> busy_;  // by group
};

}  // namespace diffphase
