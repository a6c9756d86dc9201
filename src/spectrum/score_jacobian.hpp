#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "ensemble/row_view.hpp"
#include "parallel/task_group.hpp"
#include "posterior/component_law.hpp"
#include "posterior/point_posterior.hpp"
#include "spectrum/symmetric_operator.hpp"
#include "spectrum/weighted_rows.hpp"

namespace diffphase {

/// The Jacobian J of the score of a mixture sum_c w_c N(y_c, sigma_c^2 I) at one point and one time, as a matrix-free
/// operator in the scale-free form
///
///   N = -b^2 J = I - C,   C = (a^2/b^2) Cov[x_0|x]
///     = (a^2/b^2) { sum_c p_c s_c sigma_c^2 I + sum_c p_c (m_c - E)(m_c - E)^T },
///
/// p_c the responsibilities, s_c = b^2/(b^2 + a^2 sigma_c^2), m_c = E[x_0|x,c] = x/a + s_c (y_c - x/a), E = sum_c p_c
/// m_c. Training points are sigma = 0: C = (a^2/b^2) Y^T (diag(p) - p p^T) Y. The largest eigenvalues of C are the
/// smallest of N: the tangent directions.
///
/// One sigma for all: m_c - E = s (y_c - sum_e p_e y_e), which is what is computed; else m_c - E = s_c (y_c - x/a) -
/// (E - x/a). Memory and cost: WeightedRows. Collective over the group.
class ScoreJacobian {
 public:
  /// `responsibilities` of the local rows, of sum 1 over all rows; `x` has the slab's local columns. Throws GroupError
  /// on every rank if the sizes or the level do not fit. `group` and the viewed slab must outlive the object.
  ScoreJacobian(const TaskGroup& group, RowView rows, const ComponentLaw& law, NoiseLevel level,
                std::span<const double> x, std::vector<double> responsibilities);

  /// With the responsibilities of `posterior` at x: two more passes over its slab. `group` is the posterior's.
  static ScoreJacobian at(const TaskGroup& group, const PointPosterior& posterior, NoiseLevel level,
                          std::span<const double> x);

  /// C, for the solvers; this object must outlive it.
  [[nodiscard]] SymmetricOperator covariance() const { return as_operator(rows_, isotropic_); }

  /// tr C, exact: the sum of squares of all deviations. tr N = size() - trace().
  [[nodiscard]] double trace() const { return rows_.trace() + isotropic_ * static_cast<double>(size()); }
  /// (a^2/b^2) sum_c p_c s_c sigma_c^2: the eigenvalue of C in every direction orthogonal to all m_c - E.
  [[nodiscard]] double isotropic() const { return isotropic_; }
  [[nodiscard]] std::int64_t size() const { return rows_.size(); }
  /// Columns of this rank's piece of a vector.
  [[nodiscard]] std::int64_t local_size() const { return rows_.local_size(); }
  /// Rows that carry weight; the rank of C - isotropic() I is below it.
  [[nodiscard]] std::int64_t support() const { return rows_.support(); }

 private:
  struct Parts;
  ScoreJacobian(const TaskGroup& group, RowView rows, Parts parts);
  static Parts split(const TaskGroup& group, RowView rows, const ComponentLaw& law, NoiseLevel level,
                     std::span<const double> x, std::vector<double> responsibilities);

  double isotropic_;
  WeightedRows rows_;
};

}  // namespace diffphase
