#pragma once

#include <bit>
#include <cstdint>

namespace diffphase {

/// e^x for x <= 0 (and -inf), within 2 ulp of the exact value where that is a normal number; 0 below -708.
/// Branch-free, so that a loop over it is vectorised by the compiler for whatever instruction set it targets.
///
/// x = k log 2 + r, |r| <= log(2)/2; e^r by its Taylor polynomial of degree 13, whose remainder is below
/// 5e-18.
[[nodiscard]] inline double exp_nonpositive(double x) {
  constexpr double log2_e = 1.44269504088896338700e+00;
  constexpr double ln2_high = 6.93147180369123816490e-01;  // 32 trailing zero bits: k ln2_high is exact
  constexpr double ln2_low = 1.90821492927058770002e-10;
  constexpr double round_to_integer = 0x1.8p52;  // adding it leaves the nearest integer in the low mantissa bits
  constexpr double smallest = -708.0;

  const double clamped = x < smallest ? smallest : x;
  const double shifted = clamped * log2_e + round_to_integer;
  const double k = shifted - round_to_integer;
  const double r = (clamped - k * ln2_high) - k * ln2_low;
  double p = 1.0 / 6227020800.0;
  p = p * r + 1.0 / 479001600.0;
  p = p * r + 1.0 / 39916800.0;
  p = p * r + 1.0 / 3628800.0;
  p = p * r + 1.0 / 362880.0;
  p = p * r + 1.0 / 40320.0;
  p = p * r + 1.0 / 5040.0;
  p = p * r + 1.0 / 720.0;
  p = p * r + 1.0 / 120.0;
  p = p * r + 1.0 / 24.0;
  p = p * r + 1.0 / 6.0;
  p = p * r + 0.5;
  p = p * r + 1.0;
  p = p * r + 1.0;
  // Multiplying by 2^k is adding k to the exponent bits; the low bits of `shifted` are k in two's complement.
  const std::uint64_t exponent = std::bit_cast<std::uint64_t>(shifted) << 52U;
  const double result = std::bit_cast<double>(std::bit_cast<std::uint64_t>(p) + exponent);
  return x < smallest ? 0.0 : result;
}

}  // namespace diffphase
