#include "streamed_bench.hpp"

#include <cmath>

#include "machine_rates.hpp"
#include "measure/collapse.hpp"
#include "parallel/clock.hpp"
#include "parallel/instruction_set.hpp"
#include "parallel/kernel_threads.hpp"

namespace diffphase::bench {

namespace {

// Opposite classes of unit width. The collapse is about where log n = d/2 log(1 + 1/tau); times from half to twice
// that.
TaskParameters task_of(const StreamedOptions& options, const Measure& measure) {
  TaskParameters task;
  const auto dimension = static_cast<std::int64_t>(options.dimension);
  task.mixture =
      MixtureParameters{.dimension = dimension,
                        .classes = options.classes,
                        .centroids = options.classes == 2 ? CentroidKind::opposite : CentroidKind::orthogonal};
  task.representation = Representation::streaming;
  task.samples = {static_cast<std::int64_t>(options.points)};
  const double tau = 1.0 / std::expm1(2.0 * std::log(options.points) / options.dimension);
  for (int i = 0; i < options.times; ++i) {
    const double factor = std::exp2(2.0 * (i + 0.5) / options.times - 1.0);
    task.times.push_back(0.5 * std::log1p(factor * tau));
  }
  set_default_options(measure, task);
  task.options["probes"] = static_cast<double>(options.probes);
  return task;
}

}  // namespace

void measure_streamed(const TaskGroup& group, const StreamedOptions& options, ReportLine& line) {
  set_kernel_threads(options.threads);
  const CollapseMeasure collapse;
  const TaskParameters task = task_of(options, collapse);
  group.comm().barrier();
  const double start = steady_seconds();
  const MeasureResult result = collapse.run(task, {.counts = task.samples}, group);
  group.comm().barrier();
  const double seconds = steady_seconds() - start;
  line.add("dimension", options.dimension);
  line.add("classes", options.classes);
  line.add("points", options.points);
  line.add("probes", options.probes);
  line.add("times", options.times);
  line.add("threads", options.threads);
  line.add("instruction_set", name_of(widest_instruction_set()));
  line.add("seconds", seconds);
  line.add("nanoseconds_per_point", 1e9 * seconds / (options.points * static_cast<double>(options.probes)));
  for (const VariableValues& variable : result.variables) {
    if (variable.name == "participation") line.add_list("participation", variable.values);
  }
  line.add("peak_memory", peak_memory());
}

}  // namespace diffphase::bench
