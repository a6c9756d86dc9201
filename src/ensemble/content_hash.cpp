#include "ensemble/content_hash.hpp"

#include <vector>

#include "ensemble/byte_stream.hpp"
#include "ensemble/dataset_file.hpp"
#include "files/posix_file.hpp"
#include "random/byte_hash.hpp"

namespace diffphase {

Hash128 content_hash(const std::filesystem::path& file) {
  (void)regular_file_size(file.string());  // opening anything else may wait for ever
  try {
    const PosixFile opened = PosixFile::open(file);
    std::vector<std::byte> block(std::size_t{1} << 20U);
    ByteHash hash;
    std::uint64_t done = 0;
    while (const std::size_t count = opened.read_at(done, block)) {
      hash.add(std::span(block).first(count));
      done += count;
    }
    return hash.hash();
  } catch (const FileError& error) {
    throw DatasetError(error.what());
  }
}

}  // namespace diffphase
