#pragma once

#include <fmt/format.h>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

namespace diffphase::bench {

/// One line of JSON, an object of numbers and words, for scripts.
class ReportLine {
 public:
  void add(std::string_view key, double value) {
    append(key, std::isfinite(value) ? fmt::format("{:.17g}", value) : "null");
  }
  void add(std::string_view key, std::int64_t value) { append(key, fmt::format("{}", value)); }
  void add(std::string_view key, int value) { append(key, fmt::format("{}", value)); }
  void add(std::string_view key, bool value) { append(key, value ? "true" : "false"); }
  /// `text` has no quotation marks and no backslashes.
  void add(std::string_view key, std::string_view text) { append(key, fmt::format("\"{}\"", text)); }
  void add(std::string_view key, const char* text) { add(key, std::string_view(text)); }

  template <typename Numbers>
  void add_list(std::string_view key, const Numbers& numbers) {
    std::string list;
    for (const double value : numbers) {
      list += list.empty() ? "" : ", ";
      list += std::isfinite(value) ? fmt::format("{:.17g}", value) : "null";
    }
    append(key, "[" + list + "]");
  }

  /// To standard output, at once.
  void print() const {
    fmt::print("{{{}}}\n", text_);
    static_cast<void>(std::fflush(stdout));
  }

 private:
  void append(std::string_view key, const std::string& value) {
    text_ += fmt::format("{}\"{}\": {}", text_.empty() ? "" : ", ", key, value);
  }

  std::string text_;
};

}  // namespace diffphase::bench
