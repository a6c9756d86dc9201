#pragma once

#include <cstdint>

#include "ensemble/data_slab.hpp"
#include "parallel/task_group.hpp"
#include "spectrum/largest_eigenvalue.hpp"

namespace diffphase {

/// Largest eigenvalue Lambda of the covariance about the mean, divided by n, of the first n = `count` rows of
/// a data matrix: (1/n) sum_i (y_i - m)(y_i - m)^T, never formed. Either partition. Collective over the
/// group. Memory: that of WeightedRows and of largest_eigenvalue.
[[nodiscard]] LargestEigenvalue largest_covariance_eigenvalue(const TaskGroup& group, const DataSlab& slab,
                                                              std::int64_t count);

}  // namespace diffphase
