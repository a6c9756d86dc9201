#pragma once

#include "measure/measure.hpp"

namespace diffphase {

/// Speciation: the posterior over classes condensing on one.
///
/// class_agreement phi = E sum_c p_c^2 and the time at which it crosses the level that two equal classes have
/// at c = 1, rescaled between phi(inf) = sum_c w_c^2 and 1; the instabilities of the common centre; the
/// spectral time of the covariance. Classes are those of the mixture, or the labels of a file
/// (responsibilities of its training points summed by label: then everything depends on the sample count).
///
/// A mixture can be taken as `projected`, also where `streaming` is asked for: what lies in the span of the centroids.
/// Asked for, neither has a training set, whose covariance is then left out; theirs where [dataset] has no samples is
/// that of the mixture.
class SpeciationMeasure : public Measure {
 public:
  [[nodiscard]] std::string_view name() const override { return "speciation"; }
  [[nodiscard]] std::vector<MeasureOption> options() const override;
  [[nodiscard]] std::string problem(const TaskParameters& task) const override;
  [[nodiscard]] std::vector<VariableSpec> variables(const TaskParameters& task) const override;
  [[nodiscard]] bool knows(Representation /*representation*/) const override { return true; }
  [[nodiscard]] Cost cost(const TaskParameters& task, const TaskRequest& request) const override;
  [[nodiscard]] MeasureResult run(const TaskParameters& task, const TaskRequest& request,
                                  const TaskGroup& group) const override;
  [[nodiscard]] std::vector<VariableValues> predict(const TaskParameters& task) const override;
};

}  // namespace diffphase
