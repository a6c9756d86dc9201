#pragma once

#include <cmath>
#include <limits>

#include "process/noising_process.hpp"

namespace diffphase {

/// Where the crossing E[Y] = 1/2 of planted probes lies above tau_C, the root of the entropy balance, on log tau: an
/// empirical fit, good to a quarter. `effective_dimension` is d_eff at tau_C, > 0.
[[nodiscard]] inline double collapse_shift_of_log_tau(double effective_dimension) { return 1.15 / effective_dimension; }

/// How far crossings of 3 to 99 points were seen off tau_C and this shift at most, on log tau: dense simulations of one
/// and of several classes in 2 to 200 dimensions. NaN for 100 points and more, where the fit's own quarter is larger.
[[nodiscard]] inline double collapse_tolerance_of_log_tau(double samples, double effective_dimension) {
  if (!(samples < 100.0)) return std::numeric_limits<double>::quiet_NaN();
  return 4.0 / (samples * samples) + 0.25 * collapse_shift_of_log_tau(effective_dimension);
}

/// The same about the shifted collapse at `tau` = tau_C, towards later times, on the clock.
[[nodiscard]] inline double shifted_collapse_tolerance(const NoisingProcess& process, double tau, double samples,
                                                       double effective_dimension) {
  const double expected = tau * std::exp(collapse_shift_of_log_tau(effective_dimension));
  const double off = collapse_tolerance_of_log_tau(samples, effective_dimension);
  return process.time_at(expected * std::exp(off)) - process.time_at(expected);
}

/// By how much the shift of the loss of a block of planted probes is smaller than that of the collapse, times d_eff
/// over h = s/(s + tau_C), s the variance of the block. The derivation (large d_eff) has 2: R_k is (1 - h_k)/sqrt(2 pi
/// d_eff) below what all blocks have in common. The correction is a fit to two blocks of 10 to 40 directions each, with
/// 20 to 162755 points, d_eff 4.5 to 18.
[[nodiscard]] inline double loss_shift_slope(double effective_dimension) {
  return std::fmax(0.0, 2.0 - 2.2 / std::sqrt(effective_dimension));
}

/// How far losses of planted probes were seen off tau_C and the shift with this slope, on log tau.
[[nodiscard]] inline double loss_tolerance_of_log_tau(double samples, double effective_dimension) {
  return 0.1 / effective_dimension + (samples < 100.0 ? 4.0 / (samples * samples) : 0.0);
}

}  // namespace diffphase
