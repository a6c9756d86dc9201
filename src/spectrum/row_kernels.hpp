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

/// out[r] := row_r . v, in double. Reads memory at full speed: four rows share one pass over v.
void dot_rows(const RowBlock<double>& block, const double* v, double* out);
void dot_rows(const RowBlock<float>& block, const double* v, double* out);

/// out += sum_r factors[r] row_r, in double, for rows that are in cache; fetches meanwhile what is stored `ahead`
/// numbers after them.
void add_rows(const RowBlock<double>& block, const double* factors, std::int64_t ahead, double* out);
void add_rows(const RowBlock<float>& block, const double* factors, std::int64_t ahead, double* out);

}  // namespace diffphase
