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

constexpr std::uint64_t byte_order_mark = 0x0102030405060708U;
constexpr std::uint64_t swapped_byte_order_mark = 0x0807060504030201U;
constexpr std::int64_t journal_layout_version = 1;
constexpr std::string_view journal_ending = ".journal";
constexpr std::chrono::seconds sync_interval{1};

enum class RecordKind : std::int64_t { begin = 1, done = 2, failed = 3, abandoned = 4 };

void put(ArchiveWriter& archive, RecordKind kind, const Hash128& identity) {
  archive.integer(static_cast<std::int64_t>(kind));
  archive.word(identity.high);
  archive.word(identity.low);
}

void put(ArchiveWriter& archive, const JournalHeader& header) {
  archive.word(byte_order_mark);
  archive.integer(journal_layout_version);
  archive.word(header.seed);
  archive.integer(header.numerics_version);
  archive.text(header.program_version);
  archive.text(header.sweep);
}

void put(ArchiveWriter& archive, const JournalVariable& variable) {
  archive.text(variable.name);
  archive.boolean(variable.per_sample);
  archive.reals(variable.values);
}

void put(ArchiveWriter& archive, const DoneRecord& record) {
  put(archive, RecordKind::done, record.identity);
  archive.integers(record.counts);
  archive.boolean(record.count_free);
  archive.count(record.variables.size());
  for (const JournalVariable& variable : record.variables) put(archive, variable);
  archive.count(record.warnings.size());
  for (const std::string& warning : record.warnings) archive.text(warning);
  archive.real(record.seconds);
  archive.integer(record.ranks);
}

// The functions get_... read what follows the identity.

BeginRecord get_begin(ArchiveReader& archive, const Hash128& identity) {
  BeginRecord record;
  record.identity = identity;
  record.attempt = archive.integer();
  record.ranks = archive.integer();
  record.leader = archive.integer();
  record.time = archive.real();
  archive.expect_end();
  return record;
}

// Empty if the values divide among the counts of the record.
std::string shape_problem(const DoneRecord& record) {
  for (const JournalVariable& variable : record.variables) {
    if (!variable.per_sample) continue;
    if (record.counts.empty() || variable.values.size() % record.counts.size() != 0) {
      return fmt::format("{} has {} values for {} sample counts", variable.name, variable.values.size(),
                         record.counts.size());
    }
  }
  return {};
}

DoneRecord get_done(ArchiveReader& archive, const Hash128& identity) {
  constexpr std::size_t least_variable_bytes = 24;  // two counts and a flag
  constexpr std::size_t least_warning_bytes = 8;
  DoneRecord record;
  record.identity = identity;
  record.counts = archive.integers();
  record.count_free = archive.boolean();
  record.variables.resize(archive.count(least_variable_bytes));
  for (JournalVariable& variable : record.variables) {
    variable.name = archive.text();
    variable.per_sample = archive.boolean();
    variable.values = archive.reals();
  }
  record.warnings.resize(archive.count(least_warning_bytes));
  for (std::string& warning : record.warnings) warning = archive.text();
  record.seconds = archive.real();
  record.ranks = archive.integer();
  archive.expect_end();
  if (const std::string problem = shape_problem(record); !problem.empty()) throw ArchiveError(problem);
  return record;
}

FailedRecord get_failed(ArchiveReader& archive, const Hash128& identity) {
  FailedRecord record;
  record.identity = identity;
  record.message = archive.text();
  record.seconds = archive.real();
  record.ranks = archive.integer();
  archive.expect_end();
  return record;
}

JournalHeader get_header(ArchiveReader& archive, const fs::path& path) {
  const std::uint64_t mark = archive.word();
  if (mark == swapped_byte_order_mark) {
    throw BadInput(
        fmt::format("{} was written on a machine of the other byte order: go on with this run there, or "
                    "choose another folder with -o",
                    path.string()));
  }
  if (mark != byte_order_mark) throw ArchiveError("it does not begin like a journal");
  const std::int64_t layout = archive.integer();
  if (layout != journal_layout_version) {
    throw BadInput(
        fmt::format("{} has journal layout {}, this program knows {}: use the program that wrote it, or "
                    "choose another folder with -o",
                    path.string(), layout, journal_layout_version));
  }
  JournalHeader header;
  header.seed = archive.word();
  header.numerics_version = archive.integer();
  header.program_version = archive.text();
  header.sweep = archive.text();
  archive.expect_end();
  return header;
}

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
  ArchiveWriter archive;
  put(archive, header);
  append(archive.bytes());
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

