#include "spectrum/row_kernels.hpp"

#include <algorithm>

#include "parallel/instruction_set.hpp"
#include "parallel/vector_lanes.hpp"

// Sums are reassociated over vector lanes, nothing else is.

namespace diffphase {

namespace {

// Vectors of Width doubles: those of the instruction set, which compilers split wider ones badly into.
template <int Width>
using Lanes = typename VectorOf<double, Width>::Lanes;

template <typename T>
constexpr std::int64_t line = 64 / static_cast<std::int64_t>(sizeof(T));  // numbers that are fetched together
constexpr std::int64_t strip = 1024;  // columns that stay in the first-level cache for all rows of a pass
template <typename T>
constexpr std::int64_t ahead = 32 * line<T>;  // numbers between what is used of a row and what is fetched

// Rows that are read side by side: as many as have their sums, and for one vector their factors, in registers.
constexpr int least_group = 4;
template <int V, int Width>
constexpr int widest_group = V == 1 && Width == width_avx512 ? 8 : least_group;

template <int Width>
DIFFPHASE_INLINE Lanes<Width> load(const double* from) {
  return load_lanes<double, Width>(from);
}
// One by one, which GCC makes one instruction of; __builtin_convertvector it splits into halves.
template <int Width>
DIFFPHASE_INLINE Lanes<Width> load(const float* from) {
  Lanes<Width> to;
  for (int i = 0; i < Width; ++i) to[i] = static_cast<double>(from[i]);
  return to;
}

// What the kernels of one call share: blocks of rows and vectors of n columns.
template <typename T>
struct Pass {
  std::int64_t n;
  std::int64_t stride;  // between rows
  const T* next;
  const double* in;
  const T* last;
  double* out;
};

// Adds the products of Rows rows with V vectors over the columns [first, end) to sums[v][row].
template <typename T, int V, int Rows, int Width>
DIFFPHASE_INLINE void dot_strip(const Pass<T>& pass, std::int64_t row, std::int64_t first, std::int64_t end,
                                Lanes<Width> (&kept)[V][Rows]) {
  const std::int64_t n = pass.n;
  const std::int64_t stride = pass.stride;
  const T* y = pass.next + row * stride;
  Lanes<Width> sums[V][Rows];
  for (int v = 0; v < V; ++v) {
    for (int r = 0; r < Rows; ++r) sums[v][r] = kept[v][r];
  }
  for (std::int64_t begin = first; begin < end; begin += line<T>) {
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) __builtin_prefetch(y + r * stride + begin + ahead<T>, 0, 2);
#pragma GCC unroll 4
    for (std::int64_t j = begin; j < begin + line<T>; j += Width) {
      Lanes<Width> rows[Rows];
#pragma GCC unroll 8
      for (int r = 0; r < Rows; ++r) rows[r] = load<Width>(y + r * stride + j);
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) {
        const Lanes<Width> x = load<Width>(pass.in + v * n + j);
#pragma GCC unroll 8
        for (int r = 0; r < Rows; ++r) sums[v][r] += rows[r] * x;
      }
    }
  }
  for (int v = 0; v < V; ++v) {
    for (int r = 0; r < Rows; ++r) kept[v][r] = sums[v][r];
  }
}

// Adds Rows rows, by factors[v][row] with `stride` numbers between vectors, to the columns [first, end) of V vectors.
template <typename T, int V, int Rows, int Width>
DIFFPHASE_INLINE void add_strip(const Pass<T>& pass, std::int64_t row, std::int64_t first, std::int64_t end,
                                const double* factors, std::int64_t stride) {
  const std::int64_t n = pass.n;
  const T* z = pass.last + row * pass.stride;
  double f[V][Rows];
  for (int v = 0; v < V; ++v) {
    for (int r = 0; r < Rows; ++r) f[v][r] = factors[v * stride + row + r];
  }
  for (std::int64_t j = first; j < end; j += Width) {
    Lanes<Width> rows[Rows];
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) rows[r] = load<Width>(z + r * pass.stride + j);
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) {
      Lanes<Width> sum = load<Width>(pass.out + v * n + j);
#pragma GCC unroll 8
      for (int r = 0; r < Rows; ++r) sum += f[v][r] * rows[r];
      store_lanes<double, Width>(sum, pass.out + v * n + j);
    }
  }
}

