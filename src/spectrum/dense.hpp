#pragma once

#include <cstdint>

#include "parallel/task_group.hpp"
#include "spectrum/gram.hpp"
#include "spectrum/symmetric_operator.hpp"

namespace diffphase {

/// The `count` largest eigenpairs from the whole matrix, made by applying the operator to the columns of the unit
/// matrix, and LAPACK. Collective. Memory per rank: 2 size^2 doubles and the result.
[[nodiscard]] DirectPairs dense_eigenpairs(const TaskGroup& group, const SymmetricOperator& op, std::int64_t count);

}  // namespace diffphase
