#pragma once

#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "files/file_identity.hpp"
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

  /// Takes a record along in the next commit; returns its bytes in the file. Throws std::length_error for records
  /// beyond the format's bound, std::logic_error if the values of a per_sample variable do not divide among the counts.
  std::uint64_t add(const JournalRecord& record);
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
  /// Syncs what was written, and nothing that waits for a commit; may be called by another thread while none of the
  /// other functions runs.
  void sync_written() { file_.sync_data(); }

  /// Whether something was added that no commit has written.
  [[nodiscard]] bool has_uncommitted() const { return !added_.empty(); }
  /// Whether the file is still there under its name, with everything that was written. Cheap. True where that cannot be
  /// told, because the file system is out of reach.
  [[nodiscard]] bool is_there() const;

  [[nodiscard]] const std::filesystem::path& path() const { return file_.path(); }
  [[nodiscard]] std::string stem() const { return path().stem().string(); }

 private:
  void append(std::span<const std::byte> records);

  WallClock clock_;
  PosixFile file_;
  std::optional<FileState> written_;
  std::vector<std::byte> added_;  // records with their frames
  WallTime last_sync_;
  bool dirty_ = false;
};

/// What all journals of a run say together. The first complete record of an identity and a count wins, in the
/// order of RecordOrigin, however the files were read.
///
/// Files are never changed by reading. A torn or corrupt record ends the reading of its file: what follows it
/// is not trusted, and its tasks are computed again into another file.
///
/// A start that works on the run knows its own journal from what it wrote, not from the file, and forgets nothing that
/// it has read: files that somebody removes or damages meanwhile are found by lost(), and can be written again.
class JournalState {
 public:
  /// Journals of another seed or numerics version are refused; without `expected`, the first journal is the
  /// measure.
  explicit JournalState(std::filesystem::path run, std::optional<JournalHeader> expected = std::nullopt);

  /// Reads what was appended since the last time, in all journals; cheap when nothing was. A file that was
  /// removed or has shrunk makes it read everything anew, unless there is an own journal. Throws BadInput that names
  /// the journal.
  void refresh();

  /// Finished tasks of which `problem` says something are not: they count as never computed. Reads everything anew.
  void require(std::function<std::string(const DoneRecord& record)> problem);

  /// Journals of starts that may be alive: what they have begun is running. To be told again when that changes.
  void set_live(std::set<std::string> stems);

  /// From now on this start writes the journal `stem`, which is never read. A second call leaves the first journal.
  void begin_own(const std::string& stem, const JournalHeader& header);
  /// What this start writes into its own journal, and the bytes that it takes there.
  void learn(JournalRecord record, std::uint64_t bytes);
  /// What of the journals is known from them and is not there any more, own ones and those of others. Reads all of them
  /// and checks their checksums, if `whole`, else looks at their sizes. Throws FileError.
  [[nodiscard]] LostBytes lost(bool whole) const;
  /// Everything that is known from the lost bytes, as records that can be written again.
  [[nodiscard]] std::vector<JournalRecord> records(const LostBytes& lost) const;
  /// What was lost was written again, as so many bytes of the own journal, and is looked for there from now on.
  void written_again(const LostBytes& lost, std::uint64_t bytes);

  [[nodiscard]] const std::map<Hash128, TaskHistory>& tasks() const { return tasks_; }
  /// Empty history if the task was never begun.
  [[nodiscard]] const TaskHistory& task(const Hash128& identity) const;

  /// Headers of all journals that have one, in the order of their starts.
  [[nodiscard]] const std::map<std::string, JournalHeader>& headers() const { return headers_; }
  /// Header of the latest journal; nullptr if there is none.
  [[nodiscard]] const JournalHeader* latest() const;
  /// Number of journals with a readable header.
  [[nodiscard]] std::size_t journals() const;
  /// One sentence per torn or corrupt journal, and per journal with records that are not complete.
  [[nodiscard]] std::vector<std::string> warnings() const;

 private:
  struct HandOut {
    Hash128 identity;
    RecordOrigin origin;
    std::int64_t ranks = 1;
  };
  struct Source {
    std::filesystem::path path;
    std::uint64_t size = 0;  ///< when last read
    std::uint64_t read = 0;  ///< up to here
    bool has_header = false;
    bool own = false;                              ///< known from memory
    std::optional<std::uint64_t> written_again{};  ///< from this byte on, into the own journal
    std::string problem;
    std::string incomplete{};  ///< what the first record that is not complete lacks
    std::size_t incompletes = 0;
    std::map<std::int64_t, std::deque<HandOut>> unended;          ///< by leader, oldest first
    std::unordered_map<std::uint64_t, std::int64_t> leader_of{};  ///< of what has no end, by place of the begin
  };

  void forget();
  void read(const std::string& stem, Source& source);
  void advance(std::uint64_t bytes);
  void take(const RecordOrigin& origin, Source& source, JournalRecord record);
  void take(const RecordOrigin& origin, Source& source, const BeginRecord& record);
  void take(const RecordOrigin& origin, Source& source, DoneRecord record);
  void take(const RecordOrigin& origin, Source& source, const FailedRecord& record);
  void take(const RecordOrigin& origin, Source& source, const AbandonedRecord& record);
  void end(const RecordOrigin& origin, Source& source, const Hash128& identity, const Attempt& ended);
  void blame(const std::string& stem, const Source& source);
  void take_header(const RecordOrigin& origin, Source& source, JournalHeader header);

  std::filesystem::path run_;
  std::optional<JournalHeader> expected_;
  std::optional<JournalHeader> first_;
  std::string first_name_;
  std::map<std::string, JournalHeader> headers_;
  std::map<std::string, Source> sources_;
  std::function<std::string(const DoneRecord& record)> record_problem_;
  std::set<std::string> live_;
  std::string own_;  // stem; empty: none
  std::map<Hash128, TaskHistory> tasks_;
};

/// Reads all journals of a run folder.
[[nodiscard]] JournalState read_journals(const std::filesystem::path& run,
                                         std::optional<JournalHeader> expected = std::nullopt);

}  // namespace diffphase
