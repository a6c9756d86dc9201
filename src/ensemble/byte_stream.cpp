#include "ensemble/byte_stream.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>
#include <utility>

#include "ensemble/dataset_file.hpp"

namespace diffphase {

namespace {

constexpr unsigned buffer_size = 1U << 18U;
constexpr std::size_t largest_request = std::size_t{1} << 30;  // gzread counts in int

[[noreturn]] void fail(const std::string& path, const std::string& problem) {
  throw DatasetError(path + ": " + problem);
}

}  // namespace

std::uint64_t regular_file_size(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) fail(path, std::strerror(errno));
  if (S_ISDIR(status.st_mode)) fail(path, "is a directory, but a file is needed");
  if (!S_ISREG(status.st_mode)) fail(path, "is not a regular file");
  if (::access(path.c_str(), R_OK) != 0) fail(path, std::strerror(errno));
  return static_cast<std::uint64_t>(status.st_size);
}

std::uint64_t largest_inflated_size(std::uint64_t size) {
  // Deflate yields at most 258 bytes for two bits; the bound is rounded up.
  constexpr std::uint64_t ratio = 1100;
  constexpr std::uint64_t limit = std::numeric_limits<std::uint64_t>::max();
  return size > limit / ratio ? limit : size * ratio;
}

void ByteStream::Close::operator()(gzFile_s* file) const noexcept { gzclose_r(file); }

ByteStream::ByteStream(std::string path) : path_(std::move(path)), largest_size_(regular_file_size(path_)) {
  file_.reset(gzopen(path_.c_str(), "rb"));
  if (!file_) fail(path_, std::strerror(errno));
  gzbuffer(file_.get(), buffer_size);
  if (gzdirect(file_.get()) == 0) largest_size_ = largest_inflated_size(largest_size_);
}

std::size_t ByteStream::read_up_to(std::span<std::byte> out) {
  std::size_t done = 0;
  while (done < out.size()) {
    const auto wanted = static_cast<unsigned>(std::min(out.size() - done, largest_request));
    const int got = gzread(file_.get(), out.data() + done, wanted);
    int code = Z_OK;
    const char* reason = gzerror(file_.get(), &code);
    if (code == Z_BUF_ERROR) fail(path_, "the gzip file is truncated");
    if (code == Z_ERRNO) fail(path_, std::strerror(errno));
    if (got < 0 || code < 0) fail(path_, fmt::format("the gzip file is damaged ({})", reason));
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  return done;
}

void ByteStream::read(std::span<std::byte> out, const std::string& what) {
  const std::size_t got = read_up_to(out);
  if (got < out.size()) {
    fail(path_, fmt::format("is truncated: {} needs {} more bytes than it has", what, out.size() - got));
  }
}

bool ByteStream::at_end() {
  std::byte next{};
  return read_up_to({&next, 1}) == 0;
}

void ByteStream::rewind() {
  if (gzrewind(file_.get()) != 0) fail(path_, "cannot be read again from its beginning");
}

}  // namespace diffphase
