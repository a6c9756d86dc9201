// The size of a result, which is known before it is computed.

#include "sweep/result_size.hpp"

#include <gtest/gtest.h>

#include <cstddef>

#include "measure/collapse.hpp"
#include "measure/spectrum.hpp"
#include "support/measure_runs.hpp"
#include "sweep/task_payload.hpp"

namespace diffphase {
namespace {

// What is sent is no longer than what was said, and not much shorter.
void expect_bound(const Measure& measure, const TaskParameters& task) {
  const test::Measured measured(measure, task);
  const auto bytes = static_cast<double>(encode_result(measured.result(), measure.variables(task)).size());
  const double said = result_bytes(measure, task, task.samples.size());
  EXPECT_LE(bytes, said) << measure.name();
  EXPECT_GE(bytes, 0.4 * said) << measure.name();
}

TEST(ResultSize, IsThatOfTheEncodedResult) {
  const CollapseMeasure collapse;
  TaskParameters task = test::mixture_task(collapse, {.dimension = 6, .classes = 2}, {0.2, 0.5, 1.0, 2.0}, "size");
  task.samples = {20, 60, 100};
  task.options["probes"] = 16;
  expect_bound(collapse, task);

  const SpectrumMeasure spectrum;
  task = test::mixture_task(spectrum, {.dimension = 12, .classes = 3}, {0.2, 0.5, 1.0}, "size");
  task.samples = {20, 60};
  task.options["probes"] = 4;
  task.options["largest"] = 10;
  expect_bound(spectrum, task);
}

}  // namespace
}  // namespace diffphase
