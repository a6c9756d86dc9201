#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "files/file_identity.hpp"
#include "files/wall_clock.hpp"
#include "sweep/aggregate.hpp"
#include "sweep/attempt_log.hpp"
#include "sweep/former_results.hpp"
#include "sweep/group_tree.hpp"
#include "sweep/journal.hpp"
#include "sweep/pending_task.hpp"
#include "sweep/progress.hpp"
#include "sweep/run.hpp"
#include "sweep/run_lock.hpp"
#include "sweep/run_plan.hpp"
#include "sweep/scheduler.hpp"
#include "sweep/task_payload.hpp"
#include "sweep/timetable.hpp"

namespace diffphase {

/// What rank 0 keeps of one start, between the first look at the journals and the last line of output: lock,
/// journal, log, progress, results. Rank 0 only.
class RunBook {
 public:
  /// Takes the lock, for which it may wait, reads the journals, begins a new one. `summaries`: what was seen in the
  /// data files. `measures`: all that exist. `processes`: what messages call the process of each rank. `stop_wanted`:
  /// see LockEnvironment. `options` must outlive the book. Throws BadInput, FileError or LockWaitStopped.
  RunBook(const RunOptions& options, RunPlan plan, const DatasetSummaries& summaries,
          const std::vector<const Measure*>& measures, std::vector<std::string> processes,
          std::function<bool()> stop_wanted);
  RunBook(const RunBook&) = delete;
  RunBook& operator=(const RunBook&) = delete;
  ~RunBook();

  /// Where a run keeps its files.
  [[nodiscard]] static std::filesystem::path folder_of(const RunOptions& options, const Sweep& whole);

  /// Decides what is left to do and where. A task that fits nowhere is recorded as failed: never handed out, so
  /// that it is looked at again in every start.
  const std::vector<PendingTask>& find_pending(const TreeShape& shape);

  /// What the scheduler tells; `i` counts the pending tasks. Throw FileError when the disk is full.
  void begin(std::size_t i, RankRange group);
  void end(std::size_t i, const TaskReport& report);
  void commit();
  void tick();
  /// Reports ranks that make no progress. May be called by another thread than the rest, between find_pending() and
  /// conclude(). Throws nothing.
  void report_stall(const Stall& stall) noexcept;

  /// Whether a group can end a task `within` so many seconds, begun now or, with `waits`, after the one that it is at.
  [[nodiscard]] bool fits(std::size_t i, RankRange group, bool waits, double within);

  /// Where the ranks mark that they were alive when they were told to stop.
  [[nodiscard]] const std::filesystem::path& stop_marks() const { return stop_marks_; }

  /// Another start took the folder over, or it has gone: this one should end. Any thread.
  [[nodiscard]] bool lost() const { return lock_lost_ || folder_lost_; }

  /// Where rank 0 is held by a communication and the run should have stopped: brings the journal to disk, frees the
  /// lock, says what to do next and ends the program with 75. Called by another thread than the rest; returns only
  /// while the results are being written. No MPI.
  void end_held();

  /// For an end of the program that destroys nothing.
  void free_lock() { lock_->release(); }

  /// Writes the results, prints what happened and what to do next; returns the exit code. `stop_reason` is empty
  /// where another rank knows it.
  [[nodiscard]] int conclude(const RunSummary& summary, const std::string& stop_reason);

 private:
  [[nodiscard]] const SweepTask& task(std::size_t i) const { return plan_.selected->tasks[pending_[i].index]; }
  [[nodiscard]] bool whole() const { return shard_.count == 1; }
  void look_at(std::size_t index, const TreeShape& shape);
  void learn_duration(const SweepTask& done, const TaskHistory& history);
  [[nodiscard]] PredictedWork work(std::size_t i) const;
  void start_progress();
  void begin_journal();
  void record(JournalRecord record);
  void look_after_journals(bool whole);
  void write_again(const LostBytes& lost);
  [[nodiscard]] bool folder_is_there() const;
  [[nodiscard]] std::string where_results_are() const;
  void refuse(std::size_t index, const std::string& problem);
  void record_done(std::size_t i, TaskResult result, const TaskReport& report);
  void write_results_file(double seconds_of_predictions);
  [[nodiscard]] std::string save_all(const RunSummary& summary);
  [[nodiscard]] std::size_t unfinished(const Sweep& sweep);
  [[nodiscard]] std::string failure_text(std::size_t index);
  [[nodiscard]] std::string deadline_reason(const RunSummary& summary) const;
  int conclude_stopped(const RunSummary& summary, const std::string& stop_reason) const;
  int conclude_failed();

  const RunOptions& options_;
  RunPlan plan_;
  std::vector<std::string> processes_;  // by rank
  std::int64_t ranks_;
  std::filesystem::path folder_;
  Shard shard_;
  WallTime start_;
  std::unique_ptr<RunLock> lock_;
  std::unique_ptr<JournalState> journals_;
  std::unique_ptr<Journal> journal_;
  std::unique_ptr<AttemptLog> log_;
  std::unique_ptr<Aggregator> aggregator_;
  std::unique_ptr<Progress> progress_;
  std::optional<FormerResults> former_;  // to be kept before the results are replaced
  JournalHeader header_;
  std::filesystem::path stop_marks_;
  std::vector<std::filesystem::path> more_stop_marks_;  // the same file for journals that were begun later
  std::optional<FileState> folder_state_;
  std::vector<PendingTask> pending_;
  Timetable timetable_;
  std::optional<double> shortest_left_out_;  // predicted seconds
  std::set<std::size_t> failed_;             // in RunPlan::selected.tasks
  std::set<std::string> warned_;
  std::size_t already_done_ = 0;
  bool begun_ = false;
  bool all_recorded_ = false;  // every task that was handed out has its end in the journal
  std::atomic<bool> lock_lost_{false};
  std::atomic<bool> folder_lost_{false};
  std::atomic<bool> writing_results_{false};
  std::chrono::steady_clock::time_point next_look_;
  std::chrono::steady_clock::time_point next_results_;
};

}  // namespace diffphase
