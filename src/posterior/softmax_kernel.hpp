#pragma once

#include <cstdint>

#include "posterior/posterior_sums.hpp"

namespace diffphase {

/// out[i] = overlap * noise_overlap[i] - distance * half_distance2[i]; returns the largest. n >= 1.
[[nodiscard]] double shared_logits(const double* half_distance2, const double* noise_overlap, std::int64_t n,
                                   double distance, double overlap, double* out);

/// LogitCoefficients of consecutive components, an array of each.
struct LogitTable {
  const double* distance = nullptr;
  const double* overlap = nullptr;
  const double* gain = nullptr;
  const double* offset = nullptr;
};

/// out[i] = offset[i] + gain[i] * half_noise_norm2 + overlap[i] * noise_overlap[i] - distance[i] * half_distance2[i];
/// the largest. n >= 1.
[[nodiscard]] double general_logits(const double* half_distance2, const double* noise_overlap, std::int64_t n,
                                    const LogitTable& table, double half_noise_norm2, double* out);

/// PosteriorSums of n logits with the given maximum (`parent` is left empty); weights[i] = e^(l_i - maximum)
/// as well. Runs the widest of the compiled instruction sets (AVX-512, AVX2 with FMA, baseline) that the
/// processor has.
[[nodiscard]] PosteriorSums softmax_sums(const double* logits, std::int64_t n, double maximum, double* weights);

}  // namespace diffphase
