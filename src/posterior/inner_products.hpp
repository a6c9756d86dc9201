#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "ensemble/data_slab.hpp"
#include "ensemble/row_view.hpp"
#include "parallel/task_group.hpp"

namespace diffphase {

/// A block of probes x_t = a x_0 + b xi: the rank's columns of x_0 and xi and their global inner products. Probes in a
/// row may share their x_0: its products with the components are computed once for all of them.
struct ProbeBlock {
  /// Probes in one block; with components in blocks of SlabLayout::block a tile of products is 1/2 MiB.
  static constexpr std::int64_t size = 64;

  /// Probes in one block for stored rows of so many columns: enough that packing each row for a product is little of
  /// it, once in a block (by component) or twice (by dimension, where moreover every rank sums its share of them only),
  /// but not more points than take 256 MiB (by dimension they are kept twice), and `size` at least.
  [[nodiscard]] static constexpr std::int64_t size_for_rows(std::int64_t columns, Partition partition) {
    const std::int64_t copies = partition == Partition::dimension ? 2 : 1;
    std::int64_t probes = partition == Partition::dimension ? 8 * size : 2 * size;
    while (probes > size && copies * 2 * probes * columns * 8 > std::int64_t{256} << 20) probes /= 2;
    return probes;
  }

  std::int64_t first = 0;  ///< index of the first probe among all of a measure: key of what is drawn for each
  std::int64_t probes = 0;
  std::int64_t columns = 0;
  std::int64_t noises = 1;            ///< probes for each x_0: probe p has the one of number p / noises
  std::vector<double> points;         ///< point_count() x columns, row-major: rows of x_0, then rows of xi
  std::vector<std::int64_t> parents;  ///< component that each probe starts at (row or class); -1: none
  bool starts_at_parent = false;      ///< x_0 is exactly the parent component's row (training sets)
  std::vector<double> start_norm2;    ///< |x_0|^2
  std::vector<double> noise_norm2;    ///< |xi|^2
  std::vector<double> start_noise;    ///< x_0 . xi

  ProbeBlock(std::int64_t probes, std::int64_t columns, std::int64_t noises = 1);

  [[nodiscard]] std::int64_t starts() const { return (probes + noises - 1) / noises; }
  [[nodiscard]] std::int64_t point_count() const { return starts() + probes; }
  [[nodiscard]] std::span<double> start(std::int64_t probe);
  [[nodiscard]] std::span<double> noise(std::int64_t probe);

  /// Fills the three inner products from the points. Collective if the columns are split over the group.
  void measure(const TaskGroup& group, Partition partition);
};

/// Time-free inner products of consecutive probes of a block, all of it or part, with consecutive components. Rows of
/// the matrices are those of these probes and of their starts, from the first on.
struct ProductTile {
  std::int64_t first = 0;                  ///< global index of the first component
  std::int64_t components = 0;             ///< number of components
  std::int64_t first_probe = 0;            ///< in the block
  std::int64_t probes = 0;                 ///< number of probes
  std::int64_t stride = 0;                 ///< of the two matrices
  const double* start_products = nullptr;  ///< y . x_0: [(start - first start) * stride + component]
  const double* noise_products = nullptr;  ///< y . xi: [(probe - first_probe) * stride + component]
  const double* half_norm2 = nullptr;      ///< |y|^2 / 2: [(probe - first_probe) * half_norm2_stride + component]
  std::int64_t half_norm2_stride = 0;      ///< 0: all probes have the same components
  const std::int32_t* labels = nullptr;    ///< [component]; null if unlabelled
};

/// What is done with a tile, and what that costs: the distance of agreement points follows from it.
struct TileConsumer {
  std::function<void(const ProductTile&)> consume;
  double work_per_product = 0.0;  ///< multiply-adds, or what takes as long, per (probe, component)
};

/// Where inner products come from. `visit` hands every pair of a probe and a component in [0, components) to exactly
/// one rank of the group, in tiles that never straddle a multiple of SlabLayout::block; all tiles of a rank have the
/// same probes, and their components ascend.
class InnerProductSource {
 public:
  InnerProductSource() = default;
  InnerProductSource(const InnerProductSource&) = delete;
  InnerProductSource& operator=(const InnerProductSource&) = delete;
  virtual ~InnerProductSource() = default;

  [[nodiscard]] virtual std::int64_t dimension() const = 0;

  /// Collective over the group, with agreement points; `consumer` is local and must not communicate.
  virtual void visit(const TaskGroup& group, const ProbeBlock& probes, std::int64_t components,
                     const TileConsumer& consumer) const = 0;
};

/// Inner products with the rows of a stored matrix, by one matrix product per block of rows and kernel thread, in the
/// precision that the rows are stored in. Component partition: each rank multiplies its own rows. Dimension partition:
/// every rank multiplies its columns, the products are summed and scattered by probes, so that each rank consumes all
/// components for its share of the probes; of more ranks than probes the others only multiply. Memory: by
/// component 2 probes x SlabLayout::block products, in single precision once more as floats; by dimension
/// three times as many as they are sent and what arrives (other ranks times the own share of them, or in groups of more
/// than 16 ranks the own share, and all of them once more as doubles), in single precision the own share as doubles.
/// Also 8 bytes per local row and, by dimension or in single precision, the rank's columns of the block of probes once
/// more, as what they are multiplied in.
class StoredSource : public InnerProductSource {
 public:
  /// `slab` must outlive the source. Collective over the group.
  StoredSource(const TaskGroup& group, const DataSlab& slab);
  /// Unlabelled.
  StoredSource(const TaskGroup& group, const SinglePrecisionSlab& slab);

  [[nodiscard]] std::int64_t dimension() const override { return rows_.layout().columns; }
  void visit(const TaskGroup& group, const ProbeBlock& probes, std::int64_t components,
             const TileConsumer& consumer) const override;

 private:
  void measure_rows(const TaskGroup& group);
  template <typename Number>
  void visit_own_rows(const TaskGroup& group, const ProbeBlock& probes, std::int64_t components,
                      const TileConsumer& consumer) const;
  template <typename Number>
  void visit_own_columns(const TaskGroup& group, const ProbeBlock& probes, std::int64_t components,
                         const TileConsumer& consumer) const;
  [[nodiscard]] const std::int32_t* labels(std::int64_t local_row) const {
    return labels_.empty() ? nullptr : labels_.data() + local_row;
  }

  RowView rows_;
  std::span<const std::int32_t> labels_;
  std::vector<double> half_norm2_;  // of local rows, summed over all columns
};

}  // namespace diffphase
