#pragma once

#include <cstdint>

namespace diffphase {

/// The lowest bits of a random word that box_muller does not look at.
inline constexpr unsigned box_muller_spare_bits = 12;

/// Pairs of independent standard normal numbers from pairs of random words (Box, Muller 1958):
///
///   cosines[i] = sqrt(-2 log(1 - u)) cos(2 pi v),  sines[i] = sqrt(-2 log(1 - u)) sin(2 pi v),
///
/// u, v the upper 52 bits of radius_words[i], angle_words[i] over 2^52; the largest is 8.49. Each array has n entries.
/// Within 4e-16 of the length of the pair; the last bits may depend on the instruction set, which is chosen when the
/// program starts. Local.
void box_muller(const std::uint64_t* radius_words, const std::uint64_t* angle_words, std::int64_t n, double* cosines,
                double* sines);

}  // namespace diffphase
