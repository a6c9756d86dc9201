#pragma once

#include "parallel/task_group.hpp"
#include "spectrum/krylov.hpp"
#include "spectrum/symmetric_operator.hpp"

namespace diffphase {

/// krylov_schur from a block of op.block random vectors, for operators that apply themselves to a block in little more
/// time than to one vector: more products, in fewer passes over the data. Convergence is asked for whenever the basis
/// has grown by an eighth, so that no products are made that are not needed. Eigenvalues of a multiplicity up to the
/// block's size are found without help from rounding. The same result on any number of ranks up to rounding. Collective
/// over the group, with an agreement point at every step; throws Stopped, GroupError, or, where the operator yields
/// numbers that are not finite, std::runtime_error on every rank. Memory: the basis, two blocks, and the result.
[[nodiscard]] KrylovResult block_krylov_schur(const TaskGroup& group, const SymmetricOperator& op,
                                              const KrylovRequest& request);

}  // namespace diffphase
