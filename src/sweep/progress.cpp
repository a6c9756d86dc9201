#include "sweep/progress.hpp"

#include <fmt/format.h>

#include <cmath>
#include <utility>

namespace diffphase {

std::string remaining_time_text(double seconds) {
  if (!std::isfinite(seconds)) return "unknown";
  const auto s = static_cast<long long>(std::llround(seconds));
  if (s >= 86400) return fmt::format("{} d {:02}:{:02}", s / 86400, s % 86400 / 3600, s % 3600 / 60);
  if (s >= 3600) return fmt::format("{:02}:{:02}:{:02}", s / 3600, s % 3600 / 60, s % 60);
  return fmt::format("{:02}:{:02}", s / 60, s % 60);
}

Progress::Progress(std::size_t tasks, double total_work, Sink sink, Clock clock)
    : tasks_(tasks),
      total_work_(total_work),
      sink_(std::move(sink)),
      clock_(std::move(clock)),
      start_(clock_()),
      next_(start_ + (sink_.terminal ? 0.2 : 30.0)) {}

void Progress::task_ended(bool failed, double work) {
  ++(failed ? failed_ : done_);
  work_ += work;
}

std::string Progress::line() const {
  const double elapsed = clock_() - start_;
  std::string text = fmt::format("{}/{} done", done_, tasks_);
  if (failed_ > 0) text += fmt::format(", {} failed", failed_);
  if (done_ + failed_ > 0 && elapsed > 0.0) {
    text += fmt::format(", {:.1f} tasks/min", 60.0 * static_cast<double>(done_ + failed_) / elapsed);
    if (work_ > 0.0) text += ", time left " + remaining_time_text(elapsed * (total_work_ - work_) / work_);
  }
  return text;
}

void Progress::tick() {
  if (!sink_.write || clock_() < next_) return;
  next_ = clock_() + (sink_.terminal ? 0.2 : 30.0);
  sink_.write(sink_.terminal ? "\r" + line() + "\033[K" : line() + "\n");
}

void Progress::finish() const {
  if (sink_.write && sink_.terminal) sink_.write("\r" + line() + "\033[K\n");
}

}  // namespace diffphase
