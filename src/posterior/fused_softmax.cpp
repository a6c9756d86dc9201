#include "posterior/fused_softmax.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>

// The loops below are written once and compiled for several instruction sets; which one runs is decided when
// the program starts. Sums are reassociated over vector lanes, nothing else is.
#define DIFFPHASE_INLINE inline __attribute__((always_inline))
#if defined(__GNUC__) && !defined(__clang__)
// Vectors are handed on only between functions that are always inlined.
#pragma GCC diagnostic ignored "-Wpsabi"
#endif

namespace diffphase {

namespace {

// Compilers split what is wider than the instruction set's vectors. Loads need no alignment.
constexpr std::int64_t lanes = 8;
using Lanes = double __attribute__((vector_size(64)));
using StoredLanes = double __attribute__((vector_size(64), aligned(8)));
using Words = std::uint64_t __attribute__((vector_size(64)));

constexpr double log2_e = 1.44269504088896338700e+00;
constexpr double log_2 = 6.93147180559945286227e-01;
constexpr double smallest_exponent = -996.0;  // of two: 2^u is a normal number, and e^-690

DIFFPHASE_INLINE Lanes load(const double* from) { return *reinterpret_cast<const StoredLanes*>(from); }
DIFFPHASE_INLINE Lanes all(double value) { return value - Lanes{}; }

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
  // Multiplying by 2^k is adding k to the exponent bits.
  return std::bit_cast<Number>(std::bit_cast<Bits>(q) + (std::bit_cast<Bits>(shifted) << 52U));
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

#if defined(__x86_64__) && !defined(__clang__)
// The same with u = k/16 + r, |r| <= 1/32: a table in two registers for a shorter polynomial, of relative error 1e-17.
DIFFPHASE_INLINE Lanes power_of_two_by_table(Lanes u, const Words& low_roots, const Words& high_roots) {
  constexpr double round_to_sixteenth = 0x1.8p48;
  const Lanes shifted = u + round_to_sixteenth;
  const Lanes r = u - (shifted - round_to_sixteenth);
  const Words k = reinterpret_cast<Words>(shifted);
  const Words bits = __builtin_shuffle(low_roots, high_roots, k) + (k << 48U);
  const Lanes root = reinterpret_cast<Lanes>(bits);
  Lanes q = r * 1.5403272286727803446e-04 + 1.3333781569212803482e-03;
  q = q * r + 9.6181291124332980362e-03;
  q = q * r + 5.5504108656640039126e-02;
  q = q * r + 2.4022650695909940470e-01;
  q = q * r + 6.9314718055994575324e-01;
  return root + root * (q * r);
}
constexpr bool table_in_registers = true;
#else
DIFFPHASE_INLINE Lanes power_of_two_by_table(Lanes u, const Words&, const Words&) { return u; }
constexpr bool table_in_registers = false;
#endif

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

DIFFPHASE_INLINE double total(const Lanes& x) {
  return ((x[0] + x[1]) + (x[2] + x[3])) + ((x[4] + x[5]) + (x[6] + x[7]));
}

// `Clamp`: some exponents may be below the smallest.
template <bool Table, bool Clamp>
DIFFPHASE_INLINE Sums sum_line(const Line& line) {
  Words low_roots, high_roots;
  for (int k = 0; k < lanes; ++k) {
    low_roots[k] = sixteenth_roots.bits[static_cast<std::size_t>(k)];
    high_roots[k] = sixteenth_roots.bits[static_cast<std::size_t>(k + lanes)];
  }
  Lanes sum{}, weighted{}, squares{};
  Lanes largest = all(-std::numeric_limits<double>::infinity());
  const std::int64_t whole = line.n / lanes * lanes;
  for (std::int64_t i = 0; i < whole; i += lanes) {
    Lanes u =
        line.overlap * load(line.noise_overlap + i) - (line.distance * load(line.half_distance2 + i) + line.reference);
    largest = u > largest ? u : largest;
    if constexpr (Clamp) u = u > smallest_exponent ? u : all(smallest_exponent);
    Lanes weight;
    if constexpr (Table) {
      weight = power_of_two_by_table(u, low_roots, high_roots);
    } else {
      weight = power_of_two<Lanes, Words>(u);
    }
    sum += weight;
    weighted += u * weight;
    squares += weight * weight;
  }
  Sums sums{.sum = total(sum), .weighted = total(weighted), .squares = total(squares)};
  if (whole > 0) {
    for (int i = 0; i < lanes; ++i) sums.largest = std::max(sums.largest, largest[i]);
  }
  for (std::int64_t i = whole; i < line.n; ++i) {
    sums.add(line.overlap * line.noise_overlap[i] - (line.distance * line.half_distance2[i] + line.reference),
             smallest_exponent);
  }
  return sums;
}

template <bool Table>
DIFFPHASE_INLINE Sums sum_line(const Line& line, bool clamp) {
  return clamp ? sum_line<Table, true>(line) : sum_line<Table, false>(line);
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
#define DIFFPHASE_KERNELS(suffix, attribute, table)                                                               \
  attribute Sums sum_##suffix(const Line& line, bool clamp) { return sum_line<table>(line, clamp); }              \
  attribute double largest_##suffix(const Line& line) { return largest_of_line(line); }                           \
  attribute Range centre_##suffix(const double* a, double offset, const double* b, std::int64_t n, double* out) { \
    return centre_line(a, offset, b, n, out);                                                                     \
  }                                                                                                               \
  attribute Range shift_##suffix(const double* a, double offset, std::int64_t n, double* out) {                   \
    return shift_line(a, offset, n, out);                                                                         \
  }                                                                                                               \
  constexpr Kernels kernels_##suffix{sum_##suffix, largest_##suffix, centre_##suffix, shift_##suffix};
// NOLINTEND(bugprone-macro-parentheses)

DIFFPHASE_KERNELS(baseline, , false)
#if defined(__x86_64__)
DIFFPHASE_KERNELS(avx2, __attribute__((target("avx2,fma"))), false)
#if defined(__clang__)
DIFFPHASE_KERNELS(avx512, __attribute__((target("avx512f,avx512dq,avx512vl,fma"), min_vector_width(512))),
                  table_in_registers)
#else
DIFFPHASE_KERNELS(avx512, __attribute__((target("avx512f,avx512dq,avx512vl,fma,prefer-vector-width=512"))),
                  table_in_registers)
#endif
#endif

Kernels widest_kernels() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")) {
    return kernels_avx512;
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return kernels_avx2;
#endif
  return kernels_baseline;
}

const Kernels kernels = widest_kernels();

}  // namespace

CentredProducts::CentredProducts(std::int64_t most)
    : half_distance2_(static_cast<std::size_t>(most)), noise_overlap_(static_cast<std::size_t>(most)) {}

void CentredProducts::fill(const double* half_norm2, double half_start_norm2, const double* start, const double* noise,
                           double start_noise, std::int64_t n, std::int64_t start_component) {
  size_ = n;
  const Range distance = kernels.centre(half_norm2, half_start_norm2, start, n, half_distance2_.data());
  const Range overlap = kernels.shift(noise, start_noise, n, noise_overlap_.data());
  least_distance_ = distance.least;
  most_distance_ = distance.most;
  least_overlap_ = overlap.least;
  most_overlap_ = overlap.most;
  if (start_component < 0 || start_component >= n) return;
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
