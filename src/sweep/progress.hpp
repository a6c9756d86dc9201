#pragma once

#include <cstddef>
#include <functional>
#include <string>

#include "parallel/clock.hpp"

namespace diffphase {

/// The progress of a run: on a terminal one line that updates, in a batch log one line every 30 s.
class Progress {
 public:
  struct Sink {
    bool terminal = false;
    std::function<void(const std::string&)> write;  ///< a whole line, or with '\r' in front on a terminal
  };

  /// `total_work` is the predicted work of all tasks, in any unit; time left follows the work, not the count.
  Progress(std::size_t tasks, double total_work, Sink sink, Clock clock = steady_seconds);

  void task_ended(bool failed, double work);
  /// Writes the line if it is time to; cheap.
  void tick();
  /// Ends the updating line.
  void finish() const;

  /// "143/512 done, 3 failed, 2.1 tasks/min, time left 02:54".
  [[nodiscard]] std::string line() const;

 private:
  std::size_t tasks_;
  double total_work_;
  Sink sink_;
  Clock clock_;
  double start_;
  double next_;
  std::size_t done_ = 0;
  std::size_t failed_ = 0;
  double work_ = 0.0;
};

/// "02:54" minutes and seconds below an hour, "05:47:10" above, "3 d 02:10" above a day.
[[nodiscard]] std::string remaining_time_text(double seconds);

}  // namespace diffphase
