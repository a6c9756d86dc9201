#pragma once

#include "measure/measure.hpp"
#include "sweep/placement.hpp"

namespace diffphase {

/// Nominal floating-point operations that one exponential of the reduction and one normal random number stand for.
inline constexpr double operations_per_exponential = 40.0;
inline constexpr double operations_per_normal = 200.0;

/// What a measure predicts of a task, in the terms that decide the size of its group: a function of the task alone.
[[nodiscard]] TaskLoad task_load(const Cost& cost);

}  // namespace diffphase
