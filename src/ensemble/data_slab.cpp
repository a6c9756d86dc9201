#include "ensemble/data_slab.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <stdexcept>
#include <unordered_map>
#include <utility>

namespace diffphase {

namespace {

// Centroids kept while a training set is drawn: no more than this many numbers (32 MiB).
constexpr std::int64_t kept_centroid_numbers = std::int64_t{1} << 22;

void require_columns(const SlabLayout& layout, const GaussianMixture& mixture) {
  if (layout.columns == mixture.dimension()) return;
  throw std::logic_error(
      fmt::format("a layout of {} columns for a mixture in {} dimensions", layout.columns, mixture.dimension()));
}

std::int32_t narrow_label(std::int64_t label) {
  if (label > std::numeric_limits<std::int32_t>::max()) {
    throw std::length_error(fmt::format("class {} in a stored data matrix: labels end at 2^31 - 1", label));
  }
  return static_cast<std::int32_t>(label);
}

}  // namespace

int SlabLayout::owner(std::int64_t row) const { return static_cast<int>(row / block % ranks); }

bool SlabLayout::holds(std::int64_t row) const { return partition == Partition::dimension || owner(row) == rank; }

std::int64_t SlabLayout::local_rows() const {
  if (partition == Partition::dimension) return rows;
  const std::int64_t cycle = block * ranks;
  const std::int64_t tail = rows % cycle - block * rank;
  return rows / cycle * block + std::clamp<std::int64_t>(tail, 0, block);
}

std::int64_t SlabLayout::local_row(std::int64_t row) const {
  if (partition == Partition::dimension) return row;
  return row / (block * ranks) * block + row % block;
}

std::int64_t SlabLayout::global_row(std::int64_t local) const {
  if (partition == Partition::dimension) return local;
  return (local / block * ranks + rank) * block + local % block;
}

std::int64_t SlabLayout::most_local_rows() const {
  if (partition == Partition::dimension) return rows;
  const std::int64_t blocks = (rows + block - 1) / block;
  return std::min(rows, (blocks + ranks - 1) / ranks * block);
}

std::int64_t SlabLayout::most_local_columns() const {
  return partition == Partition::component ? columns : (columns + ranks - 1) / ranks;
}

std::int64_t SlabLayout::first_column() const {
  if (partition == Partition::component) return 0;
  return columns / ranks * rank + std::min<std::int64_t>(rank, columns % ranks);
}

std::int64_t SlabLayout::local_columns() const {
  if (partition == Partition::component) return columns;
  return columns / ranks + (rank < columns % ranks ? 1 : 0);
}

std::span<const double> DataSlab::row(std::int64_t local) const {
  const auto columns = static_cast<std::size_t>(layout.local_columns());
  return std::span(values).subspan(static_cast<std::size_t>(local) * columns, columns);
}

std::span<double> DataSlab::row(std::int64_t local) {
  const auto columns = static_cast<std::size_t>(layout.local_columns());
  return std::span(values).subspan(static_cast<std::size_t>(local) * columns, columns);
}

DataSlab zero_slab(const SlabLayout& layout) {
  DataSlab slab;
  slab.layout = layout;
  slab.values.resize(static_cast<std::size_t>(layout.local_rows()) * static_cast<std::size_t>(layout.local_columns()));
  return slab;
}

// The columns of the centroids that a slab needs. Random centroids cost as much as the noise of a row, so
// they are made once and kept, as long as they are few.
class TrainingSetDraw::CentroidColumns {
 public:
  CentroidColumns(const GaussianMixture& mixture, const SlabLayout& layout)
      : mixture_(mixture),
        first_column_(layout.first_column()),
        columns_(layout.local_columns()),
        keeps_(mixture.parameters().centroids == CentroidKind::random && columns_ > 0 &&
               mixture.classes() <= kept_centroid_numbers / columns_) {}

