#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

struct gzFile_s;

namespace diffphase {

/// The bytes of a file from its beginning, decompressed on the way if it is gzipped. Failures are thrown as
/// DatasetError and name the file. Local.
class ByteStream {
 public:
  /// Opens a regular file.
  explicit ByteStream(std::string path);

  [[nodiscard]] const std::string& path() const { return path_; }

  /// No more bytes than this can come out of the file: its size, times the largest ratio of its compression.
  /// Sizes that a header declares are compared with it before anything is allocated.
  [[nodiscard]] std::uint64_t largest_size() const { return largest_size_; }

  /// Reads until `out` is full or the bytes end; returns how many it read.
  std::size_t read_up_to(std::span<std::byte> out);

  /// Fills `out`. `what` names what is being read, for the message when the bytes end before.
  void read(std::span<std::byte> out, const std::string& what);

  [[nodiscard]] bool at_end();
  void rewind();

 private:
  struct Close {
    void operator()(gzFile_s* file) const noexcept;
  };

  std::string path_;
  std::uint64_t largest_size_ = 0;
  std::unique_ptr<gzFile_s, Close> file_;
};

/// Size in bytes of the regular file `path`; throws DatasetError if it is none, or cannot be read.
[[nodiscard]] std::uint64_t regular_file_size(const std::string& path);

/// The largest number of bytes that `size` bytes of deflated data decompress to.
[[nodiscard]] std::uint64_t largest_inflated_size(std::uint64_t size);

}  // namespace diffphase
