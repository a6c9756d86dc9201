#include "ensemble/dataset_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>

#include "ensemble/row_reader.hpp"
#include "ensemble/row_selection.hpp"

namespace diffphase {

namespace {

constexpr std::int64_t block_numbers = std::int64_t{1} << 19;  // 4 MiB as double, or one row where that is longer

const char* text_of(Scaling scaling) {
  static constexpr std::array names{"raw", "[0,1]", "[-1,1]", "standardised"};
  return names[static_cast<std::size_t>(scaling)];
}

// Height and width of the images in a file, and the border of zeros around them.
struct ImageShape {
  std::int64_t height = 1;
  std::int64_t width = 1;
  std::int64_t pad = 0;

  [[nodiscard]] std::int64_t padded_size() const { return (height + 2 * pad) * (width + 2 * pad); }

  // `out` has padded_size() numbers.
  void copy_padded(std::span<const double> image, std::span<double> out) const {
    std::fill(out.begin(), out.end(), 0.0);
    for (std::int64_t y = 0; y < height; ++y) {
      const auto line = image.subspan(static_cast<std::size_t>(y * width), static_cast<std::size_t>(width));
      std::copy(line.begin(), line.end(), out.begin() + (y + pad) * (width + 2 * pad) + pad);
    }
  }
};

ImageShape image_shape(const DatasetFile& file, const ArrayInfo& info) {
  if (file.pad == 0) return {1, info.row_size(), 0};
  constexpr std::int64_t largest = 4096;
  if (file.pad < 0 || file.pad > largest) {
    throw DatasetError(fmt::format("{}: pad = {}, but it must lie between 0 and {}", file.path, file.pad, largest));
  }
  if (info.shape.size() != 3) {
    throw DatasetError(fmt::format("{}: pad = {} needs images (rows, height, width), but its shape is {}", file.path,
                                   file.pad, info.shape_text()));
  }
  const ImageShape image{info.shape[1], info.shape[2], file.pad};
  constexpr std::int64_t most_pixels = std::int64_t{1} << 28;
  if ((image.height + 2 * image.pad) > most_pixels / (image.width + 2 * image.pad)) {
    throw DatasetError(fmt::format("{}: pad = {} makes images of more than 2^28 numbers out of the shape {}", file.path,
                                   file.pad, info.shape_text()));
  }
  return image;
}

Axes axes_of(const DatasetFile& file) {
  if (!file.transpose) return Axes::unsaid;
  return *file.transpose ? Axes::reversed : Axes::stored;
}

// Consecutive stored rows after selection and padding.
struct RowBlock {
  std::vector<std::int64_t> positions;  // in the training set
  std::vector<std::int32_t> labels;
  std::vector<double> values;  // row-major, as stored
};

// The selected rows of a dataset in file order, block by block; checks every number on the way.
class DatasetStream {
 public:
  explicit DatasetStream(const DatasetFile& file)
      : file_(file),
        reader_(open_rows(file.path, axes_of(file))),
        image_(image_shape(file, reader_->info())),
        selection_(file, reader_->info().rows()) {
    if (reader_->info().shape.size() > 1) return;
    throw DatasetError(fmt::format(
        "{}: its shape is {}, one number for each row: labels in place of data? Data of one dimension have the shape "
        "[{}, 1]",
        file.path, reader_->info().shape_text(), reader_->info().rows()));
  }

  [[nodiscard]] const RowSelection& selection() const { return selection_; }
  [[nodiscard]] std::int64_t dimension() const { return image_.padded_size(); }
  [[nodiscard]] NumberType type() const { return reader_->info().type; }
  [[nodiscard]] bool done() const { return next_row_ == reader_->info().rows(); }
  [[nodiscard]] const LargestNumber& largest() const { return largest_; }

