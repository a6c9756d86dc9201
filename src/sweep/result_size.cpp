#include "sweep/result_size.hpp"

#include <algorithm>
#include <string>
#include <vector>

namespace diffphase {

double result_bytes(const Measure& measure, const TaskParameters& task, std::size_t counts) {
  constexpr double record_bytes = 512.0;  // with what is said beside numbers
  constexpr double variable_bytes = 48.0;
  const std::vector<DimensionSpec> dimensions = measure.dimensions(task);
  double bytes = record_bytes;
  for (const VariableSpec& spec : measure.variables(task)) {
    if (spec.prediction) continue;
    const auto arrays = static_cast<double>(spec.per_sample ? counts : 1);
    double values = 1.0;
    for (const std::string& dim : spec.dims) {
      const auto own = std::ranges::find(dimensions, dim, &DimensionSpec::name);
      values *= static_cast<double>(own == dimensions.end() ? task.times.size() : own->size());
    }
    bytes += arrays * (variable_bytes + static_cast<double>(sizeof(double)) * values);
  }
  return bytes;
}

}  // namespace diffphase
