#include "posterior/softmax_kernel.hpp"

#include "posterior/exponential.hpp"

// The loops below are written once and compiled for several instruction sets; which one runs is decided when
// the program starts. Sums are reassociated over vector lanes ("omp simd"), nothing else is.
#define DIFFPHASE_INLINE inline __attribute__((always_inline))

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
                                            const double* distance, const double* overlap, const double* offset,
                                            double shift, double* out) {
  double largest = offset[0] + overlap[0] * noise_overlap[0] - distance[0] * (half_distance2[0] + shift);
#pragma omp simd reduction(max : largest)
  for (std::int64_t i = 0; i < n; ++i) {
    const double logit = offset[i] + overlap[i] * noise_overlap[i] - distance[i] * (half_distance2[i] + shift);
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
#define DIFFPHASE_KERNELS(suffix, attribute)                                                                         \
  attribute double shared_logits_##suffix(const double* d, const double* e, std::int64_t n, double distance,         \
                                          double overlap, double* out) {                                             \
    return shared_logits_loop(d, e, n, distance, overlap, out);                                                      \
  }                                                                                                                  \
  attribute double general_logits_##suffix(const double* d, const double* e, std::int64_t n, const double* distance, \
                                           const double* overlap, const double* offset, double shift, double* out) { \
    return general_logits_loop(d, e, n, distance, overlap, offset, shift, out);                                      \
  }                                                                                                                  \
  attribute PosteriorSums softmax_sums_##suffix(const double* logits, std::int64_t n, double maximum,                \
                                                double* weights) {                                                   \
    return softmax_sums_loop(logits, n, maximum, weights);                                                           \
  }                                                                                                                  \
  constexpr Kernels kernels_##suffix{shared_logits_##suffix, general_logits_##suffix, softmax_sums_##suffix};
// NOLINTEND(bugprone-macro-parentheses)

DIFFPHASE_KERNELS(baseline, )
#if defined(__x86_64__)
DIFFPHASE_KERNELS(avx2, __attribute__((target("avx2,fma"))))
#if defined(__clang__)
DIFFPHASE_KERNELS(avx512, __attribute__((target("avx512f,avx512dq,avx512vl,fma"), min_vector_width(512))))
#else
DIFFPHASE_KERNELS(avx512, __attribute__((target("avx512f,avx512dq,avx512vl,fma,prefer-vector-width=512"))))
#endif
#endif

Kernels widest_kernels() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")) {
    return kernels_avx512;
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return kernels_avx2;
#endif
  return kernels_baseline;
}

const Kernels kernels = widest_kernels();

}  // namespace

double shared_logits(const double* half_distance2, const double* noise_overlap, std::int64_t n, double distance,
                     double overlap, double* out) {
  return kernels.shared(half_distance2, noise_overlap, n, distance, overlap, out);
}

double general_logits(const double* half_distance2, const double* noise_overlap, std::int64_t n, const double* distance,
                      const double* overlap, const double* offset, double shift, double* out) {
  return kernels.general(half_distance2, noise_overlap, n, distance, overlap, offset, shift, out);
}

PosteriorSums softmax_sums(const double* logits, std::int64_t n, double maximum, double* weights) {
  return kernels.sums(logits, n, maximum, weights);
}

}  // namespace diffphase
