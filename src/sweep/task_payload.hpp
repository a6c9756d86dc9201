#pragma once

#include <string>

#include "measure/measure.hpp"

namespace diffphase {

/// A measure's result as the bytes that travel from a group's root to rank 0, and back. Local.
[[nodiscard]] std::string encode_result(const MeasureResult& result);
/// Throws ArchiveError for bytes that encode_result did not make.
[[nodiscard]] MeasureResult decode_result(const std::string& bytes);

}  // namespace diffphase
