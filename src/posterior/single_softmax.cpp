#include "posterior/single_softmax.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>

#include "parallel/instruction_set.hpp"
#include "parallel/vector_lanes.hpp"

// Sums are reassociated over vector lanes, nothing else is.

namespace diffphase {

namespace {

// Sums have as many lanes on every instruction set, in one vector or several.
constexpr int lanes = 16;
constexpr std::int64_t group = 16;  // numbers of a lane whose sums are single
template <int Width>
using Lanes = typename VectorOf<float, Width>::Lanes;
template <int Width>
using Words = typename VectorOf<float, Width>::Words;

constexpr double log2_e = 1.44269504088896338700e+00;
constexpr double log_2 = 6.93147180559945286227e-01;
constexpr float smallest_exponent = -62.0F;  // of two: the square of 2^u is a normal number
constexpr float nothing = -std::numeric_limits<float>::infinity();

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
  // Multiplying by 2^k is adding k to the exponent bits. (std::bit_cast need not be inlined.)
  return __builtin_bit_cast(Number, __builtin_bit_cast(Bits, q) + (__builtin_bit_cast(Bits, shifted) << 23U));
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

// The table in one register, where it holds it.
template <int Width>
struct RootTable {
#if defined(__x86_64__) && !defined(__clang__)
  static constexpr bool fits = Width == 2 * width_avx512;
#else
  static constexpr bool fits = false;
#endif
  Words<Width> roots = *reinterpret_cast<const Words<Width>*>(sixteenth_roots.bits.data());

  // 2^u: by the table u = k/16 + r, |r| <= 1/32, and a shorter polynomial, of relative error 2e-9.
  [[nodiscard]] DIFFPHASE_INLINE Lanes<Width> power_of_two(Lanes<Width> u) const {
    if constexpr (fits) {
      constexpr float round_to_sixteenth = 0x1.8p19F;
      const Lanes<Width> shifted = u + round_to_sixteenth;
      const Lanes<Width> r = u - (shifted - round_to_sixteenth);
      const auto k = reinterpret_cast<Words<Width>>(shifted);
      const Words<Width> bits = __builtin_shuffle(roots, k) + (k << 19U);
      const auto root = reinterpret_cast<Lanes<Width>>(bits);
      Lanes<Width> q = r * 5.5502136492e-02F + 2.4023428805e-01F;
      q = q * r + 6.9314718267e-01F;
      return root + root * (q * r);
    } else {
      return diffphase::power_of_two<Lanes<Width>, Words<Width>>(u);
    }
  }
};

// Time, probe and components of one call, in units in which the exponential is a power of two.
struct Line {
  const float* half_distance2;
  const float* noise_overlap;
  std::int64_t n;
  float distance, overlap, reference;

  template <int Width>
  [[nodiscard]] DIFFPHASE_INLINE Lanes<Width> exponents(std::int64_t i) const {
    return overlap * load_lanes<float, Width>(noise_overlap + i) -
           (distance * load_lanes<float, Width>(half_distance2 + i) + reference);
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

// Of lanes in pairs, as doubles.
class PairedSums {
 public:
  template <int Width, std::size_t Parts>
  DIFFPHASE_INLINE void add(const Lanes<Width> (&parts)[Parts]) {
    alignas(64) std::array<float, lanes> singles;
    for (std::size_t part = 0; part < Parts; ++part) store_lanes<float, Width>(parts[part], &singles[part * Width]);
    for (std::size_t i = 0; i < sums_.size(); ++i) {
      sums_[i] += static_cast<double>(singles[i]) + static_cast<double>(singles[i + sums_.size()]);
    }
  }

  [[nodiscard]] DIFFPHASE_INLINE double total() const {
    const auto& x = sums_;
    return ((x[0] + x[1]) + (x[2] + x[3])) + ((x[4] + x[5]) + (x[6] + x[7]));
  }

 private:
  alignas(64) std::array<double, lanes / 2> sums_{};
};

// `Clamp`: some exponents may be below the smallest.
template <int Width, bool Clamp>
DIFFPHASE_INLINE Sums sum_line(const Line& line) {
  constexpr int parts = lanes / Width;
  const RootTable<Width> table;
  PairedSums sum, weighted, squares;
  Lanes<Width> largest[parts];
  for (Lanes<Width>& part : largest) part = all_lanes<float, Width>(nothing);
  const std::int64_t whole = line.n / lanes * lanes;
  for (std::int64_t first = 0; first < whole; first += group * lanes) {
    Lanes<Width> group_sum[parts]{}, group_weighted[parts]{}, group_squares[parts]{};
    const std::int64_t end = std::min(whole, first + group * lanes);
    for (std::int64_t i = first; i < end; i += lanes) {
#pragma GCC unroll 4
      for (int part = 0; part < parts; ++part) {
        Lanes<Width> u = line.exponents<Width>(i + part * Width);
        largest[part] = u > largest[part] ? u : largest[part];
        if constexpr (Clamp) u = u > smallest_exponent ? u : all_lanes<float, Width>(smallest_exponent);
        const Lanes<Width> weight = table.power_of_two(u);
        group_sum[part] += weight;
        group_weighted[part] += u * weight;
        group_squares[part] += weight * weight;
      }
    }
    sum.add<Width>(group_sum);
    weighted.add<Width>(group_weighted);
    squares.add<Width>(group_squares);
  }
  std::array<float, lanes> of_lanes;
  for (int part = 0; part < parts; ++part) store_lanes<float, Width>(largest[part], &of_lanes[part * Width]);
  Sums sums{.sum = sum.total(),
            .weighted = weighted.total(),
            .squares = squares.total(),
            .largest = *std::max_element(of_lanes.begin(), of_lanes.end())};
  for (std::int64_t i = whole; i < line.n; ++i) sums.add(line.exponent(i));
  return sums;
}

template <int Width>
DIFFPHASE_INLINE Sums sum_line(const Line& line, bool clamp) {
  return clamp ? sum_line<Width, true>(line) : sum_line<Width, false>(line);
}

struct Kernels {
  Sums (*sum)(const Line&, bool);
};

// NOLINTBEGIN(bugprone-macro-parentheses): an attribute and part of a name
#define DIFFPHASE_KERNELS(suffix, attribute)                                                                      \
  attribute Sums sum_##suffix(const Line& line, bool clamp) { return sum_line<2 * width_##suffix>(line, clamp); } \
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
