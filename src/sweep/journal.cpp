#include "sweep/journal.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <stdexcept>
#include <system_error>

#include "files/bad_input.hpp"
#include "files/bounded_archive.hpp"
#include "files/checksummed_record.hpp"
#include "sweep/stop_marks.hpp"

namespace diffphase {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view journal_ending = ".journal";
constexpr std::chrono::seconds sync_interval{1};

// Results of different seeds, or of programs that compute different numbers, are never mixed.
void require_same(const fs::path& path, const JournalHeader& header, const JournalHeader& expected,
                  const std::string& whose) {
  if (header.seed != expected.seed) {
    throw BadInput(
        fmt::format("{} was written with seed {}, {} has seed {}: results of different seeds are not "
                    "mixed. Set seed = {}, or choose another folder with -o",
                    path.string(), header.seed, whose, expected.seed, header.seed));
  }
  if (header.numerics_version != expected.numerics_version) {
    throw BadInput(
        fmt::format("{} was written with numerics version {}, {} has numerics version {}: their numbers "
                    "differ and are not mixed. Choose another folder with -o",
                    path.string(), header.numerics_version, whose, expected.numerics_version));
  }
}

fs::path journal_path(const fs::path& run, const std::string& stem) {
  return journal_folder(run) / (stem + std::string(journal_ending));
}

fs::path new_journal_path(const fs::path& run, const std::string& stem) {
  ensure_directory(journal_folder(run));
  return journal_path(run, stem);
}

// Up to where a journal is good, of the `known` bytes; its size alone is taken for that where not all is to be read.
// What follows where a file was cut may be later records that were appended there: nothing of a shorter file is
// trusted.
std::uint64_t good_bytes(const fs::path& path, std::uint64_t known, bool whole) {
  try {
    const PosixFile file = PosixFile::open(path);
    if (file.size() < known) return 0;
    return whole ? scan_records(file, [](std::span<const std::byte>, std::uint64_t) {}).end : known;
  } catch (const FileError& error) {
    if (error.code() == ENOENT || error.code() == ENOTDIR) return 0;
    throw;
  }
}

// Size of the file; empty if it has gone.
std::optional<std::uint64_t> size_of(const fs::path& path) {
  std::error_code error;
  const std::uintmax_t size = fs::file_size(path, error);
  if (error) return std::nullopt;
  return size;
}

// The journals of a run: stem -> path.
std::map<std::string, fs::path> list_journals(const fs::path& run) {
  std::map<std::string, fs::path> found;
  std::error_code error;
  fs::directory_iterator entry(journal_folder(run), error);
  if (error == std::errc::no_such_file_or_directory) return found;
  for (const fs::directory_iterator end; !error && entry != end; entry.increment(error)) {
    if (entry->path().extension() == journal_ending) found.emplace(entry->path().stem().string(), entry->path());
  }
  if (error) throw FileError("list the journals in", journal_folder(run), error.value());
  return found;
}

}  // namespace

Journal::Journal(const fs::path& run, const std::string& stem, const JournalHeader& header, WallClock clock)
    : clock_(std::move(clock)), file_(PosixFile::create_for_appending(new_journal_path(run, stem))) {
  try {
    written_ = look_at_file(path());
    append(frame_record(encode_header(header)));
    file_.sync();
  } catch (const FileError&) {
    std::error_code ignored;
    fs::remove(path(), ignored);
    throw;
  }
  sync_folder(journal_folder(run));
  dirty_ = false;
  last_sync_ = clock_();
}

Journal::~Journal() {
  try {
    if (file_.is_open()) sync();
  } catch (...) {  // NOLINT(bugprone-empty-catch): documented; close() reports
  }
}

void Journal::append(std::span<const std::byte> records) {
  file_.append_or_undo(records);
  if (written_) written_->size += records.size();
  dirty_ = true;
}

bool Journal::is_there() const {
  try {
    const std::optional<FileState> now = look_at_file(path());
    return now && (!written_ || (now->identity == written_->identity && now->size == written_->size));
  } catch (const FileError&) {
    return true;
  }
}

std::uint64_t Journal::add(const JournalRecord& record) {
  const std::size_t before = added_.size();
  append_record(added_, encode_record(record));
  return added_.size() - before;
}

void Journal::commit() {
  if (added_.empty()) return;
  append(added_);
  added_.clear();
  poll();
}

void Journal::write(const JournalRecord& record) {
  commit();
  append(frame_record(encode_record(record)));
  poll();
}

void Journal::poll() {
  const WallTime now = clock_();
  // A clock that was set back must not keep the data in memory.
  if (dirty_ && (now - last_sync_ >= sync_interval || now < last_sync_)) sync();
}

