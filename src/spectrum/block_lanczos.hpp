#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "parallel/task_group.hpp"
#include "spectrum/deflated_space.hpp"
#include "spectrum/gauss_quadrature.hpp"
#include "spectrum/symmetric_operator.hpp"

namespace diffphase {

/// The recurrence of one start vector z and the squared length |P z|^2 of what it has outside the deflated space; where
/// that is nothing, the recurrence is empty.
struct ProbeRecurrence {
  LanczosRecurrence recurrence;
  double squared_length = 0.0;
};

/// Lanczos recurrences of several start vectors, each on its own, that share the application of the operator to a
/// block: A is applied to all current vectors at once, then each is orthogonalised twice against all vectors of its own
/// recurrence and against the deflated space (P A P, P = I - Q Q^T, in place of A). A remainder below 1e-11 of the
/// recurrence's largest row is the end of it: an invariant subspace.
///
/// Memory: (steps + 1) block vectors per rank.
class BlockLanczos {
 public:
  /// `op` and the vectors of `deflated` must outlive it. Collective over the group; throws std::invalid_argument or
  /// GroupError on every rank.
  BlockLanczos(const TaskGroup& group, const SymmetricOperator& op, DeflatedSpace deflated, int steps,
               std::int64_t block);

  /// Recurrences of `count` <= block start vectors, whose local pieces `fill` writes (locally; it may throw). The same
  /// numbers on every rank. Collective, with an agreement point at every step; throws Stopped, GroupError or, where the
  /// operator yields numbers that are not finite, std::runtime_error on every rank.
  [[nodiscard]] std::vector<ProbeRecurrence> run(std::int64_t count,
                                                 const std::function<void(std::span<double>)>& fill);

  /// Vectors to which the operator was applied.
  [[nodiscard]] std::int64_t products() const { return products_; }

 private:
  [[nodiscard]] double* vectors(int step);
  void start(std::vector<ProbeRecurrence>& probes);
  [[nodiscard]] bool advance(int step, std::vector<ProbeRecurrence>& probes);
  void orthogonalise(int basis, std::span<double> diagonal);
  void subtract_projections(int basis);
  [[nodiscard]] std::vector<double> squared_lengths(std::span<const double> diagonal);
  void scale(std::size_t probe, double factor, double* out) const;

  const TaskGroup& group_;
  const SymmetricOperator& op_;
  DeflatedSpace deflated_;
  int steps_;
  std::int64_t block_;
  std::int64_t count_ = 0;
  std::int64_t products_ = 0;
  std::vector<double> basis_;         // [step][probe][local_size]
  std::vector<double> work_;          // [probe][local_size]
  std::vector<double> coefficients_;  // [probe][deflated], then [probe][step]
};

}  // namespace diffphase
