#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

#include "parallel/instruction_set.hpp"
#include "random/philox.hpp"

// The Box-Muller transform of two words of 64 bits, of which the upper 53 count:
//
//   (z_1, z_2) = sqrt(-2 log(1 - u_1)) (cos 2 pi u_2, sin 2 pi u_2),   u_i = floor(w_i / 2^11) / 2^53.
//
// Additions, multiplications, divisions and square roots of doubles and operations on their bits, in a fixed order and
// without branches: compiled without contraction to fused multiply-adds, a loop over it gives the same numbers on
// every instruction set. Polynomials are minimax fits.

namespace diffphase {

/// sqrt(-2 log(1 - u)), within 2 ulp; 0 for u = 0, 8.57... for the largest u.
[[nodiscard]] DIFFPHASE_INLINE double box_muller_radius(std::uint64_t word) {
  constexpr double sqrt_half = 0x1.6a09e667f3bcdp-1;
  constexpr double ln2_high = 0x1.62e42feep-1;  // trailing zero bits: k ln2_high is exact
  constexpr double ln2_low = 0x1.a39ef35793c76p-33;
  constexpr std::uint64_t fraction_bits = (std::uint64_t{1} << 52U) - 1;
  constexpr std::uint64_t bias = 64;  // keeps exponents positive

  const double x = 1.0 - unit_interval(word);  // exact

  // x = 2^k (1 + f), sqrt(1/2) <= 1 + f < sqrt 2.
  const std::uint64_t shifted =
      std::bit_cast<std::uint64_t>(x) - std::bit_cast<std::uint64_t>(sqrt_half) + (bias << 52U);
  const double k = std::bit_cast<double>((shifted >> 52U) | std::bit_cast<std::uint64_t>(0x1p52)) -
                   (0x1p52 + static_cast<double>(bias));
  const double f = std::bit_cast<double>((shifted & fraction_bits) + std::bit_cast<std::uint64_t>(sqrt_half)) - 1.0;

  // log(1 + f) = 2 s + s r = f - f^2/2 + s (f^2/2 + r), s = f/(2 + f), r = 2 s^2/3 + 2 s^4/5 + ... within 4e-18 of
  // the logarithm.
  const double s = f / (2.0 + f);
  const double z = s * s;
  double p = 0x1.2f0629b0fd7c0p-3;
  p = p * z + 0x1.39a1a812c535dp-3;
  p = p * z + 0x1.74663f96d1938p-3;
  p = p * z + 0x1.c71c52064138dp-3;
  p = p * z + 0x1.24924941f4b15p-2;
  p = p * z + 0x1.999999997fd7dp-2;
  p = p * z + 0x1.5555555555592p-1;
  const double half_square = 0.5 * f * f;
  const double small = s * (half_square + p * z) + k * ln2_low;
  return std::sqrt(2.0 * (((half_square - small) - f) - k * ln2_high));
}

struct UnitVector {
  double x;
  double y;
};

/// (cos 2 pi u, sin 2 pi u), each within 2 ulp.
[[nodiscard]] DIFFPHASE_INLINE UnitVector box_muller_direction(std::uint64_t word) {
  constexpr std::uint64_t eighth = std::uint64_t{1} << 61U;
  constexpr std::uint64_t sign = std::uint64_t{1} << 63U;

  // u = q/4 + t, -1/8 <= t < 1/8, exact; q is the two leading bits of `turned`, t + 1/8 the others.
  const std::uint64_t turned = word + eighth;
  const double t = std::bit_cast<double>(((turned << 2U) >> 13U) | std::bit_cast<std::uint64_t>(0.5)) - (0.5 + 0.125);
  const double y = t * t;
  // sin(2 pi t)/t, within 5e-17 of itself (the first number rounds 2 pi).
  double sine = 0x1.e3f20672c1932p+1;
  sine = sine * y - 0x1.e3006cd1440dep+3;
  sine = sine * y + 0x1.50782fd3f105ap+5;
  sine = sine * y - 0x1.32d2cce2de448p+6;
  sine = sine * y + 0x1.466bc6775876bp+6;
  sine = sine * y - 0x1.4abbce625be41p+5;
  sine = sine * y + 0x1.921fb54442d18p+2;
  sine = sine * t;
  // cos(2 pi t), within 2e-17.
  double cosine = -0x1.b26fe8dcbe47bp+0;
  cosine = cosine * y + 0x1.f9cc6ad1b6e86p+2;
  cosine = cosine * y - 0x1.a6d1ecb743063p+4;
  cosine = cosine * y + 0x1.e1f50683b4311p+5;
  cosine = cosine * y - 0x1.55d3c7e3c95bcp+6;
  cosine = cosine * y + 0x1.03c1f081b5ab0p+6;
  cosine = cosine * y - 0x1.3bd3cc9be45dep+4;
  cosine = cosine * y + 1.0;

  // A quarter turn more: (c, s) -> (-s, c).
  const auto sine_bits = std::bit_cast<std::uint64_t>(sine);
  const auto cosine_bits = std::bit_cast<std::uint64_t>(cosine);
  const std::uint64_t odd = std::uint64_t{0} - ((turned >> 62U) & 1U);
  const std::uint64_t exchanged = (sine_bits ^ cosine_bits) & odd;
  const std::uint64_t x_sign = (turned ^ (turned << 1U)) & sign;
  const std::uint64_t y_sign = turned & sign;
  return {std::bit_cast<double>((cosine_bits ^ exchanged) ^ x_sign),
          std::bit_cast<double>((sine_bits ^ exchanged) ^ y_sign)};
}

}  // namespace diffphase
