#include "random/random_stream.hpp"

#include <algorithm>
#include <array>
#include <string>

#include "random/philox.hpp"
#include "random/philox_blocks.hpp"
#include "random/stream_kernel.hpp"

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
  uniforms_of_row(widest, key_, row, first_column, out);
}

double RandomStream::uniform(std::uint64_t row, std::uint64_t column) const { return unit_interval(bits(row, column)); }

std::uint64_t RandomStream::bits(std::uint64_t row, std::uint64_t column) const {
  return PhiloxRow(key_, row).block(column / words_of_block)[column % words_of_block];
}

void RandomStream::blocks(std::uint64_t row, std::uint64_t first_block,
                          const std::array<std::span<std::uint64_t>, 4>& words) const {
  constexpr std::size_t most = 128;
  static const BlockDrawer draw = block_drawer(widest);
  std::array<std::uint64_t, words_of_block * most> drawn;
  const PhiloxRow philox(key_, row);
  const std::size_t blocks = words[0].size();
  for (std::size_t done = 0; done < blocks; done += most) {
    const std::size_t some = std::min(most, blocks - done);
    draw(philox, first_block + done, some, drawn.data(), most);
    for (std::size_t w = 0; w < words_of_block; ++w) {
      std::copy_n(drawn.data() + w * most, some, words[w].data() + done);
    }
  }
}

}  // namespace diffphase
