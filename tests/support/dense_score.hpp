#pragma once

// Score Jacobians written down from their definition: naive softmax and whole matrices, in long double up to LAPACK.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "measure/measure.hpp"
#include "support/matrix_operator.hpp"

namespace diffphase::test {

/// Components y_c of a mixture as rows, with sigma_c and w_c; both empty: training points.
struct DenseComponents {
  std::size_t dimension = 0;
  std::vector<double> rows;
  std::vector<double> sigma{};
  std::vector<double> weight{};

  [[nodiscard]] std::size_t count() const { return rows.size() / dimension; }
  [[nodiscard]] long double variance(std::size_t c) const {
    return sigma.empty() ? 0.0L : static_cast<long double>(sigma[c]) * sigma[c];
  }
};

/// As they are where the data are stored in single precision.
inline DenseComponents rounded_to_single(DenseComponents points) {
  for (double& value : points.rows) value = static_cast<double>(static_cast<float>(value));
  return points;
}

/// p(c | x) at noise variance tau.
inline std::vector<long double> dense_responsibilities(const DenseComponents& components, std::span<const double> x,
                                                       double tau) {
  const std::size_t d = components.dimension;
  std::vector<long double> logits;
  for (std::size_t c = 0; c < components.count(); ++c) {
    const long double v = tau + components.variance(c);
    long double square = 0.0L;
    for (std::size_t j = 0; j < d; ++j) {
      const long double difference = static_cast<long double>(x[j]) - components.rows[c * d + j];
      square += difference * difference;
    }
    const long double weight = components.weight.empty() ? 1.0L : components.weight[c];
    logits.push_back(std::log(weight) - 0.5L * static_cast<long double>(d) * std::log(v) - square / (2.0L * v));
  }
  const long double highest = *std::ranges::max_element(logits);
  long double total = 0.0L;
  for (long double& logit : logits) total += (logit = std::exp(logit - highest));
  for (long double& p : logits) p /= total;
  return logits;
}

/// C = Cov[x_0|x]/tau.
inline std::vector<double> dense_covariance(const DenseComponents& components, std::span<const double> x, double tau) {
  const std::size_t d = components.dimension;
  const std::vector<long double> p = dense_responsibilities(components, x, tau);
  std::vector<long double> means(components.rows.size());
  std::vector<long double> mean(d, 0.0L);
  long double isotropic = 0.0L;
  for (std::size_t c = 0; c < components.count(); ++c) {
    const long double shrink = tau / (tau + components.variance(c));
    isotropic += p[c] * shrink * components.variance(c);
    for (std::size_t j = 0; j < d; ++j) {
      means[c * d + j] = shrink * components.rows[c * d + j] + (1.0L - shrink) * x[j];
      mean[j] += p[c] * means[c * d + j];
    }
  }
  std::vector<long double> sum(d * d, 0.0L);
  for (std::size_t c = 0; c < components.count(); ++c) {
    if (p[c] < 1e-25L) continue;
    for (std::size_t i = 0; i < d; ++i) {
      const long double left = p[c] * (means[c * d + i] - mean[i]);
      for (std::size_t j = 0; j <= i; ++j) sum[i * d + j] += left * (means[c * d + j] - mean[j]);
    }
  }
  std::vector<double> matrix(d * d);
  for (std::size_t i = 0; i < d; ++i) {
    for (std::size_t j = 0; j <= i; ++j) {
      const long double entry = (sum[i * d + j] + (i == j ? isotropic : 0.0L)) / tau;
      matrix[i * d + j] = matrix[j * d + i] = static_cast<double>(entry);
    }
  }
  return matrix;
}

/// Eigenvalues of a symmetric matrix, descending.
inline std::vector<double> descending_eigenvalues(std::vector<double> matrix) {
  std::vector<double> values = eigensystem(matrix);
  std::ranges::sort(values, std::greater<>());
  return values;
}

/// Rows [0, count) of the task's infinite training set, in all dimensions.
inline DenseComponents training_points(const TaskParameters& task, std::int64_t count) {
  const std::unique_ptr<Ensemble> ensemble = make_ensemble(task);
  const auto d = static_cast<std::size_t>(task.dimension());
  DenseComponents points{.dimension = d, .rows = std::vector<double>(static_cast<std::size_t>(count) * d)};
  for (std::int64_t row = 0; row < count; ++row) {
    ensemble->sample(row, 0, std::span(points.rows).subspan(static_cast<std::size_t>(row) * d, d));
  }
  return points;
}

/// x_0 + sqrt(tau) xi of a probe, xi from the task's noise.
inline std::vector<double> noised(const TaskParameters& task, std::span<const double> start, std::int64_t probe,
                                  double tau) {
  std::vector<double> x(start.size());
  const RandomStream noise(task.seed, task.ensemble, task.realization, "noise");
  noise.normals(static_cast<std::uint64_t>(probe), 0, x);
  for (std::size_t j = 0; j < x.size(); ++j) x[j] = start[j] + std::sqrt(tau) * x[j];
  return x;
}

/// The probe of a training set: it starts at row `probe` mod n.
inline std::vector<double> noised_point(const TaskParameters& task, const DenseComponents& points, std::int64_t probe,
                                        double tau) {
  const std::size_t row = static_cast<std::size_t>(probe) % points.count();
  return noised(task, std::span(points.rows).subspan(row * points.dimension, points.dimension), probe, tau);
}

}  // namespace diffphase::test
