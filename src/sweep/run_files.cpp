#include "sweep/run_files.hpp"

#include <fmt/format.h>

namespace diffphase {

std::string Shard::name() const { return fmt::format("{}of{}", index, count); }

std::filesystem::path journal_folder(const std::filesystem::path& run) { return run / "journal"; }

std::filesystem::path log_folder(const std::filesystem::path& run) { return run / "log"; }

std::string start_stem(WallTime start, const Shard& shard, const ProcessIdentity& process) {
  return fmt::format("{}-{}-{}-{}", compact_iso8601(start), shard.name(), process.host, process.pid);
}

}  // namespace diffphase
