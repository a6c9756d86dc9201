#include "spectrum/centre_stability.hpp"

#include <cblas.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <utility>

#include "posterior/logits.hpp"
#include "spectrum/dense_eigenvalues.hpp"

namespace diffphase {

namespace {

// The rank's columns of all centroids in their frame.
DataSlab frame_rows(const ClassFrame& frame, const SlabLayout& layout) {
  DataSlab slab = zero_slab(layout);
  std::vector<double> row(static_cast<std::size_t>(layout.columns));
  for (std::int64_t c = 0; c < layout.rows; ++c) {
    frame.centroid(c, row);
    std::copy_n(row.begin() + layout.first_column(), layout.local_columns(), slab.row(c).begin());
  }
  return slab;
}

}  // namespace

CentreStability::CentreStability(const TaskGroup& group, const GaussianMixture& mixture)
    : CentreStability(group, mixture, mixture.dimension(),
                      [&](const SlabLayout& layout) { return centroid_matrix(mixture, layout); }) {}

CentreStability::CentreStability(const TaskGroup& group, const ClassFrame& frame)
    : CentreStability(group, frame.mixture(), frame.columns(),
                      [&](const SlabLayout& layout) { return frame_rows(frame, layout); }) {}

CentreStability::CentreStability(const TaskGroup& group, const GaussianMixture& mixture, std::int64_t all_columns,
                                 const RowMaker& make)
    : dimension_(mixture.dimension()) {
  const std::int64_t classes = mixture.classes();
  const auto k = static_cast<std::size_t>(classes);
  group.run_guarded([&] {
    if (classes > max_classes) throw std::length_error("centre stability: too many classes for a Gram matrix");
    SlabLayout layout{.partition = Partition::dimension,
                      .rows = classes,
                      .columns = all_columns,
                      .ranks = group.comm().size(),
                      .rank = group.comm().rank()};
    DataSlab centred = make(layout);
    const std::int64_t columns = layout.local_columns();
    std::vector<double> mean(static_cast<std::size_t>(columns));
    for (std::int64_t c = 0; c < classes; ++c) {
      weights_.push_back(mixture.weight(c));
      sigmas_.push_back(mixture.sigma(c));
      cblas_daxpy(static_cast<blasint>(columns), mixture.weight(c), centred.row(c).data(), 1, mean.data(), 1);
    }
    for (std::int64_t c = 0; c < classes; ++c) {
      cblas_daxpy(static_cast<blasint>(columns), -1.0, mean.data(), 1, centred.row(c).data(), 1);
    }
    gram_.assign(k * k, 0.0);
    if (columns > 0) {
      const auto stride = static_cast<blasint>(centred.stride());
      cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, static_cast<blasint>(classes), static_cast<blasint>(classes),
                  static_cast<blasint>(columns), 1.0, centred.values.data(), stride, centred.values.data(), stride, 0.0,
                  gram_.data(), static_cast<blasint>(classes));
    }
  });
  group.comm().sum(gram_);
}

// Largest eigenvalue of sum_c p_c h_c h_c^T - h h^T, h_c = scale_c (mu_c - m): that of the K x K matrix
// B_ce = sqrt(p_c p_e) g_c . g_e with g_c = h_c - h.
double CentreStability::largest_eigenvalue_of(const std::vector<double>& p, const std::vector<double>& scale) const {
  const std::size_t k = p.size();
  if (k == 1) return 0.0;
  std::vector<double> matrix(k * k);
  std::vector<double> with_mean(k, 0.0);  // h_c . h
  double mean_norm2 = 0.0;
  for (std::size_t c = 0; c < k; ++c) {
    for (std::size_t e = 0; e < k; ++e) {
      matrix[c * k + e] = scale[c] * scale[e] * gram_[c * k + e];
      with_mean[c] += p[e] * matrix[c * k + e];
    }
    mean_norm2 += p[c] * with_mean[c];
  }
  for (std::size_t c = 0; c < k; ++c) {
    for (std::size_t e = 0; e < k; ++e) {
      matrix[c * k + e] = std::sqrt(p[c] * p[e]) * (matrix[c * k + e] - with_mean[c] - with_mean[e] + mean_norm2);
    }
  }
  return dense_largest_eigenvalue(std::move(matrix));
}

double CentreStability::centroid_eigenvalue() const {
  return largest_eigenvalue_of(weights_, std::vector<double>(weights_.size(), 1.0));
}

double CentreStability::stable_from() const {
  double square = 0.0;
  double variance = 0.0;
  for (std::size_t c = 0; c < sigmas_.size(); ++c) {
    square = std::max(square, gram_[c * (sigmas_.size() + 1)]);
    variance = std::max(variance, sigmas_[c] * sigmas_[c]);
  }
  return 4.0 * (square + variance) + 16.0;
}

std::vector<double> CentreStability::posterior(double tau) const {
  const std::size_t k = weights_.size();
  const double signal = 1.0 / std::sqrt(1.0 + tau);
  const double noise = std::sqrt(tau) * signal;
  std::vector<double> p(k);
  for (std::size_t c = 0; c < k; ++c) {
    const auto coefficients = logit_coefficients(signal, noise, sigmas_[c], std::log(weights_[c]), dimension_);
    p[c] = coefficients.logit(0.5 * gram_[c * k + c], 0.0, 0.0);
  }
  const double largest = *std::max_element(p.begin(), p.end());
  double total = 0.0;
  for (double& value : p) total += value = std::exp(value - largest);
  for (double& value : p) value /= total;
  return p;
}

double CentreStability::largest_jacobian_eigenvalue(double tau) const {
  const double signal2 = 1.0 / (1.0 + tau);
  const std::vector<double> p = posterior(tau);
  std::vector<double> inverse_variance(p.size());
  double isotropic = 0.0;
  for (std::size_t c = 0; c < p.size(); ++c) {
    inverse_variance[c] = 1.0 / (signal2 * (tau + sigmas_[c] * sigmas_[c]));
    isotropic += p[c] * inverse_variance[c];
  }
  return -isotropic + signal2 * largest_eigenvalue_of(p, inverse_variance);
}

}  // namespace diffphase
