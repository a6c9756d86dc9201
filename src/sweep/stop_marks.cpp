#include "sweep/stop_marks.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>

#include "files/posix_file.hpp"
#include "sweep/run_files.hpp"

namespace diffphase {

namespace fs = std::filesystem;

fs::path stop_marks_path(const fs::path& run, const std::string& stem) { return log_folder(run) / (stem + ".stopped"); }

void create_stop_marks(const fs::path& path, std::int64_t ranks) {
  ensure_directory(path.parent_path());
  PosixFile file = PosixFile::create(path);
  file.write_all(std::string(static_cast<std::size_t>(ranks), '\0'));
  file.sync();
  file.close();
}

bool mark_all_ranks(const fs::path& path, std::int64_t ranks) noexcept {
  const int file = ::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) return false;
  const char mark = 1;
  bool marked = true;
  for (std::int64_t rank = 0; rank < ranks; ++rank) marked = ::pwrite(file, &mark, 1, rank) == 1 && marked;
  return ::close(file) == 0 && marked;
}

std::vector<bool> read_stop_marks(const fs::path& path) {
  std::vector<bool> marks;
  try {
    for (const char mark : read_text(path)) marks.push_back(mark != '\0');
  } catch (const FileError&) {
    return {};  // of a start before there were marks, or removed: then nobody has one
  }
  return marks;
}

bool were_told_to_stop(const std::vector<bool>& marks, std::int64_t first, std::int64_t count) {
  const auto size = static_cast<std::int64_t>(marks.size());
  if (first < 0 || count < 1 || count > size || first > size - count) return false;
  return std::all_of(marks.begin() + first, marks.begin() + first + count, [](bool mark) { return mark; });
}

}  // namespace diffphase