void Journal::begin(const BeginRecord& record) {
  ArchiveWriter archive;
  put(archive, RecordKind::begin, record.identity);
  archive.integer(record.attempt);
  archive.integer(record.ranks);
  archive.integer(record.leader);
  archive.real(record.time);
  append(archive.bytes());
  poll();
}

void Journal::done(const DoneRecord& record) {
  if (const std::string problem = shape_problem(record); !problem.empty()) throw std::logic_error(problem);
  ArchiveWriter archive;
  put(archive, record);
  append(archive.bytes());
  poll();
}

void Journal::failed(const FailedRecord& record) {
  ArchiveWriter archive;
  put(archive, RecordKind::failed, record.identity);
  archive.text(record.message);
  archive.real(record.seconds);
  archive.integer(record.ranks);
  append(archive.bytes());
  poll();
}

void Journal::abandoned(const AbandonedRecord& record) {
  ArchiveWriter archive;
  put(archive, RecordKind::abandoned, record.identity);
  append(archive.bytes());
  poll();
}

void Journal::poll() {
  const WallTime now = clock_();
  // A clock that was set back must not keep the data in memory.
  if (dirty_ && (now - last_sync_ >= sync_interval || now < last_sync_)) sync();
}

void Journal::sync() {
  if (!dirty_) return;
  file_.sync_data();
  dirty_ = false;
  last_sync_ = clock_();
}

void Journal::close() {
  sync();
  file_.close();
}

namespace {

bool has_end(const Attempt& attempt) {
  return attempt.outcome != Attempt::Outcome::open && attempt.outcome != Attempt::Outcome::unknown;
}

bool counts_as_attempt(const Attempt& attempt) {
  return attempt.outcome != Attempt::Outcome::abandoned && attempt.outcome != Attempt::Outcome::unknown &&
         attempt.ranks != never_handed_out;
}

}  // namespace

bool TaskHistory::complete(std::span<const std::int64_t> counts, bool count_free) const {
  return (count_free_known_ || !count_free) &&
         std::all_of(counts.begin(), counts.end(), [this](std::int64_t n) { return counts_.count(n) != 0; });
}

TaskRequest TaskHistory::missing(std::span<const std::int64_t> counts) const {
  TaskRequest request;
  request.count_free = !count_free_known_;
  std::copy_if(counts.begin(), counts.end(), std::back_inserter(request.counts),
               [this](std::int64_t n) { return counts_.count(n) == 0; });
  return request;
}

const std::vector<double>* TaskHistory::value(std::int64_t count, const std::string& variable) const {
  const auto known = counts_.find(count);
  if (known == counts_.end()) return nullptr;
  const auto found = known->second.values.find(variable);
  return found == known->second.values.end() ? nullptr : &found->second;
}

const std::vector<double>* TaskHistory::value(const std::string& variable) const {
  const auto found = count_free_.find(variable);
  return found == count_free_.end() ? nullptr : &found->second.values;
}

std::int64_t TaskHistory::attempt_count() const {
  return std::count_if(attempts_.begin(), attempts_.end(),
                       [](const auto& entry) { return counts_as_attempt(entry.second); });
}

std::vector<const Attempt*> TaskHistory::since_success() const {
  std::vector<const Attempt*> recent;
  for (const auto& [origin, attempt] : attempts_) {
    if (attempt.outcome == Attempt::Outcome::done) {
      recent.clear();
    } else {
      recent.push_back(&attempt);
    }
  }
  return recent;
}

std::int64_t TaskHistory::failed_attempts() const {
  const auto recent = since_success();
  return std::count_if(recent.begin(), recent.end(),
                       [](const Attempt* attempt) { return attempt->outcome == Attempt::Outcome::failed; });
}

std::int64_t TaskHistory::unended_attempts() const {
  const auto recent = since_success();
  return std::count_if(recent.begin(), recent.end(),
                       [](const Attempt* attempt) { return attempt->outcome == Attempt::Outcome::open; });
}

bool TaskHistory::suspect() const {
  const auto recent = since_success();
  return std::any_of(recent.begin(), recent.end(), [](const Attempt* attempt) { return !has_end(*attempt); });
}

bool TaskHistory::exhausted(std::int64_t max_attempts) const {
  const auto recent = since_success();
  return std::count_if(recent.begin(), recent.end(),
                       [](const Attempt* attempt) { return counts_as_attempt(*attempt); }) >= max_attempts;
}

std::vector<std::string> TaskHistory::failures() const {
  std::vector<std::string> messages;
  for (const Attempt* attempt : since_success()) {
    if (attempt->outcome == Attempt::Outcome::failed) messages.push_back(attempt->message);
    if (attempt->outcome == Attempt::Outcome::open) messages.emplace_back("ended the program");
  }
  return messages;
}

