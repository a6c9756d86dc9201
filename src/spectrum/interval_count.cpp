#include "spectrum/interval_count.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <stdexcept>
#include <vector>

#include "spectrum/dense_eigenvalues.hpp"
#include "spectrum/formed_matrix.hpp"

namespace diffphase {

namespace {

double largest_row_sum(const std::vector<double>& matrix, std::size_t n) {
  double largest = 0.0;
  for (std::size_t i = 0; i < n; ++i) {
    double sum = 0.0;
    for (std::size_t j = 0; j < n; ++j) sum += std::abs(matrix[i * n + j]);
    if (!std::isfinite(sum)) throw std::runtime_error("count of eigenvalues: the operator yields infinite numbers");
    largest = std::max(largest, sum);
  }
  return largest;
}

// Rounding errors of the factorisations as a shift of the matrix.
double rounding_of(const std::vector<double>& matrix, int n) {
  const double norm = largest_row_sum(matrix, static_cast<std::size_t>(n));
  return 4.0 * n * std::numeric_limits<double>::epsilon() * std::max(norm, 1e-300);
}

}  // namespace

const char* name(CountMethod method) {
  switch (method) {
    case CountMethod::inertia:
      return "inertia";
    case CountMethod::density:
      return "density";
    default:
      return "automatic";
  }
}

CountEstimate count_by_inertia(const TaskGroup& group, const SymmetricOperator& op, double lower, double upper) {
  if (!(lower < upper)) throw std::invalid_argument("count of eigenvalues: an interval needs its ends in order");
  if (op.size > max_inertia_size) {
    throw std::invalid_argument(fmt::format("count of eigenvalues: {} dimensions are too many to factorise", op.size));
  }
  const std::vector<double> matrix = formed_matrix(group, op);
  const auto n = static_cast<int>(op.size);
  double rounding = 0.0;
  group.run_guarded([&] {
    if (group.comm().is_root()) rounding = rounding_of(matrix, n);
  });
  // Below lower - rounding, lower + rounding, upper - rounding, upper + rounding.
  std::array<std::int64_t, 4> below{};
  for (std::size_t i = 0; i < below.size(); ++i) {
    group.run_guarded([&] {
      const double x = (i < 2 ? lower : upper) + (i % 2 == 0 ? -rounding : rounding);
      if (group.comm().is_root()) below[i] = eigenvalues_below(matrix, x);
    });
  }
  group.comm().broadcast(std::span<std::int64_t>(below));
  const auto least = static_cast<double>(std::max<std::int64_t>(0, below[2] - below[1]));
  const auto most = static_cast<double>(below[3] - below[0]);
  return {0.5 * (least + most), 0.0, 0.0, 0.5 * (most - least)};
}

IntervalCount count_eigenvalues(const TaskGroup& group, const SymmetricOperator& op, double lower, double upper,
                                const RandomStream& stream, const DensitySettings& settings,
                                const DeflatedSpace& deflated, CountMethod method) {
  const bool asked = method != CountMethod::automatic;
  const bool small = op.size <= max_inertia_size;
  if (method == CountMethod::inertia || (!asked && small)) {
    return {count_by_inertia(group, op, lower, upper), CountMethod::inertia,
            asked ? "asked for"
                  : fmt::format("{} dimensions, at most {}: the matrix can be factorised", op.size, max_inertia_size)};
  }
  return {spectral_density(group, op, stream, settings, deflated).count(lower, upper), CountMethod::density,
          asked ? "asked for"
                : fmt::format("{} dimensions, more than {}: only products are affordable", op.size, max_inertia_size)};
}

}  // namespace diffphase
