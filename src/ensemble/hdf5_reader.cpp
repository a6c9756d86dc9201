#include <fmt/format.h>
#include <fmt/ranges.h>
#include <hdf5.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "ensemble/dataset_file.hpp"
#include "ensemble/hdf5_objects.hpp"
#include "ensemble/hdf5_storage.hpp"
#include "ensemble/row_reader.hpp"

namespace diffphase {

namespace {

std::optional<NumberType> number_type(hid_t type) {
  const H5T_class_t kind = H5Tget_class(type);
  const std::size_t size = H5Tget_size(type);
  if (kind == H5T_FLOAT) {
    if (size == 2) return NumberType::f16;
    if (size == 4) return NumberType::f32;
    if (size == 8) return NumberType::f64;
  }
  if (kind == H5T_INTEGER) {
    const bool is_signed = H5Tget_sign(type) == H5T_SGN_2;
    if (size == 1) return is_signed ? NumberType::i8 : NumberType::u8;
    if (size == 2) return is_signed ? NumberType::i16 : NumberType::u16;
    if (size == 4) return is_signed ? NumberType::i32 : NumberType::u32;
    if (size == 8) return is_signed ? NumberType::i64 : NumberType::u64;
  }
  return std::nullopt;
}

NumberType type_of(const std::string& name, hid_t dataset) {
  const Hdf5Object type(H5Dget_type(dataset), H5Tclose);
  const auto number = type ? number_type(type.get()) : std::nullopt;
  if (!number) {
    throw DatasetError(name + ": its HDF5 type is neither an integer nor a floating-point number of 16, 32 or 64 bits");
  }
  return *number;
}

std::vector<std::int64_t> shape_of(const std::string& name, hid_t dataset) {
  const Hdf5Object space(H5Dget_space(dataset), H5Sclose);
  if (!space || H5Sget_simple_extent_type(space.get()) == H5S_NULL) throw DatasetError(name + ": holds no numbers");
  const int rank = H5Sget_simple_extent_ndims(space.get());
  if (rank < 0) throw DatasetError(name + ": its HDF5 dataspace is damaged");
  std::vector<hsize_t> lengths(static_cast<std::size_t>(rank));
  H5Sget_simple_extent_dims(space.get(), lengths.data(), nullptr);
  return {lengths.begin(), lengths.end()};
}

// A chunk is held in memory as a whole; it must be no larger than the file can fill.
void require_plausible_chunk(const std::string& name, hid_t creation, const ArrayInfo& info, std::uint64_t largest) {
  if (H5Pget_layout(creation) != H5D_CHUNKED) return;
  std::vector<hsize_t> lengths(info.shape.size());
  const bool known = H5Pget_chunk(creation, static_cast<int>(lengths.size()), lengths.data()) >= 0;
  // A chunk may reach over the end of the array, so the comparison is with a little more than the file.
  constexpr std::uint64_t always_allowed = std::uint64_t{1} << 26U;
  ArrayInfo chunk{{lengths.begin(), lengths.end()}, info.type};
  if (known) require_plausible_size(name, chunk, std::max(largest, always_allowed));
}

ArrayInfo checked_info(const std::string& name, hid_t dataset, std::uint64_t file_size) {
  ArrayInfo info{shape_of(name, dataset), type_of(name, dataset)};
  const Hdf5Object creation(H5Dget_create_plist(dataset), H5Pclose);
  // A virtual dataset keeps its numbers in other files, so that the size of this one says nothing.
  const bool elsewhere = !creation || H5Pget_layout(creation.get()) == H5D_VIRTUAL;
  const std::uint64_t largest = elsewhere ? UINT64_MAX : largest_inflated_size(file_size);
  require_plausible_size(name, info, largest);
  if (creation) require_plausible_chunk(name, creation.get(), info, largest);
  return info;
}

// MATLAB, which writes HDF5 since its format 7.3, stores an array of 200 x 40 with the shape [40, 200].
void require_said_axes(const std::string& name, hid_t dataset, const ArrayInfo& info, Axes axes) {
  if (axes != Axes::unsaid || H5Aexists(dataset, "MATLAB_class") <= 0) return;
  const std::vector<std::int64_t> reversed(info.shape.rbegin(), info.shape.rend());
  throw DatasetError(
      fmt::format("{}: was written by MATLAB, which reverses the axes: its shape is {}, in MATLAB [{}]. Set "
                  "dataset.transpose = true "
                  "if the first index counted points in MATLAB ({} of them), false if the last did ({})",
                  name, info.shape_text(), fmt::join(reversed, ", "), reversed.front(), reversed.back()));
}

// Hyperslabs of a dataset, in double.
class Hdf5Numbers {
 public:
  Hdf5Numbers(std::string name, Hdf5Object file, Hdf5Object dataset, const std::vector<std::int64_t>& lengths)
      : name_(std::move(name)),
        file_(std::move(file)),
        dataset_(std::move(dataset)),
        lengths_(lengths.begin(), lengths.end()) {}

