#pragma once

#include <cstdint>

namespace diffphase {

/// Rows of `columns` numbers, `stride` numbers apart, stored in single or double precision.
template <typename T>
struct RowBlock {
  const T* first = nullptr;
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  std::int64_t stride = 0;
};

/// Vectors that dot_and_add_rows takes at once.
inline constexpr std::int64_t most_row_vectors = 4;

/// Rows of each block for which it reads the vectors once.
inline constexpr std::int64_t rows_of_pass = 32;

/// For `vectors` <= most_row_vectors vectors v, one after the other in `in` and `out`:
///
///   dots[v][r] := next_r . in_v,   out_v += sum_r factors[v][r] last_r,
///
/// in double: `next` comes from memory, at the speed of memory, while `last` is still in cache. One pass over both
/// blocks of rows for one vector and for most_row_vectors, one for each vector in between. Either block may have no
/// rows; with rows in both, columns and stride must be the same. Stored are dots and factors as [vector][row].
void dot_and_add_rows(std::int64_t vectors, const RowBlock<double>& next, const double* in, double* dots,
                      const RowBlock<double>& last, const double* factors, double* out);
void dot_and_add_rows(std::int64_t vectors, const RowBlock<float>& next, const double* in, double* dots,
                      const RowBlock<float>& last, const double* factors, double* out);

}  // namespace diffphase
