#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "parallel/task_group.hpp"

namespace diffphase {

/// The few largest singular values of a matrix that has too many columns for an n x n matrix.
struct LeadingSingularValues {
  std::vector<double> values;           ///< descending, those that converged: at most as many as asked for
  std::vector<double> relative_errors;  ///< residual over value
  int iterations = 0;
  std::int64_t products = 0;  ///< with the matrix or its transpose
  bool converged = false;     ///< all that were asked for
  std::string stop_reason;    ///< SLEPc's words
};

/// Of the matrix whose rows are split over the ranks as for tall_singular_values, wide or tall: SLEPc's thick-restart
/// Lanczos bidiagonalisation to a relative residual of `tolerance`. Copies of degenerate values may be missed where the
/// tolerance is looser than 1e-8. Collective over the group, with an agreement point at every restart; throws
/// std::invalid_argument, GroupError, Stopped on every rank. Memory per rank: 2 whole rows, and about 2 `wanted` + 15
/// vectors of either length split over the ranks.
[[nodiscard]] LeadingSingularValues leading_singular_values(const TaskGroup& group, std::int64_t columns,
                                                            std::span<const double> rows, int wanted,
                                                            double tolerance = 1e-10);

}  // namespace diffphase
