#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "ensemble/data_slab.hpp"
#include "parallel/task_group.hpp"

namespace diffphase {

/// The rows of a slab, whatever precision they are stored in; all arithmetic with them is in double. Does not own them.
class RowView {
 public:
  RowView(const DataSlab& slab)  // NOLINT
      : layout_(&slab.layout), stored_(slab.values.size()), stride_(slab.stride()), doubles_(slab.values.data()) {}
  RowView(const SinglePrecisionSlab& slab)  // NOLINT
      : layout_(&slab.layout),
        stored_(slab.values.size()),
        stride_(slab.stride()),
        single_(true),
        singles_(slab.values.data()) {}

  [[nodiscard]] const SlabLayout& layout() const { return *layout_; }
  /// Numbers stored on this rank, those after the last column too.
  [[nodiscard]] std::size_t stored() const { return stored_; }
  /// Numbers from one row to the next.
  [[nodiscard]] std::int64_t stride() const { return stride_; }
  [[nodiscard]] bool is_single() const { return single_; }

  /// `count` consecutive local rows from `first`, stride() apart: in place if stored as doubles, else converted into
  /// `buffer`, which must hold count stride() numbers. Local.
  [[nodiscard]] const double* rows(std::int64_t first, std::int64_t count, std::vector<double>& buffer) const;

  /// The stored numbers of a row; null in the other precision.
  [[nodiscard]] const double* double_row(std::int64_t row) const { return doubles_ + offset(row); }
  [[nodiscard]] const float* single_row(std::int64_t row) const { return singles_ + offset(row); }

 private:
  [[nodiscard]] std::int64_t offset(std::int64_t row) const { return row * stride_; }

  const SlabLayout* layout_;
  std::size_t stored_;
  std::int64_t stride_;
  bool single_ = false;  // known also where nothing is stored
  const double* doubles_ = nullptr;
  const float* singles_ = nullptr;
};

/// Local columns of the given global rows, `rows.size()` x local columns into `out`, on every rank. Collective over the
/// group (a sum over owners for the component partition); rows must be in [0, layout.rows), or std::out_of_range.
void fetch_rows(const TaskGroup& group, RowView view, std::span<const std::int64_t> rows, std::span<double> out);

}  // namespace diffphase
