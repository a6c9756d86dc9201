#pragma once

#include "measure/measure.hpp"

namespace diffphase {

/// Spectrum of the scale-free score Jacobian N = -b^2 J = I - C at probes x_t = a x_0 + b xi, C = (a^2/b^2)
/// Cov[x_0|x_t], of the exact score of a law or of a training set's: the largest eigenvalues of C, which are the
/// smallest of N (tangent directions), with method, residuals and what the solver says of itself; tr N; and, if asked
/// for, the density of all eigenvalues, the number below a level, and Hutchinson's estimates of trace, Frobenius norm
/// and asymmetry. The choice of method is in the log of the run.
class SpectrumMeasure : public Measure {
 public:
  [[nodiscard]] std::string_view name() const override { return "spectrum"; }
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