void Journal::sync() {
  commit();
  if (!dirty_) return;
  file_.sync_data();
  dirty_ = false;
  last_sync_ = clock_();
}

void Journal::close() {
  sync();
  file_.close();
}

JournalState::JournalState(fs::path run, std::optional<JournalHeader> expected)
    : run_(std::move(run)), expected_(std::move(expected)) {}

const TaskHistory& JournalState::task(const Hash128& identity) const {
  static const TaskHistory none;
  const auto found = tasks_.find(identity);
  return found == tasks_.end() ? none : found->second;
}

std::size_t JournalState::journals() const {
  return static_cast<std::size_t>(
      std::count_if(sources_.begin(), sources_.end(), [](const auto& entry) { return entry.second.has_header; }));
}

std::vector<std::string> JournalState::warnings() const {
  std::vector<std::string> all;
  for (const auto& [stem, source] : sources_) {
    if (!source.problem.empty()) all.push_back(source.problem);
    if (source.incompletes > 0) {
      all.push_back(fmt::format("{}: {} finished task{} not complete, the first {}: computed again",
                                source.path.string(), source.incompletes, source.incompletes == 1 ? " is" : "s are",
                                source.incomplete));
    }
  }
  return all;
}

void JournalState::forget() {
  sources_.clear();
  tasks_.clear();
  first_.reset();
  headers_.clear();
}

const JournalHeader* JournalState::latest() const { return headers_.empty() ? nullptr : &headers_.rbegin()->second; }

void JournalState::refresh() {
  const std::map<std::string, fs::path> found = list_journals(run_);
  const bool shrunk = std::any_of(sources_.begin(), sources_.end(), [&](const auto& entry) {
    return found.count(entry.first) == 0 || size_of(entry.second.path).value_or(0) < entry.second.size;
  });
  if (shrunk && own_.empty()) forget();
  for (const auto& [stem, path] : found) {
    Source& source = sources_[stem];
    if (source.own || source.written_again) continue;
    source.path = path;
    read(stem, source);
  }
}

void JournalState::require(std::function<std::string(const DoneRecord& record)> problem) {
  record_problem_ = std::move(problem);
  forget();
  refresh();
}

void JournalState::set_live(std::set<std::string> stems) {
  live_ = std::move(stems);
  for (const auto& [stem, source] : sources_) blame(stem, source);
}

void JournalState::begin_own(const std::string& stem, const JournalHeader& header) {
  own_ = stem;
  Source& source = sources_[stem];
  source.path = journal_path(run_, stem);
  source.own = true;
  source.read = source.size = record_frame_bytes + encode_header(header).size();
  take_header({stem, 0}, source, header);
}

void JournalState::advance(std::uint64_t bytes) {
  Source& source = sources_.at(own_);
  source.read += bytes;
  source.size = source.read;
}

void JournalState::learn(JournalRecord record, std::uint64_t bytes) {
  Source& source = sources_.at(own_);
  const RecordOrigin origin{own_, source.read};
  advance(bytes);
  take(origin, source, std::move(record));
}

LostBytes JournalState::lost(bool whole) const {
  LostBytes lost;
  for (const auto& [stem, source] : sources_) {
    if (source.written_again || source.read == 0) continue;
    const std::uint64_t there = good_bytes(source.path, source.read, whole);
    if (there < source.read) lost[stem] = there;
  }
  if (!lost.contains(own_)) return lost;
  for (const auto& [stem, source] : sources_) {
    if (source.written_again) lost[stem] = *source.written_again;
  }
  return lost;
}

std::vector<JournalRecord> JournalState::records(const LostBytes& lost) const {
  std::vector<JournalRecord> all;
  for (const auto& [identity, history] : tasks_) {
    for (JournalRecord& record : history.records(identity, lost)) all.push_back(std::move(record));
  }
  return all;
}

void JournalState::written_again(const LostBytes& lost, std::uint64_t bytes) {
  for (const auto& [stem, from] : lost) sources_.at(stem).written_again = from;
  advance(bytes);
}

