#pragma once

#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "sweep/run_lock.hpp"

namespace diffphase {

/// The journals, by stem, that the owners of locks write now: of each the latest of its process that is not older than
/// its lock, as an earlier process of that host may have had the same number. Local; empty where there is no journal.
[[nodiscard]] std::set<std::string> live_journals(const std::filesystem::path& run,
                                                  const std::vector<LockOwner>& owners);

}  // namespace diffphase
