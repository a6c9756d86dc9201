#pragma once

#include "measure/measure.hpp"

namespace diffphase {

/// Direct check of class_agreement and participation: simulates the reverse process and counts how often two
/// clones split at a time end in the same class (clone_class_agreement) or on the same training point
/// (clone_participation).
///
/// The exact values are identities of the posterior, measured by `speciation` and `collapse` in a small part
/// of the time; this measure is for small sizes. Each rank of a group holds the whole training set.
class ClonesMeasure : public Measure {
 public:
  [[nodiscard]] std::string_view name() const override;
  [[nodiscard]] std::vector<MeasureOption> options() const override;
  [[nodiscard]] std::string problem(const TaskParameters& task) const override;
  [[nodiscard]] std::vector<VariableSpec> variables(const TaskParameters& task) const override;
  [[nodiscard]] Cost cost(const TaskParameters& task, const TaskRequest& request) const override;
  [[nodiscard]] MeasureResult run(const TaskParameters& task, const TaskRequest& request,
                                  const TaskGroup& group) const override;
  [[nodiscard]] std::vector<VariableValues> predict(const TaskParameters& task) const override;
};

}  // namespace diffphase
