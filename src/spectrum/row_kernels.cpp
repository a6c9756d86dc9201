#include "spectrum/row_kernels.hpp"

// The loops below are written once and compiled for several instruction sets; which one runs is decided when
// the program starts. Sums are reassociated over vector lanes ("omp simd"), nothing else is.
#define DIFFPHASE_INLINE inline __attribute__((always_inline))

namespace diffphase {

namespace {

constexpr std::int64_t line_bytes = 64;

template <typename T>
DIFFPHASE_INLINE void dot_loop(const RowBlock<T>& block, const double* v, double* out) {
  const std::int64_t n = block.columns;
  std::int64_t r = 0;
  for (; r + 4 <= block.rows; r += 4) {
    const T* y0 = block.first + r * n;
    const T* y1 = y0 + n;
    const T* y2 = y1 + n;
    const T* y3 = y2 + n;
    double s0 = 0.0;
    double s1 = 0.0;
    double s2 = 0.0;
    double s3 = 0.0;
#pragma omp simd reduction(+ : s0, s1, s2, s3)
    for (std::int64_t j = 0; j < n; ++j) {
      s0 += static_cast<double>(y0[j]) * v[j];
      s1 += static_cast<double>(y1[j]) * v[j];
      s2 += static_cast<double>(y2[j]) * v[j];
      s3 += static_cast<double>(y3[j]) * v[j];
    }
    out[r] = s0;
    out[r + 1] = s1;
    out[r + 2] = s2;
    out[r + 3] = s3;
  }
  for (; r < block.rows; ++r) {
    const T* y = block.first + r * n;
    double sum = 0.0;
#pragma omp simd reduction(+ : sum)
    for (std::int64_t j = 0; j < n; ++j) sum += static_cast<double>(y[j]) * v[j];
    out[r] = sum;
  }
}

// The columns [first, last) of four rows.
template <typename T>
DIFFPHASE_INLINE void add_four(const T* y, std::int64_t n, const double* f, std::int64_t first, std::int64_t last,
                               double* out) {
  const T* y0 = y;
  const T* y1 = y0 + n;
  const T* y2 = y1 + n;
  const T* y3 = y2 + n;
  const double f0 = f[0];
  const double f1 = f[1];
  const double f2 = f[2];
  const double f3 = f[3];
#pragma omp simd
  for (std::int64_t j = first; j < last; ++j) {
    out[j] += (f0 * static_cast<double>(y0[j]) + f1 * static_cast<double>(y1[j])) +
              (f2 * static_cast<double>(y2[j]) + f3 * static_cast<double>(y3[j]));
  }
}

template <typename T>
DIFFPHASE_INLINE void add_loop(const RowBlock<T>& block, const double* factors, std::int64_t ahead, double* out) {
  constexpr std::int64_t line = line_bytes / static_cast<std::int64_t>(sizeof(T));
  constexpr std::int64_t strip = 4 * line;
  const std::int64_t n = block.columns;
  std::int64_t r = 0;
  for (; r + 4 <= block.rows; r += 4) {
    const T* y = block.first + r * n;
    std::int64_t j = 0;
    for (; j + strip <= n; j += strip) {
      for (std::int64_t row = 0; row < 4; ++row) {
        for (std::int64_t i = 0; i < strip; i += line) __builtin_prefetch(y + row * n + j + i + ahead, 0, 2);
      }
      add_four(y, n, factors + r, j, j + strip, out);
    }
    add_four(y, n, factors + r, j, n, out);
  }
  for (; r < block.rows; ++r) {
    const T* y = block.first + r * n;
    const double f = factors[r];
#pragma omp simd
    for (std::int64_t j = 0; j < n; ++j) out[j] += f * static_cast<double>(y[j]);
  }
}

template <typename T>
struct Kernels {
  void (*dot)(const RowBlock<T>&, const double*, double*);
  void (*add)(const RowBlock<T>&, const double*, std::int64_t, double*);
};

// NOLINTBEGIN(bugprone-macro-parentheses): an attribute and part of a name
#define DIFFPHASE_KERNELS(suffix, attribute)                                                                      \
  template <typename T>                                                                                           \
  attribute void dot_##suffix(const RowBlock<T>& block, const double* v, double* out) {                           \
    dot_loop(block, v, out);                                                                                      \
  }                                                                                                               \
  template <typename T>                                                                                           \
  attribute void add_##suffix(const RowBlock<T>& block, const double* factors, std::int64_t ahead, double* out) { \
    add_loop(block, factors, ahead, out);                                                                         \
  }                                                                                                               \
  template <typename T>                                                                                           \
  constexpr Kernels<T> kernels_##suffix{dot_##suffix<T>, add_##suffix<T>};
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

template <typename T>
Kernels<T> widest_kernels() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")) {
    return kernels_avx512<T>;
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return kernels_avx2<T>;
#endif
  return kernels_baseline<T>;
}

const Kernels<double> double_kernels = widest_kernels<double>();
const Kernels<float> float_kernels = widest_kernels<float>();

}  // namespace

void dot_rows(const RowBlock<double>& block, const double* v, double* out) { double_kernels.dot(block, v, out); }
void dot_rows(const RowBlock<float>& block, const double* v, double* out) { float_kernels.dot(block, v, out); }

void add_rows(const RowBlock<double>& block, const double* factors, std::int64_t ahead, double* out) {
  double_kernels.add(block, factors, ahead, out);
}
void add_rows(const RowBlock<float>& block, const double* factors, std::int64_t ahead, double* out) {
  float_kernels.add(block, factors, ahead, out);
}

}  // namespace diffphase