  // The selected ones among the next stored rows; perhaps none. Not after done().
  const RowBlock& next() {
    const ArrayInfo& info = reader_->info();
    const std::int64_t rows = std::min(std::max<std::int64_t>(1, block_numbers / dimension()), info.rows() - next_row_);
    const auto row_size = static_cast<std::size_t>(info.row_size());
    stored_.resize(static_cast<std::size_t>(rows) * row_size);
    reader_->read(stored_);
    block_ = {};
    for (std::size_t i = 0; i < static_cast<std::size_t>(rows); ++i, ++next_row_) {
      const std::span<const double> row = std::span(stored_).subspan(i * row_size, row_size);
      require_good_numbers(row);
      if (selection_.label(next_row_) >= 0) append(row);
    }
    if (done()) reader_->finish();
    return block_;
  }

 private:
  void require_good_numbers(std::span<const double> row) {
    const bool bounded = file_.scaling == Scaling::unit || file_.scaling == Scaling::symmetric;
    const double largest = largest_of(type());
    constexpr double largest_exact_integer = 0x1p53;
    for (std::size_t column = 0; column < row.size(); ++column) {
      const double value = row[column];
      if (!std::isfinite(value)) {
        throw DatasetError(fmt::format("{}: row {}, column {} (from 0) holds {}, but every number must be finite",
                                       file_.path, next_row_, column, value));
      }
      if (std::abs(value) > std::abs(largest_.value)) {
        largest_ = {.value = value, .row = next_row_, .column = static_cast<std::int64_t>(column)};
      }
      if (!is_floating_point(type()) && std::abs(value) > largest_exact_integer) {
        throw DatasetError(
            fmt::format("{}: row {}, column {} (from 0) holds {:.0f}, an integer beyond 2^53, which has no "
                        "exact floating-point number",
                        file_.path, next_row_, column, value));
      }
      if (bounded && (value < 0.0 || value > largest)) {
        throw DatasetError(fmt::format("{}: row {}, column {} (from 0) holds {}, but scaling = \"{}\" needs {}",
                                       file_.path, next_row_, column, value, text_of(file_.scaling),
                                       is_floating_point(type())
                                           ? "floating-point numbers that lie between 0 and 1 already"
                                           : "integers that are not negative"));
      }
    }
  }

  void append(std::span<const double> row) {
    const std::size_t begin = block_.values.size();
    block_.positions.push_back(selection_.position(selected_++));
    block_.labels.push_back(selection_.label(next_row_));
    block_.values.resize(begin + static_cast<std::size_t>(dimension()));
    image_.copy_padded(row, std::span(block_.values).subspan(begin));
  }

  const DatasetFile& file_;
  std::unique_ptr<RowReader> reader_;
  ImageShape image_;
  RowSelection selection_;
  std::vector<double> stored_;
  RowBlock block_;
  LargestNumber largest_;
  std::int64_t next_row_ = 0;
  std::int64_t selected_ = 0;
};

// Mean and sum of squared deviations of numbers that come in pieces (Chan, Golub and LeVeque 1983).
class RunningMoments {
 public:
  void add(std::span<const double> values) {
    if (values.empty()) return;
    const auto n = static_cast<double>(values.size());
    double sum = 0.0;
    for (const double value : values) sum += value;
    const double mean = sum / n;
    double squares = 0.0;
    for (const double value : values) squares += (value - mean) * (value - mean);
    const double difference = mean - mean_;
    squares_ += squares + difference * difference * count_ * n / (count_ + n);
    mean_ += difference * n / (count_ + n);
    count_ += n;
  }

  [[nodiscard]] double mean() const { return mean_; }
  [[nodiscard]] double standard_deviation() const { return std::sqrt(squares_ / count_); }

