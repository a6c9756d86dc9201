#include "posterior/fused_softmax.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>

#include "parallel/instruction_set.hpp"
#include "parallel/vector_lanes.hpp"

// Sums are reassociated over vector lanes, nothing else is.

namespace diffphase {

namespace {

// Sums have as many lanes on every instruction set, in one vector or several.
constexpr int lanes = 8;
template <int Width>
using Lanes = typename VectorOf<double, Width>::Lanes;
template <int Width>
using Words = typename VectorOf<double, Width>::Words;

constexpr double log2_e = 1.44269504088896338700e+00;
constexpr double log_2 = 6.93147180559945286227e-01;
constexpr double smallest_exponent = -996.0;  // of two: 2^u is a normal number, and e^-690

// 2^u for u from smallest_exponent to 1000: u = k + r, |r| <= 1/2, with 2^r = 1 + r q(r) by the polynomial q of degree
// 10 that makes the largest relative error smallest, 6e-18.
template <typename Number, typename Bits>
DIFFPHASE_INLINE Number power_of_two(Number u) {
  constexpr double round_to_integer = 0x1.8p52;  // adding it leaves the nearest integer in the low mantissa bits
  const Number shifted = u + round_to_integer;
  const Number r = u - (shifted - round_to_integer);
  Number q = r * 4.4344271908963371704e-10 + 7.0724972754583136829e-09;
  q = q * r + 1.0178190533511425907e-07;
  q = q * r + 1.3215443086196919753e-06;
  q = q * r + 1.5252733550335741873e-05;
  q = q * r + 1.5403530440803072447e-04;
  q = q * r + 1.3333558146665667592e-03;
  q = q * r + 9.6181291076075351795e-03;
  q = q * r + 5.5504108664820820635e-02;
  q = q * r + 2.4022650695910097011e-01;
  q = q * r + 6.9314718055994531326e-01;
  q = q * r + 1.0;
  // Multiplying by 2^k is adding k to the exponent bits. (std::bit_cast need not be inlined.)
  return __builtin_bit_cast(Number, __builtin_bit_cast(Bits, q) + (__builtin_bit_cast(Bits, shifted) << 52U));
}

// 2^(k/16), k = 0..15, less what the low bits of k add to the exponent field when k is shifted there.
struct SixteenthRoots {
  alignas(64) std::array<std::uint64_t, 16> bits{};

  SixteenthRoots() {
    for (std::uint64_t k = 0; k < bits.size(); ++k) {
      bits[k] = std::bit_cast<std::uint64_t>(std::exp2(static_cast<double>(k) / 16.0)) - (k << 48U);
    }
  }
};

const SixteenthRoots sixteenth_roots;

// The table in two registers, where they hold it.
template <int Width>
struct RootTable {
#if defined(__x86_64__) && !defined(__clang__)
  static constexpr bool fits = Width == width_avx512;
#else
  static constexpr bool fits = false;
#endif
  Words<Width> low{}, high{};

  DIFFPHASE_INLINE RootTable() {
    if constexpr (fits) {
      low = *reinterpret_cast<const Words<Width>*>(sixteenth_roots.bits.data());
      high = *reinterpret_cast<const Words<Width>*>(sixteenth_roots.bits.data() + Width);
    }
  }

  // 2^u: by the table u = k/16 + r, |r| <= 1/32, and a shorter polynomial, of relative error 1e-17.
  [[nodiscard]] DIFFPHASE_INLINE Lanes<Width> power_of_two(Lanes<Width> u) const {
    if constexpr (fits) {
      constexpr double round_to_sixteenth = 0x1.8p48;
      const Lanes<Width> shifted = u + round_to_sixteenth;
      const Lanes<Width> r = u - (shifted - round_to_sixteenth);
      const auto k = reinterpret_cast<Words<Width>>(shifted);
      const Words<Width> bits = __builtin_shuffle(low, high, k) + (k << 48U);
      const auto root = reinterpret_cast<Lanes<Width>>(bits);
      Lanes<Width> q = r * 1.5403272286727803446e-04 + 1.3333781569212803482e-03;
      q = q * r + 9.6181291124332980362e-03;
      q = q * r + 5.5504108656640039126e-02;
      q = q * r + 2.4022650695909940470e-01;
      q = q * r + 6.9314718055994575324e-01;
      return root + root * (q * r);
    } else {
      return diffphase::power_of_two<Lanes<Width>, Words<Width>>(u);
    }
  }
};

// Time, probe and components of one call, in units in which the exponential is a power of two.
struct Line {
  const double* half_distance2;
  const double* noise_overlap;
  std::int64_t n;
  double distance, overlap, reference;
};

struct Sums {
  double sum = 0.0, weighted = 0.0, squares = 0.0;
  double largest = -std::numeric_limits<double>::infinity();

