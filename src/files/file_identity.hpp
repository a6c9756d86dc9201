#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

namespace diffphase {

/// Which file a name stands for, however it is called: files that replace each other under one name differ in it.
struct FileIdentity {
  std::uint64_t device = 0;
  std::uint64_t number = 0;

  friend bool operator==(const FileIdentity&, const FileIdentity&) = default;
};

/// What a path or an open file looks like now.
struct FileState {
  FileIdentity identity;
  std::uint64_t size = 0;
};

/// Empty if there is nothing of that name. Throws FileError where that cannot be told (a file system out of reach).
[[nodiscard]] std::optional<FileState> look_at_file(const std::filesystem::path& path);

}  // namespace diffphase
