#include "ensemble/row_reader.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <functional>
#include <numeric>
#include <string_view>
#include <utility>

#include "ensemble/dataset_file.hpp"
#include "ensemble/zip_archive.hpp"

namespace diffphase {

namespace {

// IEEE half precision: a sign, five bits of the exponent, ten of the fraction.
double half(std::uint16_t bits) {
  const int exponent = bits >> 10U & 31U;
  const int fraction = bits & 1023U;
  double value = exponent == 31  ? (fraction == 0 ? HUGE_VAL : std::nan(""))
                 : exponent == 0 ? std::ldexp(fraction, -24)
                                 : std::ldexp(1024 + fraction, exponent - 25);
  return (bits >> 15U) != 0 ? -value : value;
}

template <typename T>
void convert_as(std::span<const std::byte> raw, bool swap, std::span<double> out) {
  std::array<std::byte, sizeof(T)> bytes{};
  for (std::size_t i = 0; i < out.size(); ++i) {
    std::memcpy(bytes.data(), raw.data() + i * sizeof(T), sizeof(T));
    if (swap) std::reverse(bytes.begin(), bytes.end());
    out[i] = static_cast<double>(std::bit_cast<T>(bytes));
  }
}

void convert(NumberType type, std::span<const std::byte> raw, bool swap, std::span<double> out) {
  switch (type) {
    case NumberType::u8:
      return convert_as<std::uint8_t>(raw, false, out);
    case NumberType::i8:
      return convert_as<std::int8_t>(raw, false, out);
    case NumberType::u16:
      return convert_as<std::uint16_t>(raw, swap, out);
    case NumberType::i16:
      return convert_as<std::int16_t>(raw, swap, out);
    case NumberType::u32:
      return convert_as<std::uint32_t>(raw, swap, out);
    case NumberType::i32:
      return convert_as<std::int32_t>(raw, swap, out);
    case NumberType::u64:
      return convert_as<std::uint64_t>(raw, swap, out);
    case NumberType::i64:
      return convert_as<std::int64_t>(raw, swap, out);
    case NumberType::f16:
      convert_as<std::uint16_t>(raw, swap, out);
      std::ranges::transform(out, out.begin(), [](double bits) { return half(static_cast<std::uint16_t>(bits)); });
      return;
    case NumberType::b8:
      return convert_as<std::uint8_t>(raw, false, out);
    case NumberType::f32:
      return convert_as<float>(raw, swap, out);
    case NumberType::f64:
      return convert_as<double>(raw, swap, out);
  }
}

// Packed numbers behind a header.
class PackedNumbers {
 public:
  PackedNumbers(ByteStream stream, const PackedArray& array)
      : stream_(std::move(stream)),
        type_(array.info.type),
        shape_(array.info.shape_text()),
        swap_(array.big_endian == (std::endian::native == std::endian::little)),
        begin_(stream_.position()) {}

  void read(std::span<double> out) {
    const std::size_t width = size_of(type_);
    const std::size_t piece = raw_.size() / width;
    for (std::size_t done = 0; done < out.size(); done += piece) {
      const std::span<double> part = out.subspan(done, std::min(piece, out.size() - done));
      const std::span<std::byte> raw = std::span(raw_).first(part.size() * width);
      stream_.read(raw, "the array of the shape " + shape_ + ", which its header declares,");
      convert(type_, raw, swap_, part);
    }
  }

  void seek(std::int64_t number) { stream_.seek(begin_ + static_cast<std::uint64_t>(number) * size_of(type_)); }

  void require_end() {
    if (stream_.at_end()) return;
    throw DatasetError(fmt::format("{}: bytes follow after the last row, but its header declares the shape {}",
                                   stream_.name(), shape_));
  }

 private:
  ByteStream stream_;
  NumberType type_;
  std::string shape_;
  bool swap_;
  std::uint64_t begin_;
  std::vector<std::byte> raw_ = std::vector<std::byte>(std::size_t{1} << 16);
};

class PackedReader : public RowReader {
 public:
  PackedReader(const ArrayInfo& info, PackedNumbers numbers) : RowReader(info), numbers_(std::move(numbers)) {}
  void read(std::span<double> out) override { numbers_.read(out); }
  void finish() override { numbers_.require_end(); }

