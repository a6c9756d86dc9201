#include "files/file_identity.hpp"

#include <sys/stat.h>

#include <cerrno>

#include "files/posix_file.hpp"

namespace diffphase {

std::optional<FileState> look_at_file(const std::filesystem::path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0) {
    return FileState{{status.st_dev, status.st_ino}, static_cast<std::uint64_t>(status.st_size)};
  }
  if (errno == ENOENT || errno == ENOTDIR) return std::nullopt;
  throw FileError("look at", path, errno);
}

}  // namespace diffphase
