#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "ensemble/row_view.hpp"
#include "parallel/task_group.hpp"
#include "posterior/component_law.hpp"
#include "posterior/logits.hpp"

namespace diffphase {

/// a and b of x_t = a x_0 + b xi at one time.
struct NoiseLevel {
  double signal = 1.0;
  double noise = 1.0;

  /// In the variance-exploding frame: a = 1, b^2 = tau.
  static NoiseLevel at_tau(double tau);
};

/// Given that x was made by component c: x_0 is Gaussian with mean shrink y_c + pull x and variance shrink
/// sigma_c^2,
///   shrink = b^2/v,  pull = a sigma^2/v,  v = b^2 + a^2 sigma^2.
struct ComponentPosterior {
  double shrink = 1.0;
  double pull = 0.0;
  double variance = 0.0;

  ComponentPosterior() = default;
  ComponentPosterior(NoiseLevel level, double sigma);
};

/// Posterior of x_0 at a block of points. Points and vectors are row-major with the slab's local columns: all
/// columns for the component partition (the same on every rank), this rank's columns for the dimension
/// partition.
struct PosteriorMoments {
  std::vector<double> log_evidence;  ///< log p(x), one per point, on every rank
  std::vector<double> mean;          ///< E[x_0|x], points x local columns
};

/// Responsibilities p_c(x) of consecutive local components.
struct ResponsibilityTile {
  std::int64_t first_row = 0;  ///< local
  std::int64_t rows = 0;
  std::span<const double> values;  ///< points x rows, row-major
};

/// The posterior of x_0 at arbitrary points and one time, for a mixture whose components are the rows of a
/// slab.
///
/// With p_c = w_c N(x; a y_c, v_c)/p(x) and m_c = shrink_c y_c + pull_c x:
///   E[x_0|x] = sum_c p_c m_c,   Cov[x_0|x] = sum_c p_c [shrink_c sigma_c^2 I + m_c m_c^T] - E E^T.
/// Mean and evidence come from one pass over the slab (softmax with a running maximum; sums are rescaled when
/// it rises), in tiles of rows that serve both matrix products while they are in cache. The result does not
/// depend on the partition beyond rounding. Memory: the slab, one number per local row, and O(points x
/// (columns + tile)).
///
/// All functions are collective over the group, with agreement points at most some 10^10 operations apart;
/// what is wrong with one rank's arguments is thrown on every rank as GroupError. `points` (the count) must
/// be the same on every rank. `group` and the viewed slab must outlive the object.
class PointPosterior {
 public:
  /// The slab may be stored in either precision; all arithmetic is in double.
  PointPosterior(const TaskGroup& group, RowView rows, ComponentLaw law = {});

  [[nodiscard]] std::int64_t local_columns() const { return columns_; }
  [[nodiscard]] RowView rows() const { return view_; }
  [[nodiscard]] const ComponentLaw& law() const { return law_; }

  [[nodiscard]] std::vector<double> log_evidence(NoiseLevel level, std::int64_t points,
                                                 std::span<const double> x) const;
  [[nodiscard]] PosteriorMoments moments(NoiseLevel level, std::int64_t points, std::span<const double> x) const;

  /// grad log p(x) = (a E[x_0|x] - x)/b^2 = sum_c p_c (a y_c - x)/v_c, by the second form, which does not
  /// cancel for b -> 0. Points x local columns.
  [[nodiscard]] std::vector<double> score(NoiseLevel level, std::int64_t points, std::span<const double> x) const;

  /// Calls `consume` with the responsibilities of all local components, tile after tile in ascending order.
  /// `log_evidence` is that of the same points. An exception from `consume` becomes a GroupError on every
  /// rank.
  void responsibilities(NoiseLevel level, std::int64_t points, std::span<const double> x,
                        std::span<const double> log_evidence,
                        const std::function<void(const ResponsibilityTile&)>& consume) const;

 private:
  friend class PosteriorCovariance;

