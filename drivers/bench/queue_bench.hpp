#pragma once

#include <cstdint>
#include <string>

#include "parallel/communicator.hpp"
#include "report_line.hpp"

namespace diffphase::bench {

struct QueueOptions {
  std::int64_t points = 1000;       ///< of the grid
  std::int64_t realizations = 100;  ///< of each point: one task each
  std::int64_t values = 2;          ///< numbers in the record of a task, at least 2
  double task_seconds = 0.0;        ///< that a task sleeps; 0: it returns at once
  std::string folder;               ///< where the run is written; empty: a temporary folder, removed at the end
};

/// What the queue, the journal and the results cost when tasks cost nothing: a whole run of the sweep as `diffphase
/// run` does it, the same run again over its complete journal, the parts of that on rank 0, and rank 0's memory.
/// scheduled_seconds, the difference of the two runs, is what predicted_seconds predicts. Collective.
void measure_queue(const Communicator& world, const QueueOptions& options, ReportLine& line);

}  // namespace diffphase::bench
