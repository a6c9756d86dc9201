#include "sweep/task_history.hpp"

#include <algorithm>
#include <utility>

namespace diffphase {

namespace {

bool has_end(const Attempt& attempt) {
  return attempt.outcome == Attempt::Outcome::done || attempt.outcome == Attempt::Outcome::failed ||
         attempt.outcome == Attempt::Outcome::abandoned;
}

// It has no end, and may have been what ended the program.
bool is_suspect(const Attempt& attempt) {
  return attempt.outcome == Attempt::Outcome::open || attempt.outcome == Attempt::Outcome::unknown;
}

bool counts_as_attempt(const Attempt& attempt) {
  return attempt.outcome != Attempt::Outcome::abandoned && attempt.outcome != Attempt::Outcome::unknown &&
         attempt.outcome != Attempt::Outcome::running && attempt.ranks != never_handed_out;
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
  return std::any_of(recent.begin(), recent.end(), [](const Attempt* attempt) { return is_suspect(*attempt); });
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
  attempts_[origin] = Attempt{.begun = record.time, .ranks = record.ranks, .leader = record.leader, .message = {}};
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
    const std::int64_t leader = entry->second.leader;
    entry->second = ended;
    entry->second.begun = begun;
    entry->second.leader = leader;
    entry->second.ended_at = origin.second;
    if (ended.outcome == Attempt::Outcome::abandoned) entry->second.ranks = ranks;
    return entry->first;
  }
  attempts_[origin] = ended;
  attempts_[origin].ended_at = origin.second;
  return origin;
}

void TaskHistory::learn_count(const RecordOrigin& origin, const DoneRecord& record, const Counted& counted,
                              std::size_t index) {
  const auto [entry, is_new] = counts_.try_emplace(record.counts[index]);
  if (!is_new && entry->second.origin <= origin) return;
  entry->second = KnownCount{origin, {}};
  for (const JournalVariable* variable : counted) {
    const std::size_t size = variable->values.size() / record.counts.size();
    const auto* first = variable->values.data() + index * size;
    entry->second.values[variable->name] = std::vector<double>(first, first + size);
  }
}

void TaskHistory::learn(const RecordOrigin& origin, DoneRecord record) {
  // Those without values are left out: counts times variables may be far more than the record has bytes.
  Counted counted;
  for (const JournalVariable& variable : record.variables) {
    if (variable.per_sample && !variable.values.empty()) counted.push_back(&variable);
  }
  for (std::size_t i = 0; i < record.counts.size(); ++i) learn_count(origin, record, counted, i);
  if (!record.warnings.empty()) warnings_[origin] = std::move(record.warnings);
  if (!record.count_free) return;
  if (!count_free_known_ || origin < count_free_origin_) count_free_origin_ = origin;
  count_free_known_ = true;
  for (JournalVariable& variable : record.variables) {
    if (variable.per_sample) continue;
    const auto [entry, is_new] = count_free_.try_emplace(variable.name);
    if (is_new || origin < entry->second.origin) entry->second = Known{origin, std::move(variable.values)};
  }
}

namespace {

bool is_lost(const RecordOrigin& origin, const LostBytes& lost) {
  const auto found = lost.find(origin.first);
  return found != lost.end() && origin.second >= found->second;
}

// A counted variable of a record that is put together count by count.
void append_values(DoneRecord& record, const std::string& name, const std::vector<double>& values) {
  auto found = std::ranges::find(record.variables, name, &JournalVariable::name);
  if (found == record.variables.end()) {
    record.variables.push_back({.name = name, .per_sample = true, .values = {}});
    found = std::prev(record.variables.end());
  }
  found->values.insert(found->values.end(), values.begin(), values.end());
}

}  // namespace

// One for each record that something is known from.
std::map<RecordOrigin, DoneRecord> TaskHistory::done_records(const Hash128& identity, const LostBytes& lost) const {
  std::map<RecordOrigin, DoneRecord> records;
  const auto record_at = [&](const RecordOrigin& origin) -> DoneRecord& {
    const auto [entry, is_new] = records.try_emplace(origin);
    if (is_new) {
      entry->second.identity = identity;
      entry->second.count_free = false;
    }
    return entry->second;
  };
  for (const auto& [count, known] : counts_) {
    if (!is_lost(known.origin, lost)) continue;
    DoneRecord& record = record_at(known.origin);
    record.counts.push_back(count);
    for (const auto& [name, values] : known.values) append_values(record, name, values);
  }
  if (count_free_known_ && is_lost(count_free_origin_, lost)) record_at(count_free_origin_).count_free = true;
  for (const auto& [name, known] : count_free_) {
    if (!is_lost(known.origin, lost)) continue;
    DoneRecord& record = record_at(known.origin);
    record.count_free = true;
    record.variables.push_back({.name = name, .per_sample = false, .values = known.values});
  }
  for (const auto& [origin, warnings] : warnings_) {
    if (const auto found = records.find(origin); found != records.end()) found->second.warnings = warnings;
  }
  return records;
}

std::vector<JournalRecord> TaskHistory::records(const Hash128& identity, const LostBytes& lost) const {
  std::map<RecordOrigin, DoneRecord> done = done_records(identity, lost);
  std::vector<JournalRecord> all;
  for (const auto& [origin, attempt] : attempts_) {
    if (!lost.contains(origin.first)) continue;
    const RecordOrigin end{origin.first, attempt.ended_at};
    const bool end_is_lost = has_end(attempt) && is_lost(end, lost);
    const bool works = attempt.outcome == Attempt::Outcome::open || attempt.outcome == Attempt::Outcome::running;
    if (is_lost(origin, lost) && (end_is_lost || works) && attempt.outcome != Attempt::Outcome::abandoned) {
      all.emplace_back(BeginRecord{
          .identity = identity, .attempt = 1, .ranks = attempt.ranks, .leader = attempt.leader, .time = attempt.begun});
    }
    if (!end_is_lost) continue;
    if (attempt.outcome == Attempt::Outcome::failed) {
      all.emplace_back(FailedRecord{
          .identity = identity, .message = attempt.message, .seconds = attempt.seconds, .ranks = attempt.ranks});
    }
    if (auto record = done.extract(end)) {
      record.mapped().seconds = attempt.seconds;
      record.mapped().ranks = attempt.ranks;
      all.emplace_back(std::move(record.mapped()));
    }
  }
  for (auto& [origin, record] : done) all.emplace_back(std::move(record));
  return all;
}

}  // namespace diffphase
