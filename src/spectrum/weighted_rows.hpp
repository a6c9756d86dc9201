#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "ensemble/row_view.hpp"
#include "parallel/task_group.hpp"
#include "spectrum/symmetric_operator.hpp"

namespace diffphase {

/// What a row y_i of a slab becomes: r_i = s_i (y_i - z) - h, with weight w_i >= 0.
struct RowTerms {
  std::vector<double> weights;    ///< one for each of the first local rows; the rows after them do not count
  std::vector<double> scales;     ///< s: one for all, or one for each weight
  std::vector<double> reference;  ///< z, the slab's local columns
  std::vector<double> shift;      ///< h, likewise; empty: none
};

/// The operator A = sum_i w_i r_i r_i^T, never formed. Projections are centred before they are weighted and summed, so
/// that A keeps its digits where the weight is on one row, and loses only those of |z|/|r| where data lie far from the
/// origin.
///
/// A block of vectors takes one pass over the slab, in tiles of rows that serve both products, with V and with its
/// transpose: while they are in cache for up to most_row_vectors vectors, which memory limits, and in tiles of as many
/// rows as matrix products need for more vectors, which arithmetic limits. Vectors are split by columns for both
/// partitions of the slab; where it is split by rows, a block is gathered on every rank and the product summed and
/// scattered. Rows that together make less than 1e-16 of the trace, and those of which only rounding is left after the
/// subtractions, are dropped at the start; tiles without others are not read.
///
/// Memory per rank: the slab; 24 bytes per local row; 2 blocks of whole vectors (component partition), the products of
/// a tile and, of rows stored as floats, 4 MiB of them as doubles. Collective over the group, with agreement points at
/// most some 10^10 operations apart. The group and the viewed slab must outlive the object.
class WeightedRows {
 public:
  /// One pass over the slab. Throws GroupError on every rank if the sizes do not fit.
  WeightedRows(const TaskGroup& group, RowView rows, RowTerms terms);

  [[nodiscard]] std::int64_t size() const { return layout_.columns; }
  /// Columns of this rank's piece of a vector.
  [[nodiscard]] std::int64_t local_size() const { return pieces_.local_columns(); }
  /// sum_i w_i |r_i|^2.
  [[nodiscard]] double trace() const { return trace_; }
  /// Rows that are not dropped, over all ranks.
  [[nodiscard]] std::int64_t support() const { return support_; }
  /// Multiply-adds of one product, over all ranks.
  [[nodiscard]] double work() const;

  /// out := shift in + A in, [vectors][local_size()]. Collective.
  void apply(std::int64_t vectors, double shift, std::span<const double> in, std::span<double> out) const;

  /// The columns PanelRange(local_size(), panel, panels) of the rows sqrt(w_i) r_i that are not dropped,
  /// [support()][columns], in an order that depends on the partition. Collective.
  void read(std::int64_t panel, std::int64_t panels, std::span<double> out) const;

 private:
  using UseTile = std::function<void(std::int64_t first, std::int64_t rows)>;
  struct Sums;

  void check(const RowTerms& terms) const;
  void measure();
  void drop_negligible(std::span<const double> contributions);
  [[nodiscard]] double norm2(std::int64_t row) const;
  [[nodiscard]] double scale(std::int64_t row) const { return scales_[scales_.size() == 1 ? 0 : index(row)]; }
  void centred_row(std::int64_t row, std::int64_t first_column, std::span<double> out) const;
  void weighted_row(std::int64_t row, std::int64_t first_column, std::span<double> out) const;
  [[nodiscard]] bool by_component() const { return layout_.partition == Partition::component; }
  static std::size_t index(std::int64_t i) { return static_cast<std::size_t>(i); }

  [[nodiscard]] std::int64_t tile_rows(std::int64_t vectors) const;
  [[nodiscard]] bool tile_counts(std::int64_t first, std::int64_t rows) const;
  void for_tiles(std::int64_t vectors, std::int64_t tile, const UseTile& use) const;
  void multiply(std::int64_t vectors, std::span<const double> in, std::span<double> out) const;
  struct Tile;
  struct Panel;
  [[nodiscard]] Tile tile_of(std::int64_t first, std::int64_t rows) const;
  template <typename UsePanel>
  void for_panels(const Tile& tile, std::span<double> converted, const UsePanel& use) const;
  void project(std::int64_t vectors, std::span<const double> in, const Tile& tile, std::span<double> converted,
               std::span<double> products) const;
  void weigh(std::int64_t first, std::int64_t rows, std::span<double> products, Sums& sums) const;
  void accumulate(std::int64_t vectors, std::span<const double> products, const Tile& tile, std::span<double> converted,
                  std::span<double> out) const;

  void project_and_accumulate(std::int64_t vectors, std::span<const double> in, const Tile& next,
                              std::span<double> next_products, const Tile& last, std::span<const double> last_products,
                              std::span<double> out) const;
  void multiply_few(std::int64_t vectors, std::span<const double> in, std::span<double> out, std::span<double> buffer,
                    Sums& sums) const;
  void multiply_many(std::int64_t vectors, std::span<const double> in, std::span<double> out, std::span<double> buffer,
                     std::span<double> converted, Sums& sums) const;

  [[nodiscard]] std::vector<std::int64_t> own_support() const;
  [[nodiscard]] std::vector<PanelRange> panels_of_ranks(std::int64_t panel, std::int64_t panels) const;
  void pack_panels(std::span<const std::int64_t> rows, const std::vector<PanelRange>& ranges,
                   std::span<double> packet) const;
  void gather(std::int64_t vectors, std::span<const double> in, std::span<double> whole) const;
  void scatter_sum(std::int64_t vectors, std::span<const double> whole, std::span<double> packed,
                   std::span<double> out) const;

  const TaskGroup& group_;
  RowView view_;
  SlabLayout layout_;
  SlabLayout pieces_;           ///< of a vector: split by columns whatever the partition
  std::int64_t columns_ = 0;    ///< the slab's local columns
  std::int64_t rows_ = 0;       ///< local rows with a weight
  std::int64_t most_rows_ = 0;  ///< over the ranks
  std::vector<double> weights_, scales_, reference_, shift_;
  double trace_ = 0.0;
  std::int64_t support_ = 0;
};

/// A as an operator for the solvers, plus shift times the unit matrix; `rows` must outlive it.
[[nodiscard]] SymmetricOperator as_operator(const WeightedRows& rows, double shift = 0.0);

}  // namespace diffphase
