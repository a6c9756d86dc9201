#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "parallel/instruction_set.hpp"
#include "random/text_hash.hpp"

namespace diffphase {

/// Blocks (row, 0), (row, 1), ... of Philox4x64-10 (Salmon, Moraes, Dror, Shaw 2011): four words each, those of the
/// counter (block, row, 0, 0) and the key (key.high, key.low). What depends on the row alone, two of the ten rounds'
/// products among it, is computed once.
class PhiloxRow {
 public:
  using Words = std::array<std::uint64_t, 4>;
  struct WordPair {
    std::uint64_t first = 0;
    std::uint64_t second = 0;
  };

  static constexpr std::size_t rounds = 10;
  static constexpr std::uint64_t first_factor = 0xD2E7470EE14C6C93U;
  static constexpr std::uint64_t second_factor = 0xCA5A826395121157U;

  PhiloxRow(const Hash128& key, std::uint64_t row) {
    for (std::size_t round = 0; round < rounds; ++round) {
      keys_[round] = {key.high + round * golden_ratio, key.low + round * root_of_three};
    }
    const Wide product = static_cast<Wide>(first_factor) * (row ^ keys_[0].first);
    second_round_ = {high(product) ^ keys_[1].second, low(product)};
  }

  [[nodiscard]] Words block(std::uint64_t index) const {
    // Rounds 0 and 1 without what is known to be 0 or the same in every block.
    const Wide zeroth = static_cast<Wide>(first_factor) * index;
    const Wide other = static_cast<Wide>(second_factor) * (high(zeroth) ^ keys_[0].second);
    Words c{high(other) ^ keys_[1].first, low(other), second_round_.first ^ low(zeroth), second_round_.second};
#pragma GCC unroll 8
    for (std::size_t round = 2; round < rounds; ++round) {
      const Wide first = static_cast<Wide>(first_factor) * c[0];
      const Wide second = static_cast<Wide>(second_factor) * c[2];
      c = {high(second) ^ (c[1] ^ keys_[round].first), low(second), high(first) ^ (c[3] ^ keys_[round].second),
           low(first)};
    }
    return c;
  }

  [[nodiscard]] const WordPair& key(std::size_t round) const { return keys_[round]; }
  /// The row's share of the last two words after round 1.
  [[nodiscard]] const WordPair& second_round() const { return second_round_; }

 private:
  __extension__ using Wide = unsigned __int128;
  static constexpr std::uint64_t golden_ratio = 0x9E3779B97F4A7C15U;   // (sqrt 5 - 1)/2 in 64 bits
  static constexpr std::uint64_t root_of_three = 0xBB67AE8584CAA73BU;  // sqrt 3 - 1

  static std::uint64_t high(Wide product) { return static_cast<std::uint64_t>(product >> 64U); }
  static std::uint64_t low(Wide product) { return static_cast<std::uint64_t>(product); }

  std::array<WordPair, rounds> keys_{};
  WordPair second_round_;
};

/// floor(word / 2^11) / 2^53: uniform on [0, 1) for a uniform word. Exact, by bits and additions, since few vector
/// units convert integers of 64 bits.
[[nodiscard]] DIFFPHASE_INLINE double unit_interval(std::uint64_t word) {
  constexpr double upper_unit = 0x1p20;  // whose last bit is 2^-32
  constexpr double lower_unit = 0x1p-1;  // whose last bit is 2^-53
  constexpr std::uint64_t lower_bits = (std::uint64_t{1} << 21U) - 1;
  const auto upper = std::bit_cast<double>((word >> 32U) | std::bit_cast<std::uint64_t>(upper_unit));
  const auto lower = std::bit_cast<double>(((word >> 11U) & lower_bits) | std::bit_cast<std::uint64_t>(lower_unit));
  return (upper - upper_unit) + (lower - lower_unit);
}

}  // namespace diffphase