 private:
  PackedNumbers numbers_;
};

class ReversedPackedReader : public ReversedRowReader {
 public:
  ReversedPackedReader(const ArrayInfo& info, PackedNumbers numbers)
      : ReversedRowReader(info), numbers_(std::move(numbers)) {}
  void finish() override {
    numbers_.seek(info().rows() * info().row_size());
    numbers_.require_end();
  }

 protected:
  void read_tile(std::int64_t first, std::span<double> out) override {
    const std::size_t rows = out.size() / static_cast<std::size_t>(info().row_size());
    for (std::int64_t place = 0; place < info().row_size(); ++place) {
      numbers_.seek(place * info().rows() + first);
      numbers_.read(out.subspan(static_cast<std::size_t>(place) * rows, rows));
    }
  }

 private:
  PackedNumbers numbers_;
};

bool is_file(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && !S_ISDIR(status.st_mode);
}

constexpr std::string_view hdf5_magic = "\x89HDF\r\n";
constexpr std::string_view npy_magic = "\x93NUMPY";

// First bytes of the stream as text, which may hold zeros; leaves the stream at its beginning.
std::string first_bytes(ByteStream& stream) {
  std::array<char, 6> bytes{};
  const std::size_t count = stream.read_up_to(std::as_writable_bytes(std::span(bytes)));
  stream.seek(0);
  return {bytes.data(), count};
}

[[noreturn]] void throw_unknown_format(const std::string& file, const std::string& first) {
  if (first.empty()) throw DatasetError(file + ": the file is empty");
  std::string hex;
  for (const char byte : first.substr(0, 4)) {
    hex += fmt::format("{}{:02x}", hex.empty() ? "" : " ", static_cast<unsigned char>(byte));
  }
  throw DatasetError(
      fmt::format("{}: begins with the bytes {}, but IDX begins with 00 00, NPY with 93 4e 55 4d, npz with 50 4b 03 04 "
                  "and HDF5 with 89 48 44 46 (IDX and NPY may be gzipped)",
                  file, hex));
}

}  // namespace

const char* name_of(NumberType type) {
  static constexpr std::array names{"uint8",  "int8",  "uint16",  "int16",   "uint32",  "int32",
                                    "uint64", "int64", "float16", "float32", "float64", "bool"};
  return names[static_cast<std::size_t>(type)];
}

std::size_t size_of(NumberType type) {
  static constexpr std::array<std::size_t, 12> sizes{1, 1, 2, 2, 4, 4, 8, 8, 2, 4, 8, 1};
  return sizes[static_cast<std::size_t>(type)];
}

bool is_floating_point(NumberType type) {
  return type == NumberType::f16 || type == NumberType::f32 || type == NumberType::f64;
}

double largest_of(NumberType type) {
  static constexpr std::array<double, 12> largest{255.0,  127.0,  65535.0, 32767.0, 0x1p32 - 1.0, 0x1p31 - 1.0,
                                                  0x1p64, 0x1p63, 1.0,     1.0,     1.0,          1.0};
  return largest[static_cast<std::size_t>(type)];
}

std::int64_t ArrayInfo::row_size() const {
  return std::accumulate(shape.begin() + 1, shape.end(), std::int64_t{1}, std::multiplies<>());
}

std::string ArrayInfo::shape_text() const { return fmt::format("[{}]", fmt::join(shape, ", ")); }

void require_plausible_size(const std::string& name, const ArrayInfo& info, std::uint64_t largest_size) {
  if (info.shape.empty()) {
    throw DatasetError(name + ": holds a single number (rank 0), but an array of rank 1 or more is needed");
  }
  if (std::any_of(info.shape.begin(), info.shape.end(), [](std::int64_t n) { return n <= 0; })) {
    throw DatasetError(
        fmt::format("{}: its shape is {}, but every length must be at least 1", name, info.shape_text()));
  }
  std::uint64_t bytes = size_of(info.type);
  bool overflow = false;
  for (const std::int64_t n : info.shape) {
    overflow = overflow || __builtin_mul_overflow(bytes, static_cast<std::uint64_t>(n), &bytes);
  }
  if (overflow || bytes > largest_size) {
    throw DatasetError(
        fmt::format("{}: is truncated or damaged: its header declares {} numbers of type {}, more than "
                    "the file can hold",
                    name, info.shape_text(), name_of(info.type)));
  }
}

ReversedRowReader::ReversedRowReader(ArrayInfo info)
    : RowReader(std::move(info)), places_(static_cast<std::size_t>(this->info().row_size())) {
  // Of the indices of a row the first varies fastest in the file, the last in the row.
  const std::span<const std::int64_t> lengths = std::span(this->info().shape).subspan(1);
  std::vector<std::int64_t> index(lengths.size());
  for (std::int64_t& place : places_) {
    place = 0;
    for (std::size_t axis = 0; axis < lengths.size(); ++axis) place = place * lengths[axis] + index[axis];
    for (std::size_t axis = 0; axis < lengths.size() && ++index[axis] == lengths[axis]; ++axis) index[axis] = 0;
  }
}

void ReversedRowReader::load_tile() {
  constexpr std::int64_t most_numbers = std::int64_t{1} << 23;  // 64 MiB
  tile_begin_ = next_row_;
  tile_rows_ = std::clamp<std::int64_t>(most_numbers / info().row_size(), 1, info().rows() - next_row_);
  tile_.resize(static_cast<std::size_t>(tile_rows_ * info().row_size()));
  read_tile(tile_begin_, tile_);
}

void ReversedRowReader::read(std::span<double> out) {
  const auto row_size = static_cast<std::size_t>(info().row_size());
  for (std::size_t begin = 0; begin < out.size(); begin += row_size, ++next_row_) {
    if (next_row_ == tile_begin_ + tile_rows_) load_tile();
    const auto row = static_cast<std::size_t>(next_row_ - tile_begin_);
    for (std::size_t place = 0; place < row_size; ++place) {
      out[begin + static_cast<std::size_t>(places_[place])] = tile_[place * static_cast<std::size_t>(tile_rows_) + row];
    }
  }
}

DataName split_data_name(const std::string& name) {
  if (is_file(name)) return {name, ""};
  for (std::size_t colon = name.rfind(':'); colon != std::string::npos && colon > 0;
       colon = name.rfind(':', colon - 1)) {
    if (is_file(name.substr(0, colon))) return {name.substr(0, colon), name.substr(colon + 1)};
  }
  const std::size_t colon = name.rfind(":/");  // of a file that is not there: it is named without what was to be in it
  if (colon == std::string::npos || colon == 0) return {name, ""};
  return {name.substr(0, colon), name.substr(colon + 1)};
}

namespace {

PackedArray read_header(ByteStream& stream) {
  const std::string first = first_bytes(stream);
  if (first == npy_magic) return read_npy_header(stream);
  if (first.starts_with(std::string_view("\0\0", 2))) return read_idx_header(stream);
  if (stream.is_gzipped() && (first == hdf5_magic || first.starts_with(zip_magic))) {
    throw DatasetError(
        fmt::format("{}: is a gzipped {} file, whose arrays cannot be read without unpacking it: gunzip it",
                    stream.name(), first == hdf5_magic ? "HDF5" : "npz"));
  }
  throw_unknown_format(stream.name(), first);
}

ByteStream open_bytes(const DataName& name) {
  ByteStream stream(name.file);
  const std::string first = first_bytes(stream);
  const bool zipped = !stream.is_gzipped() && (first.starts_with(zip_magic) || first.starts_with(empty_zip_magic));
  if (zipped) return open_zipped_array(name.file, name.array);
  if (!name.array.empty() && (first == npy_magic || first.starts_with(std::string_view("\0\0", 2)))) {
    throw DatasetError(
        fmt::format("{}: is no HDF5 or npz file, so there is no dataset {} in it", name.file, name.array));
  }
  return stream;
}

}  // namespace

std::unique_ptr<RowReader> open_rows(const std::string& name, Axes axes) {
  const DataName parts = split_data_name(name);
  (void)regular_file_size(parts.file);
  if (is_hdf5(parts.file)) return open_hdf5(parts.file, parts.array, axes);
  ByteStream stream = open_bytes(parts);
  PackedArray array = read_header(stream);
  if (axes == Axes::reversed) {
    std::ranges::reverse(array.info.shape);
    array.reversed = !array.reversed;
  }
  require_plausible_size(stream.name(), array.info, stream.largest_size());
  PackedNumbers numbers(std::move(stream), array);
  if (array.reversed && array.info.shape.size() > 1) {
    return std::make_unique<ReversedPackedReader>(array.info, std::move(numbers));
  }
  return std::make_unique<PackedReader>(array.info, std::move(numbers));
}

}  // namespace diffphase
