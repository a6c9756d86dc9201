#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "posterior/fused_softmax.hpp"

namespace diffphase::test {

/// Products with given D and E: no norms, no start.
inline CentredProducts products_of(std::vector<double> half_distance2, const std::vector<double>& noise_overlap) {
  const auto n = static_cast<std::int64_t>(half_distance2.size());
  for (double& d : half_distance2) d = -d;
  const std::vector<double> no_norms(half_distance2.size(), 0.0);
  CentredProducts products(n);
  products.fill(no_norms.data(), 0.0, half_distance2.data(), noise_overlap.data(), 0.0, n, -1);
  return products;
}

/// The sums of a reduction over `products`, in long double and term by term.
struct ExactSums {
  long double sum = 0.0L, weighted = 0.0L, squares = 0.0L, size_of_weighted = 0.0L;
  double largest = -std::numeric_limits<double>::infinity();

  template <typename Products>
  ExactSums(const Products& products, double distance, double overlap, double reference) {
    for (std::int64_t i = 0; i < products.size(); ++i) {
      const long double l = static_cast<long double>(overlap) * products.noise_overlap()[i] -
                            static_cast<long double>(distance) * products.half_distance2()[i];
      const long double w = std::exp(l - reference);
      sum += w;
      weighted += (l - reference) * w;
      size_of_weighted += std::abs(l - reference) * w;
      squares += w * w;
      largest = std::max(largest, static_cast<double>(l));
    }
  }
};

}  // namespace diffphase::test
