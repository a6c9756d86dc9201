#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "files/posix_file.hpp"
#include "files/wall_clock.hpp"
#include "measure/measure.hpp"
#include "random/text_hash.hpp"
#include "sweep/run_files.hpp"

namespace diffphase {

/// First record of every journal.
struct JournalHeader {
  std::uint64_t seed = 1;
  std::int64_t numerics_version = 0;
  std::string program_version;
  std::string sweep;  ///< text of the sweep file, as run
};

/// Written before a task is handed out.
struct BeginRecord {
  Hash128 identity;
  std::int64_t attempt = 1;
  std::int64_t ranks = 1;
  std::int64_t leader = 0;  ///< first rank of the group: works through what it was handed in this order
  double time = 0.0;        ///< seconds since 1970
};

/// Values of one variable: [counts of the record, if per_sample][dims...], row-major.
struct JournalVariable {
  std::string name;
  bool per_sample = false;
  std::vector<double> values;

  friend bool operator==(const JournalVariable&, const JournalVariable&) = default;
};

/// A task, or some sample counts of it, is complete.
struct DoneRecord {
  Hash128 identity;
  std::vector<std::int64_t> counts;  ///< sample counts computed
  bool count_free = true;            ///< the variables without sample count are there too
  std::vector<JournalVariable> variables;
  std::vector<std::string> warnings;
  double seconds = 0.0;
  std::int64_t ranks = 1;
};

/// The ranks of a task that failed because it fits on no group: neither an attempt nor a reason not to try again.
inline constexpr std::int64_t never_handed_out = 0;

struct FailedRecord {
  Hash128 identity;
  std::string message;
  double seconds = 0.0;
  std::int64_t ranks = 1;
};

/// A task given back by a clean stop: does not count as an attempt.
struct AbandonedRecord {
  Hash128 identity;
};

/// The file that one start appends to, a new one each time. A record is on its way to the disk when the call
/// returns: it survives the end of the process, and that of the machine from the next sync on. Rank 0 only.
class Journal {
 public:
  /// Creates DIR/journal/<stem>.journal and writes the header. Throws BadInput or FileError.
  Journal(const std::filesystem::path& run, const std::string& stem, const JournalHeader& header,
          WallClock clock = system_wall_clock());
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;
  /// Syncs, and ignores errors; call close() where they matter.
  ~Journal();

  /// Append one record: one write, then a sync if the last is a second ago. Throw FileError when the disk is
  /// full (nothing is left behind, the journal remains usable), std::length_error for records beyond the
  /// format's bound.
  void begin(const BeginRecord& record);
  /// Throws std::logic_error if a per_sample variable's values do not divide among the counts.
  void done(const DoneRecord& record);
  void failed(const FailedRecord& record);
  void abandoned(const AbandonedRecord& record);

  /// Syncs if something was written since the last sync and that is a second ago. Call it now and then.
  void poll();
  /// Syncs if something was written since the last sync. Call it before results are replaced.
  void sync();
  void close();

  [[nodiscard]] const std::filesystem::path& path() const { return file_.path(); }

 private:
  void append(std::span<const std::byte> payload);

  WallClock clock_;
  PosixFile file_;
  WallTime last_sync_;
  bool dirty_ = false;
};

/// Where a record is: journals in the order of their names, which is that of their starts, then bytes.
using RecordOrigin = std::pair<std::string, std::uint64_t>;

/// One hand-out of a task and what became of it.
struct Attempt {
  /// open: still running, or the program ended with it. unknown: it has no end, and nothing says that it was
  /// running: its group was still at an earlier task, or the end of the journal is lost.
  enum class Outcome { open, done, failed, abandoned, unknown };

  Outcome outcome = Outcome::open;
  double begun = 0.0;  ///< seconds since 1970
  double seconds = 0.0;
  std::int64_t ranks = 1;
  std::string message;  ///< of a failure
};

/// All that the journals know of one task.
class TaskHistory {
 public:
  using Values = std::map<std::string, std::vector<double>>;

