#include "ensemble/row_view.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

namespace diffphase {

const double* RowView::rows(std::int64_t first, std::int64_t count, std::vector<double>& buffer) const {
  if (!is_single()) return double_row(first);
  const float* stored = single_row(first);
  std::copy(stored, stored + count * stride_, buffer.begin());
  return buffer.data();
}

void fetch_rows(const TaskGroup& group, RowView view, std::span<const std::int64_t> rows, std::span<double> out) {
  const SlabLayout& layout = view.layout();
  const auto columns = static_cast<std::size_t>(layout.local_columns());
  if (out.size() != rows.size() * columns) throw std::logic_error("fetch_rows: the output has the wrong size");
  // Every rank has the same rows, so this throws everywhere or nowhere.
  for (const std::int64_t row : rows) {
    if (row < 0 || row >= layout.rows) {
      throw std::out_of_range(fmt::format("fetch_rows: row {} of a matrix of {} rows", row, layout.rows));
    }
  }
  std::vector<double> buffer(static_cast<std::size_t>(view.stride()));
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::span<double> part = out.subspan(i * columns, columns);
    if (layout.holds(rows[i])) {
      const double* stored = view.rows(layout.local_row(rows[i]), 1, buffer);
      std::copy(stored, stored + columns, part.begin());
    } else {
      std::fill(part.begin(), part.end(), 0.0);
    }
  }
  if (layout.partition == Partition::component) group.comm().sum(out);
}

}  // namespace diffphase
