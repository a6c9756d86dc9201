#include "random/random_stream.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace diffphase {
namespace {

TEST(RandomStream, AnyPartEqualsThePartOfTheWhole) {
  const RandomStream stream(7, hash_text("x"), 3, "training");
  std::vector<double> whole(23);
  stream.normals(5, 0, whole);
  for (std::uint64_t first = 0; first < whole.size(); ++first) {
    for (std::size_t count = 1; first + count <= whole.size(); ++count) {
      std::vector<double> part(count);
      stream.normals(5, first, part);
      for (std::size_t i = 0; i < count; ++i) EXPECT_EQ(part[i], whole[first + i]);
    }
  }
}

TEST(RandomStream, UniformsInBulkAreThoseOneByOne) {
  const RandomStream stream(7, hash_text("x"), 3, "training");
  for (const std::uint64_t first : {0U, 1U, 6U, 31U}) {
    for (const std::size_t count : {0U, 1U, 4U, 5U, 50U}) {
      std::vector<double> bulk(count);
      stream.uniforms(5, first, bulk);
      for (std::size_t i = 0; i < count; ++i) EXPECT_EQ(bulk[i], stream.uniform(5, first + i));
    }
  }
}

TEST(RandomStream, StreamsDifferInEveryArgument) {
  const Hash128 a = hash_text("a");
  const double reference = RandomStream(1, a, 0, "noise").uniform(0, 0);
  EXPECT_NE(reference, RandomStream(2, a, 0, "noise").uniform(0, 0));
  EXPECT_NE(reference, RandomStream(1, hash_text("b"), 0, "noise").uniform(0, 0));
  EXPECT_NE(reference, RandomStream(1, a, 1, "noise").uniform(0, 0));
  EXPECT_NE(reference, RandomStream(1, a, 0, "training").uniform(0, 0));
  EXPECT_NE(reference, RandomStream(1, a, 0, "noise").uniform(1, 0));
  EXPECT_NE(reference, RandomStream(1, a, 0, "noise").uniform(0, 1));
}

// Made by a separate implementation of Philox4x64-10 (which gives the known answers of Random123), of name-based UUIDs
// and of Box-Muller, in 40 digits. A change here is a new numerics_version.
TEST(RandomStream, FirstNumbersOfEveryStreamAreTheListedOnes) {
  struct Listed {
    const char* purpose;
    std::uint64_t first;  // row 0, column 0
    std::uint64_t later;  // row 3, column 6
    double normal;        // row 0, column 0
  };
  const std::vector<Listed> listed{
      {"centroids", 0xa8abe0aef60fba52ULL, 0x55155ff8175a3827ULL, 1.4627171066426649},
      {"class", 0x3718e57eb25127bbULL, 0xc8023c14e891b96fULL, -0.45113687451293201},
      {"training", 0x4a5959b497ed42adULL, 0xf74dba016936e173ULL, 0.82567525129633919},
      {"noise", 0xa4c9febe35299af0ULL, 0xad3157e930009bf4ULL, -0.71042726324466754},
      {"arrivals", 0x15876f4c2415816aULL, 0x3365ce798608213dULL, -0.41587784446939546},
      {"starts 1000", 0x133dc49f719c6709ULL, 0x30fb3ba0134a9513ULL, 0.26794096935670864},
  };
  const Hash128 ensemble = hash_text("ensemble.dimension=16");
  EXPECT_EQ(ensemble.hex(), "59baa73010b95f01b5d98de0248e627c");
  for (const Listed& expected : listed) {
    const RandomStream stream(1, ensemble, 0, expected.purpose);
    EXPECT_EQ(stream.bits(0, 0), expected.first) << expected.purpose;
    EXPECT_EQ(stream.bits(3, 6), expected.later) << expected.purpose;
    double normal = 0.0;
    stream.normals(0, 0, std::span(&normal, 1));
    EXPECT_NEAR(normal, expected.normal, 4e-16 * std::abs(expected.normal)) << expected.purpose;
  }
}

TEST(RandomStream, MomentsOfNormalsAreThoseOfTheNormalLaw) {
  const RandomStream stream(11, hash_text("moments"), 0, "noise");
  const std::size_t columns = 1000;
  const std::size_t rows = 400;
  const double n = static_cast<double>(columns * rows);
  std::vector<double> z(columns);
  double sum1 = 0, sum2 = 0, sum3 = 0, sum4 = 0, neighbours = 0;
  for (std::size_t r = 0; r < rows; ++r) {
    stream.normals(r, 0, z);
    for (std::size_t i = 0; i < columns; ++i) {
      sum1 += z[i];
      sum2 += z[i] * z[i];
      sum3 += z[i] * z[i] * z[i];
      sum4 += z[i] * z[i] * z[i] * z[i];
      if (i > 0) neighbours += z[i] * z[i - 1];
    }
  }
  // Standard deviations of z^k: 1, sqrt 2, sqrt 15, sqrt 96; the bound is 4.5 of them over sqrt n.
  EXPECT_LT(std::abs(sum1 / n), 4.5 / std::sqrt(n));
  EXPECT_LT(std::abs(sum2 / n - 1.0), 4.5 * std::sqrt(2.0 / n));
  EXPECT_LT(std::abs(sum3 / n), 4.5 * std::sqrt(15.0 / n));
  EXPECT_LT(std::abs(sum4 / n - 3.0), 4.5 * std::sqrt(96.0 / n));
  EXPECT_LT(std::abs(neighbours / n), 4.5 / std::sqrt(n));
}

}  // namespace
}  // namespace diffphase
