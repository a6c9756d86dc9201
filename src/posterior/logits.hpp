#pragma once

#include <cmath>
#include <cstdint>

namespace diffphase {

/// The logit of component i of a mixture at x_t = a x_0 + b xi, from time-free numbers:
///
///   log w_i N(x_t; a y_i, v_i I) = offset + overlap E_i - distance D_i - (d/2) log(2 pi),
///   D_i = |y_i - x_0|^2 / 2,  E_i = xi . (y_i - x_0),  v_i = b^2 + a^2 sigma_i^2
///
/// with distance = a^2/v_i, overlap = a b/v_i, offset = log w_i - (d/2) log v_i - b^2 |xi|^2/(2 v_i). The
/// difference to x_0 keeps the numbers small: for the training point that a probe starts at, D = E = 0. This
/// is the only place where a logit is defined.
struct LogitCoefficients {
  double distance = 0.0;
  double overlap = 0.0;
  double offset = 0.0;

  [[nodiscard]] double logit(double half_distance2, double noise_overlap) const {
    return offset + overlap * noise_overlap - distance * half_distance2;
  }
};

/// a = signal and b = noise of the process at the time; sigma >= 0 the component's standard deviation (v > 0
/// needed); noise_norm2 = |xi|^2. For a point x that is not split into x_0 and xi use x_0 = x/a and xi = 0.
[[nodiscard]] inline LogitCoefficients logit_coefficients(double signal, double noise, double sigma, double log_weight,
                                                          std::int64_t dimension, double noise_norm2) {
  const double variance = noise * noise + signal * signal * sigma * sigma;
  return {.distance = signal * signal / variance,
          .overlap = signal * noise / variance,
          .offset = log_weight - 0.5 * static_cast<double>(dimension) * std::log(variance) -
                    noise * noise * noise_norm2 / (2.0 * variance)};
}

}  // namespace diffphase
