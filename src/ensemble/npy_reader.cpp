// NPY, numpy's format: magic, version, length of the header, the header (a Python dictionary as text), the
// numbers.

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <map>
#include <optional>
#include <string_view>

#include "ensemble/dataset_file.hpp"
#include "ensemble/row_reader.hpp"

namespace diffphase {

namespace {

[[noreturn]] void fail(const ByteStream& stream, const std::string& problem) {
  throw DatasetError(stream.path() + ": " + problem);
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view blank = " \t\n";
  const std::size_t first = text.find_first_not_of(blank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blank) - first + 1);
}

// The text after 'key': up to `closing`, which is included; nothing if it is not there.
std::optional<std::string_view> value_of(std::string_view header, std::string_view key, std::string_view closing) {
  const std::size_t at = header.find(fmt::format("'{}':", key));
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view rest = trimmed(header.substr(at + key.size() + 3));
  // A string or tuple begins with its own quote or bracket, so the end is looked for after the first
  // character.
  const std::size_t end = rest.find_first_of(closing, 1);
  if (end == std::string_view::npos) return std::nullopt;
  return rest.substr(0, end + 1);
}

NumberType type_of(const ByteStream& stream, std::string_view description) {
  static const std::map<std::string_view, NumberType> types{
      {"u1", NumberType::u8},  {"i1", NumberType::i8},  {"u2", NumberType::u16}, {"i2", NumberType::i16},
      {"u4", NumberType::u32}, {"i4", NumberType::i32}, {"u8", NumberType::u64}, {"i8", NumberType::i64},
      {"f4", NumberType::f32}, {"f8", NumberType::f64}};
  const bool quoted = description.size() == 5 && description.front() == '\'' && description.back() == '\'';
  const bool little = quoted && (description[1] == '<' || description[1] == '|');
  const auto found = little ? types.find(description.substr(2, 2)) : types.end();
  if (found == types.end()) {
    fail(stream,
         fmt::format("its NPY dtype is {}, but it must be '|u1', '<f4' or '<f8' (labels also other little-endian "
                     "integers)",
                     description));
  }
  return found->second;
}

std::vector<std::int64_t> shape_of(const ByteStream& stream, std::string_view tuple) {
  std::vector<std::int64_t> shape;
  std::string_view rest = tuple.starts_with('(') ? tuple.substr(1, tuple.size() - 2) : "?";
  while (!(rest = trimmed(rest)).empty()) {
    std::int64_t length = 0;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), length);
    const std::string_view tail = trimmed(rest.substr(static_cast<std::size_t>(end - rest.data())));
    if (error != std::errc() || (!tail.empty() && tail.front() != ',')) {
      fail(stream, fmt::format("its NPY header has the shape {}, which is not a tuple of lengths", tuple));
    }
    shape.push_back(length);
    rest = tail.empty() ? tail : tail.substr(1);
  }
  return shape;
}

std::string read_header_text(ByteStream& stream) {
  std::array<unsigned char, 8> start{};  // magic (6), major, minor version
  stream.read(std::as_writable_bytes(std::span(start)), "the NPY header");
  const unsigned version = start[6];
  if (version < 1 || version > 3) fail(stream, fmt::format("its NPY version is {}, but it must be 1, 2 or 3", version));
  std::array<unsigned char, 4> bytes{};
  stream.read(std::as_writable_bytes(std::span(bytes).first(version == 1 ? 2 : 4)), "the NPY header");
  const std::uint64_t length = bytes[0] | bytes[1] << 8U | bytes[2] << 16U | std::uint64_t{bytes[3]} << 24U;
  constexpr std::uint64_t longest = std::uint64_t{1} << 20U;
  if (length > longest || length > stream.largest_size()) {
    fail(stream, fmt::format("is truncated or damaged: its NPY header declares a length of {} bytes", length));
  }
  std::string text(length, '\0');
  stream.read(std::as_writable_bytes(std::span(text)), "the NPY header");
  return text;
}

}  // namespace

PackedArray read_npy_header(ByteStream& stream) {
  const std::string text = read_header_text(stream);
  const auto description = value_of(text, "descr", text.find("'descr': [") == std::string::npos ? "'" : "]");
  const auto order = value_of(text, "fortran_order", ",}");
  const auto shape = value_of(text, "shape", ")");
  if (!description || !order || !shape) {
    fail(stream, "its NPY header is damaged: descr, fortran_order and shape are not all there");
  }
  PackedArray array;
  array.info.type = type_of(stream, *description);
  const std::string_view fortran = trimmed(order->substr(0, order->size() - 1));
  if (fortran == "True") fail(stream, "is in Fortran order, but it must be in C order (numpy.ascontiguousarray)");
  if (fortran != "False") fail(stream, fmt::format("its NPY header says fortran_order = {}", fortran));
  array.info.shape = shape_of(stream, *shape);
  return array;
}

}  // namespace diffphase
