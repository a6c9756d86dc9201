#include "ensemble/byte_stream.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <limits>
#include <new>
#include <utility>
#include <vector>

#include "ensemble/dataset_file.hpp"

namespace diffphase {

namespace {

constexpr std::size_t buffer_size = std::size_t{1} << 18U;

[[noreturn]] void fail(const std::string& path, const std::string& problem) {
  throw DatasetError(path + ": " + problem);
}

class InflatedBytes : public ByteSource {
 public:
  InflatedBytes(std::string name, DeflateFrame frame, std::unique_ptr<StoredBytes> bytes)
      : name_(std::move(name)), frame_(frame), bytes_(std::move(bytes)) {
    constexpr int largest_window = 15;
    constexpr int gzip_header = 16;
    const int window = frame == DeflateFrame::gzip ? largest_window + gzip_header : -largest_window;
    if (::inflateInit2(&stream_, window) != Z_OK) throw std::bad_alloc();
  }
  InflatedBytes(const InflatedBytes&) = delete;
  InflatedBytes& operator=(const InflatedBytes&) = delete;
  ~InflatedBytes() override { ::inflateEnd(&stream_); }

  std::size_t read(std::span<std::byte> out) override {
    const auto wanted = static_cast<uInt>(std::min<std::size_t>(out.size(), buffer_size));
    stream_.next_out = reinterpret_cast<Bytef*>(out.data());
    stream_.avail_out = wanted;
    while (stream_.avail_out == wanted && wanted > 0 && !ended_) inflate_some();
    position_ += wanted - stream_.avail_out;
    return wanted - stream_.avail_out;
  }

  void seek(std::uint64_t offset) override {
    if (offset < position_) {
      ::inflateReset(&stream_);
      bytes_->seek(0);
      stream_.avail_in = 0;
      position_ = 0;
      ended_ = false;
    }
    std::vector<std::byte> passed(std::min<std::uint64_t>(buffer_size, offset - position_));
    while (position_ < offset) {
      const auto left = std::min<std::uint64_t>(passed.size(), offset - position_);
      if (read(std::span(passed).first(left)) == 0) return;
    }
  }

 private:
  [[nodiscard]] std::string what() const {
    return frame_ == DeflateFrame::gzip ? "the gzip file" : "the compressed array";
  }

  // True if there is input, in the buffer or read into it.
  bool fill() {
    if (stream_.avail_in > 0) return true;
    stream_.avail_in = static_cast<uInt>(bytes_->read(buffer_));
    stream_.next_in = reinterpret_cast<Bytef*>(buffer_.data());
    return stream_.avail_in > 0;
  }

  void inflate_some() {
    if (!fill()) fail(name_, what() + " is truncated");
    const int code = ::inflate(&stream_, Z_NO_FLUSH);
    if (code == Z_STREAM_END) return end_member();
    if (code == Z_MEM_ERROR) throw std::bad_alloc();
    if (code != Z_OK && code != Z_BUF_ERROR) {
      fail(name_, fmt::format("{} is damaged ({})", what(), stream_.msg == nullptr ? "unknown" : stream_.msg));
    }
  }

  // A gzip file may be several, one behind the other, and be filled up with zeros.
  void end_member() {
    ended_ = true;
    if (!fill()) return;
    if (frame_ == DeflateFrame::gzip && *stream_.next_in == 0x1f) {
      ::inflateReset(&stream_);
      ended_ = false;
      return;
    }
    while (frame_ == DeflateFrame::gzip && fill()) {
      if (std::any_of(stream_.next_in, stream_.next_in + stream_.avail_in, [](Bytef byte) { return byte != 0; })) break;
      stream_.avail_in = 0;
    }
    if (fill()) fail(name_, fmt::format("{} is damaged: other bytes follow after its end", what()));
  }

