#pragma once

#include <vector>

#include "ensemble/linear_manifold.hpp"
#include "parallel/task_group.hpp"

namespace diffphase {

/// The variances of the data along the principal directions of a linear manifold F, without ambient noise: the min(m,
/// d) largest eigenvalues of F F^T, descending; the d - m others are 0. Exact for orthonormal columns (sigma_k^2); for
/// Gaussian ones the squared singular values of F, to a relative error of 1e-10, from F^T F
/// or by TSQR (tall_singular_values). Collective over the group; the same numbers on every rank. Memory per rank:
/// its part of F and what tall_singular_values takes, O(m^2).
[[nodiscard]] std::vector<double> factor_variances(const TaskGroup& group, const LinearManifold& manifold);

}  // namespace diffphase
