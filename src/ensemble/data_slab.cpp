#include "ensemble/data_slab.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <stdexcept>
#include <utility>

#include "ensemble/centroid_rows.hpp"

namespace diffphase {

namespace {

void require_columns(const SlabLayout& layout, const Ensemble& ensemble) {
  if (layout.columns >= ensemble.nonzero_columns() && layout.columns <= ensemble.dimension()) return;
  throw std::logic_error(
      fmt::format("a layout of {} columns for an ensemble in {} dimensions", layout.columns, ensemble.dimension()));
}

// Drawn at once, to be moved to their places while they are in cache, or of rows that are products with vectors as many
// as go through these together.
constexpr std::int64_t numbers_together = 131072;
constexpr std::int64_t products_together = 64;

std::int64_t steps_of(std::int64_t count, std::int64_t per_step) { return (count + per_step - 1) / per_step; }

template <typename T>
std::size_t stored_numbers(const SlabLayout& layout) {
  return static_cast<std::size_t>(layout.local_rows()) *
         static_cast<std::size_t>(row_stride<T>(layout.local_columns()));
}

// Rows that lie one after the other at the beginning of `numbers`, `columns` each, are moved `stride` apart.
void spread_rows(std::int64_t rows, std::int64_t columns, std::int64_t stride, std::span<double> numbers) {
  if (stride == columns) return;
  const auto begin = numbers.begin();
  for (std::int64_t row = rows - 1; row > 0; --row) {
    std::copy_backward(begin + row * columns, begin + (row + 1) * columns, begin + row * stride + columns);
  }
  for (std::int64_t row = 0; row < rows; ++row) {
    std::fill(begin + row * stride + columns, begin + (row + 1) * stride, 0.0);
  }
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
  return std::span(values).subspan(static_cast<std::size_t>(local * stride()),
                                   static_cast<std::size_t>(layout.local_columns()));
}

std::span<double> DataSlab::row(std::int64_t local) {
  return std::span(values).subspan(static_cast<std::size_t>(local * stride()),
                                   static_cast<std::size_t>(layout.local_columns()));
}

DataSlab zero_slab(const SlabLayout& layout) {
  DataSlab slab;
  slab.layout = layout;
  slab.values.resize(stored_numbers<double>(layout));
  return slab;
}

SinglePrecisionSlab zero_single_precision_slab(const SlabLayout& layout) {
  return {.layout = layout, .values = SlabNumbers<float>(stored_numbers<float>(layout))};
}

TrainingSetDraw::TrainingSetDraw(const Ensemble& ensemble, const SlabLayout& layout, bool single)
    : ensemble_(ensemble), single_(single) {
  require_columns(layout, ensemble);
  if (single) {
    slab_.layout = layout;
    single_slab_ = zero_single_precision_slab(layout);
  } else {
    slab_ = zero_slab(layout);
  }
  if (!single && ensemble.has_classes()) slab_.labels.resize(static_cast<std::size_t>(layout.local_rows()));
  sampler_ = ensemble.sampler(layout.first_column(), layout.local_columns());
  // The number of steps is the same on all ranks: it follows from the largest of their parts.
  const std::int64_t columns = std::max<std::int64_t>(1, layout.most_local_columns());
  const double numbers = std::max(1.0, ensemble.numbers_per_row(columns));
  vectors_per_step_ = std::max<std::int64_t>(1, numbers_per_draw / columns);
  rows_per_step_ =
      std::max<std::int64_t>(1, static_cast<std::int64_t>(static_cast<double>(numbers_per_draw) / numbers));
  preparations_ = steps_of(sampler_->vectors(), vectors_per_step_);
  rows_together_ = std::max<std::int64_t>(1, numbers_together / columns);
  if (sampler_->vectors() > 0) {
    rows_together_ = (rows_together_ + products_together - 1) / products_together * products_together;
  }
  draws_ = steps_of(layout.most_local_rows(), rows_per_step_);
}

void TrainingSetDraw::step() {
  if (next_vector_ < sampler_->vectors()) {
    prepare();
  } else {
    draw();
  }
}

void TrainingSetDraw::prepare() {
  const std::int64_t count = std::min(vectors_per_step_, sampler_->vectors() - next_vector_);
  sampler_->prepare(next_vector_, count);
  next_vector_ += count;
}

void TrainingSetDraw::draw() {
  const SlabLayout& layout = slab_.layout;
  const std::int64_t end = std::min(layout.local_rows(), next_row_ + rows_per_step_);
  while (next_row_ < end) {
    // Rows that follow each other here follow each other in the whole matrix up to the end of a block.
    const std::int64_t block_end = (next_row_ / SlabLayout::block + 1) * SlabLayout::block;
    const std::int64_t rows = std::min(std::min(end, block_end) - next_row_, rows_together_);
    draw_rows(rows);
    next_row_ += rows;
  }
}

void TrainingSetDraw::draw_rows(std::int64_t rows) {
  const std::int64_t columns = slab_.layout.local_columns();
  const auto size = static_cast<std::size_t>(rows * columns);
  const std::int64_t first = slab_.layout.global_row(next_row_);
  if (single_) {
    drawn_.resize(size);
    sampler_->draw(first, rows, drawn_);
    auto to = single_slab_.values.begin() + next_row_ * single_slab_.stride();
    for (auto from = drawn_.cbegin(); from != drawn_.cend(); from += columns, to += single_slab_.stride()) {
      std::transform(from, from + columns, to, [](double value) { return static_cast<float>(value); });
    }
    return;
  }
  const std::int64_t stride = slab_.stride();
  const std::span<double> numbers =
      std::span(slab_.values)
          .subspan(static_cast<std::size_t>(next_row_ * stride), static_cast<std::size_t>(rows * stride));
  sampler_->draw(first, rows, numbers.first(size));
  spread_rows(rows, columns, stride, numbers);
  for (std::int64_t i = 0; ensemble_.has_classes() && i < rows; ++i) {
    slab_.labels[static_cast<std::size_t>(next_row_ + i)] = narrow_label(ensemble_.label(first + i));
  }
}

SinglePrecisionSlab TrainingSetDraw::take_single() { return std::move(single_slab_); }

DataSlab TrainingSetDraw::take() { return std::move(slab_); }

DataSlab draw_training_set(const Ensemble& ensemble, const SlabLayout& layout) {
  TrainingSetDraw draw(ensemble, layout);
  for (std::int64_t i = draw.steps(); i > 0; --i) draw.step();
  return draw.take();
}

DataSlab centroid_matrix(const GaussianMixture& mixture, const SlabLayout& layout) {
  if (layout.rows != mixture.classes()) {
    throw std::logic_error(fmt::format("a centroid matrix of {} rows for {} classes", layout.rows, mixture.classes()));
  }
  return draw_training_set(CentroidRows(mixture), layout);
}

}  // namespace diffphase
