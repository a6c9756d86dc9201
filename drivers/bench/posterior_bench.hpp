#pragma once

#include <cstdint>
#include <string>

#include "ensemble/data_slab.hpp"
#include "parallel/task_group.hpp"
#include "report_line.hpp"

namespace diffphase::bench {

/// A training set of two opposite classes, mu = sigma = 1, and probes that start at its first rows.
struct PosteriorOptions {
  std::int64_t rows = 20000;
  std::int64_t columns = 1024;
  std::int64_t probes = 1024;
  std::int64_t noises = 1;  ///< probes for each start, in the same tile
  int times = 64;           ///< equal steps of Ornstein-Uhlenbeck time
  double first_time = 0.05;
  double last_time = 4.0;
  int counts = 4;  ///< nested sample counts: rows, rows/2, rows/4, ...
  Partition partition = Partition::component;
  bool single = false;  ///< rows, products and exponentials in single precision
  int threads = 1;      ///< of each rank
  int runs = 3;         ///< of which the fastest counts
  std::string save;     ///< folder for rows, probes, noise, and the measured means; empty: none
};

/// Time of one pass (all times, all counts) beside those of its two bare matrix products, whole, in the same precision,
/// on as many threads; and the standard error over the starts of the participation ratio of all rows, root mean square
/// over the times. Collective.
void measure_posterior(const TaskGroup& group, const PosteriorOptions& options, ReportLine& line);

}  // namespace diffphase::bench
