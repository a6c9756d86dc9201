#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "measure/measure.hpp"
#include "sweep/cost_model.hpp"
#include "sweep/grid.hpp"
#include "sweep/placement.hpp"
#include "sweep/queue_simulation.hpp"

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
  double results_bytes = 0.0;   ///< of all tasks' results; rank 0 holds them when it writes the results file
  double wall_seconds = 0.0;
  double core_hours = 0.0;
  double efficiency = 0.0;  ///< seconds of all tasks, each on one rank alone, over ranks times wall_seconds
  double root_load = 0.0;   ///< share of the time that rank 0 spends on the queue
};

/// How many ranks a sweep is worth.
struct ScalingLimit {
  int ranks = 1;               ///< the most at which the efficiency is at least 1/2
  bool beyond = false;         ///< it still is at the most ranks that were asked about
  double root_load = 0.0;      ///< of rank 0 there, or at the next number of ranks
  double longest_share = 0.0;  ///< of the longest task, of the time there
};

/// Predicts runs of all tasks of a sweep on any number of ranks, by going through the events of the queue
/// (simulate_queue) with predicted task times. For data files, attach_dataset_summaries first. Local.
class RunPredictor {
 public:
  /// `sweep` must outlive it. Throws std::invalid_argument if the rates are not valid.
  RunPredictor(const Sweep& sweep, const MachineRates& rates, const QueueCosts& costs = {});

  /// Throws std::invalid_argument if ranks < 1.
  [[nodiscard]] RunPrediction predict(int ranks) const;

  /// Doubles the number of ranks until the efficiency is below 1/2, then halves the interval until it is known to 1 %.
  [[nodiscard]] ScalingLimit scaling_limit(int most_ranks) const;

 private:
  // Tasks of one measure and cell, or of several that cost the same.
  struct Alike {
    Cost cost;
    double result_bytes = 0.0;
    std::size_t count = 0;
    double seconds = 0.0;  // on one rank
  };
  struct Placed {
    std::vector<AlikeTasks> queue;  // in the order in which each level hands them out
    std::vector<int> levels;        // of alike_; no_level where they fit nowhere
    double useful_seconds = 0.0;
    double longest_seconds = 0.0;  // of one task, on its group
  };
  static constexpr int no_level = -1;

  [[nodiscard]] Placed place_all(const TreeShape& shape) const;
  [[nodiscard]] double wall_seconds(const TreeShape& shape, const QueueForecast& forecast) const;
  void add_misfits(const TreeShape& shape, const Placed& placed, RunPrediction& run) const;
  void add_levels(const TreeShape& shape, const Placed& placed, RunPrediction& run) const;

  const Sweep& sweep_;
  MachineRates rates_;
  QueueCosts costs_;
  PlacementRules rules_;
  std::vector<Alike> alike_;                  // the longest first
  std::vector<std::uint32_t> alike_of_task_;  // by task of the sweep
};

/// Of one number of ranks. Throws as RunPredictor does.
[[nodiscard]] RunPrediction predict_run(const Sweep& sweep, int ranks, const MachineRates& rates,
                                        const QueueCosts& costs = {});

}  // namespace diffphase
