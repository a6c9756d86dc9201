#include "posterior/posterior_sums.hpp"

#include <algorithm>
#include <cmath>

namespace diffphase {

double rescaling(double from, double to) {
  if (from == -std::numeric_limits<double>::infinity()) return 0.0;
  return from == to ? 1.0 : std::exp(from - to);
}

PosteriorSums merge(const PosteriorSums& a, const PosteriorSums& b) {
  PosteriorSums both = a.sum == 0.0 ? b : a;
  if (a.sum != 0.0 && b.sum != 0.0) {
    both.reference = std::max(a.reference, b.reference);
    const double fa = rescaling(a.reference, both.reference);
    const double fb = rescaling(b.reference, both.reference);
    both.sum = fa * a.sum + fb * b.sum;
    both.weighted_logit = fa * (a.weighted_logit + (a.reference - both.reference) * a.sum) +
                          fb * (b.weighted_logit + (b.reference - both.reference) * b.sum);
    both.sum_of_squares = fa * fa * a.sum_of_squares + fb * fb * b.sum_of_squares;
  }
  both.largest = std::max(a.largest, b.largest);
  both.parent = std::max(a.parent, b.parent);
  return both;
}

PosteriorSummary summarise(const PosteriorSums& sums) {
  const double log_sum = std::log(sums.sum);
  if (sums.sum == 0.0) {
    const double nan = std::numeric_limits<double>::quiet_NaN();
    return {nan, nan, nan, nan, nan};
  }
  return {.log_evidence = sums.reference + log_sum,
          .participation = sums.sum_of_squares / (sums.sum * sums.sum),
          .entropy = std::max(0.0, log_sum - sums.weighted_logit / sums.sum),
          .parent_weight = std::exp(sums.parent - sums.reference) / sums.sum,
          .largest_weight = std::exp(sums.largest - sums.reference) / sums.sum};
}

}  // namespace diffphase