 private:
  double count_ = 0.0;
  double mean_ = 0.0;
  double squares_ = 0.0;
};

void scale(std::span<double> values, Scaling scaling, NumberType type, const DatasetSummary& summary) {
  const double maximum = largest_of(type);
  switch (scaling) {
    case Scaling::raw:
      return;
    case Scaling::unit:
      for (double& value : values) value /= maximum;
      return;
    case Scaling::symmetric:
      for (double& value : values) value = 2.0 * value / maximum - 1.0;
      return;
    case Scaling::standardised:
      for (double& value : values) value = (value - summary.mean) / summary.standard_deviation;
      return;
  }
}

void require_spread(const DatasetFile& file, const DatasetSummary& summary) {
  if (file.scaling != Scaling::standardised) return;
  if (std::isfinite(summary.standard_deviation) && summary.standard_deviation > 0.0) return;
  throw DatasetError(
      fmt::format("{}: scaling = \"standardised\" needs a finite standard deviation above 0, but it is {}", file.path,
                  summary.standard_deviation));
}

void require_layout(const DatasetFile& file, const DatasetSummary& summary, const SlabLayout& layout) {
  if (layout.rows < 0 || layout.rows > summary.rows) {
    throw DatasetError(fmt::format("{}: {} rows are asked for, but it has {}", file.path, layout.rows, summary.rows));
  }
  if (layout.columns != summary.dimension) {
    throw DatasetError(fmt::format("{}: {} columns are asked for, but its rows have {} numbers", file.path,
                                   layout.columns, summary.dimension));
  }
}

void require_unchanged(const DatasetFile& file, const DatasetStream& stream, const DatasetSummary& summary) {
  if (stream.selection().rows() == summary.rows && stream.dimension() == summary.dimension) return;
  throw DatasetError(fmt::format("{}: has changed since it was inspected: {} rows of {} numbers, before {} of {}",
                                 file.path, stream.selection().rows(), stream.dimension(), summary.rows,
                                 summary.dimension));
}

// Rows of a block that belong to this rank: use(local row, the rank's columns, label).
template <typename UseRow>
void for_own_rows(const RowBlock& block, const SlabLayout& layout, const UseRow& use) {
  const auto columns = static_cast<std::size_t>(layout.columns);
  for (std::size_t i = 0; i < block.positions.size(); ++i) {
    const std::int64_t position = block.positions[i];
    if (position >= layout.rows || !layout.holds(position)) continue;
    const auto part = std::span(block.values)
                          .subspan(i * columns + static_cast<std::size_t>(layout.first_column()),
                                   static_cast<std::size_t>(layout.local_columns()));
    use(layout.local_row(position), part, block.labels[i]);
  }
}

// Root's block on every rank. Collective; `block` must have room for it already (reserve), so that nothing
// can throw.
void broadcast(const Communicator& comm, RowBlock& block, std::int64_t columns) {
  auto rows = static_cast<std::int64_t>(block.positions.size());
  comm.broadcast(std::span(&rows, 1));
  block.positions.resize(static_cast<std::size_t>(rows));
  block.labels.resize(static_cast<std::size_t>(rows));
  block.values.resize(static_cast<std::size_t>(rows) * static_cast<std::size_t>(columns));
  comm.broadcast(std::span(block.positions));
  comm.broadcast(std::span(block.labels));
  comm.broadcast(std::span(block.values));
}

// The rank's part of the first layout.rows rows of a file, scaled, in the order of the file: use_row as in
// for_own_rows. `allocate` is called first, where it may throw. Collective.
template <typename Allocate, typename UseRow>
void read_own_rows(const TaskGroup& group, const DatasetFile& file, const DatasetSummary& summary,
                   const SlabLayout& layout, const Allocate& allocate, const UseRow& use_row) {
  const Communicator& comm = group.comm();
  RowBlock block;
  std::optional<DatasetStream> stream;  // on the root only
  group.run_guarded([&] {
    require_layout(file, summary, layout);
    allocate();
    const auto rows = static_cast<std::size_t>(std::max<std::int64_t>(1, block_numbers / layout.columns));
    block.positions.reserve(rows);
    block.labels.reserve(rows);
    block.values.reserve(rows * static_cast<std::size_t>(layout.columns));
    if (!comm.is_root()) return;
    stream.emplace(file);
    require_unchanged(file, *stream, summary);
  });
  std::int64_t missing = layout.rows;
  while (missing > 0) {
    group.run_guarded([&] {
      if (!comm.is_root()) return;
      if (stream->done()) throw DatasetError(file.path + ": has changed since it was inspected");
      block = stream->next();
      scale(block.values, file.scaling, stream->type(), summary);
    });
    broadcast(comm, block, layout.columns);
    for_own_rows(block, layout, use_row);
    missing -= std::count_if(block.positions.begin(), block.positions.end(),
                             [&](std::int64_t position) { return position < layout.rows; });
  }
}

}  // namespace

DatasetSummary inspect_dataset(const DatasetFile& file) {
  DatasetStream stream(file);
  RunningMoments moments;
  const auto dimension = static_cast<std::size_t>(stream.dimension());
  std::vector<double> means(dimension);
  while (!stream.done()) {
    const std::span<const double> values = stream.next().values;
    for (std::size_t begin = 0; begin < values.size(); begin += dimension) {
      const std::span<const double> row = values.subspan(begin, dimension);
      moments.add(row);
      for (std::size_t j = 0; j < dimension; ++j) means[j] += row[j];
    }
  }
  DatasetSummary summary;
  summary.rows = stream.selection().rows();
  summary.dimension = stream.dimension();
  summary.class_sizes = stream.selection().class_sizes();
  summary.mean = moments.mean();
  summary.standard_deviation = moments.standard_deviation();
  summary.largest = stream.largest();
  require_spread(file, summary);
  std::array extremes{summary.largest.value, -summary.largest.value, 0.0};
  scale(extremes, file.scaling, stream.type(), summary);
  for (const double value : extremes) summary.largest_entry = std::max(summary.largest_entry, std::abs(value));
  for (double& mean : means) mean /= static_cast<double>(summary.rows);
  scale(means, file.scaling, stream.type(), summary);
  summary.column_means = std::make_shared<const std::vector<double>>(std::move(means));
  return summary;
}

DataSlab read_dataset(const TaskGroup& group, const DatasetFile& file, const DatasetSummary& summary,
                      const SlabLayout& layout) {
  const bool labelled = !summary.class_sizes.empty();
  DataSlab slab;
  const auto allocate = [&] {
    slab = zero_slab(layout);
    if (labelled) slab.labels.resize(static_cast<std::size_t>(layout.local_rows()));
  };
  const auto place = [&](std::int64_t local, std::span<const double> part, std::int32_t label) {
    std::copy(part.begin(), part.end(), slab.row(local).begin());
    if (labelled) slab.labels[static_cast<std::size_t>(local)] = label;
  };
  read_own_rows(group, file, summary, layout, allocate, place);
  return slab;
}

SinglePrecisionSlab read_single_precision_differences(const TaskGroup& group, const DatasetFile& file,
                                                      const DatasetSummary& summary, const SlabLayout& layout) {
  std::vector<double> middle;  // this rank's columns
  SinglePrecisionSlab slab;
  const auto place = [&](std::int64_t local, std::span<const double> part, std::int32_t /*label*/) {
    std::transform(part.begin(), part.end(), middle.begin(), slab.values.begin() + local * slab.stride(),
                   [](double value, double from) { return static_cast<float>(value - from); });
  };
  const auto allocate = [&] {
    if (!summary.column_means) throw std::logic_error("a summary that inspect_dataset did not make");
    slab = zero_single_precision_slab(layout);
    const auto begin = summary.column_means->begin() + layout.first_column();
    middle.assign(begin, begin + layout.local_columns());
  };
  read_own_rows(group, file, summary, layout, allocate, place);
  return slab;
}

std::vector<std::int32_t> read_labels(const DatasetFile& file, std::int64_t rows) {
  if (file.labels.empty()) return {};
  const RowSelection selection(file);
  if (rows < 0 || rows > selection.rows()) {
    throw DatasetError(fmt::format("{}: {} rows are asked for, but it has {}", file.labels, rows, selection.rows()));
  }
  std::vector<std::int32_t> labels(static_cast<std::size_t>(rows));
  std::int64_t selected = 0;
  for (std::int64_t row = 0; row < selection.stored_rows(); ++row) {
    if (selection.label(row) < 0) continue;
    const std::int64_t position = selection.position(selected++);
    if (position < rows) labels[static_cast<std::size_t>(position)] = selection.label(row);
  }
  return labels;
}

}  // namespace diffphase