  std::string name_;
  DeflateFrame frame_;
  std::unique_ptr<StoredBytes> bytes_;
  z_stream stream_{};
  std::vector<std::byte> buffer_ = std::vector<std::byte>(buffer_size);
  std::uint64_t position_ = 0;
  bool ended_ = false;
};

}  // namespace

std::uint64_t regular_file_size(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) fail(path, std::strerror(errno));
  if (S_ISDIR(status.st_mode)) fail(path, "is a directory, but a file is needed");
  if (!S_ISREG(status.st_mode)) fail(path, "is not a regular file");
  if (::access(path.c_str(), R_OK) != 0) fail(path, std::strerror(errno));
  return static_cast<std::uint64_t>(status.st_size);
}

std::shared_ptr<const PosixFile> open_data_file(const std::string& path) {
  (void)regular_file_size(path);  // opening anything else may wait for ever
  try {
    return std::make_shared<const PosixFile>(PosixFile::open(path));
  } catch (const FileError& error) {
    fail(path, std::strerror(error.code()));
  }
}

std::uint64_t largest_inflated_size(std::uint64_t size) {
  // Deflate yields at most 258 bytes for two bits; the bound is rounded up.
  constexpr std::uint64_t ratio = 1100;
  constexpr std::uint64_t limit = std::numeric_limits<std::uint64_t>::max();
  return size > limit / ratio ? limit : size * ratio;
}

StoredBytes::StoredBytes(std::shared_ptr<const PosixFile> file, std::uint64_t begin, std::uint64_t size)
    : file_(std::move(file)), begin_(begin), size_(size) {}

std::size_t StoredBytes::read(std::span<std::byte> out) {
  const std::span<std::byte> part = out.first(std::min<std::uint64_t>(out.size(), size_ - position_));
  try {
    const std::size_t count = file_->read_at(begin_ + position_, part);
    position_ += count;
    return count;
  } catch (const FileError& error) {
    fail(file_->path().string(), std::strerror(error.code()));
  }
}

void StoredBytes::seek(std::uint64_t offset) { position_ = std::min(offset, size_); }

std::unique_ptr<ByteSource> inflated(std::string name, DeflateFrame frame, std::unique_ptr<StoredBytes> bytes) {
  return std::make_unique<InflatedBytes>(std::move(name), frame, std::move(bytes));
}

ByteStream::ByteStream(const std::string& path) : name_(path), largest_size_(regular_file_size(path)) {
  const std::shared_ptr<const PosixFile> file = open_data_file(path);
  auto bytes = std::make_unique<StoredBytes>(file, 0, largest_size_);
  std::array<std::byte, 2> first{};
  gzipped_ = bytes->read(first) == first.size() && first[0] == std::byte{0x1f} && first[1] == std::byte{0x8b};
  bytes->seek(0);
  if (gzipped_) {
    largest_size_ = largest_inflated_size(largest_size_);
    source_ = inflated(path, DeflateFrame::gzip, std::move(bytes));
  } else {
    source_ = std::move(bytes);
  }
}

ByteStream::ByteStream(std::string name, std::unique_ptr<ByteSource> source, std::uint64_t largest_size)
    : name_(std::move(name)), largest_size_(largest_size), source_(std::move(source)) {}

std::size_t ByteStream::read_up_to(std::span<std::byte> out) {
  std::size_t done = 0;
  while (done < out.size()) {
    const std::size_t got = source_->read(out.subspan(done));
    if (got == 0) break;
    done += got;
  }
  position_ += done;
  return done;
}

void ByteStream::read(std::span<std::byte> out, const std::string& what) {
  const std::size_t got = read_up_to(out);
  if (got < out.size()) {
    fail(name_, fmt::format("is truncated: {} needs {} more bytes than it has", what, out.size() - got));
  }
}

bool ByteStream::at_end() {
  std::byte next{};
  return read_up_to({&next, 1}) == 0;
}

void ByteStream::seek(std::uint64_t offset) {
  if (offset == position_) return;
  source_->seek(offset);
  position_ = offset;
}

}  // namespace diffphase