  DIFFPHASE_INLINE void add(double exponent, double floor) {
    largest = std::max(largest, exponent);
    const double u = std::max(exponent, floor);
    const double weight = power_of_two<double, std::uint64_t>(u);
    sum += weight;
    weighted += u * weight;
    squares += weight * weight;
  }
};

DIFFPHASE_INLINE double total(const std::array<double, lanes>& x) {
  return ((x[0] + x[1]) + (x[2] + x[3])) + ((x[4] + x[5]) + (x[6] + x[7]));
}

// One of the vectors that are the lanes.
template <int Width>
struct PartialSums {
  Lanes<Width> sum{}, weighted{}, squares{};
  Lanes<Width> largest = all_lanes<double, Width>(-std::numeric_limits<double>::infinity());

  template <bool Clamp>
  DIFFPHASE_INLINE void add(Lanes<Width> u, const RootTable<Width>& table) {
    largest = u > largest ? u : largest;
    if constexpr (Clamp) u = u > smallest_exponent ? u : all_lanes<double, Width>(smallest_exponent);
    const Lanes<Width> weight = table.power_of_two(u);
    sum += weight;
    weighted += u * weight;
    squares += weight * weight;
  }
};

// `Clamp`: some exponents may be below the smallest.
template <int Width, bool Clamp>
DIFFPHASE_INLINE Sums sum_line(const Line& line) {
  constexpr int parts = lanes / Width;
  const RootTable<Width> table;
  PartialSums<Width> partial[parts];
  const std::int64_t whole = line.n / lanes * lanes;
  for (std::int64_t first = 0; first < whole; first += lanes) {
#pragma GCC unroll 4
    for (int part = 0; part < parts; ++part) {
      const std::int64_t i = first + part * Width;
      partial[part].template add<Clamp>(
          line.overlap * load_lanes<double, Width>(line.noise_overlap + i) -
              (line.distance * load_lanes<double, Width>(line.half_distance2 + i) + line.reference),
          table);
    }
  }
  std::array<double, lanes> sum, weighted, squares, largest;
  for (int part = 0; part < parts; ++part) {
    store_lanes<double, Width>(partial[part].sum, &sum[part * Width]);
    store_lanes<double, Width>(partial[part].weighted, &weighted[part * Width]);
    store_lanes<double, Width>(partial[part].squares, &squares[part * Width]);
    store_lanes<double, Width>(partial[part].largest, &largest[part * Width]);
  }
  Sums sums;
  sums.sum = total(sum);
  sums.weighted = total(weighted);
  sums.squares = total(squares);
  sums.largest = *std::max_element(largest.begin(), largest.end());
  for (std::int64_t i = whole; i < line.n; ++i) {
    sums.add(line.overlap * line.noise_overlap[i] - (line.distance * line.half_distance2[i] + line.reference),
             smallest_exponent);
  }
  return sums;
}

template <int Width>
DIFFPHASE_INLINE Sums sum_line(const Line& line, bool clamp) {
  return clamp ? sum_line<Width, true>(line) : sum_line<Width, false>(line);
}

DIFFPHASE_INLINE double largest_of_line(const Line& line) {
  double largest = -std::numeric_limits<double>::infinity();
#pragma omp simd reduction(max : largest)
  for (std::int64_t i = 0; i < line.n; ++i) {
    const double logit = line.overlap * line.noise_overlap[i] - line.distance * line.half_distance2[i];
    largest = logit > largest ? logit : largest;
  }
  return largest;
}

struct Range {
  double least = std::numeric_limits<double>::infinity();
  double most = -std::numeric_limits<double>::infinity();
};

// out[i] = (a[i] + offset) - b[i], where a may be absent.
DIFFPHASE_INLINE Range centre_line(const double* a, double offset, const double* b, std::int64_t n, double* out) {
  double least = std::numeric_limits<double>::infinity();
  double most = -least;
#pragma omp simd reduction(min : least) reduction(max : most)
  for (std::int64_t i = 0; i < n; ++i) {
    const double value = (a[i] + offset) - b[i];
    out[i] = value;
    least = value < least ? value : least;
    most = value > most ? value : most;
  }
  return {least, most};
}

DIFFPHASE_INLINE Range shift_line(const double* a, double offset, std::int64_t n, double* out) {
  double least = std::numeric_limits<double>::infinity();
  double most = -least;
#pragma omp simd reduction(min : least) reduction(max : most)
  for (std::int64_t i = 0; i < n; ++i) {
    const double value = a[i] - offset;
    out[i] = value;
    least = value < least ? value : least;
    most = value > most ? value : most;
  }
  return {least, most};
}

struct Kernels {
  Sums (*sum)(const Line&, bool);
  double (*largest)(const Line&);
  Range (*centre)(const double*, double, const double*, std::int64_t, double*);
  Range (*shift)(const double*, double, std::int64_t, double*);
};

// NOLINTBEGIN(bugprone-macro-parentheses): an attribute and part of a name
#define DIFFPHASE_KERNELS(suffix, attribute)                                                                      \
  attribute Sums sum_##suffix(const Line& line, bool clamp) { return sum_line<width_##suffix>(line, clamp); }     \
  attribute double largest_##suffix(const Line& line) { return largest_of_line(line); }                           \
  attribute Range centre_##suffix(const double* a, double offset, const double* b, std::int64_t n, double* out) { \
    return centre_line(a, offset, b, n, out);                                                                     \
  }                                                                                                               \
  attribute Range shift_##suffix(const double* a, double offset, std::int64_t n, double* out) {                   \
    return shift_line(a, offset, n, out);                                                                         \
  }                                                                                                               \
  constexpr Kernels kernels_##suffix{sum_##suffix, largest_##suffix, centre_##suffix, shift_##suffix};
