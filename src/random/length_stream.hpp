#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "random/random_stream.hpp"

namespace diffphase {

/// Four independent numbers in each place of a matrix that nobody stores: three standard normal ones and a chi-square
/// one, from one Philox block each; any rank makes any part.
///
/// The words of a block become four normal numbers by box_muller. The chi-square number of m >= 2 degrees comes from
/// the fourth by the method of Marsaglia and Tsang (2000), whose acceptance is decided by the 48 bits that box_muller
/// leaves over; for m = 1 it is the square of the fourth, for m = 0 it is 0. Exact but for the rounding of that uniform
/// number to 2^-48. A rejected proposal (a fraction 1/(18 m) of them) is replaced by one from streams of its own.
class LengthStream {
 public:
  /// `purpose` names the streams, the other arguments are those of RandomStream; degrees >= 0.
  LengthStream(std::uint64_t seed, const Hash128& ensemble, std::int64_t realization, std::string_view purpose,
               std::int64_t degrees);

  /// Numbers that one call fills.
  static constexpr std::int64_t block = 512;
  /// Columns must be below this.
  static constexpr std::int64_t most_columns = std::int64_t{1} << 44;

  struct Numbers {
    std::array<std::vector<double>, 3> normals;
    std::vector<double> chi_squares;

    Numbers();

   private:
    friend class LengthStream;
    std::array<std::vector<std::uint64_t>, 4> words_;
    std::vector<double> last_normals_;
  };

  /// Fills all `block` entries of `out` with those of columns [first_column, first_column + block) of `row`.
  void fill(std::uint64_t row, std::uint64_t first_column, Numbers& out) const;

 private:
  [[nodiscard]] double decide(std::uint64_t row, std::uint64_t column, double normal, double uniform) const;

  std::int64_t degrees_;
  double shape_;  // Marsaglia and Tsang's d = m/2 - 1/3 and c = 1/sqrt(9 d)
  double spread_;
  RandomStream blocks_;
  RandomStream retried_normals_;
  RandomStream retried_uniforms_;
};

}  // namespace diffphase
