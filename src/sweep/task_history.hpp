#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "measure/measure.hpp"
#include "sweep/journal_records.hpp"

namespace diffphase {

/// Where a record is: journals in the order of their names, which is that of their starts, then bytes.
using RecordOrigin = std::pair<std::string, std::uint64_t>;

/// Journals of which not everything is left: by stem, the byte from which on they are lost.
using LostBytes = std::map<std::string, std::uint64_t>;

/// One hand-out of a task and what became of it.
struct Attempt {
  /// open: the program ended with it. running: a start that may be alive is at it. unknown: it has no end, and nothing
  /// says that it was running: its group was still at an earlier task, or the end of the journal is lost.
  enum class Outcome { open, running, done, failed, abandoned, unknown };

  Outcome outcome = Outcome::open;
  double begun = 0.0;  ///< seconds since 1970
  double seconds = 0.0;
  std::int64_t ranks = 1;
  std::int64_t leader = 0;     ///< first rank
  std::uint64_t ended_at = 0;  ///< byte of the record of its end, 0 if there is none
  std::string message;         ///< of a failure
};

/// All that the journals know of one task.
class TaskHistory {
 public:
  using Values = std::map<std::string, std::vector<double>>;

  /// True if these counts, and the variables without count if `count_free`, are known.
  [[nodiscard]] bool complete(std::span<const std::int64_t> counts, bool count_free = true) const;
  /// Whether anything of it was computed.
  [[nodiscard]] bool knows_values() const { return count_free_known_ || !counts_.empty(); }
  /// What of `counts` (and of the variables without count) is not yet known.
  [[nodiscard]] TaskRequest missing(std::span<const std::int64_t> counts) const;

  /// Values of a variable at one sample count, or of one without counts; nullptr if not known, or if there are none.
  [[nodiscard]] const std::vector<double>* value(std::int64_t count, const std::string& variable) const;
  [[nodiscard]] const std::vector<double>* value(const std::string& variable) const;

  /// Oldest first.
  [[nodiscard]] const std::map<RecordOrigin, Attempt>& attempts() const { return attempts_; }
  /// All that were running, and were not abandoned.
  [[nodiscard]] std::int64_t attempt_count() const;
  /// Since the last success: attempts that failed, and those that were begun and never ended.
  [[nodiscard]] std::int64_t failed_attempts() const;
  [[nodiscard]] std::int64_t unended_attempts() const;
  /// Handed out since the last success without an end: this task may have ended the program.
  [[nodiscard]] bool suspect() const;
  /// No further attempt is due: `max_attempts` that were handed out since the last success failed or ended the program.
  [[nodiscard]] bool exhausted(std::int64_t max_attempts) const;
  /// Messages of the failures since the last success, oldest first; "ended the program" for attempts that
  /// never ended.
  [[nodiscard]] std::vector<std::string> failures() const;

  /// Sum over successful and failed attempts.
  [[nodiscard]] double seconds() const;
  /// Of the latest attempt that was not abandoned, 0 if there is none.
  [[nodiscard]] std::int64_t ranks() const;
  [[nodiscard]] std::vector<std::string> warnings() const;

  /// What a journal says, in the order of its records.
  void begin(const RecordOrigin& origin, const BeginRecord& record);
  /// Ends the oldest open attempt of the same journal; returns where that was begun.
  RecordOrigin end(const RecordOrigin& origin, const Attempt& ended);
  void set_outcome(const RecordOrigin& origin, Attempt::Outcome outcome) { attempts_[origin].outcome = outcome; }
  void learn(const RecordOrigin& origin, DoneRecord record);

  /// Records that say what is known of the task from the lost bytes of some journals, in the order of time, so that
  /// they can be written again: values, failures, and what was begun and has no end.
  [[nodiscard]] std::vector<JournalRecord> records(const Hash128& identity, const LostBytes& lost) const;

 private:
  struct Known {
    RecordOrigin origin;
    std::vector<double> values;
  };
  struct KnownCount {
    RecordOrigin origin;
    Values values;
  };

  using Counted = std::vector<const JournalVariable*>;  // per sample, with values

  [[nodiscard]] std::map<RecordOrigin, DoneRecord> done_records(const Hash128& identity, const LostBytes& lost) const;
  void learn_count(const RecordOrigin& origin, const DoneRecord& record, const Counted& counted, std::size_t index);
  [[nodiscard]] std::vector<const Attempt*> since_success() const;

  std::map<RecordOrigin, Attempt> attempts_;
  bool count_free_known_ = false;
  RecordOrigin count_free_origin_;  // of the first record that has them
  std::map<std::string, Known> count_free_;
  std::map<std::int64_t, KnownCount> counts_;
  std::map<RecordOrigin, std::vector<std::string>> warnings_;
};

}  // namespace diffphase
