#include "random/stream_kernel.hpp"

#include <Random123/philox.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <limits>
#include <numbers>
#include <span>
#include <string>
#include <vector>

#include "random/box_muller.hpp"
#include "random/philox.hpp"
#include "random/philox_blocks.hpp"

namespace diffphase {
namespace {

const Hash128 key = hash_text("stream kernel test");

using Words = std::vector<std::uint64_t>;

/// The first `count` words from a block of a row on, by Random123.
Words library_words(std::uint64_t row, std::uint64_t first_block, std::size_t count) {
  Words words;
  for (std::uint64_t block = first_block; words.size() < count; ++block) {
    const r123::Philox4x64::ctr_type counter{{block, row, 0, 0}};
    const r123::Philox4x64::key_type philox_key{{key.high, key.low}};
    const auto four = r123::Philox4x64()(counter, philox_key);
    words.insert(words.end(), four.begin(), four.end());
  }
  words.resize(count);
  return words;
}

struct Pair {
  long double x;
  long double y;
};

/// The definition in long double; quarter turns are taken off before rounding can matter.
Pair exact_pair(std::uint64_t radius_word, std::uint64_t direction_word) {
  const long double u = static_cast<long double>(radius_word >> 11U) * 0x1p-53L;
  const long double v = static_cast<long double>(direction_word >> 11U) * 0x1p-53L;
  const long double radius = std::sqrt(-2.0L * std::log1p(-u));
  const long double quarters = std::nearbyint(4.0L * v);
  const long double angle = 2.0L * std::numbers::pi_v<long double> * (v - quarters / 4.0L);
  const long double c = std::cos(angle);
  const long double s = std::sin(angle);
  const Pair turned[] = {{c, s}, {-s, c}, {-c, -s}, {s, -c}};
  const Pair& direction = turned[static_cast<int>(quarters) % 4];
  return {radius * direction.x, radius * direction.y};
}

/// |x - exact| in units of the spacing of doubles at the exact value.
double ulps(double x, long double exact) {
  if (exact == 0.0L) return x == 0.0 ? 0.0 : std::numeric_limits<double>::infinity();
  const long double spacing = std::ldexp(1.0L, std::ilogb(exact) - (std::numeric_limits<double>::digits - 1));
  return static_cast<double>(std::abs(static_cast<long double>(x) - exact) / spacing);
}

std::vector<InstructionSet> sets_of_this_processor() {
  std::vector<InstructionSet> sets;
  std::copy_if(instruction_sets.begin(), instruction_sets.end(), std::back_inserter(sets), processor_has);
  return sets;
}

std::vector<std::uint64_t> bits_of(const std::vector<double>& numbers) {
  std::vector<std::uint64_t> bits;
  for (const double z : numbers) bits.push_back(std::bit_cast<std::uint64_t>(z));
  return bits;
}

TEST(StreamKernel, WordsAreThoseOfRandom123) {
  for (const std::uint64_t row : {std::uint64_t{0}, std::uint64_t{5}, ~std::uint64_t{0}}) {
    const PhiloxRow philox(key, row);
    for (const std::uint64_t block : {std::uint64_t{0}, std::uint64_t{1} << 33U, ~std::uint64_t{0}}) {
      const PhiloxRow::Words words = philox.block(block);
      EXPECT_EQ(Words(words.begin(), words.end()), library_words(row, block, 4));
    }
  }
  // Known answer of Random123.
  const PhiloxRow::Words zero = PhiloxRow(Hash128{}, 0).block(0);
  EXPECT_EQ(zero,
            (PhiloxRow::Words{0x16554d9eca36314cU, 0xdb20fe9d672d0fdcU, 0xd7e772cee186176bU, 0x7e68b68aec7ba23bU}));
}

TEST(StreamKernel, BlocksDrawnByVectorsAreThoseDrawnOneByOne) {
  constexpr std::size_t stride = 50;
  constexpr std::uint64_t untouched = 77;
  const PhiloxRow philox(key, 3);
  for (const InstructionSet set : sets_of_this_processor()) {
    for (const std::uint64_t first : {std::uint64_t{0}, (std::uint64_t{1} << 32U) - 5, ~std::uint64_t{0} - 20}) {
      for (const std::size_t count : {0U, 1U, 15U, 16U, 17U, 32U, 50U}) {
        Words drawn(4 * stride, untouched);
        block_drawer(set)(philox, first, count, drawn.data(), stride);
        for (std::size_t b = 0; b < stride; ++b) {
          const PhiloxRow::Words expected = philox.block(first + b);
          for (std::size_t i = 0; i < 4; ++i) {
            ASSERT_EQ(drawn[i * stride + b], b < count ? expected[i] : untouched) << name_of(set) << " " << b;
          }
        }
      }
    }
  }
}

TEST(StreamKernel, NormalsWithinFourUlpOfTheDefinition) {
  constexpr std::size_t count = 60000;
  constexpr std::uint64_t row = 9;
  const Words words = library_words(row, 0, count);
  for (const InstructionSet set : sets_of_this_processor()) {
    std::vector<double> z(count);
    normals_of_row(set, key, row, 0, z);
    double worst = 0.0;
    double squares = 0.0;
    double farthest = 0.0;  // from the definition in double, by the C library
    for (std::size_t i = 0; i < count; i += 2) {
      const Pair exact = exact_pair(words[i], words[i + 1]);
      for (const double error : {ulps(z[i], exact.x), ulps(z[i + 1], exact.y)}) {
        worst = std::max(worst, error);
        squares += error * error;
      }
      const double radius = std::sqrt(-2.0 * std::log(1.0 - static_cast<double>(words[i] >> 11U) * 0x1p-53));
      const double angle = 2.0 * std::numbers::pi * static_cast<double>(words[i + 1] >> 11U) * 0x1p-53;
      farthest = std::max({farthest, std::abs(z[i] - radius * std::cos(angle)) / radius,
                           std::abs(z[i + 1] - radius * std::sin(angle)) / radius});
    }
    EXPECT_LE(worst, 4.0) << name_of(set);
    EXPECT_LE(std::sqrt(squares / count), 1.0) << name_of(set);
    EXPECT_LE(farthest, 1e-15) << name_of(set);
    RecordProperty(std::string("worst_ulp_") + name_of(set), std::to_string(worst));
  }
}

/// Words at which exponents, quarters and signs change, and their neighbours.
TEST(StreamKernel, BordersOfTheDefinition) {
  Words borders;
  constexpr std::uint64_t unit = std::uint64_t{1} << 11U;
  for (std::uint64_t eighths = 0; eighths < 8; ++eighths) borders.push_back(eighths << 61U);
  for (unsigned bit = 11; bit < 61; ++bit) {
    borders.push_back(std::uint64_t{1} << bit);
    borders.push_back(std::uint64_t{0} - (std::uint64_t{1} << bit));
  }
  // 1 - u near sqrt(1/2).
  borders.push_back(static_cast<std::uint64_t>((1.0 - std::numbers::sqrt2 / 2.0) * 0x1p53) << 11U);
  Words words;
  for (const std::uint64_t border : borders) {
    for (const std::uint64_t steps : {0, 1, 2, 3})
      words.insert(words.end(), {border + steps * unit, border - steps * unit});
    words.push_back(border + (unit - 1));  // bits that do not count
  }
  for (const std::uint64_t word : words) {
    const long double u = static_cast<long double>(word >> 11U) * 0x1p-53L;
    EXPECT_LE(ulps(box_muller_radius(word), std::sqrt(-2.0L * std::log1p(-u))), 2.0) << word;
    const Pair exact = exact_pair(0x8000000000000000U, word);
    const long double radius = exact_pair(0x8000000000000000U, 0).x;
    const UnitVector found = box_muller_direction(word);
    EXPECT_LE(ulps(found.x, exact.x / radius), 2.0) << word;
    EXPECT_LE(ulps(found.y, exact.y / radius), 2.0) << word;
  }
  EXPECT_EQ(box_muller_radius(0), 0.0);
  EXPECT_NEAR(box_muller_radius(~std::uint64_t{0}), std::sqrt(106.0 * std::numbers::ln2), 1e-14);
}

TEST(StreamKernel, EveryInstructionSetDrawsTheSameBits) {
  constexpr std::size_t count = 20011;
  for (const std::uint64_t first : {std::uint64_t{0}, std::uint64_t{3}, (std::uint64_t{1} << 50U) + 1}) {
    std::vector<double> expected(count);
    normals_of_row(InstructionSet::baseline, key, 2, first, expected);
    for (const InstructionSet set : sets_of_this_processor()) {
      std::vector<double> found(count);
      normals_of_row(set, key, 2, first, found);
      EXPECT_EQ(bits_of(found), bits_of(expected)) << name_of(set);
    }
  }
}

/// Every offset against borders of blocks and of what is drawn at once, every length; nothing else is written.
TEST(StreamKernel, AnyPartEqualsThePartOfTheWhole) {
  constexpr std::size_t columns = 140;
  constexpr double untouched = 77.0;
  const Words words = library_words(4, 0, columns);
  std::vector<double> whole;
  for (std::size_t i = 0; i < columns; i += 2) {
    const double radius = box_muller_radius(words[i]);
    const UnitVector direction = box_muller_direction(words[i + 1]);
    whole.insert(whole.end(), {radius * direction.x, radius * direction.y});
  }
  for (const InstructionSet set : sets_of_this_processor()) {
    for (std::size_t first = 0; first < 72; ++first) {
      for (std::size_t count = 0; first + count <= columns; ++count) {
        std::vector<double> part(count + 2, untouched);
        normals_of_row(set, key, 4, first, std::span(part).subspan(1, count));
        ASSERT_TRUE(std::equal(part.begin() + 1, part.end() - 1, whole.begin() + static_cast<std::ptrdiff_t>(first)))
            << name_of(set) << " " << first << " " << count;
        ASSERT_EQ(part.front(), untouched);
        ASSERT_EQ(part.back(), untouched);
        uniforms_of_row(set, key, 4, first, std::span(part).subspan(1, count));
        for (std::size_t i = 0; i < count; ++i) {
          ASSERT_EQ(part[1 + i], static_cast<double>(words[first + i] >> 11U) * 0x1p-53) << name_of(set);
        }
        ASSERT_EQ(part.front(), untouched);
        ASSERT_EQ(part.back(), untouched);
      }
    }
  }
}

/// Frequencies in equally probable bins: of the numbers, and of both numbers of a pair.
TEST(StreamKernel, FrequenciesAreThoseOfTheNormalLaw) {
  constexpr std::size_t bins = 16;
  constexpr std::size_t columns = 4000;
  constexpr std::uint64_t rows = 200;
  std::array<double, bins * bins> pairs{};
  std::array<double, bins * bins> across_blocks{};
  double beyond_four = 0.0;
  std::vector<double> z(columns);
  std::vector<std::size_t> bin(columns);
  for (std::uint64_t row = 0; row < rows; ++row) {
    normals_of_row(widest_instruction_set(), key, row, 0, z);
    for (std::size_t i = 0; i < columns; ++i) {
      const double below = 0.5 * std::erfc(-z[i] / std::numbers::sqrt2);
      bin[i] = std::min(bins - 1, static_cast<std::size_t>(below * bins));
      if (std::abs(z[i]) > 4.0) ++beyond_four;
    }
    for (std::size_t i = 0; i + 3 < columns; i += 4) {
      ++pairs[bin[i] * bins + bin[i + 1]];
      ++pairs[bin[i + 2] * bins + bin[i + 3]];
      ++across_blocks[bin[i + 1] * bins + bin[i + 2]];
    }
  }
  const auto chi_squared = [](const auto& found) {
    double total = 0.0;
    for (const double n : found) total += n;
    const double expected = total / static_cast<double>(found.size());
    double sum = 0.0;
    for (const double n : found) sum += (n - expected) * (n - expected) / expected;
    return sum;
  };
  // 255 degrees of freedom: mean 255, variance 510.
  constexpr double degrees = bins * bins - 1;
  EXPECT_NEAR(chi_squared(pairs), degrees, 4.5 * std::sqrt(2.0 * degrees));
  EXPECT_NEAR(chi_squared(across_blocks), degrees, 4.5 * std::sqrt(2.0 * degrees));
  const double expected = static_cast<double>(columns * rows) * std::erfc(4.0 / std::numbers::sqrt2);
  EXPECT_NEAR(beyond_four, expected, 4.5 * std::sqrt(expected));
}

}  // namespace
}  // namespace diffphase
