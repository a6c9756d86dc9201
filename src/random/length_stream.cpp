#include "random/length_stream.hpp"

#include <bit>
#include <cmath>
#include <stdexcept>
#include <string>

#include "random/box_muller.hpp"
#include "random/instruction_sets.hpp"

namespace diffphase {

namespace {

constexpr unsigned attempt_bits = 20;
constexpr double undecided = -1.0;

struct FourWords {
  const std::uint64_t* first;
  const std::uint64_t* second;
  const std::uint64_t* third;
  const std::uint64_t* fourth;
};

// The bits that box_muller leaves over in four words, as a number on [0, 1).
DIFFPHASE_INLINE double spare_uniform(FourWords words, std::int64_t i) {
  constexpr unsigned bits = box_muller_spare_bits;
  constexpr std::uint64_t mask = (std::uint64_t{1} << bits) - 1;
  constexpr std::uint64_t two_to_52_bits = 0x4330000000000000ULL;
  const std::uint64_t all = (words.first[i] & mask) << (3 * bits) | (words.second[i] & mask) << (2 * bits) |
                            (words.third[i] & mask) << bits | (words.fourth[i] & mask);
  return (std::bit_cast<double>(all | two_to_52_bits) - 0x1p52) * 0x1p-48;
}

// Proposals 2 d v, v = (1 + c x)^3, where a bound of the acceptance shows that they are accepted, else `undecided`;
// returns how many are not. The acceptance is e^h, h = x^2/2 + d (1 - v + log v) = 3 d sum_k>=4 (-1)^(k+1) (c x)^k/k,
// which is at least 1 - x^4/(54 d) where c x >= -1/2.
DIFFPHASE_INLINE std::int64_t propose_loop(const double* normals, FourWords words, std::int64_t n, double shape,
                                           double spread, double* out) {
  const double bound = 1.0 / (54.0 * shape);
  double left = 0.0;
#pragma omp simd reduction(+ : left)
  for (std::int64_t i = 0; i < n; ++i) {
    const double x = normals[i];
    const double s = spread * x;
    const double root = 1.0 + s;
    const double margin = 1.0 - spare_uniform(words, i) - x * x * x * x * bound;
    const double least = margin < s + 0.5 ? margin : s + 0.5;
    const bool accepted = least > 0.0;
    out[i] = accepted ? 2.0 * shape * (root * root * root) : undecided;
    left += accepted ? 0.0 : 1.0;
  }
  return static_cast<std::int64_t>(left);
}

std::int64_t baseline(const double* normals, FourWords words, std::int64_t n, double shape, double spread,
                      double* out) {
  return propose_loop(normals, words, n, shape, spread, out);
}

DIFFPHASE_AVX2 std::int64_t avx2(const double* normals, FourWords words, std::int64_t n, double shape, double spread,
                                 double* out) {
  return propose_loop(normals, words, n, shape, spread, out);
}

DIFFPHASE_AVX512 std::int64_t avx512(const double* normals, FourWords words, std::int64_t n, double shape,
                                     double spread, double* out) {
  return propose_loop(normals, words, n, shape, spread, out);
}

const auto propose = choose_widest(&baseline, &avx2, &avx512);

// h of a proposal with s = c x > -1; near 0 by its series, since the terms of the closed form cancel.
double log_acceptance(double shape, double s) {
  constexpr double small = 0.05;
  constexpr int last_power = 16;
  if (std::abs(s) > small) {
    const double root = 1.0 + s;
    return shape * (4.5 * s * s + 1.0 - root * root * root + 3.0 * std::log1p(s));
  }
  double power = s * s * s;
  double sum = 0.0;
  for (int k = 4; k <= last_power; ++k) {
    power *= -s;
    sum += power / k;
  }
  return 3.0 * shape * sum;
}

std::string named(std::string_view purpose, const char* what) { return std::string(purpose) + " " + what; }

}  // namespace

LengthStream::Numbers::Numbers() {
  constexpr auto size = static_cast<std::size_t>(block);
  for (auto& values : normals) values.resize(size);
  for (auto& values : words_) values.resize(size);
  chi_squares.resize(size);
  last_normals_.resize(size);
}

LengthStream::LengthStream(std::uint64_t seed, const Hash128& ensemble, std::int64_t realization,
                           std::string_view purpose, std::int64_t degrees)
    : degrees_(degrees),
      shape_(0.5 * static_cast<double>(degrees) - 1.0 / 3.0),
      spread_(1.0 / std::sqrt(9.0 * shape_)),
      blocks_(seed, ensemble, realization, purpose),
      retried_normals_(seed, ensemble, realization, named(purpose, "retried normals")),
      retried_uniforms_(seed, ensemble, realization, named(purpose, "retried uniforms")) {
  if (degrees < 0) throw std::invalid_argument("a chi-square number has at least 0 degrees");
}

void LengthStream::fill(std::uint64_t row, std::uint64_t first_column, Numbers& out) const {
  auto& words = out.words_;
  blocks_.blocks(row, first_column, {words[0], words[1], words[2], words[3]});
  box_muller(words[0].data(), words[1].data(), block, out.normals[0].data(), out.normals[1].data());
  box_muller(words[2].data(), words[3].data(), block, out.normals[2].data(), out.last_normals_.data());
  const std::vector<double>& x = out.last_normals_;
  if (degrees_ < 2) {
    for (std::size_t i = 0; i < x.size(); ++i) out.chi_squares[i] = degrees_ == 0 ? 0.0 : x[i] * x[i];
    return;
  }
  const FourWords pointers{words[0].data(), words[1].data(), words[2].data(), words[3].data()};
  if (propose(x.data(), pointers, block, shape_, spread_, out.chi_squares.data()) == 0) return;
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (out.chi_squares[i] != undecided) continue;
    out.chi_squares[i] = decide(row, first_column + i, x[i], spare_uniform(pointers, static_cast<std::int64_t>(i)));
  }
}

double LengthStream::decide(std::uint64_t row, std::uint64_t column, double normal, double uniform) const {
  for (std::uint64_t attempt = 0;; ++attempt) {
    const double root = 1.0 + spread_ * normal;
    if (root > 0.0 && (uniform == 0.0 || std::log(uniform) < log_acceptance(shape_, spread_ * normal))) {
      return 2.0 * shape_ * root * root * root;
    }
    const std::uint64_t place = (column << attempt_bits) + attempt;
    retried_normals_.normals(row, place, std::span(&normal, 1));
    uniform = retried_uniforms_.uniform(row, place);
  }
}

}  // namespace diffphase
