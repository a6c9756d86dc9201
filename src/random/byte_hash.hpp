#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "random/text_hash.hpp"

namespace diffphase {

/// 128-bit MurmurHash3 (x64) of bytes that come in pieces of any size; the same on every machine and however they were
/// cut. It tells contents apart that nobody chose to look alike, at gigabytes a second; names and streams are hashed by
/// hash_text. Any number of bytes, also none.
class ByteHash {
 public:
  explicit ByteHash(std::uint32_t seed = 0) : high_(seed), low_(seed) {}

  void add(std::span<const std::byte> bytes);

  /// Hash of all bytes added so far. `high` is the first word of the published function, `low` the second.
  [[nodiscard]] Hash128 hash() const;

 private:
  static constexpr std::size_t block_size = 16;

  void mix(const std::byte* blocks, std::size_t count);

  std::uint64_t high_;
  std::uint64_t low_;
  std::uint64_t length_ = 0;
  std::array<std::byte, block_size> rest_{};  ///< the last length_ % block_size bytes
};

}  // namespace diffphase
