// NPY, numpy's format: magic, version, length of the header, the header (a Python dictionary as text), the
// numbers.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <map>
#include <optional>
#include <string_view>
#include <vector>

#include "ensemble/dataset_file.hpp"
#include "ensemble/row_reader.hpp"

namespace diffphase {

namespace {

[[noreturn]] void fail(const ByteStream& stream, const std::string& problem) {
  throw DatasetError(stream.name() + ": " + problem);
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view blank = " \t\r\n";
  const std::size_t first = text.find_first_not_of(blank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blank) - first + 1);
}

// Behind the Python string that begins at `begin` with its quote.
std::size_t end_of_string(std::string_view text, std::size_t begin) {
  std::size_t at = begin + 1;
  while (at < text.size() && text[at] != text[begin]) at += text[at] == '\\' ? 2 : 1;
  return std::min(at + 1, text.size());
}

// What a Python string says, without prefix and quotes; nothing if `text` is none.
std::optional<std::string_view> string_value(std::string_view text) {
  if (!text.empty() && std::string_view("uUbB").find(text.front()) != std::string_view::npos) text.remove_prefix(1);
  if (text.size() < 2 || (text.front() != '\'' && text.front() != '"')) return std::nullopt;
  if (end_of_string(text, 0) != text.size() || text.back() != text.front()) return std::nullopt;
  return text.substr(1, text.size() - 2);
}

// The pieces of a text between `separator`s that stand in no string and no bracket, trimmed.
std::vector<std::string_view> split_outside(std::string_view text, char separator) {
  std::vector<std::string_view> pieces;
  std::size_t begin = 0;
  int depth = 0;
  for (std::size_t at = 0; at < text.size();) {
    const char c = text[at];
    if (c == '\'' || c == '"') {
      at = end_of_string(text, at);
      continue;
    }
    if (c == '(' || c == '[' || c == '{') ++depth;
    if (c == ')' || c == ']' || c == '}') --depth;
    if (c == separator && depth == 0) {
      pieces.push_back(trimmed(text.substr(begin, at - begin)));
      begin = at + 1;
    }
    ++at;
  }
  pieces.push_back(trimmed(text.substr(begin)));
  return pieces;
}

// The entries of the dictionary that a header is, as texts; what is no entry is left out.
std::map<std::string_view, std::string_view> entries_of(std::string_view header) {
  header = trimmed(header);
  std::map<std::string_view, std::string_view> entries;
  if (header.size() < 2 || header.front() != '{' || header.back() != '}') return entries;
  for (const std::string_view entry : split_outside(header.substr(1, header.size() - 2), ',')) {
    const std::vector<std::string_view> parts = split_outside(entry, ':');
    const auto key = string_value(parts[0]);
    if (parts.size() == 2 && key) entries[*key] = parts[1];
  }
  return entries;
}

struct Format {
  NumberType type;
  bool big_endian;
};

// As in '<f8', "=i4", '|u1', u'>f2', 'float32'.
Format format_of(const ByteStream& stream, std::string_view description) {
  static const std::map<std::string_view, NumberType> types{
      {"u1", NumberType::u8},  {"i1", NumberType::i8},  {"u2", NumberType::u16}, {"i2", NumberType::i16},
      {"u4", NumberType::u32}, {"i4", NumberType::i32}, {"u8", NumberType::u64}, {"i8", NumberType::i64},
      {"f2", NumberType::f16}, {"f4", NumberType::f32}, {"f8", NumberType::f64}, {"b1", NumberType::b8}};
  std::string_view text = string_value(description).value_or("");
  Format format{NumberType::u8, std::endian::native == std::endian::big};
  if (!text.empty() && std::string_view("<>=|").find(text.front()) != std::string_view::npos) {
    if (text.front() == '<') format.big_endian = false;
    if (text.front() == '>') format.big_endian = true;
    text.remove_prefix(1);
  }
  for (const auto& [code, type] : types) {
    if (text != code && text != name_of(type)) continue;
    format.type = type;
    return format;
  }
  fail(stream,
       fmt::format("its NPY dtype is {}, but it must be an integer, as '|u1' or '<i8', or a floating-point number "
                   "of 16, 32 or 64 bits, as '<f4'",
                   description));
}

std::vector<std::int64_t> shape_of(const ByteStream& stream, std::string_view tuple) {
  const auto refuse = [&] {
    fail(stream, fmt::format("its NPY header has the shape {}, which is not a tuple of lengths", tuple));
  };
  if (tuple.size() < 2 || tuple.front() != '(' || tuple.back() != ')') refuse();
  std::vector<std::int64_t> shape;
  std::vector<std::string_view> items = split_outside(tuple.substr(1, tuple.size() - 2), ',');
  if (items.back().empty()) items.pop_back();  // (), (3,)
  for (const std::string_view item : items) {
    std::int64_t length = 0;
    const char* const behind = item.data() + item.size();
    const auto [end, error] = std::from_chars(item.data(), behind, length);
    const bool long_integer = end + 1 == behind && *end == 'L';  // of Python 2
    if (error != std::errc() || (end != behind && !long_integer)) refuse();
    shape.push_back(length);
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
  const auto entries = entries_of(text);
  const auto description = entries.find("descr");
  const auto order = entries.find("fortran_order");
  const auto shape = entries.find("shape");
  if (description == entries.end() || order == entries.end() || shape == entries.end()) {
    fail(stream, "its NPY header is damaged: descr, fortran_order and shape are not all there");
  }
  const Format format = format_of(stream, description->second);
  if (order->second != "True" && order->second != "False") {
    fail(stream, fmt::format("its NPY header says fortran_order = {}", order->second));
  }
  return {.info = {.shape = shape_of(stream, shape->second), .type = format.type},
          .big_endian = format.big_endian,
          .reversed = order->second == "True"};
}

}  // namespace diffphase
