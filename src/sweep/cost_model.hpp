#pragma once

#include "measure/measure.hpp"
#include "sweep/placement.hpp"
#include "sweep/sweep_file.hpp"

namespace diffphase {

/// What a measure predicts of a task, in the terms that decide the size of its group: a function of the task alone.
[[nodiscard]] TaskLoad task_load(const Cost& cost, double result_bytes);

/// How tasks of this sweep are placed: [resources] ranks_per_task and memory_per_rank.
[[nodiscard]] PlacementRules placement_rules(const Resources& resources);

/// What one rank of a machine does in a second when the others are idle. The defaults are those of an ordinary core;
/// measure_rates() (sweep/calibration.hpp) measures them. They order the queue and predict times, and decide nothing
/// else: the same sweep is placed alike on every machine.
struct MachineRates {
  double flops = 2e10;           ///< floating-point operations in the matrix products of the posterior
  double exponentials = 2e8;     ///< (probe, component, time) entries of the reduction
  double normals = 1e8;          ///< random numbers
  double task_overhead = 0.005;  ///< seconds that every task takes, however small
  int threads = 1;               ///< kernel threads of a rank; the rates are those of one

  /// All are finite and above zero (task_overhead: not below), threads at least 1.
  [[nodiscard]] bool valid() const;
};

/// Predicted seconds of a task on a group of `ranks` ranks: all work is divided evenly, and what threads share of it
/// (Cost::threaded) among them, too; the overhead is not. Leaves
/// out communication, and that under the component partition every rank draws the probes' noise for itself, which is
/// small beside the training set where a group has several ranks. Never longer on more ranks. Throws
/// std::invalid_argument if ranks < 1.
[[nodiscard]] double task_seconds(const Cost& cost, const MachineRates& rates, int ranks = 1);

}  // namespace diffphase
