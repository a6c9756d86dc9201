#include "sweep/attempt_log.hpp"

#include <fmt/format.h>

#include <cmath>
#include <span>
#include <utility>

#include "sweep/run_files.hpp"

namespace diffphase {
namespace {

namespace fs = std::filesystem;

fs::path new_log_path(const fs::path& run, const std::string& stem) {
  ensure_directory(log_folder(run));
  return log_folder(run) / (stem + ".jsonl");
}

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U; }

// Length of the UTF-8 character at the front of `text`, which is not ASCII; 0 if that is not one.
std::size_t character_length(std::string_view text) {
  const auto first = static_cast<unsigned char>(text[0]);
  const std::size_t length = first >= 0xC2 && first < 0xE0 ? 2 : first >= 0xE0 && first < 0xF0 ? 3 : 4;
  if (first < 0xC2 || first > 0xF4 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if (!is_continuation(text[i])) return 0;
  }
  const auto second = static_cast<unsigned char>(text[1]);
  const bool overlong = (first == 0xE0 && second < 0xA0) || (first == 0xF0 && second < 0x90);
  const bool surrogate = first == 0xED && second > 0x9F;
  const bool too_large = first == 0xF4 && second > 0x8F;
  return overlong || surrogate || too_large ? 0 : length;
}

std::string escaped_ascii(char c) {
  switch (c) {
    case '"':
      return "\\\"";
    case '\\':
      return "\\\\";
    case '\n':
      return "\\n";
    case '\r':
      return "\\r";
    case '\t':
      return "\\t";
    default:
      break;
  }
  if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) return fmt::format("\\u{:04x}", static_cast<int>(c));
  return {c};
}

// JSON knows no NaN and no infinity.
std::string json_number(double value) { return std::isfinite(value) ? fmt::format("{}", value) : "null"; }

std::string json_list(const std::vector<std::string>& texts) {
  std::string list = "[";
  for (const std::string& text : texts) {
    if (list.size() > 1) list += ", ";
    list += json_string(text);
  }
  return list + "]";
}

}  // namespace

std::string json_string(std::string_view text) {
  std::string quoted = "\"";
  while (!text.empty()) {
    std::size_t used = 1;
    if (static_cast<unsigned char>(text[0]) < 0x80) {
      quoted += escaped_ascii(text[0]);
    } else if (const std::size_t length = character_length(text); length > 0) {
      quoted += text.substr(0, length);
      used = length;
    } else {
      quoted += "\\ufffd";
    }
    text.remove_prefix(used);
  }
  return quoted + "\"";
}

AttemptLog::AttemptLog(const fs::path& run, const std::string& stem, WallClock clock)
    : clock_(std::move(clock)), file_(PosixFile::create_for_appending(new_log_path(run, stem))) {}

std::string AttemptLog::text_of(const AttemptLine& line) const {
  return fmt::format(
      R"({{"time": {}, "label": {}, "identity": "{}", "measure": {}, "outcome": {}, "seconds": {}, "ranks": {}, )"
      R"("attempt": {}, "message": {}, "warnings": {}, "notes": {}}})"
      "\n",
      json_string(iso8601(clock_())), json_string(line.label), line.identity.hex(), json_string(line.measure),
      json_string(line.outcome), json_number(line.seconds), line.ranks, line.attempt, json_string(line.message),
      json_list(line.warnings), json_list(line.notes));
}

void AttemptLog::append(std::string_view text) {
  const std::lock_guard lock(mutex_);
  file_.append_or_undo(std::as_bytes(std::span(text)));
}

void AttemptLog::add(const AttemptLine& line) { added_ += text_of(line); }

void AttemptLog::commit() {
  if (added_.empty()) return;
  append(added_);
  added_.clear();
}

void AttemptLog::write(const AttemptLine& line) { append(text_of(line)); }

}  // namespace diffphase
