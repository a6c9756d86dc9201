#pragma once

#include <cstdint>
#include <memory>

#include "ensemble/ensemble.hpp"
#include "ensemble/gaussian_mixture.hpp"

namespace diffphase {

/// The centroids of a mixture as rows, one per class, labelled by superclass where there are superclasses: drawn, like
/// any other rows, in steps by a TrainingSetDraw. Local, not collective.
class CentroidRows : public Ensemble {
 public:
  /// `mixture` must outlive the object.
  explicit CentroidRows(const GaussianMixture& mixture) : mixture_(mixture) {}

  [[nodiscard]] std::int64_t dimension() const override { return mixture_.dimension(); }
  [[nodiscard]] bool has_classes() const override { return mixture_.superclasses() > 0; }
  [[nodiscard]] std::int64_t label(std::int64_t row) const override { return mixture_.superclass(row); }
  [[nodiscard]] std::unique_ptr<RowSampler> sampler(std::int64_t first_column, std::int64_t columns) const override;

 private:
  const GaussianMixture& mixture_;
};

}  // namespace diffphase
