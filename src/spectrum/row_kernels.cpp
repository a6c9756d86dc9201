#include "spectrum/row_kernels.hpp"

// The loops below are written once and compiled for several instruction sets; which one runs is decided when
// the program starts. Sums are reassociated over vector lanes ("omp simd"), nothing else is.
#define DIFFPHASE_INLINE inline __attribute__((always_inline))

namespace diffphase {

namespace {

constexpr std::int64_t group_rows = 4;      // that share a pass over a vector
constexpr std::int64_t bytes_ahead = 2048;  // of a row, to be fetched

// The columns [first, last) of four rows: adds their products with v to sums.
template <typename T>
DIFFPHASE_INLINE void dot_four(const T* y, std::int64_t n, const double* v, std::int64_t first, std::int64_t last,
                               double* sums) {
  const T* y0 = y;
  const T* y1 = y0 + n;
  const T* y2 = y1 + n;
  const T* y3 = y2 + n;
  double s0 = 0.0;
  double s1 = 0.0;
  double s2 = 0.0;
  double s3 = 0.0;
#pragma omp simd reduction(+ : s0, s1, s2, s3)
  for (std::int64_t j = first; j < last; ++j) {
    s0 += static_cast<double>(y0[j]) * v[j];
    s1 += static_cast<double>(y1[j]) * v[j];
    s2 += static_cast<double>(y2[j]) * v[j];
    s3 += static_cast<double>(y3[j]) * v[j];
  }
  sums[0] += s0;
  sums[1] += s1;
  sums[2] += s2;
  sums[3] += s3;
}

template <typename T>
DIFFPHASE_INLINE double dot_one(const T* y, std::int64_t n, const double* v) {
  double sum = 0.0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t j = 0; j < n; ++j) sum += static_cast<double>(y[j]) * v[j];
  return sum;
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
DIFFPHASE_INLINE void add_one(const T* y, std::int64_t n, double f, double* out) {
#pragma omp simd
  for (std::int64_t j = 0; j < n; ++j) out[j] += f * static_cast<double>(y[j]);
}

template <typename T>
DIFFPHASE_INLINE void dot_loop(const RowBlock<T>& block, const double* v, double* dots) {
  const std::int64_t n = block.columns;
  std::int64_t r = 0;
  for (; r + group_rows <= block.rows; r += group_rows) {
    for (std::int64_t i = r; i < r + group_rows; ++i) dots[i] = 0.0;
    dot_four(block.first + r * n, n, v, 0, n, dots + r);
  }
  for (; r < block.rows; ++r) dots[r] = dot_one(block.first + r * n, n, v);
}

template <typename T>
DIFFPHASE_INLINE void add_loop(const RowBlock<T>& block, const double* factors, double* out) {
  const std::int64_t n = block.columns;
  std::int64_t r = 0;
  for (; r + group_rows <= block.rows; r += group_rows) add_four(block.first + r * n, n, factors + r, 0, n, out);
  for (; r < block.rows; ++r) add_one(block.first + r * n, n, factors[r], out);
}

template <typename T>
DIFFPHASE_INLINE RowBlock<T> rows_from(const RowBlock<T>& block, std::int64_t r) {
  return {block.first + r * block.columns, block.rows - r, block.columns};
}

template <typename T>
DIFFPHASE_INLINE void dot_and_add_loop(const RowBlock<T>& next, const double* v, double* dots, const RowBlock<T>& last,
                                       const double* factors, double* out) {
  constexpr std::int64_t line = 64 / static_cast<std::int64_t>(sizeof(T));
  constexpr std::int64_t strip = 4 * line;
  constexpr std::int64_t ahead = bytes_ahead / static_cast<std::int64_t>(sizeof(T));
  const std::int64_t n = next.columns;
  std::int64_t r = 0;
  for (; r + group_rows <= next.rows && r + group_rows <= last.rows; r += group_rows) {
    const T* y = next.first + r * n;
    const T* z = last.first + r * n;
    double sums[group_rows] = {};
    std::int64_t j = 0;
    for (; j + strip <= n; j += strip) {
      // Past the end of these rows come the rows of the next group.
      const std::int64_t soon = j + ahead < n ? j + ahead : j + ahead + (group_rows - 1) * n;
      for (std::int64_t row = 0; row < group_rows; ++row) {
        for (std::int64_t i = 0; i < strip; i += line) __builtin_prefetch(y + row * n + soon + i, 0, 3);
      }
      dot_four(y, n, v, j, j + strip, sums);
      add_four(z, n, factors + r, j, j + strip, out);
    }
    dot_four(y, n, v, j, n, sums);
    add_four(z, n, factors + r, j, n, out);
    for (std::int64_t row = 0; row < group_rows; ++row) dots[r + row] = sums[row];
  }
  dot_loop(rows_from(next, r), v, dots + r);
  add_loop(rows_from(last, r), factors + r, out);
}

template <typename T>
struct Kernels {
  void (*dot)(const RowBlock<T>&, const double*, double*);
  void (*add)(const RowBlock<T>&, const double*, double*);
  void (*dot_and_add)(const RowBlock<T>&, const double*, double*, const RowBlock<T>&, const double*, double*);
};

// NOLINTBEGIN(bugprone-macro-parentheses): an attribute and part of a name
#define DIFFPHASE_KERNELS(suffix, attribute)                                                                           \
  template <typename T>                                                                                                \
  attribute void dot_##suffix(const RowBlock<T>& block, const double* v, double* dots) {                               \
    dot_loop(block, v, dots);                                                                                          \
  }                                                                                                                    \
  template <typename T>                                                                                                \
  attribute void add_##suffix(const RowBlock<T>& block, const double* factors, double* out) {                          \
    add_loop(block, factors, out);                                                                                     \
  }                                                                                                                    \
  template <typename T>                                                                                                \
  attribute void dot_and_add_##suffix(const RowBlock<T>& next, const double* v, double* dots, const RowBlock<T>& last, \
                                      const double* factors, double* out) {                                            \
    dot_and_add_loop(next, v, dots, last, factors, out);                                                               \
  }                                                                                                                    \
  template <typename T>                                                                                                \
  constexpr Kernels<T> kernels_##suffix{dot_##suffix<T>, add_##suffix<T>, dot_and_add_##suffix<T>};
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

void dot_rows(const RowBlock<double>& block, const double* v, double* dots) { double_kernels.dot(block, v, dots); }
void dot_rows(const RowBlock<float>& block, const double* v, double* dots) { float_kernels.dot(block, v, dots); }

void add_rows(const RowBlock<double>& block, const double* factors, double* out) {
  double_kernels.add(block, factors, out);
}
void add_rows(const RowBlock<float>& block, const double* factors, double* out) {
  float_kernels.add(block, factors, out);
}

void dot_and_add_rows(const RowBlock<double>& next, const double* v, double* dots, const RowBlock<double>& last,
                      const double* factors, double* out) {
  double_kernels.dot_and_add(next, v, dots, last, factors, out);
}
void dot_and_add_rows(const RowBlock<float>& next, const double* v, double* dots, const RowBlock<float>& last,
                      const double* factors, double* out) {
  float_kernels.dot_and_add(next, v, dots, last, factors, out);
}

}  // namespace diffphase
