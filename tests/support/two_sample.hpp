#pragma once

// Whether two samples have one law: p-values of comparisons, and the rule that rejects.

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "support/statistics.hpp"

namespace diffphase::test {

/// Probability that |N(0, 1)| exceeds |score|; 1 where the score is 0/0.
inline double normal_p_value(double score) {
  return std::isnan(score) ? 1.0 : std::erfc(std::abs(score) / std::sqrt(2.0));
}

/// Asymptotic p-value of a Kolmogorov-Smirnov distance whose samples together count as `effective` values.
inline double kolmogorov_p_value(double distance, double effective) {
  const double lambda = (std::sqrt(effective) + 0.12 + 0.11 / std::sqrt(effective)) * distance;
  if (lambda < 0.2) return 1.0;
  double sum = 0.0;
  for (int k = 1; k <= 100; ++k) sum += (k % 2 == 1 ? 2.0 : -2.0) * std::exp(-2.0 * k * k * lambda * lambda);
  return std::clamp(sum, 0.0, 1.0);
}

/// Two samples of independent values, ties allowed (then on the safe side); 0 if there is a NaN.
inline double two_sample_p_value(std::vector<double> a, std::vector<double> b) {
  const auto is_nan = [](double value) { return std::isnan(value); };
  if (std::any_of(a.begin(), a.end(), is_nan) || std::any_of(b.begin(), b.end(), is_nan)) return 0.0;
  std::sort(a.begin(), a.end());
  std::sort(b.begin(), b.end());
  const auto n = static_cast<double>(a.size());
  const auto m = static_cast<double>(b.size());
  double distance = 0.0;
  for (std::size_t i = 0, j = 0; i < a.size() && j < b.size();) {
    const double x = std::min(a[i], b[j]);
    while (i < a.size() && a[i] <= x) ++i;
    while (j < b.size() && b[j] <= x) ++j;
    distance = std::max(distance, std::abs(static_cast<double>(i) / n - static_cast<double>(j) / m));
  }
  return kolmogorov_p_value(distance, n * m / (n + m));
}

/// One sample against the law whose distribution function is `below`.
template <typename Function>
double one_sample_p_value(std::vector<double> a, const Function& below) {
  std::sort(a.begin(), a.end());
  const auto n = static_cast<double>(a.size());
  double distance = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double f = below(a[i]);
    distance = std::max({distance, f - static_cast<double>(i) / n, static_cast<double>(i + 1) / n - f});
  }
  return kolmogorov_p_value(distance, n);
}

/// (value - mean)^2 of each: their mean is the variance, with an error of its own.
inline std::vector<double> squared_deviations(std::vector<double> values) {
  const double centre = estimate(values).mean;
  for (double& value : values) value = (value - centre) * (value - centre);
  return values;
}

/// p-values of many comparisons: rejected if the least is below 1e-4 over their number.
class Comparisons {
 public:
  void add(double p_value, const std::string& what) {
    ++number_;
    if (p_value >= least_) return;
    least_ = p_value;
    what_ = what;
  }
  void add_means(const Estimate& a, const Estimate& b, const std::string& what) {
    add(normal_p_value(standard_score(a, b)), what);
  }

  [[nodiscard]] bool rejected() const { return least_ < 1e-4 / static_cast<double>(number_); }
  [[nodiscard]] std::string worst() const {
    return what_ + ": p = " + std::to_string(least_) + " of " + std::to_string(number_);
  }

 private:
  std::size_t number_ = 0;
  double least_ = std::numeric_limits<double>::infinity();
  std::string what_;
};

}  // namespace diffphase::test