// NOLINTEND(bugprone-macro-parentheses)

DIFFPHASE_FOR_EACH_INSTRUCTION_SET(DIFFPHASE_KERNELS)

const Kernels kernels = DIFFPHASE_CHOOSE(kernels, widest_instruction_set());

}  // namespace

CentredProducts::CentredProducts(std::int64_t most)
    : half_distance2_(static_cast<std::size_t>(most)), noise_overlap_(static_cast<std::size_t>(most)) {}

void CentredProducts::fill(const double* half_norm2, double half_start_norm2, const double* start, const double* noise,
                           double start_noise, std::int64_t n, std::int64_t start_component) {
  size_ = n;
  const Range distance = kernels.centre(half_norm2, half_start_norm2, start, n, half_distance2_.data());
  const Range overlap = kernels.shift(noise, start_noise, n, noise_overlap_.data());
  least_distance_ = nearest_distance_ = distance.least;
  most_distance_ = distance.most;
  least_overlap_ = overlap.least;
  most_overlap_ = overlap.most;
  if (start_component < 0 || start_component >= n) return;
  const auto own = half_distance2_.begin() + start_component;
  const auto least = [](auto begin, auto end) {
    return std::accumulate(begin, end, std::numeric_limits<double>::infinity(),
                           [](double a, double b) { return std::min(a, b); });
  };
  nearest_distance_ = std::min(least(half_distance2_.begin(), own), least(own + 1, half_distance2_.begin() + n));
  half_distance2_[static_cast<std::size_t>(start_component)] = 0.0;
  noise_overlap_[static_cast<std::size_t>(start_component)] = 0.0;
  least_distance_ = std::min(least_distance_, 0.0);
  most_distance_ = std::max(most_distance_, 0.0);
  least_overlap_ = std::min(least_overlap_, 0.0);
  most_overlap_ = std::max(most_overlap_, 0.0);
}

PosteriorSums fused_softmax_sums(const CentredProducts& products, double distance, double overlap, double reference) {
  const bool clamp = (products.lower_bound(distance, overlap) - reference) * log2_e < smallest_exponent;
  const Sums sums = kernels.sum({products.half_distance2(), products.noise_overlap(), products.size(),
                                 distance * log2_e, overlap * log2_e, reference * log2_e},
                                clamp);
  return {.reference = reference,
          .sum = sums.sum,
          .weighted_logit = sums.weighted * log_2,
          .sum_of_squares = sums.squares,
          .largest = reference + sums.largest * log_2};
}

double largest_logit(const CentredProducts& products, double distance, double overlap) {
  return kernels.largest(
      {products.half_distance2(), products.noise_overlap(), products.size(), distance, overlap, 0.0});
}

}  // namespace diffphase
