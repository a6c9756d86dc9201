#pragma once

#include <optional>

#include "spectrum/symmetric_operator.hpp"

namespace diffphase {

/// 2^exponent A: solvers square the numbers of an operator, and its eigenvectors are those of any multiple of it.
struct ScaledOperator {
  SymmetricOperator op;
  int exponent = 0;

  /// A number of the dimension of A's eigenvalues, as it is for A.
  [[nodiscard]] double unscaled(double value) const;
};

/// A with a trace of about 1, where the squares of what it is made of come near the end of the range of doubles; none
/// where its trace is unknown, 0 or not finite, or neither large nor small. `op` must outlive it. Local.
[[nodiscard]] std::optional<ScaledOperator> scaled_to_unit(const SymmetricOperator& op);

}  // namespace diffphase
