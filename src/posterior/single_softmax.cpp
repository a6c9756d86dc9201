#include "posterior/single_softmax.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>

#include "parallel/instruction_set.hpp"

// Sums are reassociated over vector lanes, nothing else is.
#if defined(__GNUC__) && !defined(__clang__)
// Vectors are handed on only between functions that are always inlined.
#pragma GCC diagnostic ignored "-Wpsabi"
#endif

namespace diffphase {

namespace {

// Compilers split what is wider than the instruction set's vectors. Loads need no alignment.
constexpr std::int64_t lanes = 16;
constexpr std::int64_t group = 16;  // vectors whose sums are single
using Lanes = float __attribute__((vector_size(64)));
using StoredLanes = float __attribute__((vector_size(64), aligned(4)));
using Words = std::uint32_t __attribute__((vector_size(64)));
using HalfLanes = float __attribute__((vector_size(32)));
using DoubleLanes = double __attribute__((vector_size(64)));

constexpr double log2_e = 1.44269504088896338700e+00;
constexpr double log_2 = 6.93147180559945286227e-01;
constexpr float smallest_exponent = -62.0F;  // of two: the square of 2^u is a normal number
constexpr float nothing = -std::numeric_limits<float>::infinity();

DIFFPHASE_INLINE Lanes load(const float* from) { return *reinterpret_cast<const StoredLanes*>(from); }
DIFFPHASE_INLINE Lanes all(float value) { return value - Lanes{}; }

// 2^u for u from smallest_exponent to 60: u = k + r, |r| <= 1/2, with 2^r = 1 + r q(r) by the polynomial q of degree 5
// that makes the largest relative error smallest, 2e-9.
template <typename Number, typename Bits>
DIFFPHASE_INLINE Number power_of_two(Number u) {
  constexpr float round_to_integer = 0x1.8p23F;  // adding it leaves the nearest integer in the low mantissa bits
  const Number shifted = u + round_to_integer;
  const Number r = u - (shifted - round_to_integer);
  Number q = r * 1.5353362059e-04F + 1.3398874588e-03F;
  q = q * r + 9.6184373585e-03F;
  q = q * r + 5.5503324707e-02F;
  q = q * r + 2.4022647914e-01F;
  q = q * r + 6.9314720286e-01F;
  q = q * r + 1.0F;
  // Multiplying by 2^k is adding k to the exponent bits.
  return std::bit_cast<Number>(std::bit_cast<Bits>(q) + (std::bit_cast<Bits>(shifted) << 23U));
}

// 2^(k/16), k = 0..15, less what the low bits of k add to the exponent field when k is shifted there.
struct SixteenthRoots {
  alignas(64) std::array<std::uint32_t, 16> bits{};

  SixteenthRoots() {
    for (std::uint32_t k = 0; k < bits.size(); ++k) {
      bits[k] = std::bit_cast<std::uint32_t>(static_cast<float>(std::exp2(k / 16.0))) - (k << 19U);
    }
  }
};

const SixteenthRoots sixteenth_roots;

#if defined(__x86_64__) && !defined(__clang__)
// The same with u = k/16 + r, |r| <= 1/32: a table in one register for a shorter polynomial, of relative error 2e-9.
DIFFPHASE_INLINE Lanes power_of_two_by_table(Lanes u, const Words& roots) {
  constexpr float round_to_sixteenth = 0x1.8p19F;
  const Lanes shifted = u + round_to_sixteenth;
  const Lanes r = u - (shifted - round_to_sixteenth);
  const Words k = reinterpret_cast<Words>(shifted);
  const Words bits = __builtin_shuffle(roots, k) + (k << 19U);
  const Lanes root = reinterpret_cast<Lanes>(bits);
  Lanes q = r * 5.5502136492e-02F + 2.4023428805e-01F;
  q = q * r + 6.9314718267e-01F;
  return root + root * (q * r);
}
constexpr bool table_avx512 = true;
#else
DIFFPHASE_INLINE Lanes power_of_two_by_table(Lanes u, const Words&) { return u; }
constexpr bool table_avx512 = false;
#endif
constexpr bool table_avx2 = false;  // it would not fit one register
constexpr bool table_baseline = false;

// Time, probe and components of one call, in units in which the exponential is a power of two.
struct Line {
  const float* half_distance2;
  const float* noise_overlap;
  std::int64_t n;
  float distance, overlap, reference;

  [[nodiscard]] DIFFPHASE_INLINE Lanes exponents(std::int64_t i) const {
    return overlap * load(noise_overlap + i) - (distance * load(half_distance2 + i) + reference);
  }
  [[nodiscard]] DIFFPHASE_INLINE float exponent(std::int64_t i) const {
    return overlap * noise_overlap[i] - (distance * half_distance2[i] + reference);
  }
};

struct Sums {
  double sum = 0.0, weighted = 0.0, squares = 0.0;
  float largest = nothing;

