#include "posterior/softmax_kernel.hpp"

#include <limits>

#include "parallel/instruction_set.hpp"
#include "posterior/exponential.hpp"

// Sums are reassociated over vector lanes ("omp simd"), nothing else is.

namespace diffphase {

namespace {

DIFFPHASE_INLINE double shared_logits_loop(const double* half_distance2, const double* noise_overlap, std::int64_t n,
                                           double distance, double overlap, double* out) {
  double largest = overlap * noise_overlap[0] - distance * half_distance2[0];
#pragma omp simd reduction(max : largest)
  for (std::int64_t i = 0; i < n; ++i) {
    const double logit = overlap * noise_overlap[i] - distance * half_distance2[i];
    out[i] = logit;
    largest = logit > largest ? logit : largest;
  }
  return largest;
}

DIFFPHASE_INLINE double general_logits_loop(const double* half_distance2, const double* noise_overlap, std::int64_t n,
                                            const LogitTable& table, double half_noise_norm2, double* out) {
  const double* distance = table.distance;
  const double* overlap = table.overlap;
  const double* gain = table.gain;
  const double* offset = table.offset;
  double largest = -std::numeric_limits<double>::infinity();
#pragma omp simd reduction(max : largest)
  for (std::int64_t i = 0; i < n; ++i) {
    const double logit =
        offset[i] + gain[i] * half_noise_norm2 + overlap[i] * noise_overlap[i] - distance[i] * half_distance2[i];
    out[i] = logit;
    largest = logit > largest ? logit : largest;
  }
  return largest;
}

DIFFPHASE_INLINE PosteriorSums softmax_sums_loop(const double* logits, std::int64_t n, double maximum,
                                                 double* weights) {
  double sum = 0.0;
  double weighted = 0.0;
  double squares = 0.0;
#pragma omp simd reduction(+ : sum, weighted, squares)
  for (std::int64_t i = 0; i < n; ++i) {
    const double shifted = logits[i] - maximum;
    const double weight = exp_nonpositive(shifted);
    weights[i] = weight;
    sum += weight;
    weighted += shifted * weight;
    squares += weight * weight;
  }
  PosteriorSums sums;
  sums.reference = maximum;
  sums.largest = maximum;
  sums.sum = sum;
  sums.weighted_logit = weighted;
  sums.sum_of_squares = squares;
  return sums;
}

struct Kernels {
  decltype(&shared_logits) shared;
  decltype(&general_logits) general;
  decltype(&softmax_sums) sums;
};

// NOLINTBEGIN(bugprone-macro-parentheses): an attribute and part of a name
#define DIFFPHASE_KERNELS(suffix, attribute)                                                                          \
  attribute double shared_logits_##suffix(const double* d, const double* e, std::int64_t n, double distance,          \
                                          double overlap, double* out) {                                              \
    return shared_logits_loop(d, e, n, distance, overlap, out);                                                       \
  }                                                                                                                   \
  attribute double general_logits_##suffix(const double* d, const double* e, std::int64_t n, const LogitTable& table, \
                                           double half_noise_norm2, double* out) {                                    \
    return general_logits_loop(d, e, n, table, half_noise_norm2, out);                                                \
  }                                                                                                                   \
  attribute PosteriorSums softmax_sums_##suffix(const double* logits, std::int64_t n, double maximum,                 \
                                                double* weights) {                                                    \
    return softmax_sums_loop(logits, n, maximum, weights);                                                            \
  }                                                                                                                   \
  constexpr Kernels kernels_##suffix{shared_logits_##suffix, general_logits_##suffix, softmax_sums_##suffix};
// NOLINTEND(bugprone-macro-parentheses)

DIFFPHASE_FOR_EACH_INSTRUCTION_SET(DIFFPHASE_KERNELS)

const Kernels kernels = DIFFPHASE_CHOOSE(kernels, widest_instruction_set());

}  // namespace

double shared_logits(const double* half_distance2, const double* noise_overlap, std::int64_t n, double distance,
                     double overlap, double* out) {
  return kernels.shared(half_distance2, noise_overlap, n, distance, overlap, out);
}

double general_logits(const double* half_distance2, const double* noise_overlap, std::int64_t n,
                      const LogitTable& table, double half_noise_norm2, double* out) {
  return kernels.general(half_distance2, noise_overlap, n, table, half_noise_norm2, out);
}

PosteriorSums softmax_sums(const double* logits, std::int64_t n, double maximum, double* weights) {
  return kernels.sums(logits, n, maximum, weights);
}

}  // namespace diffphase
