#include "sweep/record_shapes.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace diffphase {

RecordShapes::RecordShapes(const Sweep& sweep) {
  for (const SweepTask& task : sweep.tasks) {
    const auto [entry, is_new] = declared_.try_emplace(Kind{&task.measure(), task.cell});
    if (is_new) entry->second = declared_lengths(task.measure(), sweep.parameters(task));
    of_task_[task.identity] = &entry->second;
  }
}

std::string RecordShapes::problem(const DoneRecord& record) const {
  const auto task = of_task_.find(record.identity);
  if (task == of_task_.end()) return {};
  for (const DeclaredLength& declared : *task->second) {
    const std::size_t copies = declared.per_sample ? record.counts.size() : (record.count_free ? 1 : 0);
    if (copies == 0) continue;
    const auto found = std::ranges::find(record.variables, declared.name, &JournalVariable::name);
    if (found == record.variables.end() || found->per_sample != declared.per_sample) return "lacks " + declared.name;
    if (found->values.size() != copies * declared.values) {
      return fmt::format("has {} values of {} in place of {}", found->values.size(), declared.name,
                         copies * declared.values);
    }
  }
  return {};
}

}  // namespace diffphase
