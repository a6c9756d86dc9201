#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>

namespace diffphase {

/// The logit of component i of a mixture at x_t = a x_0 + b xi, from time-free numbers:
///
///   log w_i N(x_t; a y_i, v_i I) = offset + gain |xi|^2/2 + overlap E_i - distance D_i + log_common_density,
///   D_i = |y_i - x_0|^2 / 2,  E_i = xi . (y_i - x_0),  v_i = b^2 + a^2 sigma_i^2 = b^2 (1 + u_i)
///
/// with distance = a^2/v_i, overlap = a b/v_i, gain = u_i/(1 + u_i), offset = log w_i - (d/2) log(1 + u_i). Differences
/// keep the numbers small: for the training point that a probe starts at, D = E = 0, and what b^2 and xi give to all
/// components alike is left out, so that what they differ by is good to the rounding of d u and not of d. This is the
/// only place where a logit is defined.
struct LogitCoefficients {
  double distance = 0.0;
  double overlap = 0.0;
  double gain = 0.0;
  double offset = 0.0;

  [[nodiscard]] double logit(double half_distance2, double noise_overlap, double half_noise_norm2) const {
    return offset + gain * half_noise_norm2 + overlap * noise_overlap - distance * half_distance2;
  }
};

/// a = signal and b = noise of the process at the time, b > 0; sigma >= 0 the component's standard deviation. For a
/// point x that is not split into x_0 and xi use x_0 = x/a and xi = 0.
[[nodiscard]] inline LogitCoefficients logit_coefficients(double signal, double noise, double sigma, double log_weight,
                                                          std::int64_t dimension) {
  const double ratio = signal * sigma / noise;
  const double variance = noise * noise + signal * signal * sigma * sigma;
  return {.distance = signal * signal / variance,
          .overlap = signal * noise / variance,
          .gain = signal * signal * sigma * sigma / variance,
          .offset = log_weight - 0.5 * static_cast<double>(dimension) * std::log1p(ratio * ratio)};
}

/// What the logits of all components leave out: -(d/2) log(2 pi b^2) - |xi|^2/2.
[[nodiscard]] inline double log_common_density(double noise, std::int64_t dimension, double noise_norm2) {
  return -0.5 * static_cast<double>(dimension) * std::log(2.0 * std::numbers::pi * noise * noise) - 0.5 * noise_norm2;
}

}  // namespace diffphase
