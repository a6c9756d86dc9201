#pragma once

#include <cstdint>
#include <vector>

#include "parallel/task_group.hpp"
#include "spectrum/symmetric_operator.hpp"

namespace diffphase {

/// Eigenpairs of an operator from a direct method.
struct DirectPairs {
  std::vector<double> eigenvalues;  ///< descending
  std::vector<double> vectors;      ///< [eigenvalue][local size], orthonormal
  std::int64_t products = 0;
};

/// The `count` largest eigenpairs of A = shift I + S^T S (op.factor) from the small Gram matrix S S^T: with S S^T u =
/// g u, the eigenvalue is shift + g, the vector S^T u. All other eigenvalues are the shift: if more are asked for than
/// S has rows, these follow with random vectors orthogonal to the rest. Exact to rounding of the largest: |error| <
/// about 1e-15 g_1. Collective. Memory per rank: a panel of 64 MiB (one column of S if that is more), 2 rows^2 doubles
/// and the result; S is read twice and never kept.
[[nodiscard]] DirectPairs gram_eigenpairs(const TaskGroup& group, const SymmetricOperator& op, std::int64_t count);

}  // namespace diffphase
