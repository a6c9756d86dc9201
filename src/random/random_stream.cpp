#include "random/random_stream.hpp"

#include <Random123/philox.h>

#include <array>
#include <cmath>
#include <numbers>
#include <string>

namespace diffphase {

namespace {

using Words = std::array<std::uint64_t, 4>;

Words philox(const Hash128& key, std::uint64_t row, std::uint64_t block) {
  const r123::Philox4x64::ctr_type counter{{block, row, 0, 0}};
  const r123::Philox4x64::key_type words{{key.high, key.low}};
  const auto out = r123::Philox4x64()(counter, words);
  return {out[0], out[1], out[2], out[3]};
}

std::array<double, 4> block_of_normals(const Hash128& key, std::uint64_t row, std::uint64_t block) {
  const Words words = philox(key, row, block);
  std::array<double, 4> z{};
  for (std::size_t pair = 0; pair < 2; ++pair) {
    // 1 - u lies in (0, 1], so the logarithm is finite.
    const double radius = std::sqrt(-2.0 * std::log(1.0 - unit_interval(words[2 * pair])));
    const double angle = 2.0 * std::numbers::pi * unit_interval(words[2 * pair + 1]);
    z[2 * pair] = radius * std::cos(angle);
    z[2 * pair + 1] = radius * std::sin(angle);
  }
  return z;
}

}  // namespace

RandomStream::RandomStream(std::uint64_t seed, const Hash128& ensemble, std::int64_t realization,
                           std::string_view purpose)
    : key_(hash_text("stream|" + std::to_string(seed) + "|" + ensemble.hex() + "|" + std::to_string(realization) + "|" +
                     std::string(purpose))) {}

void RandomStream::normals(std::uint64_t row, std::uint64_t first_column, std::span<double> out) const {
  std::size_t filled = 0;
  while (filled < out.size()) {
    const std::uint64_t column = first_column + filled;
    const auto z = block_of_normals(key_, row, column / 4);
    for (std::size_t i = column % 4; i < 4 && filled < out.size(); ++i) out[filled++] = z[i];
  }
}

double RandomStream::uniform(std::uint64_t row, std::uint64_t column) const { return unit_interval(bits(row, column)); }

std::uint64_t RandomStream::bits(std::uint64_t row, std::uint64_t column) const {
  return philox(key_, row, column / 4)[column % 4];
}

void RandomStream::blocks(std::uint64_t row, std::uint64_t first_block,
                          const std::array<std::span<std::uint64_t>, 4>& words) const {
  for (std::size_t i = 0; i < words[0].size(); ++i) {
    const Words block = philox(key_, row, first_block + i);
    for (std::size_t w = 0; w < 4; ++w) words[w][i] = block[w];
  }
}

}  // namespace diffphase
