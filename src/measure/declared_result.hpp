#pragma once

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

}  // namespace diffphase
