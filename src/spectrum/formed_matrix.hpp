#pragma once

#include <vector>

#include "parallel/task_group.hpp"
#include "spectrum/symmetric_operator.hpp"

namespace diffphase {

/// An operator as a matrix, row-major, whole on every rank: row i is its product with unit vector i. Collective over
/// the group, with an agreement point for every 64 products; GroupError or Stopped on every rank. Memory per rank:
/// size^2 numbers and 64 whole vectors.
[[nodiscard]] std::vector<double> formed_matrix(const TaskGroup& group, const SymmetricOperator& op);

}  // namespace diffphase
