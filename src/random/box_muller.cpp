#include "random/box_muller.hpp"

#include <bit>
#include <cmath>
#include <numbers>

#include "random/instruction_sets.hpp"

namespace diffphase {

namespace {

constexpr std::uint64_t one_bits = 0x3ff0000000000000ULL;
constexpr std::uint64_t mantissa_bits = 0x000fffffffffffffULL;
constexpr double two_to_52 = 0x1p52;
constexpr std::uint64_t two_to_52_bits = 0x4330000000000000ULL;

// The upper 52 bits as the mantissa of a number in [1, 2).
DIFFPHASE_INLINE double from_one_to_two(std::uint64_t word) {
  return std::bit_cast<double>((word >> box_muller_spare_bits) | one_bits);
}

// -2 log x for 0 < x <= 1. x = 2^k (1 + f) with 1 + f between the square roots of 1/2 and 2;
// log(1 + f) = 2 (s + s^3/3 + s^5/5 + ...), s = f/(2 + f), |s| < 0.172: the terms left out are below 3e-17 of it.
DIFFPHASE_INLINE double minus_two_log(double x) {
  constexpr auto root_half_bits = std::bit_cast<std::uint64_t>(0.5 * std::numbers::sqrt2);
  constexpr double bias = 1023.0;
  const std::uint64_t shifted = std::bit_cast<std::uint64_t>(x) + (one_bits - root_half_bits);
  const double k = std::bit_cast<double>((shifted >> 52U) | two_to_52_bits) - (two_to_52 + bias);
  const double f = std::bit_cast<double>((shifted & mantissa_bits) + root_half_bits) - 1.0;
  const double s = f / (2.0 + f);
  const double z = s * s;
  double series = 1.0 / 21.0;
  series = series * z + 1.0 / 19.0;
  series = series * z + 1.0 / 17.0;
  series = series * z + 1.0 / 15.0;
  series = series * z + 1.0 / 13.0;
  series = series * z + 1.0 / 11.0;
  series = series * z + 1.0 / 9.0;
  series = series * z + 1.0 / 7.0;
  series = series * z + 1.0 / 5.0;
  series = series * z + 1.0 / 3.0;
  return -2.0 * (k * std::numbers::ln2 + 2.0 * (s + s * z * series));
}

// sin and cos of x, |x| <= pi/4, by their Taylor polynomials: what is left out is below 5e-17.
DIFFPHASE_INLINE double small_sine(double x) {
  const double z = x * x;
  double p = -1.0 / 1307674368000.0;
  p = p * z + 1.0 / 6227020800.0;
  p = p * z - 1.0 / 39916800.0;
  p = p * z + 1.0 / 362880.0;
  p = p * z - 1.0 / 5040.0;
  p = p * z + 1.0 / 120.0;
  p = p * z - 1.0 / 6.0;
  return x + x * z * p;
}

DIFFPHASE_INLINE double small_cosine(double x) {
  const double z = x * x;
  double p = 1.0 / 20922789888000.0;
  p = p * z - 1.0 / 87178291200.0;
  p = p * z + 1.0 / 479001600.0;
  p = p * z - 1.0 / 3628800.0;
  p = p * z + 1.0 / 40320.0;
  p = p * z - 1.0 / 720.0;
  p = p * z + 1.0 / 24.0;
  p = p * z - 0.5;
  return 1.0 + z * p;
}

DIFFPHASE_INLINE double with_sign_of_bit(double value, std::uint64_t bit) {
  return std::bit_cast<double>(std::bit_cast<std::uint64_t>(value) ^ (bit << 63U));
}

DIFFPHASE_INLINE void box_muller_loop(const std::uint64_t* radius_words, const std::uint64_t* angle_words,
                                      std::int64_t n, double* cosines, double* sines) {
  constexpr double round_to_integer = 0x1.8p52;  // adding it leaves the nearest integer in the low mantissa bits
#pragma omp simd
  for (std::int64_t i = 0; i < n; ++i) {
    const double radius = std::sqrt(minus_two_log(2.0 - from_one_to_two(radius_words[i])));
    const double turns = 4.0 * from_one_to_two(angle_words[i]) - 4.0;  // in quarters, exact
    const double shifted = turns + round_to_integer;
    const double x = (turns - (shifted - round_to_integer)) * (0.5 * std::numbers::pi);
    const auto quarter = std::bit_cast<std::uint64_t>(shifted);
    const double sine = small_sine(x);
    const double cosine = small_cosine(x);
    const bool odd = (quarter & 1U) != 0;
    const double c = odd ? sine : cosine;
    const double s = odd ? cosine : sine;
    cosines[i] = radius * with_sign_of_bit(c, (quarter + 1U) >> 1U & 1U);
    sines[i] = radius * with_sign_of_bit(s, quarter >> 1U & 1U);
  }
}

void baseline(const std::uint64_t* radius_words, const std::uint64_t* angle_words, std::int64_t n, double* cosines,
              double* sines) {
  box_muller_loop(radius_words, angle_words, n, cosines, sines);
}

DIFFPHASE_AVX2 void avx2(const std::uint64_t* radius_words, const std::uint64_t* angle_words, std::int64_t n,
                         double* cosines, double* sines) {
  box_muller_loop(radius_words, angle_words, n, cosines, sines);
}

DIFFPHASE_AVX512 void avx512(const std::uint64_t* radius_words, const std::uint64_t* angle_words, std::int64_t n,
                             double* cosines, double* sines) {
  box_muller_loop(radius_words, angle_words, n, cosines, sines);
}

const auto widest = choose_widest(&baseline, &avx2, &avx512);

}  // namespace

void box_muller(const std::uint64_t* radius_words, const std::uint64_t* angle_words, std::int64_t n, double* cosines,
                double* sines) {
  widest(radius_words, angle_words, n, cosines, sines);
}

}  // namespace diffphase