double TaskHistory::seconds() const {
  double sum = 0.0;
  for (const auto& [origin, attempt] : attempts_) sum += attempt.seconds;
  return sum;
}

std::int64_t TaskHistory::ranks() const {
  std::int64_t latest = 0;
  for (const auto& [origin, attempt] : attempts_) {
    if (counts_as_attempt(attempt)) latest = attempt.ranks;
  }
  return latest;
}

std::vector<std::string> TaskHistory::warnings() const {
  std::vector<std::string> all;
  for (const auto& [origin, warnings] : warnings_) all.insert(all.end(), warnings.begin(), warnings.end());
  return all;
}

void TaskHistory::begin(const RecordOrigin& origin, const BeginRecord& record) {
  attempts_[origin] = Attempt{.begun = record.time, .ranks = record.ranks, .message = {}};
}

// Completes the latest attempt of the same journal that has no end and returns where that is; a record without one
// stands for itself.
RecordOrigin TaskHistory::end(const RecordOrigin& origin, const Attempt& ended) {
  auto entry = attempts_.lower_bound(origin);
  while (entry != attempts_.begin() && std::prev(entry)->first.first == origin.first) {
    --entry;
    if (has_end(entry->second)) continue;
    const double begun = entry->second.begun;
    const std::int64_t ranks = entry->second.ranks;
    entry->second = ended;
    entry->second.begun = begun;
    if (ended.outcome == Attempt::Outcome::abandoned) entry->second.ranks = ranks;
    return entry->first;
  }
  attempts_[origin] = ended;
  return origin;
}

void TaskHistory::learn_count(const RecordOrigin& origin, const DoneRecord& record, std::size_t index) {
  const auto [entry, is_new] = counts_.try_emplace(record.counts[index]);
  if (!is_new && entry->second.origin <= origin) return;
  entry->second = KnownCount{origin, {}};
  for (const JournalVariable& variable : record.variables) {
    if (!variable.per_sample) continue;
    const std::size_t size = variable.values.size() / record.counts.size();
    const auto* first = variable.values.data() + index * size;
    entry->second.values[variable.name] = std::vector<double>(first, first + size);
  }
}

void TaskHistory::learn(const RecordOrigin& origin, DoneRecord record) {
  for (std::size_t i = 0; i < record.counts.size(); ++i) learn_count(origin, record, i);
  if (!record.warnings.empty()) warnings_[origin] = std::move(record.warnings);
  if (!record.count_free) return;
  count_free_known_ = true;
  for (JournalVariable& variable : record.variables) {
    if (variable.per_sample) continue;
    const auto [entry, is_new] = count_free_.try_emplace(variable.name);
    if (is_new || origin < entry->second.origin) entry->second = Known{origin, std::move(variable.values)};
  }
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
    take({stem, offset}, source, payload);
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

void JournalState::begin(const RecordOrigin& origin, Source& source, const BeginRecord& record) {
  tasks_[record.identity].begin(origin, record);
  source.unended[record.leader].push_back({record.identity, origin});
}

void JournalState::end(const RecordOrigin& origin, Source& source, const Hash128& identity, const Attempt& ended) {
  const RecordOrigin begun = tasks_[identity].end(origin, ended);
  for (auto& [leader, hand_outs] : source.unended) {
    std::erase_if(hand_outs, [&](const HandOut& hand_out) { return hand_out.origin == begun; });
  }
}

void JournalState::take(const RecordOrigin& origin, Source& source, std::span<const std::byte> payload) {
  ArchiveReader archive(payload);
  if (!source.has_header) {
    take_header(origin, source, get_header(archive, source.path));
    return;
  }
  const auto kind = static_cast<RecordKind>(archive.integer());
  Hash128 identity;
  identity.high = archive.word();
  identity.low = archive.word();
  switch (kind) {
    case RecordKind::begin: {
      begin(origin, source, get_begin(archive, identity));
      return;
    }
    case RecordKind::done: {
      DoneRecord record = get_done(archive, identity);
      end(origin, source, identity,
          {.outcome = Attempt::Outcome::done, .seconds = record.seconds, .ranks = record.ranks, .message = {}});
      tasks_[identity].learn(origin, std::move(record));
      return;
    }
    case RecordKind::failed: {
      const FailedRecord record = get_failed(archive, identity);
      end(origin, source, identity,
          {.outcome = Attempt::Outcome::failed,
           .seconds = record.seconds,
           .ranks = record.ranks,
           .message = record.message});
      return;
    }
    case RecordKind::abandoned: {
      archive.expect_end();
      end(origin, source, identity, {.outcome = Attempt::Outcome::abandoned, .message = {}});
      return;
    }
  }
  throw ArchiveError("a record of unknown kind");
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