  void copy(std::int64_t c, std::span<double> out) {
    if (!keeps_) {
      mixture_.centroid(c, first_column_, out);
      return;
    }
    auto [kept, is_new] = kept_.try_emplace(c);
    if (is_new) {
      kept->second.resize(static_cast<std::size_t>(columns_));
      mixture_.centroid(c, first_column_, kept->second);
    }
    std::copy(kept->second.begin(), kept->second.end(), out.begin());
  }

 private:
  const GaussianMixture& mixture_;
  std::int64_t first_column_;
  std::int64_t columns_;
  bool keeps_;
  std::unordered_map<std::int64_t, std::vector<double>> kept_;
};

TrainingSetDraw::TrainingSetDraw(const GaussianMixture& mixture, const SlabLayout& layout) : mixture_(mixture) {
  require_columns(layout, mixture);
  slab_ = zero_slab(layout);
  slab_.labels.resize(static_cast<std::size_t>(layout.local_rows()));
  centroids_ = std::make_unique<CentroidColumns>(mixture, layout);
  rows_per_step_ = std::max<std::int64_t>(1, numbers_per_draw / std::max<std::int64_t>(1, layout.most_local_columns()));
  steps_ = (layout.most_local_rows() + rows_per_step_ - 1) / rows_per_step_;
}

TrainingSetDraw::~TrainingSetDraw() = default;

void TrainingSetDraw::step() {
  const SlabLayout& layout = slab_.layout;
  const std::int64_t end = std::min(layout.local_rows(), next_row_ + rows_per_step_);
  for (; next_row_ < end; ++next_row_) {
    const std::int64_t row = layout.global_row(next_row_);
    const std::int64_t c = mixture_.label(row);
    slab_.labels[static_cast<std::size_t>(next_row_)] = narrow_label(c);
    const std::span<double> out = slab_.row(next_row_);
    centroids_->copy(c, out);
    mixture_.add_noise(row, c, layout.first_column(), out);
  }
}

DataSlab TrainingSetDraw::take() { return std::move(slab_); }

DataSlab draw_training_set(const GaussianMixture& mixture, const SlabLayout& layout) {
  TrainingSetDraw draw(mixture, layout);
  for (std::int64_t i = 0; i < draw.steps(); ++i) draw.step();
  return draw.take();
}

DataSlab centroid_matrix(const GaussianMixture& mixture, const SlabLayout& layout) {
  require_columns(layout, mixture);
  if (layout.rows != mixture.classes()) {
    throw std::logic_error(fmt::format("a centroid matrix of {} rows for {} classes", layout.rows, mixture.classes()));
  }
  DataSlab slab = zero_slab(layout);
  for (std::int64_t local = 0; local < layout.local_rows(); ++local) {
    const std::int64_t c = layout.global_row(local);
    mixture.centroid(c, layout.first_column(), slab.row(local));
    if (mixture.superclasses() > 0) slab.labels.push_back(narrow_label(mixture.superclass(c)));
  }
  return slab;
}

void fetch_rows(const TaskGroup& group, const DataSlab& slab, std::span<const std::int64_t> rows,
                std::span<double> out) {
  const SlabLayout& layout = slab.layout;
  const auto columns = static_cast<std::size_t>(layout.local_columns());
  if (out.size() != rows.size() * columns) throw std::logic_error("fetch_rows: the output has the wrong size");
  // Every rank has the same rows, so this throws everywhere or nowhere.
  for (const std::int64_t row : rows) {
    if (row < 0 || row >= layout.rows) {
      throw std::out_of_range(fmt::format("fetch_rows: row {} of a matrix of {} rows", row, layout.rows));
    }
  }
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::span<double> part = out.subspan(i * columns, columns);
    if (layout.holds(rows[i])) {
      const std::span<const double> stored = slab.row(layout.local_row(rows[i]));
      std::copy(stored.begin(), stored.end(), part.begin());
    } else {
      std::fill(part.begin(), part.end(), 0.0);
    }
  }
  if (layout.partition == Partition::component) group.comm().sum(out);
}

}  // namespace diffphase
