#include "spectrum/tall_singular_values.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <stdexcept>

#include "spectrum/dense_eigenvalues.hpp"
#include "spectrum/row_factorisation.hpp"

namespace diffphase {

namespace {

constexpr double epsilon = std::numeric_limits<double>::epsilon();

void check(std::int64_t columns, std::span<const double> rows, const TallSettings& settings) {
  if (columns < 1 || columns > largest_matrix || rows.size() % static_cast<std::size_t>(columns) != 0) {
    throw std::invalid_argument(fmt::format("singular values: {} numbers are not rows of 1 to {} columns ({})",
                                            rows.size(), largest_matrix, columns));
  }
  if (!(settings.accuracy > 0.0) || !(settings.floor >= 0.0)) {
    throw std::invalid_argument("singular values: accuracy must be positive and floor not negative");
  }
}

// Rows of the whole matrix and the squared Frobenius norm.
struct Extent {
  std::int64_t rows = 0;
  double squares = 0.0;
};

Extent extent(const TaskGroup& group, std::int64_t columns, std::span<const double> rows) {
  std::array<std::int64_t, 1> count{static_cast<std::int64_t>(rows.size()) / columns};
  std::array<double, 1> squares{0.0};
  for (const double x : rows) squares[0] += x * x;
  group.comm().sum(std::span(count));
  group.comm().sum(std::span(squares));
  group.comm().broadcast(std::span<double>(squares));
  return {count[0], squares[0]};
}

double ratio(double numerator, double denominator) {
  return denominator > 0.0 ? numerator / denominator : std::numeric_limits<double>::infinity();
}

// eps (s_1/s)^power of the smallest value s that is asked for; 4 of them, to be on the safe side.
double smallest_error(const std::vector<double>& values, double floor, int power) {
  const double largest = values.front();
  if (largest == 0.0) return 0.0;
  const double smallest = std::max(values.back(), floor * largest);
  return 4.0 * epsilon * std::pow(ratio(largest, smallest), power);
}

TallSingularValues result(std::vector<double> values, std::string method, double floor, int power, double frobenius) {
  TallSingularValues r{std::move(values), std::move(method), {}, 0.0, 0.0, frobenius};
  r.condition = ratio(r.values.front(), r.values.back());
  r.relative_error = smallest_error(r.values, floor, power);
  return r;
}

TallSingularValues by_gram(const TaskGroup& group, std::int64_t columns, std::span<const double> rows,
                           const TallSettings& settings, const Extent& whole) {
  std::vector<double> values = gram_eigenvalues(group, columns, rows);
  for (double& v : values) v = std::sqrt(v);
  values.resize(static_cast<std::size_t>(std::min(columns, whole.rows)));
  return result(std::move(values), "gram", settings.floor, 2, std::sqrt(whole.squares));
}

TallSingularValues by_tsqr(const TaskGroup& group, std::int64_t columns, std::span<const double> rows,
                           const TallSettings& settings, const Extent& whole) {
  std::vector<double> values = tsqr_singular_values(group, columns, rows);
  values.resize(static_cast<std::size_t>(std::min(columns, whole.rows)));
  return result(std::move(values), "tsqr", settings.floor, 1, std::sqrt(whole.squares));
}

}  // namespace

TallSingularValues tall_singular_values(const TaskGroup& group, std::int64_t columns, std::span<const double> rows,
                                        const TallSettings& settings) {
  group.run_guarded([&] { check(columns, rows, settings); });
  const Extent whole = extent(group, columns, rows);
  if (whole.rows == 0) throw std::invalid_argument("singular values: the matrix has no rows");
  if (!std::isfinite(whole.squares)) throw std::invalid_argument("singular values: the matrix is not finite");
  TallSingularValues found;
  if (settings.method != TallMethod::tsqr) {
    found = by_gram(group, columns, rows, settings, whole);
    if (settings.method == TallMethod::gram) {
      found.reason = "asked for";
      return found;
    }
    found.reason = fmt::format("condition {:.2g}: the Gram matrix gives {:.1g}, {:.1g} is asked for", found.condition,
                               found.relative_error, settings.accuracy);
    if (found.relative_error <= settings.accuracy) return found;
  }
  const std::string reason = settings.method == TallMethod::tsqr ? "asked for" : found.reason;
  found = by_tsqr(group, columns, rows, settings, whole);
  found.reason = reason;
  return found;
}

}  // namespace diffphase
