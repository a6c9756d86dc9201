#pragma once

#include <cstdint>

#include "parallel/task_group.hpp"
#include "random/random_stream.hpp"
#include "spectrum/linear_operator.hpp"
#include "spectrum/probe_mean.hpp"
#include "spectrum/probe_vectors.hpp"
#include "spectrum/symmetric_operator.hpp"

namespace diffphase {

struct HutchinsonSettings {
  int probes = 32;
  int block = 8;  ///< probes to which the operator is applied together
  ProbeLaw law = ProbeLaw::rademacher;
};

/// Numbers of an operator J from random probes z with E[z z^T] = I, with standard errors over probes.
struct HutchinsonEstimates {
  ProbeMean trace;      ///< E[z^T J z]
  ProbeMean frobenius;  ///< |J|_F, the root of E[|J z|^2]
  ProbeMean asymmetry;  ///< |J - J^T|_F
  /// |J - J^T|_F / (2 |J|_F): 0 for a symmetric operator, 1 for an antisymmetric one; 0 for the zero operator.
  ProbeMean relative_asymmetry;
  std::int64_t products = 0;
};

/// For any operator: |J z|^2 and |J^T z|^2 both count for the Frobenius norm, |J z - J^T z|^2 for the asymmetry.
/// `stream` is for nothing else. Collective over the group, with an agreement point per block; throws
/// std::invalid_argument, GroupError, Stopped on every rank. Memory: 3 block vectors.
[[nodiscard]] HutchinsonEstimates hutchinson(const TaskGroup& group, const LinearOperator& op,
                                             const RandomStream& stream, const HutchinsonSettings& settings);

/// For an operator that says it is symmetric and has no transpose to apply: the asymmetry is the root of the mean of
/// (v^T A w - w^T A v)^2 over all pairs of probes of a block, with a jackknife error over probes. Needs at least two
/// probes and a block of two. The same otherwise; memory: 2 block vectors.
[[nodiscard]] HutchinsonEstimates hutchinson(const TaskGroup& group, const SymmetricOperator& op,
                                             const RandomStream& stream, const HutchinsonSettings& settings);

}  // namespace diffphase
