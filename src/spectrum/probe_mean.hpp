#pragma once

#include <span>

namespace diffphase {

/// A mean over independent probes.
struct ProbeMean {
  double value = 0.0;
  double standard_error = 0.0;  ///< infinite for a single probe, which says nothing about it
};

/// sum_p w_p v_p / sum_p w_p with the standard error of a ratio of means: the spread of w_p (v_p - mean) / mean(w).
/// `weights` empty: all equal. Local. Throws std::invalid_argument if there are no values, or fewer weights than
/// values.
[[nodiscard]] ProbeMean mean_over_probes(std::span<const double> values, std::span<const double> weights = {});

/// Square root of a mean of squares, with the error to first order; 0 +- 0 where the mean is 0.
[[nodiscard]] ProbeMean square_root(const ProbeMean& squares);

}  // namespace diffphase
