#pragma once

#include <charconv>
#include <string>

namespace diffphase {

/// The shortest text that reads back as exactly this number ("1", "0.1", "1e+20"); the same on every machine,
/// and the same for 0 and -0.
[[nodiscard]] inline std::string canonical_number(double number) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, number == 0.0 ? 0.0 : number);
  return {text, end.ptr};
}

}  // namespace diffphase
