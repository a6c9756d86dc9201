#include "sweep/attempt_log.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "file_size_limit.hpp"
#include "sweep/run_files.hpp"
#include "temporary_folder.hpp"

namespace diffphase {
namespace {

AttemptLine some_line() {
  AttemptLine line;
  line.label = "collapse d=256 \"x\"";
  line.identity = {0x0123456789abcdefU, 1};
  line.measure = "collapse";
  line.outcome = "done";
  line.seconds = 0.25;
  line.ranks = 4;
  line.attempt = 2;
  line.message = "two\nlines";
  line.warnings = {"a", "b\\c"};
  line.notes = {"gram: few rows"};
  return line;
}

TEST(JsonString, EscapesWhatMustBe) {
  EXPECT_EQ(json_string("plain"), "\"plain\"");
  EXPECT_EQ(json_string("\"\\\n\r\t"), R"("\"\\\n\r\t")");
  EXPECT_EQ(json_string(std::string_view("\0\x1f\x7f", 3)), R"("\u0000\u001f\u007f")");
}

TEST(JsonString, KeepsUtf8AndReplacesTheRest) {
  for (const char* good : {"é", "τ_C ≤ 1", "😀", "\xED\x9F\xBF", "\xF4\x8F\xBF\xBF"}) {
    EXPECT_EQ(json_string(good), fmt::format("\"{}\"", good));
  }
  EXPECT_EQ(json_string("a\xFFz"), R"("a\ufffdz")");
  EXPECT_EQ(json_string("\xC3"), R"("\ufffd")");                                // cut off
  EXPECT_EQ(json_string("\xC3z"), R"("\ufffdz")");                              // no continuation
  EXPECT_EQ(json_string("\xC0\x80"), R"("\ufffd\ufffd")");                      // overlong
  EXPECT_EQ(json_string("\xED\xA0\x80"), R"("\ufffd\ufffd\ufffd")");            // surrogate
  EXPECT_EQ(json_string("\xF4\x90\x80\x80"), R"("\ufffd\ufffd\ufffd\ufffd")");  // beyond Unicode
}

TEST(AttemptLog, WritesOneObjectPerLine) {
  const TemporaryFolder folder;
  AttemptLog log(folder.path(), "stem", [] { return from_unix_seconds(1709115072.25); });
  log.add(some_line());
  AttemptLine second = some_line();
  second.seconds = std::numeric_limits<double>::quiet_NaN();
  second.warnings.clear();
  second.notes.clear();
  log.add(second);
  EXPECT_EQ(read_text(log.path()), "");
  log.commit();
  EXPECT_EQ(log.path(), log_folder(folder.path()) / "stem.jsonl");
  const std::string head =
      R"({"time": "2024-02-28T10:11:12.250Z", "label": "collapse d=256 \"x\"", )"
      R"("identity": "0123456789abcdef0000000000000001", "measure": "collapse", "outcome": "done", "seconds": )";
  const std::string tail = R"(, "ranks": 4, "attempt": 2, "message": "two\nlines", "warnings": )";
  EXPECT_EQ(read_text(log.path()), head + "0.25" + tail + R"(["a", "b\\c"], "notes": ["gram: few rows"]})" + "\n" +
                                       head + "null" + tail + R"([], "notes": []})" + "\n");
}

TEST(AttemptLog, AFullDiskLeavesNoHalfLine) {
  const TemporaryFolder folder;
  AttemptLog log(folder.path(), "stem");
  log.add(some_line());
  log.commit();
  const std::string before = read_text(log.path());
  log.add(some_line());
  {
    const FileSizeLimit limit(before.size() + 10);
    EXPECT_THROW(log.commit(), FileError);
    EXPECT_EQ(read_text(log.path()), before);
  }
  log.commit();
  EXPECT_EQ(read_text(log.path()).size(), 2 * before.size());
}

}  // namespace
}  // namespace diffphase
