#pragma once

#include <cstdint>
#include <functional>
#include <span>

namespace diffphase {

/// A square operator on R^size, symmetric or not, that applies itself and its transpose to blocks of vectors split over
/// the ranks of a group as those of a SymmetricOperator.
struct LinearOperator {
  using Product = std::function<void(std::int64_t vectors, std::span<const double> in, std::span<double> out)>;

  std::int64_t size = 0;
  std::int64_t local_size = 0;
  /// out := A in and out := A^T in, [vector][local_size]. Collective over the group; must not throw on some ranks only.
  Product apply;
  Product apply_transposed;
};

}  // namespace diffphase
