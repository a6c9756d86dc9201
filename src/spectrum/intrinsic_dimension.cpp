#include "spectrum/intrinsic_dimension.hpp"

#include <algorithm>
#include <cstddef>
#include <functional>
#include <limits>
#include <stdexcept>
#include <vector>

namespace diffphase {

IntrinsicDimension dimension_by_largest_gap(std::span<const double> singular_values, std::int64_t columns) {
  if (singular_values.empty() || static_cast<std::int64_t>(singular_values.size()) > columns ||
      !std::is_sorted(singular_values.begin(), singular_values.end(), std::greater<>())) {
    throw std::invalid_argument("intrinsic dimension: singular values must descend, at most one per column");
  }
  std::vector<double> s(singular_values.begin(), singular_values.end());
  s.resize(static_cast<std::size_t>(columns), 0.0);
  IntrinsicDimension found{1, s.front(), s.front()};
  for (std::size_t i = 0; i + 1 < s.size(); ++i) {
    if (i == 0 || s[i] - s[i + 1] > found.above - found.below) {
      found = {columns - static_cast<std::int64_t>(i) - 1, s[i], s[i + 1]};
    }
  }
  return found;
}

IntrinsicDimension dimension_of_score_by_largest_gap(std::span<const double> eigenvalues) {
  std::vector<double> descending(eigenvalues.begin(), eigenvalues.end());
  std::sort(descending.begin(), descending.end(), std::greater<>());
  return dimension_by_largest_gap(descending, static_cast<std::int64_t>(descending.size()));
}

IntrinsicDimension dimension_by_threshold(std::span<const double> eigenvalues, double threshold) {
  constexpr double none = std::numeric_limits<double>::quiet_NaN();
  IntrinsicDimension found{0, none, none};
  for (const double x : eigenvalues) {
    if (x < threshold) {
      ++found.dimension;
      if (!(found.below >= x)) found.below = x;
    } else if (!(found.above <= x)) {
      found.above = x;
    }
  }
  return found;
}

}  // namespace diffphase
