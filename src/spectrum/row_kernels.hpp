#pragma once

#include <cstdint>

namespace diffphase {

/// Rows one after the other, `columns` numbers each, stored in single or double precision.
template <typename T>
struct RowBlock {
  const T* first = nullptr;
  std::int64_t rows = 0;
  std::int64_t columns = 0;
};

/// dots[r] := row_r . v, in double. Four rows share one pass over v.
void dot_rows(const RowBlock<double>& block, const double* v, double* dots);
void dot_rows(const RowBlock<float>& block, const double* v, double* dots);

/// out += sum_r factors[r] row_r, in double.
void add_rows(const RowBlock<double>& block, const double* factors, double* out);
void add_rows(const RowBlock<float>& block, const double* factors, double* out);

/// dot_rows of `next` and add_rows of `last`, a block of as many columns, in one pass: `next` comes from memory, at the
/// speed of memory, while `last` is still in cache.
void dot_and_add_rows(const RowBlock<double>& next, const double* v, double* dots, const RowBlock<double>& last,
                      const double* factors, double* out);
void dot_and_add_rows(const RowBlock<float>& next, const double* v, double* dots, const RowBlock<float>& last,
                      const double* factors, double* out);

}  // namespace diffphase
