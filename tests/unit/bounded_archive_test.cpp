#include "files/bounded_archive.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

namespace diffphase {
namespace {

using Bytes = std::vector<std::byte>;

struct Contents {
  std::int64_t integer = 0;
  double real = 0.0;
  bool boolean = false;
  std::string text;
  std::vector<std::int64_t> integers;
  std::vector<double> reals;
  std::vector<std::string> list;

  friend bool operator==(const Contents&, const Contents&) = default;
};

Bytes write(const Contents& contents) {
  ArchiveWriter archive;
  archive.integer(contents.integer);
  archive.real(contents.real);
  archive.boolean(contents.boolean);
  archive.text(contents.text);
  archive.integers(contents.integers);
  archive.reals(contents.reals);
  archive.count(contents.list.size());
  for (const std::string& text : contents.list) archive.text(text);
  return {archive.bytes().begin(), archive.bytes().end()};
}

Contents read(const Bytes& bytes) {
  ArchiveReader archive(bytes);
  Contents contents;
  contents.integer = archive.integer();
  contents.real = archive.real();
  contents.boolean = archive.boolean();
  contents.text = archive.text();
  contents.integers = archive.integers();
  contents.reals = archive.reals();
  contents.list.resize(archive.count(8));
  for (std::string& text : contents.list) text = archive.text();
  archive.expect_end();
  return contents;
}

Contents random_contents(std::mt19937_64& random) {
  Contents contents;
  contents.integer = static_cast<std::int64_t>(random());
  contents.real = std::ldexp(static_cast<double>(random() % 1000), static_cast<int>(random() % 100) - 50);
  contents.boolean = random() % 2 == 0;
  for (std::uint64_t i = random() % 20; i > 0; --i) contents.text += static_cast<char>(random() % 256);
  for (std::uint64_t i = random() % 5; i > 0; --i) contents.integers.push_back(static_cast<std::int64_t>(random()));
  for (std::uint64_t i = random() % 5; i > 0; --i) contents.reals.push_back(static_cast<double>(random()));
  for (std::uint64_t i = random() % 4; i > 0; --i) contents.list.emplace_back(random() % 9, 'x');
  return contents;
}

// What was read cannot be larger than what it was read from.
void expect_bounded(const Contents& contents, std::size_t bytes) {
  EXPECT_LE(contents.text.capacity(), bytes + 32);
  EXPECT_LE(contents.integers.capacity() * 8, bytes);
  EXPECT_LE(contents.reals.capacity() * 8, bytes);
  EXPECT_LE(contents.list.capacity() * 8, bytes);
}

TEST(BoundedArchive, ReadsWhatWasWritten) {
  std::mt19937_64 random(1);
  for (int trial = 0; trial < 200; ++trial) {
    const Contents contents = random_contents(random);
    EXPECT_EQ(read(write(contents)), contents);
  }
}

TEST(BoundedArchive, KeepsEveryBitOfAReal) {
  Contents contents;
  contents.reals = {std::numeric_limits<double>::quiet_NaN(), -0.0, std::numeric_limits<double>::infinity(),
                    std::numeric_limits<double>::denorm_min()};
  const std::vector<double> back = read(write(contents)).reals;
  ASSERT_EQ(back.size(), contents.reals.size());
  EXPECT_EQ(std::memcmp(back.data(), contents.reals.data(), back.size() * sizeof(double)), 0);
}

TEST(BoundedArchive, TruncationAndAdditionsAreNoticed) {
  std::mt19937_64 random(2);
  for (int trial = 0; trial < 50; ++trial) {
    const Bytes bytes = write(random_contents(random));
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      EXPECT_THROW((void)read(Bytes(bytes.begin(), bytes.begin() + static_cast<long>(size))), ArchiveError);
    }
    Bytes longer = bytes;
    longer.push_back(std::byte{0});
    EXPECT_THROW((void)read(longer), ArchiveError);
  }
}

TEST(BoundedArchive, DamagedBytesGiveValuesOrAnErrorAndNoHugeAllocation) {
  std::mt19937_64 random(3);
  for (int trial = 0; trial < 20000; ++trial) {
    Bytes bytes = write(random_contents(random));
    for (std::uint64_t i = 1 + random() % 8; i > 0; --i) {
      bytes[random() % bytes.size()] = static_cast<std::byte>(random() & 0xFFU);
    }
    try {
      expect_bounded(read(bytes), bytes.size());
    } catch (const ArchiveError&) {  // NOLINT(bugprone-empty-catch): the other right answer
    }
  }
}

TEST(BoundedArchive, CountsAreComparedWithWhatIsLeft) {
  for (const std::uint64_t count : {std::uint64_t{2}, std::uint64_t{1} << 40U, std::uint64_t{1} << 61U,
                                    (std::uint64_t{1} << 61U) + 1, ~std::uint64_t{0}}) {
    ArchiveWriter writer;
    writer.word(count);
    writer.real(1.0);
    EXPECT_THROW((void)ArchiveReader(writer.bytes()).reals(), ArchiveError);
    EXPECT_THROW((void)ArchiveReader(writer.bytes()).integers(), ArchiveError);
    EXPECT_THROW((void)ArchiveReader(writer.bytes()).count(8), ArchiveError);
    if (count > 8) {
      EXPECT_THROW((void)ArchiveReader(writer.bytes()).text(), ArchiveError);
    }
  }
}

TEST(BoundedArchive, ABooleanIsZeroOrOne) {
  ArchiveWriter writer;
  writer.word(2);
  EXPECT_THROW((void)ArchiveReader(writer.bytes()).boolean(), ArchiveError);
}

}  // namespace
}  // namespace diffphase
