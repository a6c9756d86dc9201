#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "files/wall_clock.hpp"
#include "sweep/cost_model.hpp"

namespace diffphase {

/// Measures what this rank does in a second, by the kernels of the tasks themselves, in about a second. MPI (or
/// MpiEnvironment) must be initialised; local, not collective.
[[nodiscard]] MachineRates measure_rates();

/// Name of the processor, as the system tells it; "unknown" if it does not.
[[nodiscard]] std::string processor_name();

/// Where the rates of this processor and this version of the program are kept: in $XDG_CACHE_HOME, or $HOME/.cache,
/// under diffphase. Empty if neither variable is set.
[[nodiscard]] std::filesystem::path calibration_path();

/// A calibration that is older than this is done again.
inline constexpr std::chrono::hours calibration_lifetime{24 * 30};

/// The rates in `path` if they were written within calibration_lifetime before `now`; nothing if there are none, or
/// the file cannot be read for whatever reason.
[[nodiscard]] std::optional<MachineRates> read_calibration(const std::filesystem::path& path, WallTime now);

/// Replaces `path`, creating its folder. False, and nothing else, if that fails: the rates are a convenience.
bool write_calibration(const std::filesystem::path& path, const MachineRates& rates, WallTime now);

/// The rates of this machine: kept ones, or measured now and kept for the next time.
[[nodiscard]] MachineRates calibrated_rates(const std::function<MachineRates()>& measure = measure_rates,
                                            const WallClock& clock = system_wall_clock());

}  // namespace diffphase
