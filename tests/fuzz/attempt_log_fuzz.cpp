// Texts that go into the log of attempts, which is JSON in UTF-8 whatever they hold.

#include <string_view>

#include "fuzz_input.hpp"
#include "sweep/attempt_log.hpp"

namespace {

bool is_hex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }

// Length of the UTF-8 character at the front by the table of the Unicode standard (3-7), 0 if there is none.
std::size_t character(std::string_view text) {
  const auto byte = [&](std::size_t i) -> unsigned {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0;
  };
  const auto in = [&](std::size_t i, unsigned low, unsigned high) { return byte(i) >= low && byte(i) <= high; };
  const auto tail = [&](std::size_t i) { return in(i, 0x80, 0xBF); };
  if (in(0, 0x20, 0x7E)) return 1;
  if (in(0, 0xC2, 0xDF)) return tail(1) ? 2 : 0;
  if (in(0, 0xE0, 0xE0)) return in(1, 0xA0, 0xBF) && tail(2) ? 3 : 0;
  if (in(0, 0xED, 0xED)) return in(1, 0x80, 0x9F) && tail(2) ? 3 : 0;
  if (in(0, 0xE1, 0xEF)) return tail(1) && tail(2) ? 3 : 0;
  if (in(0, 0xF0, 0xF0)) return in(1, 0x90, 0xBF) && tail(2) && tail(3) ? 4 : 0;
  if (in(0, 0xF1, 0xF3)) return tail(1) && tail(2) && tail(3) ? 4 : 0;
  if (in(0, 0xF4, 0xF4)) return in(1, 0x80, 0x8F) && tail(2) && tail(3) ? 4 : 0;
  return 0;
}

// Length of the escape at the front, 0 if there is none.
std::size_t escape(std::string_view text) {
  if (text.size() < 2) return 0;
  if (std::string_view("\"\\/bfnrt").find(text[1]) != std::string_view::npos) return 2;
  const bool code = text[1] == 'u' && text.size() >= 6 && std::ranges::all_of(text.substr(2, 4), is_hex);
  return code ? 6 : 0;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using diffphase::require;
  const std::string quoted = diffphase::json_string(diffphase::text_of(std::as_bytes(std::span(data, size))));
  require(quoted.size() >= 2 && quoted.front() == '"' && quoted.back() == '"', "a JSON string stands in quotes");
  std::string_view text = std::string_view(quoted).substr(1, quoted.size() - 2);
  while (!text.empty()) {
    require(text.front() != '"', "quotes within are escaped");
    const std::size_t length = text.front() == '\\' ? escape(text) : character(text);
    require(length > 0, "the text is JSON in UTF-8");
    text.remove_prefix(length);
  }
  return 0;
}
