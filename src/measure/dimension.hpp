#pragma once

#include "measure/measure.hpp"

namespace diffphase {

/// Intrinsic dimension against time, read off the score at probes in three ways: the largest gap between the
/// eigenvalues of N = -b^2 J, the number of them below a threshold, and the estimator of Stanczuk et al. (2024) from
/// the singular values of a matrix of scores about x_0. As many eigenvalues are computed as it takes to be sure of the
/// answer.
class DimensionMeasure : public Measure {
 public:
  [[nodiscard]] std::string_view name() const override { return "dimension"; }
  [[nodiscard]] std::vector<MeasureOption> options() const override;
  [[nodiscard]] std::string problem(const TaskParameters& task) const override;
  [[nodiscard]] std::vector<VariableSpec> variables(const TaskParameters& task) const override;
  [[nodiscard]] std::vector<DimensionSpec> dimensions(const TaskParameters& task) const override;
  [[nodiscard]] bool knows_mixed_precision() const override { return true; }
  [[nodiscard]] Cost cost(const TaskParameters& task, const TaskRequest& request) const override;
  [[nodiscard]] MeasureResult run(const TaskParameters& task, const TaskRequest& request,
                                  const TaskGroup& group) const override;
  [[nodiscard]] std::vector<VariableValues> predict(const TaskParameters& task) const override;
};

}  // namespace diffphase
