#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "measure/measure.hpp"

namespace diffphase {

/// Throws unless the result holds what the measure declares, for what was asked, and nothing else:
///  - std::logic_error, an error of the program: a variable that is declared and not filled, filled and not declared or
///    twice, of another length, or with a status or flag that is none;
///  - std::runtime_error: a number that is not finite where NaN is no answer (VariableSpec::may_be_missing). What is
///    not a number in one place makes the whole task fail: what stands beside it would be no better.
/// Predictions are no part of it. On rank 0 of the group. Local.
void require_as_declared(const Measure& measure, const TaskParameters& task, const TaskRequest& request,
                         const MeasureResult& result);

/// A measured variable of a task and its number of values, for each sample count where per_sample.
struct DeclaredLength {
  std::string name;
  bool per_sample = false;
  std::size_t values = 0;
};

/// What a measure declares for a task, without predictions and what has no values. Local.
[[nodiscard]] std::vector<DeclaredLength> declared_lengths(const Measure& measure, const TaskParameters& task);

}  // namespace diffphase
