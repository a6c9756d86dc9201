#pragma once

#include <cstdint>
#include <string>

#include "parallel/task_group.hpp"
#include "spectrum/symmetric_operator.hpp"

namespace diffphase {

struct LargestEigenvalue {
  double value = 0.0;     ///< NaN unless converged
  double residual = 0.0;  ///< |A v - value v| / |v|
  int iterations = 0;
  std::int64_t products = 0;
  bool converged = false;
  std::string stop_reason;  ///< SLEPc's words
};

/// The largest eigenvalue by krylov_schur to a relative residual of `tolerance`; of degenerate ones any copy will do,
/// so nothing is verified. Of operators of known trace, whatever its size. Collective over the group; throws Stopped or
/// GroupError on every rank. Memory: about 20 vectors.
[[nodiscard]] LargestEigenvalue largest_eigenvalue(const TaskGroup& group, const SymmetricOperator& op,
                                                   double tolerance = 1e-10);

}  // namespace diffphase