  /// True if these counts, and the variables without count if `count_free`, are known.
  [[nodiscard]] bool complete(std::span<const std::int64_t> counts, bool count_free = true) const;
  /// What of `counts` (and of the variables without count) is not yet known.
  [[nodiscard]] TaskRequest missing(std::span<const std::int64_t> counts) const;

  /// Values of a variable at one sample count, or of one without counts; nullptr if not known.
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

 private:
  friend class JournalState;
  struct Known {
    RecordOrigin origin;
    std::vector<double> values;
  };
  struct KnownCount {
    RecordOrigin origin;
    Values values;
  };

  void begin(const RecordOrigin& origin, const BeginRecord& record);
  RecordOrigin end(const RecordOrigin& origin, const Attempt& ended);
  void set_outcome(const RecordOrigin& origin, Attempt::Outcome outcome) { attempts_[origin].outcome = outcome; }
  void learn(const RecordOrigin& origin, DoneRecord record);
  void learn_count(const RecordOrigin& origin, const DoneRecord& record, std::size_t index);
  [[nodiscard]] std::vector<const Attempt*> since_success() const;

  std::map<RecordOrigin, Attempt> attempts_;
  bool count_free_known_ = false;
  std::map<std::string, Known> count_free_;
  std::map<std::int64_t, KnownCount> counts_;
  std::map<RecordOrigin, std::vector<std::string>> warnings_;
};

/// What all journals of a run say together. The first complete record of an identity and a count wins, in the
/// order of RecordOrigin, however the files were read.
///
/// Files are never changed by reading. A torn or corrupt record ends the reading of its file: what follows it
/// is not trusted, and its tasks are computed again into another file.
class JournalState {
 public:
  /// Journals of another seed or numerics version are refused; without `expected`, the first journal is the
  /// measure.
  explicit JournalState(std::filesystem::path run, std::optional<JournalHeader> expected = std::nullopt);

  /// Reads what was appended since the last time, in all journals; cheap when nothing was. A file that was
  /// removed or has shrunk makes it read everything anew. Throws BadInput that names the journal.
  void refresh();

  [[nodiscard]] const std::map<Hash128, TaskHistory>& tasks() const { return tasks_; }
  /// Empty history if the task was never begun.
  [[nodiscard]] const TaskHistory& task(const Hash128& identity) const;

  /// Header of the latest journal; empty if there is none.
  [[nodiscard]] const std::optional<JournalHeader>& latest() const { return latest_; }
  /// Number of journals with a readable header.
  [[nodiscard]] std::size_t journals() const;
  /// One sentence per torn or corrupt journal.
  [[nodiscard]] std::vector<std::string> warnings() const;

 private:
  struct HandOut {
    Hash128 identity;
    RecordOrigin origin;
  };
  struct Source {
    std::filesystem::path path;
    std::uint64_t size = 0;  ///< when last read
    std::uint64_t read = 0;  ///< up to here
    bool has_header = false;
    std::string problem;
    std::map<std::int64_t, std::vector<HandOut>> unended;  ///< by leader, oldest first
  };

  void forget();
  void read(const std::string& stem, Source& source);
  void take(const RecordOrigin& origin, Source& source, std::span<const std::byte> payload);
  void begin(const RecordOrigin& origin, Source& source, const BeginRecord& record);
  void end(const RecordOrigin& origin, Source& source, const Hash128& identity, const Attempt& ended);
  void blame(const Source& source);
  void take_header(const RecordOrigin& origin, Source& source, JournalHeader header);

  std::filesystem::path run_;
  std::optional<JournalHeader> expected_;
  std::optional<JournalHeader> first_;
  std::string first_name_;
  std::optional<JournalHeader> latest_;
  std::string latest_stem_;
  std::map<std::string, Source> sources_;
  std::map<Hash128, TaskHistory> tasks_;
};

/// Reads all journals of a run folder.
[[nodiscard]] JournalState read_journals(const std::filesystem::path& run,
                                         std::optional<JournalHeader> expected = std::nullopt);

}  // namespace diffphase
