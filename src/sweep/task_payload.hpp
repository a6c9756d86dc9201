#pragma once

#include <span>
#include <string>
#include <vector>

#include "measure/measure.hpp"
#include "sweep/journal_records.hpp"

namespace diffphase {

/// A measure's result as rank 0 keeps it.
struct TaskResult {
  std::vector<JournalVariable> variables;
  std::vector<std::string> warnings;
  std::vector<std::string> notes;
};

/// A measure's result as the bytes that travel from a group's root to rank 0, and back. `specs`: the measure's
/// variables, which tell those with a value per sample count. Local.
[[nodiscard]] std::string encode_result(const MeasureResult& result, std::span<const VariableSpec> specs);
/// Throws ArchiveError for bytes that encode_result did not make.
[[nodiscard]] TaskResult decode_result(const std::string& bytes);

}  // namespace diffphase
