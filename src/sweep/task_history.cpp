#include "sweep/task_history.hpp"

#include <algorithm>
#include <utility>

namespace diffphase {

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
  count_free_known_ = true;
  for (JournalVariable& variable : record.variables) {
    if (variable.per_sample) continue;
    const auto [entry, is_new] = count_free_.try_emplace(variable.name);
    if (is_new || origin < entry->second.origin) entry->second = Known{origin, std::move(variable.values)};
  }
}

}  // namespace diffphase
