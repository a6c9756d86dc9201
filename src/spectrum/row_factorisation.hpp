#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "parallel/task_group.hpp"

namespace diffphase {

/// Eigenvalues of A^T A, descending, cut at 0, of a matrix whose rows are split over the ranks: `rows` row-major with
/// `columns` numbers each. The same on every rank. Collective over the group; throws GroupError, Stopped everywhere.
[[nodiscard]] std::vector<double> gram_eigenvalues(const TaskGroup& group, std::int64_t columns,
                                                   std::span<const double> rows);

/// Singular values of the same matrix, descending, `columns` of them, by a tree of QR factorisations. As above.
[[nodiscard]] std::vector<double> tsqr_singular_values(const TaskGroup& group, std::int64_t columns,
                                                       std::span<const double> rows);

}  // namespace diffphase
