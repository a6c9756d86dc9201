#pragma once

#include <cstdint>
#include <functional>
#include <span>

namespace diffphase {

/// A symmetric operator on R^size whose vectors are split over the ranks of a group in contiguous pieces, in rank
/// order. It applies itself to a block of vectors; one vector is a block of one.
struct SymmetricOperator {
  std::int64_t size = 0;
  std::int64_t local_size = 0;
  /// out := A in for `vectors` vectors, local pieces one after the other: [vector][local_size]. Collective over the
  /// group; must not throw on some ranks only.
  std::function<void(std::int64_t vectors, std::span<const double> in, std::span<double> out)> apply;
};

}  // namespace diffphase
