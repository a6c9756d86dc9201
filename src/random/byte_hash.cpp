#include "random/byte_hash.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

namespace diffphase {

namespace {

// The constants of A. Appleby, MurmurHash3, x64_128.
constexpr std::uint64_t first_factor = 0x87c37b91114253d5ULL;
constexpr std::uint64_t second_factor = 0x4cf5ad432745937fULL;

std::uint64_t scrambled_first(std::uint64_t word) { return std::rotl(word * first_factor, 31) * second_factor; }
std::uint64_t scrambled_second(std::uint64_t word) { return std::rotl(word * second_factor, 33) * first_factor; }

// Eight bytes, the first the lowest.
std::uint64_t word_of(const std::byte* bytes) {
  std::uint64_t word = 0;
  if constexpr (std::endian::native == std::endian::little) {
    std::memcpy(&word, bytes, sizeof(word));
  } else {
    for (std::size_t i = sizeof(word); i-- > 0;) word = word << 8U | std::to_integer<std::uint64_t>(bytes[i]);
  }
  return word;
}

std::uint64_t avalanche(std::uint64_t word) {
  word = (word ^ word >> 33U) * 0xff51afd7ed558ccdULL;
  word = (word ^ word >> 33U) * 0xc4ceb9fe1a85ec53ULL;
  return word ^ word >> 33U;
}

}  // namespace

void ByteHash::mix(const std::byte* blocks, std::size_t count) {
  std::uint64_t high = high_;
  std::uint64_t low = low_;
  for (; count > 0; --count, blocks += block_size) {
    high = std::rotl(high ^ scrambled_first(word_of(blocks)), 27) + low;
    high = high * 5 + 0x52dce729;
    low = std::rotl(low ^ scrambled_second(word_of(blocks + sizeof(low))), 31) + high;
    low = low * 5 + 0x38495ab5;
  }
  high_ = high;
  low_ = low;
}

void ByteHash::add(std::span<const std::byte> bytes) {
  const std::size_t held = length_ % block_size;
  length_ += bytes.size();
  if (held > 0) {
    const std::size_t filling = std::min(block_size - held, bytes.size());
    std::copy_n(bytes.begin(), filling, rest_.begin() + static_cast<std::ptrdiff_t>(held));
    bytes = bytes.subspan(filling);
    if (held + filling < block_size) return;
    mix(rest_.data(), 1);
  }
  const std::size_t blocks = bytes.size() / block_size;
  mix(bytes.data(), blocks);
  std::copy(bytes.begin() + static_cast<std::ptrdiff_t>(blocks * block_size), bytes.end(), rest_.begin());
}

Hash128 ByteHash::hash() const {
  std::array<std::byte, block_size> last{};  // zeros after the end add nothing
  std::copy_n(rest_.begin(), length_ % block_size, last.begin());
  Hash128 hash{high_ ^ scrambled_first(word_of(last.data())), low_ ^ scrambled_second(word_of(last.data() + 8))};
  hash.high ^= length_;
  hash.low ^= length_;
  hash.high += hash.low;
  hash.low += hash.high;
  hash.high = avalanche(hash.high);
  hash.low = avalanche(hash.low);
  hash.high += hash.low;
  hash.low += hash.high;
  return hash;
}

}  // namespace diffphase
