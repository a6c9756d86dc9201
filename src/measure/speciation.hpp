#pragma once

#include "measure/measure.hpp"

namespace diffphase {

/// Speciation: the posterior over classes condensing on one.
///
/// class_agreement phi = E sum_c p_c^2 and the time at which it crosses the level that two equal classes have
/// at c = 1, rescaled between phi(inf) = sum_c w_c^2 and 1; the instabilities of the common centre; the
/// spectral time of the covariance. Classes are those of the mixture, or the labels of a file
/// (responsibilities of its training points summed by label: then everything depends on the sample count).
class SpeciationMeasure : public Measure {
 public:
  [[nodiscard]] std::string_view name() const override { return "speciation"; }
  [[nodiscard]] std::vector<MeasureOption> options() const override;
  [[nodiscard]] std::string problem(const TaskParameters& task) const override;
  [[nodiscard]] std::vector<VariableSpec> variables(const TaskParameters& task) const override;
  [[nodiscard]] Cost cost(const TaskParameters& task, const TaskRequest& request) const override;
  [[nodiscard]] MeasureResult run(const TaskParameters& task, const TaskRequest& request,
                                  const TaskGroup& group) const override;
  [[nodiscard]] std::vector<VariableValues> predict(const TaskParameters& task) const override;
};

}  // namespace diffphase
