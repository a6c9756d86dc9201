#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "ensemble/manifold_parameters.hpp"
#include "theory/achilli2024.hpp"

namespace diffphase {

/// Collapse of Gaussian data on a linear manifold, in tau = b^2/a^2: of the exact spectrum where the factor is
/// orthonormal (Achilli2024), in the limit of large size where it is Gaussian with a single block and no ambient noise
/// (Achilli2025). NaN elsewhere; for one sample tau() and effective_dimension() are NaN. Immutable, local.
class ManifoldCollapse {
 public:
  /// `log_samples` is log n, n >= 1. Throws std::invalid_argument as Achilli2024 does.
  ManifoldCollapse(const ManifoldParameters& manifold, double log_samples);

  /// The `source` attribute of a prediction; a member function of Achilli2024.
  [[nodiscard]] static std::string source(const ManifoldParameters& manifold, std::string_view prediction);

  [[nodiscard]] double tau() const { return tau_; }
  /// At tau(): the window on log tau is 2 over its root.
  [[nodiscard]] double effective_dimension() const { return effective_dimension_; }
  /// E[Y] of planted probes; orthonormal factors only.
  [[nodiscard]] double participation(double tau) const;

 private:
  std::optional<Achilli2024> finite_;
  double tau_;
  double effective_dimension_;
};

}  // namespace diffphase
