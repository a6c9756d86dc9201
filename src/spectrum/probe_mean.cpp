#include "spectrum/probe_mean.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <stdexcept>

namespace diffphase {

ProbeMean mean_over_probes(std::span<const double> values, std::span<const double> weights) {
  const std::size_t n = values.size();
  if (n == 0 || (!weights.empty() && weights.size() != n)) {
    throw std::invalid_argument("the mean over probes needs values, and one weight for each or none");
  }
  const auto weight = [&](std::size_t p) { return weights.empty() ? 1.0 : weights[p]; };
  double total = 0.0;
  double sum = 0.0;
  for (std::size_t p = 0; p < n; ++p) {
    total += weight(p);
    sum += weight(p) * values[p];
  }
  ProbeMean mean{sum / total, std::numeric_limits<double>::infinity()};
  if (n == 1) return mean;
  double squares = 0.0;
  for (std::size_t p = 0; p < n; ++p) squares += std::pow(weight(p) * (values[p] - mean.value), 2);
  const auto count = static_cast<double>(n);
  mean.standard_error = std::sqrt(squares * count / (count - 1.0)) / total;
  return mean;
}

ProbeMean square_root(const ProbeMean& squares) {
  const double root = std::sqrt(std::max(0.0, squares.value));
  return {root, root > 0.0 ? 0.5 * squares.standard_error / root : 0.0};
}

}  // namespace diffphase
