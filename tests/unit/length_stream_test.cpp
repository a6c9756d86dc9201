// Normal and chi-square numbers in blocks: against long double, closed-form laws and the standard library's.

#include "random/length_stream.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <numbers>
#include <random>
#include <vector>

#include "random/box_muller.hpp"
#include "support/two_sample.hpp"

namespace diffphase {
namespace {

TEST(BoxMuller, IsThatOfLongDoubleForRandomAndExtremeWords) {
  std::mt19937_64 generator(1);
  std::vector<std::uint64_t> radius{0, ~std::uint64_t{0}, std::uint64_t{1} << 63U, (std::uint64_t{1} << 63U) - 1, 4096};
  std::vector<std::uint64_t> angle(radius.rbegin(), radius.rend());
  for (std::uint64_t eighth = 0; eighth < 8; ++eighth) {
    for (const std::uint64_t step : {std::uint64_t{0}, std::uint64_t{4096}, ~std::uint64_t{4095}}) {
      radius.push_back(generator());
      angle.push_back((eighth << 61U) + step);
    }
  }
  while (radius.size() < 50001) {
    radius.push_back(generator());
    angle.push_back(generator());
  }
  std::vector<double> cosines(radius.size()), sines(radius.size());
  box_muller(radius.data(), angle.data(), static_cast<std::int64_t>(radius.size()), cosines.data(), sines.data());
  double worst = 0.0;
  for (std::size_t i = 0; i < radius.size(); ++i) {
    const long double u = std::ldexp(static_cast<long double>(radius[i] >> box_muller_spare_bits), -52);
    const long double v = std::ldexp(static_cast<long double>(angle[i] >> box_muller_spare_bits), -52);
    const long double length = std::sqrt(-2.0L * std::log1p(-u));
    const long double turn = 2.0L * std::numbers::pi_v<long double> * v;
    if (length == 0.0L) {
      EXPECT_EQ(cosines[i], 0.0);
      continue;
    }
    worst = std::max(worst, static_cast<double>(std::abs(cosines[i] - length * std::cos(turn)) / length));
    worst = std::max(worst, static_cast<double>(std::abs(sines[i] - length * std::sin(turn)) / length));
  }
  EXPECT_LE(worst, 4e-16);
  RecordProperty("worst_relative_to_length", std::to_string(worst * 1e16) + "e-16");
}

struct Drawn {
  std::array<std::vector<double>, 3> normals;
  std::vector<double> chi_squares;
};

Drawn draw(std::int64_t degrees, int blocks) {
  const LengthStream stream(3, hash_text("lengths"), 0, "law", degrees);
  LengthStream::Numbers numbers;
  Drawn drawn;
  for (int b = 0; b < blocks; ++b) {
    stream.fill(7, static_cast<std::uint64_t>(b) * LengthStream::block, numbers);
    for (std::size_t k = 0; k < 3; ++k) {
      drawn.normals[k].insert(drawn.normals[k].end(), numbers.normals[k].begin(), numbers.normals[k].end());
    }
    drawn.chi_squares.insert(drawn.chi_squares.end(), numbers.chi_squares.begin(), numbers.chi_squares.end());
  }
  return drawn;
}

double normal_below(double x) { return 0.5 * std::erfc(-x / std::numbers::sqrt2); }

// Of an even number of degrees.
double chi_square_below(double x, int degrees) {
  double term = std::exp(-0.5 * x);
  double above = term;
  for (int k = 1; k < degrees / 2; ++k) above += term *= 0.5 * x / k;
  return 1.0 - above;
}

TEST(LengthStream, HasTheLawOfChiSquareOfEvenDegrees) {
  for (const int degrees : {2, 4, 6, 20}) {
    const Drawn drawn = draw(degrees, 200);
    EXPECT_GT(test::one_sample_p_value(drawn.chi_squares, [&](double x) { return chi_square_below(x, degrees); }), 1e-5)
        << degrees;
    // Another scale is seen.
    EXPECT_LT(
        test::one_sample_p_value(drawn.chi_squares, [&](double x) { return chi_square_below(1.03 * x, degrees); }),
        1e-5)
        << degrees;
    for (const auto& normals : drawn.normals) EXPECT_GT(test::one_sample_p_value(normals, normal_below), 1e-5);
  }
}

TEST(LengthStream, HasTheLawOfTheStandardLibraryOfOddDegrees) {
  std::mt19937_64 generator(4);
  for (const int degrees : {1, 3, 5, 13, 1021}) {
    std::chi_squared_distribution<double> law(degrees);
    std::vector<double> reference(100000);
    for (double& value : reference) value = law(generator);
    EXPECT_GT(test::two_sample_p_value(draw(degrees, 200).chi_squares, reference), 1e-5) << degrees;
  }
}

TEST(LengthStream, OfManyDegreesIsGaussianWithItsVarianceAndOfNoneIsZero) {
  for (const std::int64_t degrees : {std::int64_t{100000000}, std::int64_t{1000000000000}}) {
    const auto d = static_cast<double>(degrees);
    std::vector<double> scores = draw(degrees, 200).chi_squares;
    for (double& value : scores) value = (value - d) / std::sqrt(2.0 * d);
    EXPECT_GT(test::one_sample_p_value(scores, normal_below), 1e-5) << degrees;
  }
  for (const double value : draw(0, 1).chi_squares) EXPECT_EQ(value, 0.0);
  EXPECT_THROW(LengthStream(1, hash_text("x"), 0, "x", -1), std::invalid_argument);
}

TEST(LengthStream, TheFourNumbersOfAPlaceAreUncorrelatedAndPlacesDiffer) {
  const Drawn drawn = draw(8, 400);
  const auto n = static_cast<double>(drawn.chi_squares.size());
  const auto centred = [](std::vector<double> values) {
    const double mean = test::estimate(values).mean;
    double squares = 0.0;
    for (double& v : values) {
      v -= mean;
      squares += v * v;
    }
    for (double& v : values) v /= std::sqrt(squares);
    return values;
  };
  std::vector<std::vector<double>> all;
  for (const auto& normals : drawn.normals) all.push_back(centred(normals));
  all.push_back(centred(drawn.chi_squares));
  for (std::size_t i = 0; i < all.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      EXPECT_LT(std::abs(std::inner_product(all[i].begin(), all[i].end(), all[j].begin(), 0.0)), 5.0 / std::sqrt(n));
    }
  }
  const LengthStream stream(3, hash_text("lengths"), 0, "law", 8);
  LengthStream::Numbers here, row, column;
  stream.fill(7, 512, here);
  stream.fill(8, 512, row);
  stream.fill(7, 1024, column);
  EXPECT_EQ(here.chi_squares[3], drawn.chi_squares[515]);
  EXPECT_NE(here.chi_squares[3], row.chi_squares[3]);
  EXPECT_NE(here.chi_squares[3], column.chi_squares[3]);
}

}  // namespace
}  // namespace diffphase
