#include "ensemble/row_reader.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <functional>
#include <numeric>
#include <string_view>
#include <utility>

#include "ensemble/dataset_file.hpp"

namespace diffphase {

namespace {

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
    case NumberType::f32:
      return convert_as<float>(raw, swap, out);
    case NumberType::f64:
      return convert_as<double>(raw, swap, out);
  }
}

// IDX and NPY: a header, then all numbers in row-major order, then nothing.
class PackedReader : public RowReader {
 public:
  PackedReader(ByteStream stream, PackedArray array)
      : RowReader(std::move(array.info)),
        stream_(std::move(stream)),
        swap_(array.big_endian == (std::endian::native == std::endian::little)) {}

  void read(std::span<double> out) override {
    const std::size_t width = size_of(info().type);
    const std::size_t piece = raw_.size() / width;
    for (std::size_t done = 0; done < out.size(); done += piece) {
      const std::span<double> part = out.subspan(done, std::min(piece, out.size() - done));
      const std::span<std::byte> raw = std::span(raw_).first(part.size() * width);
      stream_.read(raw, "the array of the shape " + info().shape_text() + ", which its header declares,");
      convert(info().type, raw, swap_, part);
    }
  }

  void finish() override {
    if (stream_.at_end()) return;
    throw DatasetError(fmt::format("{}: bytes follow after the last row, but its header declares the shape {}",
                                   stream_.path(), info().shape_text()));
  }

 private:
  ByteStream stream_;
  bool swap_;
  std::vector<std::byte> raw_ = std::vector<std::byte>(std::size_t{1} << 16);
};

// "file.h5:/path" in its two parts; the second is empty for other names, and where the whole name is a file.
std::pair<std::string, std::string> split_name(const std::string& name) {
  struct stat status {};
  const std::size_t colon = name.rfind(":/");
  if (colon == std::string::npos || colon == 0 || ::stat(name.c_str(), &status) == 0) return {name, ""};
  return {name.substr(0, colon), name.substr(colon + 1)};
}

constexpr std::string_view npy_magic = "\x93NUMPY";

// First bytes of the stream as text, which may hold zeros; leaves the stream at its beginning.
std::string first_bytes(ByteStream& stream) {
  std::array<char, 6> bytes{};
  const std::size_t count = stream.read_up_to(std::as_writable_bytes(std::span(bytes)));
  stream.rewind();
  return {bytes.data(), count};
}

[[noreturn]] void throw_unknown_format(const std::string& file, const std::string& first) {
  if (first.empty()) throw DatasetError(file + ": the file is empty");
  std::string hex;
  for (const char byte : first.substr(0, 4)) {
    hex += fmt::format("{}{:02x}", hex.empty() ? "" : " ", static_cast<unsigned char>(byte));
  }
  throw DatasetError(
      fmt::format("{}: begins with the bytes {}, but IDX begins with 00 00, NPY with 93 4e 55 4d and "
                  "HDF5 with 89 48 44 46 (IDX and NPY may be gzipped)",
                  file, hex));
}

}  // namespace

const char* name_of(NumberType type) {
  static constexpr std::array names{"uint8", "int8",   "uint16", "int16",   "uint32",
                                    "int32", "uint64", "int64",  "float32", "float64"};
  return names[static_cast<std::size_t>(type)];
}

std::size_t size_of(NumberType type) {
  static constexpr std::array<std::size_t, 10> sizes{1, 1, 2, 2, 4, 4, 8, 8, 4, 8};
  return sizes[static_cast<std::size_t>(type)];
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

std::unique_ptr<RowReader> open_rows(const std::string& name) {
  const auto [file, dataset] = split_name(name);
  (void)regular_file_size(file);
  if (is_hdf5(file)) return open_hdf5(file, dataset);
  if (!dataset.empty()) {
    throw DatasetError(fmt::format("{}: is not an HDF5 file, so there is no dataset {} in it", file, dataset));
  }
  ByteStream stream(file);
  const std::string first = first_bytes(stream);
  PackedArray array;
  if (first == npy_magic) {
    array = read_npy_header(stream);
  } else if (first.starts_with(std::string_view("\0\0", 2))) {
    array = read_idx_header(stream);
  } else {
    throw_unknown_format(file, first);
  }
  require_plausible_size(file, array.info, stream.largest_size());
  return std::make_unique<PackedReader>(std::move(stream), std::move(array));
}

}  // namespace diffphase
