#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "measure/declared_result.hpp"
#include "sweep/grid.hpp"
#include "sweep/journal_records.hpp"

namespace diffphase {

/// What records of finished tasks must hold to count: every variable that the measure declares, at its length. A record
/// that lacks one was damaged, or written by a program that did not know it. Local.
class RecordShapes {
 public:
  /// `sweep` must have its data summaries; it is not kept.
  explicit RecordShapes(const Sweep& sweep);

  /// What is missing, or of another length; empty if nothing is, or if the sweep does not have the task.
  [[nodiscard]] std::string problem(const DoneRecord& record) const;

 private:
  using Kind = std::pair<const Measure*, std::size_t>;  // and cell

  std::map<Kind, std::vector<DeclaredLength>> declared_;
  std::map<Hash128, const std::vector<DeclaredLength>*> of_task_;
};

}  // namespace diffphase
