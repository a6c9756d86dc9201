#include "random/random_stream.hpp"

#include <algorithm>
#include <string>

#include "random/normal_kernel.hpp"
#include "random/philox.hpp"

namespace diffphase {

namespace {

constexpr std::size_t words_of_block = 4;
const InstructionSet widest = widest_instruction_set();

}  // namespace

RandomStream::RandomStream(std::uint64_t seed, const Hash128& ensemble, std::int64_t realization,
                           std::string_view purpose)
    : key_(hash_text("stream|" + std::to_string(seed) + "|" + ensemble.hex() + "|" + std::to_string(realization) + "|" +
                     std::string(purpose))) {}

void RandomStream::normals(std::uint64_t row, std::uint64_t first_column, std::span<double> out) const {
  normals_of_row(widest, key_, row, first_column, out);
}

void RandomStream::uniforms(std::uint64_t row, std::uint64_t first_column, std::span<double> out) const {
  const PhiloxRow philox(key_, row);
  std::size_t done = 0;
  while (done < out.size()) {
    const std::uint64_t column = first_column + done;
    const PhiloxRow::Words words = philox.block(column / words_of_block);
    const std::size_t skipped = column % words_of_block;
    const std::size_t count = std::min(out.size() - done, words_of_block - skipped);
    std::transform(words.begin() + skipped, words.begin() + skipped + count, out.begin() + done, unit_interval);
    done += count;
  }
}

double RandomStream::uniform(std::uint64_t row, std::uint64_t column) const { return unit_interval(bits(row, column)); }

std::uint64_t RandomStream::bits(std::uint64_t row, std::uint64_t column) const {
  return PhiloxRow(key_, row).block(column / words_of_block)[column % words_of_block];
}

}  // namespace diffphase
