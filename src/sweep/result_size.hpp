#pragma once

#include <cstddef>

#include "measure/measure.hpp"

namespace diffphase {

/// Bytes of the result of one task for so many of its sample counts, as it travels and is recorded. Follows from the
/// variables alone, and is at least what they take. Local.
[[nodiscard]] double result_bytes(const Measure& measure, const TaskParameters& task, std::size_t counts);

}  // namespace diffphase
