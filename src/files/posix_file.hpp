#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

namespace diffphase {

/// A call of the operating system failed. The message names the call, the path and the system's reason.
class FileError : public std::runtime_error {
 public:
  FileError(std::string_view action, const std::filesystem::path& path, int code);
  /// With a reason in place of the system's.
  FileError(std::string_view action, const std::filesystem::path& path, int code, std::string_view reason);
  /// The errno of the call.
  [[nodiscard]] int code() const { return code_; }

 private:
  int code_;
};

/// An open file: owns its descriptor, checks every return code, repeats interrupted calls. Move-only; local
/// to the process. Descriptors are closed on exec.
class PosixFile {
 public:
  /// An existing file, for reading. What is no regular file (a FIFO, a device, a folder) is a FileError at once: it
  /// would be waited for, or never end.
  static PosixFile open(const std::filesystem::path& path);
  /// The same, for reading and writing.
  static PosixFile open_to_change(const std::filesystem::path& path);
  /// A new file, for reading and writing; fails (FileError, EEXIST) if there is one of that name.
  static PosixFile create(const std::filesystem::path& path);
  /// A new file with `text` in it, on the disk: nobody sees it with less in it where the file system has hard links.
  /// Where it has none, it is created first and filled then, and may be found empty meanwhile, or for ever if this
  /// process is killed in between. Fails (FileError, EEXIST) if there is one of that name, and leaves nothing then.
  static PosixFile create_whole(const std::filesystem::path& path, std::string_view text);
  /// A new file whose writes all go to its end; fails (FileError, EEXIST) if there is one of that name.
  static PosixFile create_for_appending(const std::filesystem::path& path);

  PosixFile() = default;
  PosixFile(const PosixFile&) = delete;
  PosixFile& operator=(const PosixFile&) = delete;
  PosixFile(PosixFile&& other) noexcept;
  PosixFile& operator=(PosixFile&& other) noexcept;
  /// Closes and ignores errors; call close() where they matter.
  ~PosixFile();

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] bool is_open() const { return descriptor_ >= 0; }
  [[nodiscard]] int descriptor() const { return descriptor_; }

  /// Writes all bytes at the current position; on failure some may have been written.
  void write_all(std::span<const std::byte> bytes);
  void write_all(std::string_view text) { write_all(std::as_bytes(std::span(text))); }

  /// Appends all bytes by one write where the system takes them whole, or none: what a failed write left
  /// behind is cut off again. For a file that only this object writes.
  void append_or_undo(std::span<const std::byte> bytes);

  /// Overwrites bytes at `offset`, without moving the current position.
  void write_at(std::uint64_t offset, std::span<const std::byte> bytes);

  /// Reads up to out.size() bytes from `offset` on and returns how many there were before the end of the
  /// file.
  std::size_t read_at(std::uint64_t offset, std::span<std::byte> out) const;

  [[nodiscard]] std::uint64_t size() const;
  /// Whether `path` is a name of this open file.
  [[nodiscard]] bool is_named(const std::filesystem::path& path) const;
  void truncate(std::uint64_t size);

  /// Data, and what is needed to read it back, are on the disk.
  void sync_data();
  /// Data and all attributes are on the disk.
  void sync();
  void close();

 private:
  PosixFile(std::filesystem::path path, int flags, std::string_view action);
  static PosixFile open_regular(const std::filesystem::path& path, int flags);
  static PosixFile create_and_fill(const std::filesystem::path& path, std::string_view text);
  static PosixFile open_linked(const std::filesystem::path& path, const std::filesystem::path& temporary);
  friend void sync_folder(const std::filesystem::path& folder);
  void write_pieces(std::span<const std::byte> bytes, off_t offset);
  [[noreturn]] void fail(std::string_view action) const;

  std::filesystem::path path_;
  int descriptor_ = -1;
};

/// A name in the folder of `path` that no other process makes, on this host or another: a file that is given its own
/// name when it is whole. Such files of killed processes go with the next replace_file() or create_whole() of `path`.
[[nodiscard]] std::filesystem::path temporary_name(const std::filesystem::path& path);

/// The whole file as a string.
[[nodiscard]] std::string read_text(const std::filesystem::path& path);

/// Makes sure that a folder's entries (files created, renamed) are on the disk.
void sync_folder(const std::filesystem::path& folder);

/// Replaces `path` by what `writer` writes: readers see the old file or the new one, whole, whenever the
/// program or the machine dies. Goes to a temporary name in the same folder, which is removed on failure, as
/// are those that dead processes left.
void replace_file(const std::filesystem::path& path, const std::function<void(PosixFile&)>& writer);
void replace_file(const std::filesystem::path& path, std::string_view text);

/// Creates the folder, and those above it, where missing, and checks that files can be created in it. Throws
/// BadInput with the reason if not.
void ensure_directory(const std::filesystem::path& folder);

}  // namespace diffphase
