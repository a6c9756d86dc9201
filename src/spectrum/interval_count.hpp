#pragma once

#include <cstdint>
#include <string>

#include "parallel/task_group.hpp"
#include "random/random_stream.hpp"
#include "spectrum/spectral_density.hpp"
#include "spectrum/symmetric_operator.hpp"

namespace diffphase {

/// automatic: inertia up to max_inertia_size dimensions, density above.
enum class CountMethod { automatic, inertia, density };

[[nodiscard]] const char* name(CountMethod method);

/// Eigenvalues in (lower, upper], either of which may be infinite.
struct IntervalCount {
  /// By inertia: value +- bound holds whatever rounding does, so bound is the number of eigenvalues that rounding
  /// cannot tell from an end; no statistical error and no bias.
  CountEstimate count;
  CountMethod method = CountMethod::automatic;  ///< the one used
  std::string reason;                           ///< why this method
};

/// Size up to which an operator is formed as a matrix on one rank: a factorisation takes about half a second.
inline constexpr std::int64_t max_inertia_size = 2048;

/// Exact: the operator is formed and A - x I = L D L^T (LAPACK's dsytrf) on both sides of both ends; by
/// Sylvester's law D has as many negative eigenvalues as A has below x. Collective over the group; throws
/// std::invalid_argument where the ends are not in order or the operator is larger than max_inertia_size, GroupError,
/// Stopped, on every rank. Memory: formed_matrix, twice on the root.
[[nodiscard]] CountEstimate count_by_inertia(const TaskGroup& group, const SymmetricOperator& op, double lower,
                                             double upper);

/// By the method asked for; the settings and the deflated space are those of spectral_density. Collective as
/// count_by_inertia, which also says what is refused.
[[nodiscard]] IntervalCount count_eigenvalues(const TaskGroup& group, const SymmetricOperator& op, double lower,
                                              double upper, const RandomStream& stream, const DensitySettings& settings,
                                              const DeflatedSpace& deflated = {},
                                              CountMethod method = CountMethod::automatic);

}  // namespace diffphase
