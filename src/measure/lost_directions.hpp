#pragma once

#include "measure/measure.hpp"

namespace diffphase {

/// How a training set on a linear manifold loses its directions as noise is removed (Achilli et al. 2024,
/// arXiv:2410.08727): the retained fraction R_k = E[Cov_kk]/(s_k tau/(s_k + tau)) of each variance block at planted
/// probes, at the origin and at probes displaced along a block (theory/achilli2024.hpp says why they differ), the
/// largest time at which it crosses 1/2, and the number of directions that are open. A realization has `sets` training
/// sets of its own: errors are from the spread over them.
class LostDirectionsMeasure : public Measure {
 public:
  [[nodiscard]] std::string_view name() const override { return "lost_directions"; }
  [[nodiscard]] std::vector<MeasureOption> options() const override;
  [[nodiscard]] std::string problem(const TaskParameters& task) const override;
  [[nodiscard]] std::vector<VariableSpec> variables(const TaskParameters& task) const override;
  [[nodiscard]] std::vector<DimensionSpec> dimensions(const TaskParameters& task) const override;
  [[nodiscard]] Cost cost(const TaskParameters& task, const TaskRequest& request) const override;
  [[nodiscard]] MeasureResult run(const TaskParameters& task, const TaskRequest& request,
                                  const TaskGroup& group) const override;
  [[nodiscard]] std::vector<VariableValues> predict(const TaskParameters& task) const override;
};

}  // namespace diffphase
