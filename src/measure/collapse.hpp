#pragma once

#include "measure/measure.hpp"

namespace diffphase {

/// Collapse on training points: the posterior of x_0 over the n points of a training set, for nested n in one
/// pass.
///
/// participation Y = E sum_i w_i^2, the probability that two clones of the exact reverse process end on the
/// same point; weight_entropy E H(w)/log n; parent_weight E w_parent, equal to the participation in
/// expectation (identity I1, an independent check); largest_weight E max w; collapse_time where the
/// participation crosses 1/2.
///
/// All are means over probes of what each probe sees, so a mixture can be taken as `streaming`: every probe has a
/// training set of its own, drawn in law at a cost that does not depend on d, and probes are independent; or as
/// `extreme`, at a cost that does not depend on n either.
///
/// In single precision (explicit representation only) products, logits and exponentials are floats, and nearly all sums
/// doubles: participation and entropy differ from those in double by less than 1e-4.
class CollapseMeasure : public Measure {
 public:
  [[nodiscard]] std::string_view name() const override { return "collapse"; }
  [[nodiscard]] std::vector<MeasureOption> options() const override;
  [[nodiscard]] std::string problem(const TaskParameters& task) const override;
  [[nodiscard]] std::vector<VariableSpec> variables(const TaskParameters& task) const override;
  [[nodiscard]] bool knows(Representation representation) const override {
    return representation != Representation::projected;
  }
  [[nodiscard]] bool knows_single_precision() const override { return true; }
  [[nodiscard]] Cost cost(const TaskParameters& task, const TaskRequest& request) const override;
  [[nodiscard]] MeasureResult run(const TaskParameters& task, const TaskRequest& request,
                                  const TaskGroup& group) const override;
  [[nodiscard]] std::vector<VariableValues> predict(const TaskParameters& task) const override;
};

}  // namespace diffphase
