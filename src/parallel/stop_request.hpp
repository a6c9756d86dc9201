#pragma once

#include <cstdint>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>

#include "parallel/clock.hpp"

namespace diffphase {

/// Notes SIGUSR1, SIGUSR2, SIGXCPU, SIGTERM, SIGINT and SIGHUP from now on, to the end of the program, but for those
/// that are ignored (nohup): one that arrives before there is a StopRequest reaches that, one that arrives after it
/// changes nothing any more, so that a program which is about to return an exit code returns it. When 10 s after a
/// SIGTERM or SIGINT there is no StopRequest yet, because MPI does not start, the process ends with _exit(75). To be
/// called at the start of a program. SIGALRM is used until then.
void note_stop_signals();

/// From now on a signal that asks to stop also writes one byte, not 0, at `offset` of an existing file, before anything
/// else: the process was alive when it was told to stop. Paths of 4096 bytes and more are not marked. Local.
void mark_stop_signals(const std::filesystem::path& file, std::int64_t offset);

/// What asks a run to stop: SIGUSR1, SIGUSR2, SIGXCPU, SIGTERM, SIGINT or SIGHUP to this process, a deadline, or a stop
/// file.
///
/// A signal only sets a flag. A SIGINT or SIGTERM more than 10 s after the first of these two ends the process at once
/// with _exit(75): nothing is written any more, and what the journal has received is kept. Signals that are ignored
/// stay ignored. Handlers are installed by the constructor, so construct it after MPI and SLEPc, which install their
/// own; the destructor puts back what was there, or, after note_stop_signals(), leaves handlers that change nothing.
/// One object per process at a time (std::logic_error). Local; wanted() and reason() may be called by any thread.
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
  void end_after(double seconds);
  /// Seconds until the deadline, negative after it; nothing without one.
  [[nodiscard]] std::optional<double> seconds_left() const;

  /// What asked, for people: "signal SIGTERM", "time limit reached", "stop file PATH"; empty if nothing has.
  [[nodiscard]] std::string reason() const;

 private:
  [[nodiscard]] std::string look();
  [[nodiscard]] bool file_touched();

  mutable std::mutex mutex_;  // of what changes
  Settings settings_;
  Clock clock_;
  double start_;
  double next_file_check_;
  std::optional<std::filesystem::file_time_type> old_file_;
  std::string reason_;
};

}  // namespace diffphase