  // `count` neighbours along an axis, all along the others.
  void read(std::size_t axis, std::int64_t first, std::size_t count, std::span<double> out) const {
    const QuietHdf5Errors quiet;
    std::vector<hsize_t> begin(lengths_.size(), 0);
    std::vector<hsize_t> counts = lengths_;
    begin[axis] = static_cast<hsize_t>(first);
    counts[axis] = static_cast<hsize_t>(count);
    const int rank = static_cast<int>(lengths_.size());
    const Hdf5Object in_file(H5Screate_simple(rank, lengths_.data(), nullptr), H5Sclose);
    const Hdf5Object in_memory(H5Screate_simple(rank, counts.data(), nullptr), H5Sclose);
    const bool good =
        in_file && in_memory &&
        H5Sselect_hyperslab(in_file.get(), H5S_SELECT_SET, begin.data(), nullptr, counts.data(), nullptr) >= 0 &&
        H5Dread(dataset_.get(), H5T_NATIVE_DOUBLE, in_memory.get(), in_file.get(), H5P_DEFAULT, out.data()) >= 0;
    if (!good) {
      throw DatasetError(fmt::format("{}: rows from {} cannot be read ({})", name_, first, innermost_hdf5_error()));
    }
  }

 private:
  std::string name_;
  Hdf5Object file_;
  Hdf5Object dataset_;
  std::vector<hsize_t> lengths_;
};

class Hdf5Reader : public RowReader {
 public:
  Hdf5Reader(const ArrayInfo& info, Hdf5Numbers numbers) : RowReader(info), numbers_(std::move(numbers)) {}

  void read(std::span<double> out) override {
    const std::size_t rows = out.size() / static_cast<std::size_t>(info().row_size());
    numbers_.read(0, next_row_, rows, out);
    next_row_ += static_cast<std::int64_t>(rows);
  }

 private:
  Hdf5Numbers numbers_;
  std::int64_t next_row_ = 0;
};

class ReversedHdf5Reader : public ReversedRowReader {
 public:
  ReversedHdf5Reader(const ArrayInfo& info, Hdf5Numbers numbers)
      : ReversedRowReader(info), numbers_(std::move(numbers)) {}

 protected:
  void read_tile(std::int64_t first, std::span<double> out) override {
    numbers_.read(info().shape.size() - 1, first, out.size() / static_cast<std::size_t>(info().row_size()), out);
  }

 private:
  Hdf5Numbers numbers_;
};

Hdf5Object open_dataset(hid_t file, const std::string& path) {
  const Hdf5Object inside = open_inside(file, path);
  if (!inside || H5Iget_type(inside.get()) != H5I_DATASET) return {-1, H5Dclose};
  const Hdf5Object access(H5Pcreate(H5P_DATASET_ACCESS), H5Pclose);
  // Blocks of rows may cut through chunks: a cache of 64 MiB saves decompressing those twice.
  H5Pset_chunk_cache(access.get(), 12421, std::size_t{1} << 26U, 1.0);
  return {H5Dopen2(file, path.c_str(), access.get()), H5Dclose};
}

}  // namespace

bool is_hdf5(const std::string& file) {
  const QuietHdf5Errors quiet;
  return H5Fis_hdf5(file.c_str()) > 0;
}

std::unique_ptr<RowReader> open_hdf5(const std::string& file, const std::string& dataset, Axes axes) {
  const QuietHdf5Errors quiet;
  forbid_unasked_plugins();
  const std::uint64_t file_size = regular_file_size(file);
  Hdf5Object opened = open_hdf5_file(file);
  if (!opened) throw DatasetError(fmt::format("{}: HDF5 cannot open it ({})", file, innermost_hdf5_error()));
  if (dataset.empty()) {
    throw DatasetError(fmt::format("{}: an HDF5 file needs the path of a dataset, as in {}:/path{}", file, file,
                                   nearest_datasets(opened.get(), "")));
  }
  Hdf5Object data = open_dataset(opened.get(), dataset);
  if (!data) throw DatasetError(fmt::format("{}: {}", file, why_no_dataset(opened.get(), dataset)));
  const std::string name = file + ":" + dataset;
  require_virtual_sources(file, name, data.get());
  ArrayInfo info = checked_info(name, data.get(), file_size);
  require_written(name, data.get());
  require_said_axes(name, data.get(), info, axes);
  Hdf5Numbers numbers(name, std::move(opened), std::move(data), info.shape);
  if (axes != Axes::reversed || info.shape.size() == 1) return std::make_unique<Hdf5Reader>(info, std::move(numbers));
  std::ranges::reverse(info.shape);
  return std::make_unique<ReversedHdf5Reader>(info, std::move(numbers));
}

}  // namespace diffphase
