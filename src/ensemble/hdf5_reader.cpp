#include <fmt/format.h>
#include <fmt/ranges.h>
#include <hdf5.h>

#include <algorithm>
#include <numeric>
#include <optional>
#include <utility>

#include "ensemble/dataset_file.hpp"
#include "ensemble/row_reader.hpp"

namespace diffphase {

namespace {

// An HDF5 identifier and the function that closes it; negative: none.
class Handle {
 public:
  Handle(hid_t id, herr_t (*close)(hid_t)) : id_(id), close_(close) {}
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, -1)), close_(other.close_) {}
  Handle& operator=(Handle&&) = delete;
  ~Handle() {
    if (id_ >= 0) close_(id_);
  }

  [[nodiscard]] hid_t get() const { return id_; }
  explicit operator bool() const { return id_ >= 0; }

 private:
  hid_t id_;
  herr_t (*close_)(hid_t);
};

// HDF5 prints its error stack by default; here errors become exceptions.
class QuietErrors {
 public:
  QuietErrors() {
    H5Eget_auto2(H5E_DEFAULT, &function_, &data_);
    H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  }
  QuietErrors(const QuietErrors&) = delete;
  QuietErrors& operator=(const QuietErrors&) = delete;
  ~QuietErrors() { H5Eset_auto2(H5E_DEFAULT, function_, data_); }

 private:
  H5E_auto2_t function_ = nullptr;
  void* data_ = nullptr;
};

// The description of the innermost error of HDF5's stack.
std::string innermost_error() {
  std::string text = "unknown error";
  H5Ewalk2(
      H5E_DEFAULT, H5E_WALK_UPWARD,
      [](unsigned depth, const H5E_error2_t* error, void* out) -> herr_t {
        if (depth == 0 && error->desc != nullptr) *static_cast<std::string*>(out) = error->desc;
        return 0;
      },
      &text);
  return text;
}

// Paths of the datasets below a group, to a bounded depth and number (hard links may form cycles).
void collect_datasets(hid_t group, const std::string& prefix, int depth, std::vector<std::string>& paths) {
  constexpr int deepest = 8;
  constexpr std::size_t most = 1000;
  H5G_info_t info{};
  if (depth > deepest || H5Gget_info(group, &info) < 0) return;
  for (hsize_t i = 0; i < info.nlinks && paths.size() < most; ++i) {
    char name[256] = {};
    if (H5Lget_name_by_idx(group, ".", H5_INDEX_NAME, H5_ITER_INC, i, name, sizeof(name), H5P_DEFAULT) < 0) return;
    const Handle object(H5Oopen(group, name, H5P_DEFAULT), H5Oclose);
    if (!object) continue;
    const H5I_type_t type = H5Iget_type(object.get());
    if (type == H5I_DATASET) paths.push_back(prefix + name);
    if (type == H5I_GROUP) collect_datasets(object.get(), prefix + name + "/", depth + 1, paths);
  }
}

// Number of insertions, deletions and replacements that turn one text into the other.
std::size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i + 1);
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, diagonal + 1, row[j] + 1});
    }
  }
  return row.back();
}

// "; its datasets: ..." with the names nearest to `wanted`.
std::string nearest_datasets(hid_t file, const std::string& wanted) {
  std::vector<std::string> paths;
  collect_datasets(file, "/", 0, paths);
  if (paths.empty()) return "; it holds no dataset";
  std::stable_sort(paths.begin(), paths.end(), [&](const std::string& a, const std::string& b) {
    return edit_distance(a, wanted) < edit_distance(b, wanted);
  });
  constexpr std::size_t most = 5;
  const bool all = paths.size() <= most;
  paths.resize(std::min(paths.size(), most));
  return fmt::format("; {} {}", all ? "its datasets are" : "the nearest of its datasets are", fmt::join(paths, ", "));
}

