#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "ensemble/class_frame.hpp"
#include "ensemble/data_slab.hpp"
#include "ensemble/gaussian_mixture.hpp"
#include "parallel/task_group.hpp"

namespace diffphase {

/// The stability of the common centre of a mixture: the score Jacobian at x = a m, m = sum_c w_c mu_c, from
/// the actual centroids. With h_c = (mu_c - m)/v_c, v_c = b^2 + a^2 sigma_c^2 and the posterior p_c at that
/// point,
///
///   J = -sum_c (p_c/v_c) I + a^2 (sum_c p_c h_c h_c^T - h h^T),  h = sum_c p_c h_c,
///
/// whose largest eigenvalue follows from the K x K Gram matrix of the mu_c - m. Memory: 3 K x K doubles on
/// every rank.
class CentreStability {
 public:
  /// Classes up to which the Gram matrix is made.
  static constexpr std::int64_t max_classes = 1024;

  /// Collective over the group; classes() <= max_classes, checked.
  CentreStability(const TaskGroup& group, const GaussianMixture& mixture);
  /// From coordinates in the frame of the classes, whatever the dimension.
  CentreStability(const TaskGroup& group, const ClassFrame& frame);

  /// Largest eigenvalue of the covariance of the mixture's centroids about m, with the weights. Local.
  [[nodiscard]] double centroid_eigenvalue() const;

  /// A tau from which on the largest eigenvalue of J is below -1/2, whatever the posterior: 4 (R^2 + sigma^2) + 16,
  /// with R the largest distance of a centroid from m and the largest sigma, as J <= (1 + tau) (-1/(tau + sigma_max^2)
  /// + R^2/(tau + sigma_min^2)^2). Local.
  [[nodiscard]] double stable_from() const;

  /// Largest eigenvalue of J on the Ornstein-Uhlenbeck clock where b^2/a^2 = tau. Local.
  [[nodiscard]] double largest_jacobian_eigenvalue(double tau) const;

 private:
  using RowMaker = std::function<DataSlab(const SlabLayout&)>;

  CentreStability(const TaskGroup& group, const GaussianMixture& mixture, std::int64_t columns, const RowMaker& make);
  [[nodiscard]] std::vector<double> posterior(double tau) const;
  [[nodiscard]] double largest_eigenvalue_of(const std::vector<double>& weights,
                                             const std::vector<double>& scale) const;

  std::int64_t dimension_;
  std::vector<double> weights_;
  std::vector<double> sigmas_;
  std::vector<double> gram_;  // (mu_c - m) . (mu_e - m)
};

}  // namespace diffphase
