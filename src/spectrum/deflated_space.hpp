#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace diffphase {

/// An invariant subspace that is known already: eigenvalues and orthonormal eigenvectors, of which each rank has its
/// local pieces one after the other, [eigenvector][local_size]. Refers to the vectors, does not own them.
struct DeflatedSpace {
  std::vector<double> eigenvalues{};
  std::span<const double> vectors{};

  [[nodiscard]] std::int64_t dimension() const { return static_cast<std::int64_t>(eigenvalues.size()); }
};

}  // namespace diffphase
