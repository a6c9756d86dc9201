#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string>

namespace diffphase {

/// Ends the process, which the fuzzer reports with the input, if a property does not hold.
inline void require(bool holds, const std::string& property) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", property.c_str());
  std::abort();
}

/// The bytes of a fuzzer, taken from the front. Beyond their end there are zeros.
class FuzzInput {
 public:
  FuzzInput(const std::uint8_t* data, std::size_t size) : rest_(std::as_bytes(std::span(data, size))) {}

  [[nodiscard]] bool empty() const { return rest_.empty(); }

  unsigned byte() {
    const auto front = take(1);
    return front.empty() ? 0 : std::to_integer<unsigned>(front[0]);
  }

  /// Two bytes, little-endian.
  std::size_t length() {
    const unsigned low = byte();
    return low | byte() << 8U;
  }

  /// The next `size` bytes, or what is left of them.
  std::span<const std::byte> take(std::size_t size) {
    const auto front = rest_.first(std::min(size, rest_.size()));
    rest_ = rest_.subspan(front.size());
    return front;
  }

  std::span<const std::byte> rest() { return take(rest_.size()); }

 private:
  std::span<const std::byte> rest_;
};

inline std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace diffphase
