#pragma once

#include <cstdint>

namespace diffphase {

/// The lowest bits of a random word that normal_pairs does not look at.
inline constexpr unsigned normal_pairs_spare_bits = 11;

/// Pairs of independent standard normal numbers from pairs of random words (Box, Muller 1958):
///
///   cosines[i] = sqrt(-2 log(1 - u)) cos(2 pi v),  sines[i] = sqrt(-2 log(1 - u)) sin(2 pi v),
///
/// u = unit_interval(radius_words[i]), v = unit_interval(angle_words[i]): the numbers of RandomStream::normals, the
/// same on every instruction set. Each array has n entries. Local.
void normal_pairs(const std::uint64_t* radius_words, const std::uint64_t* angle_words, std::int64_t n, double* cosines,
                  double* sines);

}  // namespace diffphase
