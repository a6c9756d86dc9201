#include "sweep/timetable.hpp"

#include <algorithm>
#include <stdexcept>

namespace diffphase {

void Timetable::add(Timed& timed, const PredictedWork& work, double seconds) {
  if (!(work.nominal_seconds > 0.0 && seconds > 0.0)) return;
  timed.nominal += work.nominal_seconds;
  timed.seconds += seconds;
}

void Timetable::begin(std::size_t task, int group, const PredictedWork& work) {
  Busy& busy = busy_[group];
  if (busy.tasks.empty()) busy.since = clock_();
  busy.tasks.push_back(task);
  begun_[task] = {group, work};
}

void Timetable::end(std::size_t task, std::optional<double> seconds) {
  const auto entry = begun_.extract(task);
  if (entry.empty()) throw std::logic_error("Timetable: a task ended that was not begun");
  const Begun& ended = entry.mapped();
  Busy& busy = busy_[ended.group];
  std::erase(busy.tasks, task);
  busy.since = clock_();
  if (busy.tasks.empty()) busy_.erase(ended.group);
  if (seconds) add(here_[ended.work.measure], ended.work, *seconds);
}

std::optional<double> Timetable::seconds(const PredictedWork& work) const {
  for (const auto* known : {&here_, &earlier_}) {
    const auto timed = known->find(work.measure);
    if (timed == known->end() || timed->second.nominal <= 0.0) continue;
    return work.nominal_seconds * timed->second.seconds / timed->second.nominal;
  }
  return std::nullopt;
}

double Timetable::seconds_until_idle(int group) const {
  const auto busy = busy_.find(group);
  if (busy == busy_.end()) return 0.0;
  double end = busy->second.since;
  for (const std::size_t task : busy->second.tasks) end += seconds(begun_.at(task).work).value_or(0.0);
  return std::max(0.0, end - clock_());
}

bool Timetable::fits(const PredictedWork& work, int group, bool waits, double within) const {
  const auto predicted = seconds(work);
  if (!predicted) return true;
  return (waits ? seconds_until_idle(group) : 0.0) + *predicted <= within;
}

}  // namespace diffphase
