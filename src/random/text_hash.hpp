#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace diffphase {

/// A 128-bit hash, as two words; ordered and printable, so that it can name a task.
struct Hash128 {
  std::uint64_t high = 0;
  std::uint64_t low = 0;

  friend auto operator<=>(const Hash128&, const Hash128&) = default;  // NOLINT(modernize-use-nullptr): its false alarm

  /// 32 lower-case hexadecimal digits.
  [[nodiscard]] std::string hex() const;
};

/// Hash of a text: the name-based UUID (version 5, SHA-1) of `text` in diffphase's own name space. The same
/// on every machine and for ever: task identities and random streams are made of it.
[[nodiscard]] Hash128 hash_text(std::string_view text);

}  // namespace diffphase
