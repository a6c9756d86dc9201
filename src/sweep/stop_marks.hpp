#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace diffphase {

/// Which ranks of a start were alive when they were told to stop: DIR/log/<stem>.stopped, one byte for each rank, 0
/// until then. When a rank dies (memory, a crash), launchers send the others the signal of an ordinary end: only the
/// rank without a mark has died by itself. Written at full length when a start begins, so that a full disk does not
/// matter.

/// The file of a start; `run` is DIR.
[[nodiscard]] std::filesystem::path stop_marks_path(const std::filesystem::path& run, const std::string& stem);

/// Makes the file, without marks. Throws FileError. Rank 0 only; the other ranks are told the path
/// (parallel/stop_request.hpp).
void create_stop_marks(const std::filesystem::path& path, std::int64_t ranks);

/// Marks every rank: the start ends in order, and no task is to blame for it. False if that cannot be written.
bool mark_all_ranks(const std::filesystem::path& path, std::int64_t ranks) noexcept;

/// By rank; empty if the file is not there or cannot be read.
[[nodiscard]] std::vector<bool> read_stop_marks(const std::filesystem::path& path);

/// Whether the ranks `first` to `first + count - 1` were all alive when they were told to stop. Where nobody has a mark
/// it cannot be told: false.
[[nodiscard]] bool were_told_to_stop(const std::vector<bool>& marks, std::int64_t first, std::int64_t count);

}  // namespace diffphase
