#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "sweep/cost_model.hpp"
#include "sweep/grid.hpp"

namespace diffphase {

/// How much slower ranks are, on average, when all of them compute than one that has the machine to itself: they share
/// memory bandwidth and cache. Typical of one socket; the kernels work on tiles that stay in cache.
inline constexpr double shared_machine_slowdown = 1.15;

/// Seconds from the start of the program to its first task and from its last task to its end.
inline constexpr double run_overhead_seconds = 1.0;

/// The tasks of one level of the group tree.
struct PlannedLevel {
  int level = 0;
  int groups = 0;  ///< that take tasks at this level
  int ranks = 0;   ///< of the smallest of them
  std::size_t tasks = 0;
  double bytes_per_rank = 0.0;  ///< of the largest task, on the smallest group
  double seconds = 0.0;         ///< predicted, summed over tasks: as if they went one after another
};

/// What a run of a sweep is predicted to need.
struct RunPrediction {
  std::vector<PlannedLevel> levels;  ///< those that have tasks, from the world down
  std::vector<std::string> misfits;  ///< "LABEL: PROBLEM" of every task that fits on no group; they are left out
  std::size_t tasks = 0;             ///< of the run, misfits included
  double flops = 0.0;                ///< sums over tasks, misfits left out
  double exponentials = 0.0;
  double normals = 0.0;
  double bytes_per_rank = 0.0;  ///< largest over tasks
  double wall_seconds = 0.0;
  double core_hours = 0.0;
};

/// Predicts a run of all tasks of the sweep on `ranks` ranks by going through the schedule: every group takes the
/// longest task left of its level, when none is left it splits. Throws std::invalid_argument if ranks < 1 or the rates
/// are not valid. Local. For data files, attach_dataset_summaries first.
[[nodiscard]] RunPrediction predict_run(const Sweep& sweep, int ranks, const MachineRates& rates);

/// "1:02:03" (hours, minutes, seconds), as batch systems take it.
[[nodiscard]] std::string clock_text(double seconds);
/// "850 ms", "3.2 s", "12 min", "5.1 h", "3.4 days".
[[nodiscard]] std::string rounded_duration(double seconds);

/// Text of `diffphase plan`: grid, tasks, memory, work, predicted time and a batch line. At most 100 columns, but for
/// the batch line where the sweep file's path is long.
[[nodiscard]] std::string plan_text(const Sweep& sweep, int ranks, const MachineRates& rates);

/// Text of `diffphase theory`: the predicted critical times and other single numbers of every point, NaN as "-". At
/// most 100 columns. Local; takes as long as the predictions' quadratures do.
[[nodiscard]] std::string theory_text(const Sweep& sweep);

}  // namespace diffphase