  DIFFPHASE_INLINE void add(float exponent) {
    largest = std::max(largest, exponent);
    const float u = std::max(exponent, smallest_exponent);
    const double weight = power_of_two<float, std::uint32_t>(u);
    sum += weight;
    weighted += u * weight;
    squares += weight * weight;
  }
};

// Singles added to doubles, two to each.
DIFFPHASE_INLINE void widen(const Lanes& singles, DoubleLanes& doubles) {
  const HalfLanes low = __builtin_shufflevector(singles, singles, 0, 1, 2, 3, 4, 5, 6, 7);
  const HalfLanes high = __builtin_shufflevector(singles, singles, 8, 9, 10, 11, 12, 13, 14, 15);
  doubles += __builtin_convertvector(low, DoubleLanes) + __builtin_convertvector(high, DoubleLanes);
}

DIFFPHASE_INLINE double total(const DoubleLanes& x) {
  return ((x[0] + x[1]) + (x[2] + x[3])) + ((x[4] + x[5]) + (x[6] + x[7]));
}

// `Clamp`: some exponents may be below the smallest.
template <bool Table, bool Clamp>
DIFFPHASE_INLINE Sums sum_line(const Line& line) {
  const Words roots = *reinterpret_cast<const Words*>(sixteenth_roots.bits.data());
  DoubleLanes sum{}, weighted{}, squares{};
  Lanes largest = all(nothing);
  const std::int64_t whole = line.n / lanes * lanes;
  for (std::int64_t first = 0; first < whole; first += group * lanes) {
    Lanes group_sum{}, group_weighted{}, group_squares{};
    const std::int64_t end = std::min(whole, first + group * lanes);
    for (std::int64_t i = first; i < end; i += lanes) {
      Lanes u = line.exponents(i);
      largest = u > largest ? u : largest;
      if constexpr (Clamp) u = u > smallest_exponent ? u : all(smallest_exponent);
      Lanes weight;
      if constexpr (Table) {
        weight = power_of_two_by_table(u, roots);
      } else {
        weight = power_of_two<Lanes, Words>(u);
      }
      group_sum += weight;
      group_weighted += u * weight;
      group_squares += weight * weight;
    }
    widen(group_sum, sum);
    widen(group_weighted, weighted);
    widen(group_squares, squares);
  }
  Sums sums{.sum = total(sum), .weighted = total(weighted), .squares = total(squares)};
  for (int i = 0; i < lanes; ++i) sums.largest = std::max(sums.largest, largest[i]);
  for (std::int64_t i = whole; i < line.n; ++i) sums.add(line.exponent(i));
  return sums;
}

template <bool Table>
DIFFPHASE_INLINE Sums sum_line(const Line& line, bool clamp) {
  return clamp ? sum_line<Table, true>(line) : sum_line<Table, false>(line);
}

struct Kernels {
  Sums (*sum)(const Line&, bool);
};

// NOLINTBEGIN(bugprone-macro-parentheses): an attribute and part of a name
#define DIFFPHASE_KERNELS(suffix, attribute)                                                                  \
  attribute Sums sum_##suffix(const Line& line, bool clamp) { return sum_line<table_##suffix>(line, clamp); } \
  constexpr Kernels kernels_##suffix{sum_##suffix};
// NOLINTEND(bugprone-macro-parentheses)

DIFFPHASE_FOR_EACH_INSTRUCTION_SET(DIFFPHASE_KERNELS)

const Kernels kernels = DIFFPHASE_CHOOSE(kernels, widest_instruction_set());

}  // namespace

SingleProducts::SingleProducts(std::int64_t most)
    : half_distance2_(static_cast<std::size_t>(most)), noise_overlap_(static_cast<std::size_t>(most)) {}

void SingleProducts::round(const CentredProducts& products) {
  size_ = products.size();
  std::copy_n(products.half_distance2(), size_, half_distance2_.begin());
  std::copy_n(products.noise_overlap(), size_, noise_overlap_.begin());
  most_distance_ = -products.lower_bound(1.0, 0.0);
  least_overlap_ = products.lower_bound(0.0, 1.0);
}

PosteriorSums fused_softmax_sums(const SingleProducts& products, double distance, double overlap, double reference) {
  const double least = (products.lower_bound(distance, overlap) - reference) * log2_e;
  const bool clamp = !(least >= smallest_exponent + 1.0);  // by more than the rounding of a logit
  const Sums sums = kernels.sum(
      {products.half_distance2(), products.noise_overlap(), products.size(), static_cast<float>(distance * log2_e),
       static_cast<float>(overlap * log2_e), static_cast<float>(reference * log2_e)},
      clamp);
  return {.reference = reference,
          .sum = sums.sum,
          .weighted_logit = sums.weighted * log_2,
          .sum_of_squares = sums.squares,
          .largest = reference + static_cast<double>(sums.largest) * log_2};
}

}  // namespace diffphase
