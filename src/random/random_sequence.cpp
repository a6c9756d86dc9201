#include "random/random_sequence.hpp"

#include <cmath>

namespace diffphase {

RandomSequence::RandomSequence(const RandomStream& stream, std::uint64_t index) : stream_(stream), index_(index) {}

double RandomSequence::normal() {
  const std::size_t place = normals_drawn_ % normals_.size();
  if (place == 0) stream_.normals(2 * index_, normals_drawn_, normals_);
  ++normals_drawn_;
  return normals_[place];
}

double RandomSequence::uniform() {
  const std::size_t place = uniforms_drawn_ % uniforms_.size();
  if (place == 0) stream_.uniforms(2 * index_ + 1, uniforms_drawn_, uniforms_);
  ++uniforms_drawn_;
  return uniforms_[place];
}

void RandomSequence::gammas(double shape, std::span<double> out) {
  // Below 1 - squeeze x^4 the exact condition holds: it costs two logarithms and is seldom asked for.
  constexpr double squeeze = 0.0331;
  const double d = shape - 1.0 / 3.0;
  const double c = 1.0 / std::sqrt(9.0 * d);
  for (double& drawn : out) {
    for (;;) {
      const double x = normal();
      const double root = 1.0 + c * x;
      if (root <= 0.0) continue;
      const double v = root * root * root;
      const double u = 1.0 - uniform();
      drawn = d * v;
      if (u < 1.0 - squeeze * (x * x) * (x * x)) break;
      if (std::log(u) < 0.5 * x * x + d - drawn + d * std::log(v)) break;
    }
  }
}

double RandomSequence::gamma(double shape) {
  double drawn = 0.0;
  gammas(shape, std::span(&drawn, 1));
  return drawn;
}

double RandomSequence::chi(std::int64_t degrees) {
  if (degrees <= 0) return 0.0;
  if (degrees == 1) return std::abs(normal());
  return std::sqrt(2.0 * gamma(0.5 * static_cast<double>(degrees)));
}

std::int64_t RandomSequence::binomial(std::int64_t n, double probability) {
  constexpr std::int64_t few = 16;
  std::int64_t successes = 0;
  while (n > few) {
    // The `below`-th smallest of the n numbers; those under it and over it are uniform there.
    const std::int64_t below = 1 + n / 2;
    const double low = gamma(static_cast<double>(below));
    const double place = low / (low + gamma(static_cast<double>(n + 1 - below)));
    if (place <= probability) {
      successes += below;
      n -= below;
      probability = (probability - place) / (1.0 - place);
    } else {
      n = below - 1;
      probability /= place;
    }
  }
  for (; n > 0; --n) successes += uniform() < probability ? 1 : 0;
  return successes;
}

}  // namespace diffphase
