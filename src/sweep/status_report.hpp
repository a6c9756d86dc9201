#pragma once

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <iosfwd>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "measure/measure.hpp"
#include "sweep/grid.hpp"
#include "sweep/journal.hpp"
#include "sweep/run_lock.hpp"

namespace diffphase {

/// How far the tasks of a run are. Every task is exactly one of done, failed, running and waiting.
struct TaskCounts {
  std::size_t total = 0;
  std::size_t done = 0;
  std::size_t failed = 0;   ///< the last attempt failed, or there will be no further one
  std::size_t running = 0;  ///< handed out by a start of the program that still holds its lock
  std::size_t waiting = 0;

  /// Neither done nor failed.
  [[nodiscard]] std::size_t left() const { return running + waiting; }
};

/// A task whose last attempt failed.
struct TaskFailure {
  std::string task;  ///< its label
  std::string message;
  double ended = 0.0;  ///< seconds since 1970
};

/// The state of a run folder, from its sweep.toml (the last one run), journals and locks. Changes nothing there, needs
/// no MPI, and can be used while the run goes on, from any machine that sees the folder.
class StatusReport {
 public:
  static constexpr std::size_t most_failures = 10;

  /// Reads the folder. `all_measures`: all that exist. Throws BadInput if there is no such folder, or it holds no
  /// sweep.toml, or one that cannot be read; for journals of different seeds, too.
  explicit StatusReport(std::filesystem::path run, std::span<const Measure* const> all_measures = measures(),
                        LockEnvironment environment = {});

  /// Reads what was added since; cheap when nothing was.
  void refresh();

  [[nodiscard]] const TaskCounts& counts() const { return counts_; }
  /// Nothing is left but failed tasks.
  [[nodiscard]] bool complete() const { return counts_.left() == 0; }
  /// Tasks per hour over the last completions of the starts that run now, or of the latest one; nothing if there are
  /// none.
  [[nodiscard]] std::optional<double> tasks_per_hour() const { return tasks_per_hour_; }
  /// Until nothing is left, from the work that the tasks left are predicted to need and the rate at which such work
  /// was done lately; nothing if that is not known.
  [[nodiscard]] std::optional<double> seconds_left() const { return seconds_left_; }
  /// The last ones, newest first, most_failures at most.
  [[nodiscard]] const std::vector<TaskFailure>& failures() const { return failures_; }
  /// Who works on the run.
  [[nodiscard]] const std::vector<LockOwner>& owners() const { return owners_; }
  /// What could not be read, as sentences.
  [[nodiscard]] std::vector<std::string> warnings() const;

  /// The report, several lines; the last one says what to do next.
  [[nodiscard]] std::string text() const;

 private:
  void read_sweep();
  void count_tasks();
  void estimate();
  [[nodiscard]] std::string next_step() const;

  std::filesystem::path run_;
  std::span<const Measure* const> all_measures_;
  LockEnvironment environment_;

  std::optional<Sweep> sweep_;
  std::string sweep_text_;          // of sweep.toml, to notice another one
  std::string data_problem_;        // why the data file could not be inspected
  std::map<Hash128, double> work_;  // of the tasks, in seconds at nominal rates; empty if the data are not known
  JournalState journals_;
  std::vector<LockOwner> owners_;

  std::set<std::string> live_stems_;  // journals that are being written

  TaskCounts counts_;
  std::vector<TaskFailure> failures_;
  double work_left_ = 0.0;
  std::optional<double> tasks_per_hour_;
  std::optional<double> seconds_left_;
};

/// Waits for the sweep.toml of a run that is yet to begin, such as that of a job in the queue, and says so once; until
/// then, or until `interrupted`. At once where there is no such folder. Local.
void wait_for_begin(const std::filesystem::path& run, std::ostream& out, const std::function<bool()>& interrupted,
                    const std::function<void(std::chrono::milliseconds)>& pause = {});

/// Prints the report again and again until the run is complete or `interrupted`, and refreshes it at every `interval`.
/// On a terminal (`terminal`) each report takes the place of the last. `pause` waits; it may return early.
void watch_status(StatusReport& report, std::ostream& out, const std::function<bool()>& interrupted, bool terminal,
                  std::chrono::milliseconds interval = std::chrono::seconds(2),
                  const std::function<void(std::chrono::milliseconds)>& pause = {});

}  // namespace diffphase
