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

fs::path new_journal_path(const fs::path& run, const std::string& stem) {
  ensure_directory(journal_folder(run));
  return journal_folder(run) / (stem + std::string(journal_ending));
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
  append(encode_header(header));
  file_.sync();
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

void Journal::append(std::span<const std::byte> payload) {
  file_.append_or_undo(frame_record(payload));
  dirty_ = true;
}

void Journal::add(const JournalRecord& record) { append_record(added_, encode_record(record)); }

void Journal::commit() {
  if (added_.empty()) return;
  file_.append_or_undo(added_);
  added_.clear();
  dirty_ = true;
  poll();
}

void Journal::write(const JournalRecord& record) {
  commit();
  append(encode_record(record));
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
  }
  return all;
}

void JournalState::forget() {
  sources_.clear();
  tasks_.clear();
  first_.reset();
  latest_.reset();
}

void JournalState::refresh() {
  const std::map<std::string, fs::path> found = list_journals(run_);
  const bool shrunk = std::any_of(sources_.begin(), sources_.end(), [&](const auto& entry) {
    return found.count(entry.first) == 0 || size_of(entry.second.path).value_or(0) < entry.second.size;
  });
  if (shrunk) forget();
  for (const auto& [stem, path] : found) {
    Source& source = sources_[stem];
    source.path = path;
    read(stem, source);
  }
}

void JournalState::read(const std::string& stem, Source& source) {
  const std::uint64_t size = size_of(source.path).value_or(0);
  if (size == source.size) return;
  const PosixFile file = PosixFile::open(source.path);
  source.size = size;
  source.problem.clear();
  const auto visit = [&](std::span<const std::byte> payload, std::uint64_t offset) {
    const RecordOrigin origin{stem, offset};
    if (source.has_header) {
      std::visit([&](auto&& record) { take(origin, source, std::forward<decltype(record)>(record)); },
                 decode_record(payload));
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
  blame(source);
}

// A group works through what it was handed in order: of what has no end only the first was running. Where the end of
// the journal is lost, nobody knows.
void JournalState::blame(const Source& source) {
  for (const auto& [leader, hand_outs] : source.unended) {
    for (const HandOut& hand_out : hand_outs) {
      const bool running = &hand_out == &hand_outs.front() && source.problem.empty();
      tasks_[hand_out.identity].set_outcome(hand_out.origin,
                                            running ? Attempt::Outcome::open : Attempt::Outcome::unknown);
    }
  }
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
  tasks_[record.identity].begin(origin, record);
  source.unended[record.leader].push_back({record.identity, origin});
  source.leader_of[origin.second] = record.leader;
}

void JournalState::take(const RecordOrigin& origin, Source& source, DoneRecord record) {
  end(origin, source, record.identity,
      {.outcome = Attempt::Outcome::done, .seconds = record.seconds, .ranks = record.ranks, .message = {}});
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
  if (!latest_ || latest_stem_ < origin.first) {
    latest_ = std::move(header);
    latest_stem_ = origin.first;
  }
}

JournalState read_journals(const fs::path& run, std::optional<JournalHeader> expected) {
  JournalState state(run, std::move(expected));
  state.refresh();
  return state;
}

}  // namespace diffphase
