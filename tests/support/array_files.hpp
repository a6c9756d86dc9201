#pragma once

// Writers of small array files, for tests of the readers.

#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

namespace diffphase::test {

/// A folder that is removed with all its files at the end.
class TemporaryFolder {
 public:
  explicit TemporaryFolder(const std::string& name)
      : path_(std::filesystem::temp_directory_path() / ("diffphase-" + name + "-" + std::to_string(::getpid()))) {
    std::filesystem::create_directories(path_);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  [[nodiscard]] std::string operator/(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

inline void write_file(const std::string& path, const std::string& bytes) {
  std::filesystem::remove(path);  // some file systems wait for the disk when a file is overwritten
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  if (!file) throw std::runtime_error("cannot write " + path);
}

inline std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline std::string gzipped(const std::string& bytes, const std::string& scratch) {
  gzFile file = gzopen(scratch.c_str(), "wb");
  gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size()));
  gzclose(file);
  return read_file(scratch);
}

/// The numbers as packed bytes of type T.
template <typename T>
std::string packed(const std::vector<double>& values, bool big_endian = false) {
  std::string bytes;
  for (const double value : values) {
    const auto number = static_cast<T>(value);
    char raw[sizeof(T)];
    std::memcpy(raw, &number, sizeof(T));
    if (big_endian) std::reverse(raw, raw + sizeof(T));
    bytes.append(raw, sizeof(T));
  }
  return bytes;
}

inline std::string idx_header(unsigned type_code, const std::vector<std::uint32_t>& shape) {
  std::string bytes{'\0', '\0', static_cast<char>(type_code), static_cast<char>(shape.size())};
  for (const std::uint32_t length : shape) {
    for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(length >> shift & 255U);
  }
  return bytes;
}

/// `dictionary` in a version 1, 2 or 3 header.
inline std::string npy_header(const std::string& dictionary, int version = 1) {
  std::string text = dictionary;
  while ((text.size() + 13) % 16 != 0) text += ' ';
  text += '\n';
  std::string bytes = "\x93NUMPY";
  bytes += {static_cast<char>(version), '\0'};
  for (int i = 0; i < (version == 1 ? 2 : 4); ++i) bytes += static_cast<char>(text.size() >> (8 * i) & 255U);
  return bytes + text;
}

inline std::string npy_header(const std::string& descr, const std::string& shape, int version = 1) {
  return npy_header("{'descr': '" + descr + "', 'fortran_order': False, 'shape': " + shape + ", }", version);
}

/// A zip archive of one member, as np.savez (or, deflated, np.savez_compressed) writes it.
inline std::string zipped(const std::string& name, const std::string& bytes, bool deflated) {
  std::string stored = bytes;
  if (deflated) {
    z_stream stream{};
    deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY);
    stored.resize(deflateBound(&stream, bytes.size()));
    std::string input = bytes;
    stream.next_in = reinterpret_cast<Bytef*>(input.data());
    stream.avail_in = static_cast<uInt>(input.size());
    stream.next_out = reinterpret_cast<Bytef*>(stored.data());
    stream.avail_out = static_cast<uInt>(stored.size());
    deflate(&stream, Z_FINISH);
    stored.resize(stream.total_out);
    deflateEnd(&stream);
  }
  const auto number = [](std::uint64_t value, int width) {
    std::string text;
    for (int i = 0; i < width; ++i) text += static_cast<char>(value >> 8 * i & 255U);
    return text;
  };
  const auto checksum = crc32(0, reinterpret_cast<const Bytef*>(bytes.data()), static_cast<uInt>(bytes.size()));
  const std::string common = number(0, 2) + number(deflated ? 8 : 0, 2) + number(0, 4) + number(checksum, 4);
  // The local header leaves the sizes to an extra field of 64-bit numbers, as numpy does.
  const std::string local = "PK\x03\x04" + number(45, 2) + common + number(UINT32_MAX, 4) + number(UINT32_MAX, 4) +
                            number(name.size(), 2) + number(20, 2) + name + number(1, 2) + number(16, 2) +
                            number(bytes.size(), 8) + number(stored.size(), 8) + stored;
  const std::string directory = "PK\x01\x02" + number(45, 2) + number(45, 2) + common + number(stored.size(), 4) +
                                number(bytes.size(), 4) + number(name.size(), 2) + std::string(12, '\0') +
                                number(0, 4) + name;
  return local + directory + "PK\x05\x06" + number(0, 4) + number(1, 2) + number(1, 2) + number(directory.size(), 4) +
         number(local.size(), 4) + number(0, 2);
}

}  // namespace diffphase::test