// The products of the columns [first, end) of rows y, while rows z are added.
template <typename T, int V, int Rows, int Width>
DIFFPHASE_INLINE void dot_and_add_columns(const Pass<T>& pass, const T* y, const T* z, std::int64_t first,
                                          std::int64_t end, Lanes<Width> (&sums)[V][Rows],
                                          const Lanes<Width> (&f)[V][Rows]) {
  const std::int64_t n = pass.n;
  const std::int64_t stride = pass.stride;
  for (std::int64_t j = first; j < end; j += Width) {
    // Once per line would do, but the loop over its parts costs more than asking again.
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) __builtin_prefetch(y + r * stride + j + ahead<T>, 0, 2);
    Lanes<Width> x[V];
    Lanes<Width> out[V];
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) {
      x[v] = load<Width>(pass.in + v * n + j);
      out[v] = load<Width>(pass.out + v * n + j);
    }
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
      const Lanes<Width> next = load<Width>(y + r * stride + j);
      const Lanes<Width> last = load<Width>(z + r * stride + j);
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) {
        sums[v][r] += next * x[v];
        out[v] += f[v][r] * last;
      }
    }
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) store_lanes<double, Width>(out[v], pass.out + v * n + j);
  }
}

// Both in one loop: additions go on while the rows to come are on their way from memory.
template <typename T, int V, int Rows, int Width>
DIFFPHASE_INLINE void dot_and_add_strip(const Pass<T>& pass, std::int64_t dot, std::int64_t add, std::int64_t first,
                                        std::int64_t end, Lanes<Width> (&kept)[V][Rows], const double* factors,
                                        std::int64_t stride) {
  const T* y = pass.next + dot * pass.stride;
  const T* z = pass.last + add * pass.stride;
  Lanes<Width> sums[V][Rows];
  Lanes<Width> f[V][Rows];
  for (int v = 0; v < V; ++v) {
    for (int r = 0; r < Rows; ++r) {
      sums[v][r] = kept[v][r];
      f[v][r] = all_lanes<double, Width>(factors[v * stride + add + r]);
    }
  }
  dot_and_add_columns<T, V, Rows, Width>(pass, y, z, first, end, sums, f);
  for (int v = 0; v < V; ++v) {
    for (int r = 0; r < Rows; ++r) kept[v][r] = sums[v][r];
  }
}

// The columns [first, n) of a row, one by one, or all of a row that is left over from the groups.
template <typename T>
DIFFPHASE_INLINE double dot_row(const T* y, std::int64_t first, std::int64_t n, const double* x) {
  double sum = 0.0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t j = first; j < n; ++j) sum += static_cast<double>(y[j]) * x[j];
  return sum;
}

template <typename T>
DIFFPHASE_INLINE void add_row(const T* z, std::int64_t first, std::int64_t n, double factor, double* out) {
#pragma omp simd
  for (std::int64_t j = first; j < n; ++j) out[j] += factor * static_cast<double>(z[j]);
}

template <int Width>
DIFFPHASE_INLINE double sum_of(const Lanes<Width>& lanes) {
  double sum = 0.0;
  for (int i = 0; i < Width; ++i) sum += lanes[i];
  return sum;
}

// Groups of rows whose products are formed and that are added, and the first rows of either.
struct Groups {
  std::int64_t first_next, next, first_last, last;
};

// Up to rows_of_pass rows of each block: strip by strip, all rows.
template <typename T, int V, int Rows, int Width>
DIFFPHASE_INLINE void pass_groups(const Pass<T>& pass, const Groups& groups, double* dots, std::int64_t dot_stride,
                                  const double* factors, std::int64_t factor_stride) {
  Lanes<Width> sums[rows_of_pass / Rows][V][Rows] = {};
  const std::int64_t whole = pass.n / line<T> * line<T>;
  for (std::int64_t first = 0; first < whole; first += strip) {
    const std::int64_t end = std::min(first + strip, whole);
    for (std::int64_t g = 0; g < std::max(groups.next, groups.last); ++g) {
      const std::int64_t dot = groups.first_next + g * Rows;
      const std::int64_t add = groups.first_last + g * Rows;
      if (g < groups.next && g < groups.last) {
        dot_and_add_strip<T, V, Rows, Width>(pass, dot, add, first, end, sums[g], factors, factor_stride);
        continue;
      }
      if (g < groups.next) dot_strip<T, V, Rows, Width>(pass, dot, first, end, sums[g]);
      if (g < groups.last) add_strip<T, V, Rows, Width>(pass, add, first, end, factors, factor_stride);
    }
  }
  for (int v = 0; v < V; ++v) {
    for (std::int64_t i = 0; i < groups.next * Rows; ++i) {
      const std::int64_t row = groups.first_next + i;
      dots[v * dot_stride + row] = sum_of<Width>(sums[i / Rows][v][i % Rows]) +
                                   dot_row(pass.next + row * pass.stride, whole, pass.n, pass.in + v * pass.n);
    }
    for (std::int64_t row = groups.first_last; row < groups.first_last + groups.last * Rows; ++row) {
      add_row(pass.last + row * pass.stride, whole, pass.n, factors[v * factor_stride + row], pass.out + v * pass.n);
    }
  }
}

