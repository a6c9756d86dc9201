#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "ensemble/ensemble.hpp"
#include "ensemble/gaussian_mixture.hpp"
#include "ensemble/slab_numbers.hpp"

namespace diffphase {

/// How the rows (components) x columns (dimensions) of a data matrix are split over the ranks of a group.
///  - component: block-cyclic blocks of `block` rows, all columns. The owner of a row does not depend on how
///    many rows there are, so the sums over a prefix do not depend on what follows it.
///  - dimension: contiguous slabs of columns, all rows.
enum class Partition { component, dimension };

struct SlabLayout {
  static constexpr std::int64_t block = 512;

  Partition partition = Partition::component;
  std::int64_t rows = 0;     ///< global
  std::int64_t columns = 0;  ///< global
  int ranks = 1;
  int rank = 0;

  [[nodiscard]] int owner(std::int64_t row) const;  ///< component partition only
  [[nodiscard]] bool holds(std::int64_t row) const;
  [[nodiscard]] std::int64_t local_rows() const;
  [[nodiscard]] std::int64_t local_row(std::int64_t row) const;  ///< of a row that this rank holds
  [[nodiscard]] std::int64_t global_row(std::int64_t local) const;
  /// Upper bounds of local_rows() and local_columns() over the ranks.
  [[nodiscard]] std::int64_t most_local_rows() const;
  [[nodiscard]] std::int64_t most_local_columns() const;
  [[nodiscard]] std::int64_t first_column() const;
  [[nodiscard]] std::int64_t local_columns() const;
};

/// Numbers from one row to the next where the rows of a layout are stored in so many numbers: all or none of them have
/// numbers after the last column, which belong to no column.
[[nodiscard]] inline std::int64_t stride_of(const SlabLayout& layout, std::size_t stored) {
  return layout.local_rows() > 0 ? static_cast<std::int64_t>(stored) / layout.local_rows() : layout.local_columns();
}

/// A rank's part of a data matrix. Memory: 8 local_rows row_stride(local_columns) bytes, plus 4 local_rows where
/// labelled.
struct DataSlab {
  SlabLayout layout;
  SlabNumbers<double> values;        ///< the rows one after the other, stride() numbers each
  std::vector<std::int32_t> labels;  ///< of the local rows; empty if unlabelled

  /// local_columns or row_stride(local_columns).
  [[nodiscard]] std::int64_t stride() const { return stride_of(layout, values.size()); }
  [[nodiscard]] std::span<const double> row(std::int64_t local) const;
  [[nodiscard]] std::span<double> row(std::int64_t local);
};

/// A slab stored in single precision. Memory: 4 local_rows row_stride(local_columns) bytes.
struct SinglePrecisionSlab {
  SlabLayout layout;
  SlabNumbers<float> values;  ///< the rows one after the other, stride() numbers each

  [[nodiscard]] std::int64_t stride() const { return stride_of(layout, values.size()); }
};

/// A slab of zeros without labels. Local.
[[nodiscard]] DataSlab zero_slab(const SlabLayout& layout);
[[nodiscard]] SinglePrecisionSlab zero_single_precision_slab(const SlabLayout& layout);

/// Gives all rows but [0, count) of the whole matrix away; labels stay. Local.
template <typename Slab>
void keep_prefix(Slab& slab, std::int64_t count) {
  const auto stride = static_cast<std::size_t>(slab.stride());
  slab.layout.rows = count;
  slab.values.resize(static_cast<std::size_t>(slab.layout.local_rows()) * stride);
}

/// Random numbers that a rank draws between two chances to communicate: about half a second's worth.
inline constexpr std::int64_t numbers_per_draw = 8'000'000;

/// Draws rows [0, layout.rows) of an ensemble's training set, with labels where it has classes, in steps that take as
/// long as about numbers_per_draw numbers. All ranks of a layout have the same number of steps, so that they can agree
/// between them. Local, not collective.
class TrainingSetDraw {
 public:
  /// `ensemble` must outlive it. The layout may leave out columns that are zero in every row; throws std::logic_error
  /// if it has other columns than the ensemble.
  /// Stored in single precision, doubles of about 1 MiB of rows, or of 64 rows, are kept beside it.
  TrainingSetDraw(const Ensemble& ensemble, const SlabLayout& layout, bool single = false);

  [[nodiscard]] std::int64_t steps() const { return preparations_ + draws_; }
  void step();
  /// The slab, after the last step: the second, without labels, if stored in single precision.
  [[nodiscard]] DataSlab take();
  [[nodiscard]] SinglePrecisionSlab take_single();

 private:
  void prepare();
  void draw();
  void draw_rows(std::int64_t rows);

  const Ensemble& ensemble_;
  bool single_;
  DataSlab slab_;
  SinglePrecisionSlab single_slab_;
  std::vector<double> drawn_;  // rows to be rounded
  std::unique_ptr<RowSampler> sampler_;
  std::int64_t vectors_per_step_ = 1;
  std::int64_t rows_per_step_ = 1;
  std::int64_t rows_together_ = 1;
  std::int64_t preparations_ = 0;
  std::int64_t draws_ = 0;
  std::int64_t next_vector_ = 0;
  std::int64_t next_row_ = 0;
};

/// All steps of a TrainingSetDraw. Local, not collective.
[[nodiscard]] DataSlab draw_training_set(const Ensemble& ensemble, const SlabLayout& layout);

/// The centroid matrix, one row per class (layout.rows = classes), labels = superclass where hierarchical.
/// Local.
[[nodiscard]] DataSlab centroid_matrix(const GaussianMixture& mixture, const SlabLayout& layout);

}  // namespace diffphase
