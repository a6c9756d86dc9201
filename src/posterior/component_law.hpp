#pragma once

#include <cstdint>
#include <vector>

#include "ensemble/gaussian_mixture.hpp"

namespace diffphase {

/// What the rows of a slab are: the centres of a mixture sum_c w_c N(y_c, sigma_c^2 I). Indexed by global
/// row.
struct ComponentLaw {
  std::vector<double> sigmas;   ///< empty: 0 for all (training points); one: shared; else one per row
  std::vector<double> weights;  ///< positive, of sum 1; empty: uniform

  /// The classes of a mixture, as rows of its centroid matrix.
  static ComponentLaw classes(const GaussianMixture& mixture);

  [[nodiscard]] bool same_for_all_rows() const { return sigmas.size() <= 1 && weights.empty(); }
  [[nodiscard]] double sigma(std::int64_t row) const;
  [[nodiscard]] double weight(std::int64_t row, std::int64_t rows) const;
};

}  // namespace diffphase
