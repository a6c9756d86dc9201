#pragma once

#include <string>

#include "sweep/calibration.hpp"
#include "sweep/grid.hpp"
#include "sweep/run_prediction.hpp"

namespace diffphase {

/// "1:02:03" (hours, minutes, seconds), as batch systems take it.
[[nodiscard]] std::string clock_text(double seconds);
/// "850 ms", "3.2 s", "12 min", "5.1 h", "3.4 days".
[[nodiscard]] std::string rounded_duration(double seconds);

/// Text of `diffphase plan`: grid, tasks, memory, work, predicted time and a batch line. At most 100 columns, but for
/// the batch line where the sweep file's path is long.
[[nodiscard]] std::string plan_text(const Sweep& sweep, int ranks, const Calibration& machine);

/// The same numbers for scripts: lines key=value, without spaces around the sign and without quotes. `batch_...` is
/// what a batch job is to ask for, as sbatch takes it; `folder`, that of the results where -o names none, is last, for
/// names that have line ends in them.
[[nodiscard]] std::string plan_lines(const Sweep& sweep, int ranks, const Calibration& machine);

/// Text of `diffphase theory`: the predicted critical times and other single numbers of every point, NaN as "-". At
/// most 100 columns. Local; takes as long as the predictions' quadratures do.
[[nodiscard]] std::string theory_text(const Sweep& sweep);

}  // namespace diffphase
