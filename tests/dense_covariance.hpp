#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "ensemble/gaussian_mixture.hpp"
#include "spectrum/dense_eigenvalues.hpp"

namespace diffphase::test {

/// Largest eigenvalue of the covariance about the mean, divided by n, of the first n = `count` rows of a
/// training set: the d x d matrix is made from its definition.
inline double dense_covariance_eigenvalue(const GaussianMixture& mixture, std::int64_t count) {
  const auto d = static_cast<std::size_t>(mixture.dimension());
  const auto n = static_cast<std::size_t>(count);
  std::vector<double> rows(n * d);
  std::vector<double> mean(d, 0.0);
  for (std::size_t r = 0; r < n; ++r) {
    const auto row = std::span(rows).subspan(r * d, d);
    mixture.sample(static_cast<std::int64_t>(r), 0, row);
    for (std::size_t i = 0; i < d; ++i) mean[i] += row[i] / static_cast<double>(n);
  }
  std::vector<double> covariance(d * d, 0.0);
  for (std::size_t r = 0; r < n; ++r) {
    for (std::size_t i = 0; i < d; ++i) {
      const double centred = (rows[r * d + i] - mean[i]) / static_cast<double>(n);
      for (std::size_t j = 0; j < d; ++j) covariance[i * d + j] += centred * (rows[r * d + j] - mean[j]);
    }
  }
  return dense_largest_eigenvalue(covariance);
}

}  // namespace diffphase::test
