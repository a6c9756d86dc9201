#pragma once

#include <cstdint>
#include <filesystem>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "files/posix_file.hpp"
#include "files/wall_clock.hpp"
#include "random/text_hash.hpp"

namespace diffphase {

/// What became of one hand-out of a task, for people and scripts.
struct AttemptLine {
  std::string label;  ///< the task as a person would call it
  Hash128 identity;
  std::string measure;
  std::string outcome;  ///< done, failed, abandoned; stalled: of one that has not ended
  double seconds = 0.0;
  std::int64_t ranks = 1;
  std::int64_t attempt = 1;
  std::string message;
  std::vector<std::string> warnings;
  std::vector<std::string> notes;  ///< how it was computed
};

/// `text` as a JSON string with its quotes: valid JSON in valid UTF-8 whatever the bytes (those that are not
/// UTF-8 become U+FFFD).
[[nodiscard]] std::string json_string(std::string_view text);

/// One JSON object per attempt and line, in DIR/log/<stem>.jsonl; only whole lines are written. The program never reads
/// it: the journal is what counts. Rank 0 only.
class AttemptLog {
 public:
  AttemptLog(const std::filesystem::path& run, const std::string& stem, WallClock clock = system_wall_clock());

  /// Takes a line along, with the present time, in the next commit.
  void add(const AttemptLine& line);
  /// Writes the lines that were added since the last commit, at once. Throws FileError when the disk is full; none of
  /// them is left then, and they wait for the next commit.
  void commit();
  /// Writes one line at once, also while another thread is in any of these functions.
  void write(const AttemptLine& line);

  [[nodiscard]] const std::filesystem::path& path() const { return file_.path(); }

 private:
  [[nodiscard]] std::string text_of(const AttemptLine& line) const;
  void append(std::string_view text);

  WallClock clock_;
  std::mutex mutex_;  // of file_
  PosixFile file_;
  std::string added_;
};

}  // namespace diffphase
