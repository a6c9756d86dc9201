#pragma once

#include <signal.h>  // NOLINT(modernize-deprecated-headers): sigset_t is POSIX, not in <csignal>

#include <filesystem>
#include <optional>
#include <string>

#include "parallel/clock.hpp"

namespace diffphase {

/// Holds SIGUSR1, SIGTERM and SIGINT back from now on, in this thread and those that it starts, but while there is a
/// StopRequest: one that arrives earlier reaches that, one that arrives later changes nothing any more, so that a
/// program which is about to return an exit code returns it. To be called at the start of a program.
void hold_stop_signals();

/// What asks a run to stop: SIGUSR1, SIGTERM or SIGINT to this process, a deadline, or a stop file.
///
/// The first signal only sets a flag. A second one, at least 0.2 s later (launchers deliver the same signal
/// twice), ends the process at once with _exit(75): nothing is written any more, and what the journal has
/// received is kept. Handlers are installed by the constructor, so construct it after MPI and SLEPc, which
/// install their own, and signals that were held are let through; the destructor puts back what was there. One object
/// per process at a time (std::logic_error). Local.
class StopRequest {
 public:
  struct Settings {
    std::optional<double> after_seconds{};  ///< deadline, counted from construction; may be negative: at once
    std::filesystem::path file{};           ///< stop file; empty: none. Give it to one rank only.
  };

  explicit StopRequest(Settings settings, Clock clock = steady_seconds);
  StopRequest(const StopRequest&) = delete;
  StopRequest& operator=(const StopRequest&) = delete;
  ~StopRequest();

  /// True once anything has asked to stop, and for ever after. Cheap: looks at the file at most once per
  /// second. A stop file that was there before counts only after it was touched again, so a run after a stop
  /// needs no cleaning.
  [[nodiscard]] bool wanted();

  /// Looks at this file from now on, in place of the one before.
  void watch(std::filesystem::path file);

  /// From now on the deadline is so many seconds away; may be negative: at once.
  void end_after(double seconds) { settings_.after_seconds = clock_() - start_ + seconds; }
  /// Seconds until the deadline, negative after it; nothing without one.
  [[nodiscard]] std::optional<double> seconds_left() const;

  /// What asked, for people: "signal SIGTERM", "time limit reached", "stop file PATH"; empty if nothing has.
  [[nodiscard]] const std::string& reason() const { return reason_; }

 private:
  [[nodiscard]] std::string look();
  [[nodiscard]] bool file_touched();

  Settings settings_;
  Clock clock_;
  double start_;
  double next_file_check_;
  std::optional<std::filesystem::file_time_type> old_file_;
  std::string reason_;
  sigset_t previous_mask_{};
};

}  // namespace diffphase
