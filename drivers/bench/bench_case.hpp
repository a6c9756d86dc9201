#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ensemble/data_slab.hpp"
#include "ensemble/row_view.hpp"
#include "parallel/task_group.hpp"
#include "posterior/component_law.hpp"
#include "posterior/point_posterior.hpp"
#include "spectrum/score_jacobian.hpp"

namespace diffphase::bench {

/// What is measured on: the rows of a slab and where its score Jacobian is taken.
///  - outliers: training set of unit Gaussian noise with 20 directions of standard deviation 3 to 12
///  - flat: training set of unit Gaussian noise
///  - power-law: training set with covariance eigenvalues 100/k, k = 1, ..., 1000, over noise of variance 0.01
///  - classes: the random centroids of a mixture of unit Gaussians
struct CaseOptions {
  std::string data = "outliers";
  std::int64_t rows = 20000;
  std::int64_t columns = 4096;
  bool single = false;  ///< rows stored as float
  Partition partition = Partition::component;
  double spread = 0.125;  ///< effective number of components, 1/sum p^2, over the number of rows: at least
};

/// The names that CaseOptions::data may have.
[[nodiscard]] std::vector<std::string> data_names();

/// The first `count` rows of a matrix, row-major, for programs that compute the same. One rank only.
[[nodiscard]] std::vector<double> first_rows(const TaskGroup& group, const RowView& view, std::int64_t count);

/// The slab, a point x = y_0 + sqrt(tau) xi and its responsibilities, tau being the first power of 2 at which they are
/// spread over enough rows. Collective over the group, which must outlive it.
class BenchCase {
 public:
  BenchCase(const TaskGroup& group, const CaseOptions& options);
  BenchCase(const BenchCase&) = delete;
  BenchCase& operator=(const BenchCase&) = delete;
  ~BenchCase() = default;

  [[nodiscard]] RowView rows() const;
  [[nodiscard]] double tau() const { return tau_; }
  /// 1/sum_c p_c^2.
  [[nodiscard]] double effective_rows() const { return effective_rows_; }
  [[nodiscard]] const std::vector<double>& responsibilities() const { return responsibilities_; }
  /// Collective.
  [[nodiscard]] ScoreJacobian jacobian() const;

  /// Writes `rows` (doubles, row-major) and `responsibilities` to files of these names in `folder`, for programs that
  /// compute the same. One rank only. Throws std::runtime_error.
  void save(const std::string& folder) const;

 private:
  void draw(const CaseOptions& options);
  void keep(const Ensemble& law, bool single);
  void choose_point(double spread);
  void weigh(const PointPosterior& posterior);

  const TaskGroup& group_;
  SlabLayout layout_;
  DataSlab doubles_;
  std::optional<SinglePrecisionSlab> singles_;
  ComponentLaw law_;
  double tau_ = 0.0;
  double effective_rows_ = 0.0;
  std::vector<double> x_;
  std::vector<double> responsibilities_;
};

}  // namespace diffphase::bench
