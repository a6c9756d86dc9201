#pragma once

#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "files/posix_file.hpp"
#include "files/wall_clock.hpp"
#include "random/text_hash.hpp"
#include "sweep/journal_records.hpp"
#include "sweep/run_files.hpp"
#include "sweep/task_history.hpp"

namespace diffphase {

/// The file that one start appends to, a new one each time. A record is on its way to the disk when commit() or write()
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

  /// Takes a record along in the next commit. Throws std::length_error for records beyond the format's bound,
  /// std::logic_error if the values of a per_sample variable do not divide among the counts.
  void add(const JournalRecord& record);
  /// Appends what was added since the last commit, in its order: one write, then a sync if the last is a second ago.
  /// Throws FileError when the disk is full; nothing is left behind then, and the records wait for the next commit.
  void commit();
  /// Appends one record, behind those that were added. Throws as add() and commit(); it does not wait.
  void write(const JournalRecord& record);

  /// Syncs if something was written since the last sync and that is a second ago. Call it now and then.
  void poll();
  /// Commits, and syncs if something was written since the last sync. Call it before results are replaced.
  void sync();
  void close();

  [[nodiscard]] const std::filesystem::path& path() const { return file_.path(); }

 private:
  void append(std::span<const std::byte> payload);

  WallClock clock_;
  PosixFile file_;
  std::vector<std::byte> added_;  // records with their frames
  WallTime last_sync_;
  bool dirty_ = false;
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
    std::map<std::int64_t, std::deque<HandOut>> unended;          ///< by leader, oldest first
    std::unordered_map<std::uint64_t, std::int64_t> leader_of{};  ///< of what has no end, by place of the begin
  };

  void forget();
  void read(const std::string& stem, Source& source);
  void take(const RecordOrigin& origin, Source& source, const BeginRecord& record);
  void take(const RecordOrigin& origin, Source& source, DoneRecord record);
  void take(const RecordOrigin& origin, Source& source, const FailedRecord& record);
  void take(const RecordOrigin& origin, Source& source, const AbandonedRecord& record);
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
