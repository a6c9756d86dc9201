#pragma once

#include <filesystem>
#include <string>

#include "files/process_identity.hpp"
#include "files/wall_clock.hpp"

namespace diffphase {

/// Which part of a sweep a start of the program does: 1-based, 1 of 1 is all of it.
struct Shard {
  int index = 1;
  int count = 1;

  friend bool operator==(const Shard&, const Shard&) = default;
  /// As in file names: 2of8.
  [[nodiscard]] std::string name() const;
};

/// Where a run keeps its files; `run` is DIR of the command line.
[[nodiscard]] std::filesystem::path journal_folder(const std::filesystem::path& run);
[[nodiscard]] std::filesystem::path log_folder(const std::filesystem::path& run);

/// Name, without ending, of what one start writes: <start time>-<I>of<M>-<host>-<pid>. Sorts by start time.
[[nodiscard]] std::string start_stem(WallTime start, const Shard& shard, const ProcessIdentity& process);

}  // namespace diffphase