void JournalState::read(const std::string& stem, Source& source) {
  std::error_code ignored;
  if (const fs::file_status status = fs::status(source.path, ignored);
      fs::exists(status) && !fs::is_regular_file(status)) {
    source.problem = source.path.string() + ": not a regular file; nothing of it is used";
    return;
  }
  const std::uint64_t size = size_of(source.path).value_or(0);
  if (size == source.size || (size < source.size && !own_.empty())) return;
  const PosixFile file = PosixFile::open(source.path);
  source.size = size;
  source.problem.clear();
  const auto visit = [&](std::span<const std::byte> payload, std::uint64_t offset) {
    const RecordOrigin origin{stem, offset};
    if (source.has_header) {
      take(origin, source, decode_record(payload));
    } else {
      take_header(origin, source, decode_header(payload, source.path));
    }
    source.read = offset + record_frame_bytes + payload.size();
  };
  std::string reason;
  try {
    const RecordScan scan = scan_records(file, visit, source.read);
    if (scan.damage) reason = scan.damage->reason;
  } catch (const ArchiveError& error) {
    reason = error.what();
  }
  if (!reason.empty()) {
    source.problem = fmt::format("{}, byte {}: {}; nothing from there on is used, its tasks are computed again",
                                 source.path.string(), source.read, reason);
  }
  blame(stem, source);
}

// A group works through what it was handed in order: of what has no end only the first was running. Where the end of
// the journal is lost, nobody knows. Where all ranks of the group were alive when the start was told to stop, nobody is
// to blame.
void JournalState::blame(const std::string& stem, const Source& source) {
  if (source.own || source.unended.empty()) return;
  const bool live = live_.contains(stem);
  const std::vector<bool> marks = live ? std::vector<bool>{} : read_stop_marks(stop_marks_path(run_, stem));
  const auto outcome = [&](std::int64_t leader, const HandOut& hand_out, bool first) {
    if (!live && were_told_to_stop(marks, leader, hand_out.ranks)) return Attempt::Outcome::abandoned;
    if (!first || !source.problem.empty()) return Attempt::Outcome::unknown;
    return live ? Attempt::Outcome::running : Attempt::Outcome::open;
  };
  for (const auto& [leader, hand_outs] : source.unended) {
    for (const HandOut& hand_out : hand_outs) {
      tasks_[hand_out.identity].set_outcome(hand_out.origin,
                                            outcome(leader, hand_out, &hand_out == &hand_outs.front()));
    }
  }
}

void JournalState::take(const RecordOrigin& origin, Source& source, JournalRecord record) {
  std::visit([&](auto&& kind) { take(origin, source, std::forward<decltype(kind)>(kind)); }, std::move(record));
}

void JournalState::end(const RecordOrigin& origin, Source& source, const Hash128& identity, const Attempt& ended) {
  const RecordOrigin begun = tasks_[identity].end(origin, ended);
  const auto found = source.leader_of.find(begun.second);
  if (found == source.leader_of.end()) return;  // an end without a begin
  const auto hand_outs = source.unended.find(found->second);
  source.leader_of.erase(found);
  std::erase_if(hand_outs->second, [&](const HandOut& hand_out) { return hand_out.origin == begun; });
  if (hand_outs->second.empty()) source.unended.erase(hand_outs);
}

void JournalState::take(const RecordOrigin& origin, Source& source, const BeginRecord& record) {
  TaskHistory& history = tasks_[record.identity];
  history.begin(origin, record);
  if (source.own) history.set_outcome(origin, Attempt::Outcome::running);
  source.unended[record.leader].push_back({record.identity, origin, record.ranks});
  source.leader_of[origin.second] = record.leader;
}

void JournalState::take(const RecordOrigin& origin, Source& source, DoneRecord record) {
  end(origin, source, record.identity,
      {.outcome = Attempt::Outcome::done, .seconds = record.seconds, .ranks = record.ranks, .message = {}});
  const std::string problem = record_problem_ && !source.own ? record_problem_(record) : std::string();
  if (!problem.empty()) {
    if (source.incompletes++ == 0) source.incomplete = problem;
    return;
  }
  TaskHistory& history = tasks_[record.identity];
  history.learn(origin, std::move(record));
}

void JournalState::take(const RecordOrigin& origin, Source& source, const FailedRecord& record) {
  end(origin, source, record.identity,
      {.outcome = Attempt::Outcome::failed,
       .seconds = record.seconds,
       .ranks = record.ranks,
       .message = record.message});
}

void JournalState::take(const RecordOrigin& origin, Source& source, const AbandonedRecord& record) {
  end(origin, source, record.identity, {.outcome = Attempt::Outcome::abandoned, .message = {}});
}

void JournalState::take_header(const RecordOrigin& origin, Source& source, JournalHeader header) {
  if (expected_) {
    require_same(source.path, header, *expected_, "this run");
  } else if (first_) {
    require_same(source.path, header, *first_, first_name_);
  } else {
    first_ = header;
    first_name_ = source.path.filename().string();
  }
  source.has_header = true;
  headers_[origin.first] = std::move(header);
}

JournalState read_journals(const fs::path& run, std::optional<JournalHeader> expected) {
  JournalState state(run, std::move(expected));
  state.refresh();
  return state;
}

}  // namespace diffphase