// Rows of each block that are done.
struct Done {
  std::int64_t next = 0;
  std::int64_t last = 0;
};

// All whole groups of Rows rows that are left of the blocks.
template <typename T, int V, int Rows, int Width>
DIFFPHASE_INLINE void pass_whole_groups(const Pass<T>& pass, std::int64_t next_rows, std::int64_t last_rows, Done& done,
                                        double* dots, const double* factors) {
  constexpr std::int64_t most_groups = rows_of_pass / Rows;
  const std::int64_t dot_groups = (next_rows - done.next) / Rows;
  const std::int64_t add_groups = (last_rows - done.last) / Rows;
  for (std::int64_t g = 0; g < std::max(dot_groups, add_groups); g += most_groups) {
    const Groups groups{.first_next = done.next + g * Rows,
                        .next = std::clamp<std::int64_t>(dot_groups - g, 0, most_groups),
                        .first_last = done.last + g * Rows,
                        .last = std::clamp<std::int64_t>(add_groups - g, 0, most_groups)};
    pass_groups<T, V, Rows, Width>(pass, groups, dots, next_rows, factors, last_rows);
  }
  done.next += dot_groups * Rows;
  done.last += add_groups * Rows;
}

template <typename T, int V, int Width>
DIFFPHASE_INLINE void pass_rows(const RowBlock<T>& next, const double* in, double* dots, const RowBlock<T>& last,
                                const double* factors, double* out) {
  const RowBlock<T>& rows = next.rows > 0 ? next : last;
  const Pass<T> pass{rows.columns, rows.stride, next.first, in, last.first, out};
  constexpr int group = widest_group<V, Width>;
  Done done;
  pass_whole_groups<T, V, group, Width>(pass, next.rows, last.rows, done, dots, factors);
  if constexpr (group > least_group) {
    pass_whole_groups<T, V, least_group, Width>(pass, next.rows, last.rows, done, dots, factors);
  }
  for (int v = 0; v < V; ++v) {
    for (std::int64_t r = done.next; r < next.rows; ++r) {
      dots[v * next.rows + r] = dot_row(next.first + r * pass.stride, 0, pass.n, in + v * pass.n);
    }
    for (std::int64_t r = done.last; r < last.rows; ++r) {
      add_row(last.first + r * pass.stride, 0, pass.n, factors[v * last.rows + r], out + v * pass.n);
    }
  }
}

// Whole blocks of vectors, or one after the other: code for two and three would be compiled as long as all the rest.
template <typename T, int Width>
DIFFPHASE_INLINE void pass_vectors(std::int64_t vectors, const RowBlock<T>& next, const double* in, double* dots,
                                   const RowBlock<T>& last, const double* factors, double* out) {
  if (vectors == most_row_vectors) {
    pass_rows<T, most_row_vectors, Width>(next, in, dots, last, factors, out);
    return;
  }
  const std::int64_t columns = next.rows > 0 ? next.columns : last.columns;
  for (std::int64_t v = 0; v < vectors; ++v) {
    pass_rows<T, 1, Width>(next, in + v * columns, dots + v * next.rows, last, factors + v * last.rows,
                           out + v * columns);
  }
}

template <typename T>
using Kernel = void (*)(std::int64_t, const RowBlock<T>&, const double*, double*, const RowBlock<T>&, const double*,
                        double*);

struct Kernels {
  Kernel<double> doubles;
  Kernel<float> floats;
};

// NOLINTBEGIN(bugprone-macro-parentheses): an attribute and part of a name
#define DIFFPHASE_KERNELS(set, attribute)                                                                    \
  template <typename T>                                                                                      \
  attribute void kernel_##set(std::int64_t vectors, const RowBlock<T>& next, const double* in, double* dots, \
                              const RowBlock<T>& last, const double* factors, double* out) {                 \
    pass_vectors<T, width_##set>(vectors, next, in, dots, last, factors, out);                               \
  }                                                                                                          \
  constexpr Kernels kernels_##set{kernel_##set<double>, kernel_##set<float>};
// NOLINTEND(bugprone-macro-parentheses)

DIFFPHASE_FOR_EACH_INSTRUCTION_SET(DIFFPHASE_KERNELS)

const Kernels kernels = DIFFPHASE_CHOOSE(kernels, widest_instruction_set());

}  // namespace

void dot_and_add_rows(std::int64_t vectors, const RowBlock<double>& next, const double* in, double* dots,
                      const RowBlock<double>& last, const double* factors, double* out) {
  kernels.doubles(vectors, next, in, dots, last, factors, out);
}

void dot_and_add_rows(std::int64_t vectors, const RowBlock<float>& next, const double* in, double* dots,
                      const RowBlock<float>& last, const double* factors, double* out) {
  kernels.floats(vectors, next, in, dots, last, factors, out);
}

}  // namespace diffphase
