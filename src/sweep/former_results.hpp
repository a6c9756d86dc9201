#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "measure/measure.hpp"
#include "sweep/grid.hpp"
#include "sweep/journal.hpp"

namespace diffphase {

/// A results file that would be replaced by one with less in it.
struct FormerResults {
  std::filesystem::path kept;  ///< where it should stay: results-<time of its last change>.h5
  std::string warning;         ///< what it has, what will be in its place, and where to find the rest
};

/// Whether DIR/results.h5, written for the sweep that the journals name as the last one before, has values that the
/// results of `next` will not have: a shorter list, fewer realizations, another option of a measure, another sweep of
/// the same name. Nothing where there is no such file or nothing would disappear; a former sweep that cannot be read
/// any more counts as disappearing. Local.
[[nodiscard]] std::optional<FormerResults> former_results(const std::filesystem::path& run,
                                                          const JournalState& journals, const Sweep& next,
                                                          const std::vector<const Measure*>& measures);

/// Keeps the file under its other name, before it is replaced; nothing if it has gone. Throws FileError.
void keep_former(const std::filesystem::path& run, const FormerResults& former);

}  // namespace diffphase
