#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "files/posix_file.hpp"

namespace diffphase {

/// Where bytes come from, one after another. Failures are thrown as DatasetError and name the file. Local.
class ByteSource {
 public:
  ByteSource() = default;
  ByteSource(const ByteSource&) = delete;
  ByteSource& operator=(const ByteSource&) = delete;
  virtual ~ByteSource() = default;

  /// At least one of the next bytes, up to out.size() of them; returns how many, 0 at the end.
  virtual std::size_t read(std::span<std::byte> out) = 0;
  /// Goes on at a byte, which may lie before or behind; at the end if it lies beyond.
  virtual void seek(std::uint64_t offset) = 0;
};

/// A part of a file that holds its bytes as they are.
class StoredBytes : public ByteSource {
 public:
  StoredBytes(std::shared_ptr<const PosixFile> file, std::uint64_t begin, std::uint64_t size);
  std::size_t read(std::span<std::byte> out) override;
  void seek(std::uint64_t offset) override;

 private:
  std::shared_ptr<const PosixFile> file_;
  std::uint64_t begin_;
  std::uint64_t size_;
  std::uint64_t position_ = 0;
};

/// gzip: members one after another, perhaps with zeros behind them. zip: deflated bytes without a frame.
enum class DeflateFrame { gzip, none };

/// A part of a file that was deflated. `name` is what messages call it.
[[nodiscard]] std::unique_ptr<ByteSource> inflated(std::string name, DeflateFrame frame,
                                                   std::unique_ptr<StoredBytes> bytes);

/// The bytes of a file, or of a member of an archive, from their beginning.
class ByteStream {
 public:
  /// Opens a regular file; decompresses it on the way if it is gzipped.
  explicit ByteStream(const std::string& path);
  /// `name` is what messages call it.
  ByteStream(std::string name, std::unique_ptr<ByteSource> source, std::uint64_t largest_size);

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] bool is_gzipped() const { return gzipped_; }

  /// No more bytes than this can come out: the size of the file, times the largest ratio of its compression.
  /// Sizes that a header declares are compared with it before anything is allocated.
  [[nodiscard]] std::uint64_t largest_size() const { return largest_size_; }
  [[nodiscard]] std::uint64_t position() const { return position_; }

  /// Reads until `out` is full or the bytes end; returns how many it read.
  std::size_t read_up_to(std::span<std::byte> out);

  /// Fills `out`. `what` names what is being read, for the message when the bytes end before.
  void read(std::span<std::byte> out, const std::string& what);

  [[nodiscard]] bool at_end();
  /// Of compressed bytes, what lies before is decompressed once more, and what lies between is on the way.
  void seek(std::uint64_t offset);

 private:
  std::string name_;
  std::uint64_t largest_size_ = 0;
  std::uint64_t position_ = 0;
  bool gzipped_ = false;
  std::unique_ptr<ByteSource> source_;
};

/// Size in bytes of the regular file `path`; throws DatasetError if it is none, or cannot be read.
[[nodiscard]] std::uint64_t regular_file_size(const std::string& path);

/// Opens a regular file for reading; throws DatasetError.
[[nodiscard]] std::shared_ptr<const PosixFile> open_data_file(const std::string& path);

/// The largest number of bytes that `size` bytes of deflated data decompress to.
[[nodiscard]] std::uint64_t largest_inflated_size(std::uint64_t size);

}  // namespace diffphase
