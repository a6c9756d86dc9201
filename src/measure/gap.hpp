#pragma once

#include "measure/measure.hpp"

namespace diffphase {

/// Gaps of the spectrum of N = -b^2 J between the variance blocks of a linear manifold (Ventura et al. 2024,
/// arXiv:2410.05898): their height against time, the times at which they open, are highest and close at a resolution
/// threshold, the final gap to the normal directions, and the phases (trivial, coverage, consolidation).
///
/// The exact score of Gaussian data is known at any time: the heights follow from the replica's own principal
/// variances, the times are roots, off the grid. Of a training set's score, spectra at probes on the time grid are
/// averaged; times are found by interpolation, with the jackknife over probes as error.
class GapMeasure : public Measure {
 public:
  [[nodiscard]] std::string_view name() const override { return "gap"; }
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
