#include "posterior/posterior_sums.hpp"

#include <algorithm>
#include <cmath>

namespace diffphase {

double rescaling(double from, double to) {
  return from == -std::numeric_limits<double>::infinity() ? 0.0 : std::exp(from - to);
}

PosteriorSums merge(const PosteriorSums& a, const PosteriorSums& b) {
  if (a.sum == 0.0) return {b.maximum, b.sum, b.weighted_logit, b.sum_of_squares, std::max(a.parent, b.parent)};
  if (b.sum == 0.0) return {a.maximum, a.sum, a.weighted_logit, a.sum_of_squares, std::max(a.parent, b.parent)};
  const double maximum = std::max(a.maximum, b.maximum);
  const double fa = std::exp(a.maximum - maximum);
  const double fb = std::exp(b.maximum - maximum);
  return {.maximum = maximum,
          .sum = fa * a.sum + fb * b.sum,
          .weighted_logit = fa * (a.weighted_logit + (a.maximum - maximum) * a.sum) +
                            fb * (b.weighted_logit + (b.maximum - maximum) * b.sum),
          .sum_of_squares = fa * fa * a.sum_of_squares + fb * fb * b.sum_of_squares,
          .parent = std::max(a.parent, b.parent)};
}

PosteriorSummary summarise(const PosteriorSums& sums) {
  const double log_sum = std::log(sums.sum);
  if (sums.sum == 0.0) {
    const double nan = std::numeric_limits<double>::quiet_NaN();
    return {nan, nan, nan, nan, nan};
  }
  return {.log_evidence = sums.maximum + log_sum,
          .participation = sums.sum_of_squares / (sums.sum * sums.sum),
          .entropy = std::max(0.0, log_sum - sums.weighted_logit / sums.sum),
          .parent_weight = std::exp(sums.parent - sums.maximum) / sums.sum,
          .largest_weight = 1.0 / sums.sum};
}

}  // namespace diffphase
