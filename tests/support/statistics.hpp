#pragma once

// When a measured mean agrees with what is expected of it: the same rule in every test.

#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace diffphase::test {

/// A mean and its standard error.
struct Estimate {
  double mean = 0.0;
  double error = 0.0;
};

/// Mean over independent units.
inline Estimate estimate(std::span<const double> units) {
  const auto n = static_cast<double>(units.size());
  Estimate result;
  for (const double u : units) result.mean += u / n;
  double squares = 0.0;
  for (const double u : units) squares += (u - result.mean) * (u - result.mean);
  result.error = std::sqrt(squares / (n * (n - 1.0)));
  return result;
}

/// The difference of two independent estimates.
inline Estimate difference(const Estimate& a, const Estimate& b) {
  return {.mean = a.mean - b.mean, .error = std::hypot(a.error, b.error)};
}

inline double standard_score(const Estimate& measured, const Estimate& expected) {
  const Estimate d = difference(measured, expected);
  return d.mean / d.error;
}

/// What the standard error does not know: in a saturated tail all of N samples may show the same value, while the
/// quantity, which varies over `range`, has an expectation of order range/N beside it.
struct Tail {
  double range = 1.0;
  double samples = 1.0;
  [[nodiscard]] double allowance() const { return 4.0 * range / samples; }
};

/// |measured - expected| <= 4 s + 4 range/N.
inline testing::AssertionResult agrees(const Estimate& measured, const Estimate& expected, const Tail& tail,
                                       double extra = 0.0) {
  const Estimate d = difference(measured, expected);
  const double allowed = 4.0 * d.error + tail.allowance() + extra;
  if (std::abs(d.mean) <= allowed) return testing::AssertionSuccess();
  return testing::AssertionFailure() << measured.mean << " is not " << expected.mean << ": difference " << d.mean
                                     << ", standard error " << d.error << ", allowed " << allowed;
}

/// A family of independent comparisons, each with its standard score. A wrong standard error, or a bias too small for
/// any single comparison, moves the mean of the squares away from 1.
class ScoreFamily {
 public:
  void add(double score) { scores_.push_back(score); }
  void add(const Estimate& measured, const Estimate& expected) { add(standard_score(measured, expected)); }

  [[nodiscard]] std::size_t size() const { return scores_.size(); }
  [[nodiscard]] double mean_square() const {
    double sum = 0.0;
    for (const double z : scores_) sum += z * z;
    return sum / static_cast<double>(scores_.size());
  }

  /// Mean square in [0.4, 2], of at least 20 scores none of which is beyond 4.
  void expect_standard(const std::string& name) const {
    ASSERT_GE(scores_.size(), 20U) << name;
    for (const double z : scores_) EXPECT_LE(std::abs(z), 4.0) << name;
    EXPECT_GE(mean_square(), 0.4) << name;
    EXPECT_LE(mean_square(), 2.0) << name;
    testing::Test::RecordProperty("mean_square_" + name, std::to_string(mean_square()));
  }

 private:
  std::vector<double> scores_;
};

}  // namespace diffphase::test
