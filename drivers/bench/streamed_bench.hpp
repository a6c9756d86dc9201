#pragma once

#include <cstdint>

#include "parallel/task_group.hpp"
#include "report_line.hpp"

namespace diffphase::bench {

struct StreamedOptions {
  double dimension = 1e6;
  std::int64_t classes = 2;
  double points = 1e7;  ///< of the training set of each probe
  std::int64_t probes = 4;
  int times = 4;  ///< around the collapse
  int threads = 1;
};

/// Time of the whole measure of the collapse from streamed training sets, and of one point of one probe: drawn, and
/// reduced at all times. Collective.
void measure_streamed(const TaskGroup& group, const StreamedOptions& options, ReportLine& line);

}  // namespace diffphase::bench
