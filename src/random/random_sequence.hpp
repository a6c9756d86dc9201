#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "random/random_stream.hpp"

namespace diffphase {

/// Numbers one after the other from two rows of a RandomStream, for laws that take a varying number of them;
/// the same on every machine, unlike the distributions of the standard library. Local.
class RandomSequence {
 public:
  /// Sequences of different index are independent. `stream` must outlive the sequence.
  RandomSequence(const RandomStream& stream, std::uint64_t index);

  [[nodiscard]] double normal();
  /// On [0, 1).
  [[nodiscard]] double uniform();
  /// Gamma law of unit scale, shape >= 1 (Marsaglia, Tsang 2000).
  [[nodiscard]] double gamma(double shape);
  /// As many numbers as `out` has, those that gamma(shape) gives one after the other.
  void gammas(double shape, std::span<double> out);
  /// Length of a vector of `degrees` standard normal numbers; 0 for degrees <= 0.
  [[nodiscard]] double chi(std::int64_t degrees);
  /// Successes among n >= 0 trials of the given probability, exact, in O(log n): the position of a middle
  /// order statistic of the n uniform numbers halves the trials that are left.
  [[nodiscard]] std::int64_t binomial(std::int64_t n, double probability);

 private:
  const RandomStream& stream_;
  std::uint64_t index_;
  std::uint64_t normals_drawn_ = 0;
  std::uint64_t uniforms_drawn_ = 0;
  std::array<double, 64> normals_{};
  std::array<double, 64> uniforms_{};
};

}  // namespace diffphase
