// IDX, the format of MNIST: two zero bytes, a type code, the rank, the lengths as big-endian uint32, the
// numbers (big-endian).

#include <fmt/format.h>

#include <array>

#include "ensemble/dataset_file.hpp"
#include "ensemble/row_reader.hpp"

namespace diffphase {

namespace {

NumberType type_of_code(unsigned code, const std::string& path) {
  switch (code) {
    case 0x08:
      return NumberType::u8;
    case 0x09:
      return NumberType::i8;
    case 0x0B:
      return NumberType::i16;
    case 0x0C:
      return NumberType::i32;
    case 0x0D:
      return NumberType::f32;
    case 0x0E:
      return NumberType::f64;
    default:
      throw DatasetError(
          fmt::format("{}: wrong magic number: the IDX type code is 0x{:02x}, but it must be one of 0x08, "
                      "0x09, 0x0b, 0x0c, 0x0d, 0x0e",
                      path, code));
  }
}

}  // namespace

PackedArray read_idx_header(ByteStream& stream) {
  std::array<std::byte, 4> magic{};
  stream.read(magic, "the IDX magic number");
  PackedArray array;
  array.big_endian = true;
  array.info.type = type_of_code(std::to_integer<unsigned>(magic[2]), stream.name());
  const auto rank = std::to_integer<unsigned>(magic[3]);
  for (unsigned i = 0; i < rank; ++i) {
    std::array<std::byte, 4> bytes{};
    stream.read(bytes, "the IDX header");
    std::int64_t length = 0;
    for (const std::byte byte : bytes) length = length * 256 + std::to_integer<std::int64_t>(byte);
    array.info.shape.push_back(length);
  }
  return array;
}

}  // namespace diffphase
