#include "sweep/live_journals.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <system_error>

#include "files/wall_clock.hpp"
#include "sweep/run_files.hpp"

namespace diffphase {

namespace fs = std::filesystem;

std::set<std::string> live_journals(const fs::path& run, const std::vector<LockOwner>& owners) {
  // A start may take its name this much earlier than its lock.
  constexpr std::chrono::minutes lock_delay{2};
  std::set<std::string> live;
  for (const LockOwner& owner : owners) {
    const std::string ending = fmt::format("-{}-{}", owner.process.host, owner.process.pid);
    const std::string earliest = compact_iso8601(owner.since - lock_delay);
    std::string latest;
    std::error_code ignored;
    for (fs::directory_iterator entry(journal_folder(run), ignored), end; !ignored && entry != end;
         entry.increment(ignored)) {
      const std::string stem = entry->path().stem().string();
      if (stem.ends_with(ending) && stem >= earliest) latest = std::max(latest, stem);
    }
    if (!latest.empty()) live.insert(latest);
  }
  return live;
}

}  // namespace diffphase