  /// Everything about a row that depends on the time.
  struct RowTerms {
    LogitCoefficients logit;
    ComponentPosterior posterior;
  };
  /// One entry if all rows are alike, else one per local row.
  class LevelTerms {
   public:
    LevelTerms() = default;
    LevelTerms(const PointPosterior& owner, NoiseLevel level);
    [[nodiscard]] const RowTerms& operator[](std::int64_t local_row) const {
      return terms_[terms_.size() == 1 ? 0 : static_cast<std::size_t>(local_row)];
    }
    [[nodiscard]] double logit(std::int64_t local_row, double half_distance2) const {
      return (*this)[local_row].logit.logit(half_distance2, 0.0, 0.0);
    }

   private:
    std::vector<RowTerms> terms_;
  };
  struct SoftmaxSums;
  /// May overwrite the products (points x rows, row-major) of a tile with weights.
  using Weigh = std::function<void(std::int64_t first_row, std::int64_t rows, std::span<double> products)>;

  /// For every tile of local rows Y: products = left Y^T, summed over the columns of all ranks;
  /// weigh(products); and if `sums` is not empty, sums += products Y. `left` and `sums` are count x local
  /// columns.
  void sweep(std::int64_t count, std::span<const double> left, std::span<double> sums, const Weigh& weigh) const;
  void multiply(std::int64_t count, std::span<const double> left, const double* tile, std::int64_t rows,
                std::span<double> products) const;
  void accumulate(std::int64_t count, std::span<const double> products, const double* tile, std::int64_t rows,
                  std::span<double> sums) const;
  [[nodiscard]] std::int64_t tile_rows(std::int64_t count) const;
  [[nodiscard]] std::int64_t rows_per_agreement(std::int64_t count, std::int64_t tile) const;

  /// Throws std::invalid_argument. Local.
  void check(NoiseLevel level, std::int64_t points, std::span<const double> x) const;
  [[nodiscard]] std::vector<double> scaled_half_norms(NoiseLevel level, std::int64_t points,
                                                      std::span<const double> x) const;
  [[nodiscard]] SoftmaxSums softmax(NoiseLevel level, std::int64_t points, std::span<const double> x,
                                    bool with_rows) const;
  void merge(SoftmaxSums& sums) const;
  [[nodiscard]] bool by_component() const { return view_.layout().partition == Partition::component; }

  const TaskGroup& group_;
  RowView view_;
  ComponentLaw law_;
  std::int64_t columns_ = 0;
  std::int64_t local_rows_ = 0;
  std::int64_t most_local_rows_ = 0;     ///< over the ranks
  std::int64_t most_local_columns_ = 0;  ///< over the ranks
  std::vector<double> half_norms_;       ///< |y_i|^2/2 of the local rows
};

/// Cov[x_0|x] at one point as an operator: symmetric, positive semi-definite, applied to blocks of vectors.
///
/// Cov V = sum_c p_c (m_c - E) (m_c - E)^T V + (sum_c p_c shrink_c sigma_c^2) V; for training points
/// A^T (w o (A V - 1 w^T A V)). It is (b^2/a) dE[x_0|x]/dx and gives the score's Jacobian
/// J = -I/b^2 + (a^2/b^4) Cov. Keeps the responsibilities of the local rows (8 bytes each); one pass over the
/// slab per block. Collective like PointPosterior, which must outlive it.
class PosteriorCovariance {
 public:
  PosteriorCovariance(const PointPosterior& posterior, NoiseLevel level, std::span<const double> x);

  /// out = Cov V: `count` vectors of local columns each.
  void apply(std::int64_t count, std::span<const double> vectors, std::span<double> out) const;

  [[nodiscard]] double log_evidence() const { return log_evidence_; }
  [[nodiscard]] std::span<const double> mean() const { return mean_; }
  /// p_c(x) of the local rows.
  [[nodiscard]] std::span<const double> responsibilities() const { return responsibilities_; }

 private:
  const PointPosterior& posterior_;
  PointPosterior::LevelTerms terms_;
  std::vector<double> x_;
  std::vector<double> mean_;
  std::vector<double> responsibilities_;
  double log_evidence_ = 0.0;
  double isotropic_ = 0.0;  ///< sum_c p_c shrink_c sigma_c^2
};

}  // namespace diffphase
