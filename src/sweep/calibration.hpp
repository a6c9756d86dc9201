#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "files/wall_clock.hpp"
#include "sweep/cost_model.hpp"
#include "sweep/queue_simulation.hpp"

namespace diffphase {

/// Measures what this rank does in a second, by the kernels of the tasks themselves, in about a second. MPI (or
/// MpiEnvironment) must be initialised; local, not collective.
[[nodiscard]] MachineRates measure_rates();

/// Of the machine that the program runs on: its rates, and what it takes rank 0 to record tasks.
struct Calibration {
  MachineRates rates;
  QueueCosts queue;  ///< of its network: the defaults
};

/// measure_rates() and measure_record_costs() in a folder of its own below that for temporary files; the default costs
/// where that cannot be written. As measure_rates otherwise.
[[nodiscard]] Calibration measure_machine();

/// Name of the processor, as the system tells it; "unknown" if it does not.
[[nodiscard]] std::string processor_name();

/// Where the calibration of this processor and this version of the program is kept: in $XDG_CACHE_HOME, or
/// $HOME/.cache, under diffphase. Empty if neither variable is set.
[[nodiscard]] std::filesystem::path calibration_path();

/// A calibration that is older than this is done again.
inline constexpr std::chrono::hours calibration_lifetime{24 * 30};

/// What is in `path` if it was written within calibration_lifetime before `now`; nothing if there is none, or the file
/// cannot be read for whatever reason.
[[nodiscard]] std::optional<Calibration> read_calibration(const std::filesystem::path& path, WallTime now);

/// Replaces `path`, creating its folder. False, and nothing else, if that fails: it is a convenience.
bool write_calibration(const std::filesystem::path& path, const Calibration& calibration, WallTime now);

/// Of this machine: the kept one, or measured now and kept for the next time.
[[nodiscard]] Calibration kept_calibration(const std::function<Calibration()>& measure = measure_machine,
                                           const WallClock& clock = system_wall_clock());

}  // namespace diffphase
