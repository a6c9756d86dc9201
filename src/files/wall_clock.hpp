#pragma once

#include <chrono>
#include <functional>
#include <string>

namespace diffphase {

using WallTime = std::chrono::system_clock::time_point;
/// Where the time comes from; tests put their own.
using WallClock = std::function<WallTime()>;

[[nodiscard]] WallClock system_wall_clock();

/// UTC, as in 2024-02-28T10:11:12.345Z.
[[nodiscard]] std::string iso8601(WallTime time);
/// The same without punctuation, as in 20240228T101112.345Z: fit for file names, in the order of time.
[[nodiscard]] std::string compact_iso8601(WallTime time);

/// Seconds since 1970 with fraction, and back. from_unix_seconds throws std::out_of_range for what is before 1970,
/// beyond 2255 or no number: times are 64-bit nanoseconds, and so are differences between them.
[[nodiscard]] double unix_seconds(WallTime time);
[[nodiscard]] WallTime from_unix_seconds(double seconds);

}  // namespace diffphase
