#pragma once

#include <cstdint>
#include <span>

#include "process/noising_process.hpp"
#include "transition/critical_time.hpp"

namespace diffphase {

// Curves that rise and fall, as the height of a gap does: mean over units (probes, training sets) of values, units x
// times, row-major, at the ascending times of a grid. Errors, statuses and exceptions as of crossing_of_mean.

/// The largest time at which the mean crosses `level`, falling with time (or rising): a falling one is where a gap
/// opens in generation, which runs against time. before_grid if the curve lies on the late side of the level
/// throughout, after_grid if it does not at the last time.
[[nodiscard]] CriticalTime largest_crossing_of_mean(std::span<const double> times, std::span<const double> values,
                                                    std::int64_t units, double level, const NoisingProcess& process,
                                                    bool falling);

/// The smallest time at which it does: a rising one is where a gap closes. after_grid if the curve lies on the early
/// side throughout, before_grid if it does not at the first time.
[[nodiscard]] CriticalTime smallest_crossing_of_mean(std::span<const double> times, std::span<const double> values,
                                                     std::int64_t units, double level, const NoisingProcess& process,
                                                     bool falling);

/// A maximum and where it is.
struct CurveMaximum {
  CriticalTime time;            ///< before_grid or after_grid where the largest value is the first or the last,
                                ///< unresolved where all values are the same
  double height = 0.0;          ///< NaN unless found
  double standard_error = 0.0;  ///< of the height, over units
};

/// The vertex of the parabola in log(b^2/a^2) through the largest mean and its neighbours, with the jackknife over
/// units as error; coarse_grid_shift is how far it moves with neighbours twice as far away.
[[nodiscard]] CurveMaximum maximum_of_mean(std::span<const double> times, std::span<const double> values,
                                           std::int64_t units, const NoisingProcess& process);

}  // namespace diffphase
