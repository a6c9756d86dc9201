#include "random/byte_hash.hpp"

#include <gtest/gtest.h>

#include <string_view>
#include <vector>

namespace diffphase {
namespace {

std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

std::string hex_of(std::string_view text) {
  ByteHash hash;
  hash.add(bytes_of(text));
  return hash.hash().hex();
}

// As the published function stores it: both words, the lowest byte first.
std::vector<std::byte> stored(const Hash128& hash) {
  std::vector<std::byte> bytes;
  for (const std::uint64_t word : {hash.high, hash.low}) {
    for (unsigned i = 0; i < 8; ++i) bytes.push_back(static_cast<std::byte>(word >> 8U * i & 0xffU));
  }
  return bytes;
}

TEST(ByteHash, KnownAnswers) {
  EXPECT_EQ(hex_of(""), "00000000000000000000000000000000");
  EXPECT_EQ(hex_of("The quick brown fox jumps over the lazy dog"), "e34bbc7bbc071b6c7a433ca9c49a9347");
}

// The verification value of SMHasher for this function: hashes of all lengths up to 255, each with a seed of its own,
// hashed once more.
TEST(ByteHash, VerificationValueOfAllShortLengths) {
  std::vector<std::byte> key;
  ByteHash all;
  for (unsigned length = 0; length < 256; ++length) {
    ByteHash one(256 - length);
    one.add(key);
    all.add(stored(one.hash()));
    key.push_back(static_cast<std::byte>(length));
  }
  EXPECT_EQ(all.hash().high & 0xffffffffU, 0x6384ba69U);
}

TEST(ByteHash, DoesNotDependOnHowTheBytesWereCut) {
  std::vector<std::byte> bytes(100);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(37 * i);
  ByteHash whole;
  whole.add(bytes);
  for (std::size_t first = 0; first <= 40; ++first) {
    for (std::size_t piece = 1; piece <= 40; ++piece) {
      ByteHash cut;
      cut.add(std::span(bytes).first(first));
      for (std::size_t at = first; at < bytes.size(); at += piece) {
        cut.add(std::span(bytes).subspan(at, std::min(piece, bytes.size() - at)));
      }
      ASSERT_EQ(cut.hash(), whole.hash()) << first << " " << piece;
    }
  }
}

}  // namespace
}  // namespace diffphase
