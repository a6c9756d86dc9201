#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "process/noising_process.hpp"

namespace diffphase {

/// Why a critical time is or is not a number; the int8 values of `<name>_status` in the results file.
/// failed: the task or a computation failed, or the curve has values that are not numbers. never: there is no such
/// time, and no grid would show it. not_measured: not asked for here, or not defined. unresolved: what was measured
/// cannot tell, and more of it could.
enum class RootStatus : std::int8_t {
  found = 0,
  before_grid = 1,
  after_grid = 2,
  not_monotone = 3,
  failed = 4,
  never = 5,
  not_measured = 6,
  unresolved = 7
};

/// "found before_grid after_grid not_monotone failed never not_measured unresolved": the flag_meanings attribute.
[[nodiscard]] std::string root_status_meanings();

struct CriticalTime {
  double time = 0.0;            ///< on the process's clock; NaN unless found
  double standard_error = 0.0;  ///< jackknife over probes; NaN unless found
  RootStatus status = RootStatus::failed;
  /// How far the crossing moves when every second time of the grid is left out, the larger of both ways. Where that
  /// leaves fewer than 4 times or no crossing: how far the ends of its interval of the grid are away. A grid that is
  /// fine enough keeps it below a few standard errors, and its own error is several times smaller. 0 for a crossing on
  /// a time of the grid that no half of it finds elsewhere, and from find_crossing.
  double coarse_grid_shift = 0.0;
};

/// A curve measured with common random numbers at the times of a grid: mean over independent units (probes).
struct MeasuredCurve {
  std::vector<double> mean;            ///< [time]
  std::vector<double> standard_error;  ///< [time], of the mean over units
};

/// Mean and standard error (sample standard deviation / sqrt(units)) of `values`, units x times, row-major.
/// One unit: standard errors are NaN.
[[nodiscard]] MeasuredCurve average_curve(std::span<const double> values, std::int64_t units, std::int64_t times);

/// The jackknife's standard error from the n >= 2 estimates theta_i that leave out one unit each: sqrt((n - 1)/n sum
/// (theta_i - mean)^2).
[[nodiscard]] double jackknife_error(std::span<const double> leave_one_out);

/// The time at which `curve` crosses `level`, by monotone piecewise-cubic interpolation in log(b^2/a^2)
/// through the grid values; exact at grid points. status: found where the interpolant crosses exactly once;
/// before_grid or after_grid where the crossing lies below the first or above the last grid time (told from
/// the side on which the curve lies, for a curve that falls with time if `falling`, else rises); not_monotone
/// for several crossings, one the wrong way, or contact with the level without crossing it; failed where a
/// value is not finite. One crossing exactly on a grid point is found. The standard error is NaN. Throws
/// std::invalid_argument for an empty grid, unequal sizes, or times that do not ascend on the process's
/// clock.
[[nodiscard]] CriticalTime find_crossing(std::span<const double> times, std::span<const double> curve, double level,
                                         const NoisingProcess& process, bool falling);

/// find_crossing on the mean of `values` (units x times), with the delete-one jackknife over units as
/// standard error. Where a delete-one curve has no crossing the error is that of the slope: standard error of
/// the curve there over |d curve / d time|.
[[nodiscard]] CriticalTime crossing_of_mean(std::span<const double> times, std::span<const double> values,
                                            std::int64_t units, double level, const NoisingProcess& process,
                                            bool falling);

/// One sentence for a critical time that is not on the grid: which way to extend it; or for one on a grid so coarse
/// that coarse_grid_shift is above 4 standard errors. Empty if found on a grid that is fine enough.
[[nodiscard]] std::string grid_warning(const std::string& name, const CriticalTime& result,
                                       std::span<const double> times);

}  // namespace diffphase
