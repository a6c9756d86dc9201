#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "random/text_hash.hpp"

namespace diffphase {

/// The upper 53 bits of a random word as a number on [0, 1).
[[nodiscard]] inline double unit_interval(std::uint64_t word) { return static_cast<double>(word >> 11U) * 0x1p-53; }

/// A matrix of random numbers that nobody stores: entry (row, column) is a pure function of the stream's key
/// and of its two 64-bit indices (Philox4x64-10, Salmon et al. 2011), so that any rank makes any part, in any
/// order.
///
/// Philox block (row, column / 4) yields four 64-bit words, for the columns 4 (column / 4) + 0..3; normals
/// come from Box-Muller on the pairs (0, 1) and (2, 3). Normals, uniforms and bits of one index are the same
/// words: use one stream for one purpose.
class RandomStream {
 public:
  /// `purpose` names what the numbers are for ("centroids", "training", "noise", ...); `ensemble` is the hash
  /// of the ensemble point. Different arguments give independent streams.
  RandomStream(std::uint64_t seed, const Hash128& ensemble, std::int64_t realization, std::string_view purpose);

  /// Standard normal numbers of columns [first_column, first_column + out.size()) of `row`.
  void normals(std::uint64_t row, std::uint64_t first_column, std::span<double> out) const;

  /// Uniform on [0, 1), 53 bits.
  [[nodiscard]] double uniform(std::uint64_t row, std::uint64_t column) const;

  [[nodiscard]] std::uint64_t bits(std::uint64_t row, std::uint64_t column) const;

  /// Blocks [first_block, first_block + n) of `row`, one array for each of their four words, all of size n:
  /// words[w][i] = bits(row, 4 (first_block + i) + w).
  void blocks(std::uint64_t row, std::uint64_t first_block, const std::array<std::span<std::uint64_t>, 4>& words) const;

 private:
  Hash128 key_;
};

}  // namespace diffphase