std::optional<NumberType> number_type(hid_t type) {
  const H5T_class_t kind = H5Tget_class(type);
  const std::size_t size = H5Tget_size(type);
  if (kind == H5T_FLOAT) {
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
  const Handle type(H5Dget_type(dataset), H5Tclose);
  const auto number = type ? number_type(type.get()) : std::nullopt;
  if (!number) {
    throw DatasetError(name + ": its HDF5 type is not one of uint8, float32 and float64 (labels also other integers)");
  }
  return *number;
}

std::vector<std::int64_t> shape_of(const std::string& name, hid_t dataset) {
  const Handle space(H5Dget_space(dataset), H5Sclose);
  if (!space || H5Sget_simple_extent_type(space.get()) == H5S_NULL) throw DatasetError(name + ": holds no numbers");
  const int rank = H5Sget_simple_extent_ndims(space.get());
  if (rank < 0) throw DatasetError(name + ": its HDF5 dataspace is damaged");
  std::vector<hsize_t> lengths(static_cast<std::size_t>(rank));
  H5Sget_simple_extent_dims(space.get(), lengths.data(), nullptr);
  return {lengths.begin(), lengths.end()};
}

// Virtual and external datasets keep their numbers in other files, so that their size says nothing.
bool stored_elsewhere(hid_t creation) {
  return H5Pget_layout(creation) == H5D_VIRTUAL || H5Pget_external_count(creation) > 0;
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
  const Handle creation(H5Dget_create_plist(dataset), H5Pclose);
  const bool elsewhere = !creation || stored_elsewhere(creation.get());
  const std::uint64_t largest = elsewhere ? UINT64_MAX : largest_inflated_size(file_size);
  require_plausible_size(name, info, largest);
  if (creation) require_plausible_chunk(name, creation.get(), info, largest);
  return info;
}

Handle open_dataset(hid_t file, const std::string& path) {
  const Handle access(H5Pcreate(H5P_DATASET_ACCESS), H5Pclose);
  // Blocks of rows may cut through chunks: a cache of 64 MiB saves decompressing those twice.
  H5Pset_chunk_cache(access.get(), 12421, std::size_t{1} << 26U, 1.0);
  return {H5Dopen2(file, path.c_str(), access.get()), H5Dclose};
}

class Hdf5Reader : public RowReader {
 public:
  Hdf5Reader(std::string name, Handle file, Handle dataset, ArrayInfo info)
      : RowReader(std::move(info)), name_(std::move(name)), file_(std::move(file)), dataset_(std::move(dataset)) {}

  void read(std::span<double> out) override {
    const QuietErrors quiet;
    const std::vector<hsize_t> lengths(info().shape.begin(), info().shape.end());
    std::vector<hsize_t> start(lengths.size(), 0);
    std::vector<hsize_t> count = lengths;
    start[0] = static_cast<hsize_t>(next_row_);
    count[0] = static_cast<hsize_t>(out.size()) / static_cast<hsize_t>(info().row_size());
    const int rank = static_cast<int>(lengths.size());
    const Handle in_file(H5Screate_simple(rank, lengths.data(), nullptr), H5Sclose);
    const Handle in_memory(H5Screate_simple(rank, count.data(), nullptr), H5Sclose);
    const bool good =
        in_file && in_memory &&
        H5Sselect_hyperslab(in_file.get(), H5S_SELECT_SET, start.data(), nullptr, count.data(), nullptr) >= 0 &&
        H5Dread(dataset_.get(), H5T_NATIVE_DOUBLE, in_memory.get(), in_file.get(), H5P_DEFAULT, out.data()) >= 0;
    if (!good) {
      throw DatasetError(fmt::format("{}: rows from {} cannot be read ({})", name_, next_row_, innermost_error()));
    }
    next_row_ += static_cast<std::int64_t>(count[0]);
  }

 private:
  std::string name_;
  Handle file_;
  Handle dataset_;
  std::int64_t next_row_ = 0;
};

}  // namespace

bool is_hdf5(const std::string& file) {
  const QuietErrors quiet;
  return H5Fis_hdf5(file.c_str()) > 0;
}

std::unique_ptr<RowReader> open_hdf5(const std::string& file, const std::string& dataset) {
  const QuietErrors quiet;
  const std::uint64_t file_size = regular_file_size(file);
  Handle opened(H5Fopen(file.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT), H5Fclose);
  if (!opened) throw DatasetError(fmt::format("{}: HDF5 cannot open it ({})", file, innermost_error()));
  if (dataset.empty()) {
    throw DatasetError(fmt::format("{}: an HDF5 file needs the path of a dataset, as in {}:/path{}", file, file,
                                   nearest_datasets(opened.get(), "")));
  }
  Handle data = open_dataset(opened.get(), dataset);
  if (!data) {
    throw DatasetError(fmt::format("{}: has no dataset {}{}", file, dataset, nearest_datasets(opened.get(), dataset)));
  }
  const std::string name = file + ":" + dataset;
  ArrayInfo info = checked_info(name, data.get(), file_size);
  return std::make_unique<Hdf5Reader>(name, std::move(opened), std::move(data), std::move(info));
}

}  // namespace diffphase
