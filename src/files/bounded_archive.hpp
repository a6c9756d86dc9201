#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace diffphase {

/// The bytes are not what was expected: too short, too long, a count that cannot be.
class ArchiveError : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Writes numbers, strings and flat arrays into bytes (Boost.Serialization, binary, in this machine's byte
/// order).
class ArchiveWriter {
 public:
  ArchiveWriter();
  ArchiveWriter(const ArchiveWriter&) = delete;
  ArchiveWriter& operator=(const ArchiveWriter&) = delete;
  ~ArchiveWriter();

  void integer(std::int64_t value);
  void word(std::uint64_t value);
  void real(double value);
  void boolean(bool value);
  void text(std::string_view value);
  void integers(std::span<const std::int64_t> values);
  void reals(std::span<const double> values);
  /// Length of a list whose elements follow.
  void count(std::size_t value);

  /// What was written so far.
  [[nodiscard]] std::span<const std::byte> bytes() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Reads what ArchiveWriter wrote, in the same order. Trusts nothing: every count is compared with the bytes
/// that are left before anything is allocated, so that bad bytes give an ArchiveError or wrong values, never
/// more. `bytes` must outlive it.
class ArchiveReader {
 public:
  explicit ArchiveReader(std::span<const std::byte> bytes);
  ArchiveReader(const ArchiveReader&) = delete;
  ArchiveReader& operator=(const ArchiveReader&) = delete;
  ~ArchiveReader();

  std::int64_t integer();
  std::uint64_t word();
  double real();
  bool boolean();
  std::string text();
  std::vector<std::int64_t> integers();
  std::vector<double> reals();
  /// Length of a list whose elements take at least `least_bytes` each (not zero).
  std::size_t count(std::size_t least_bytes);

  [[nodiscard]] std::size_t bytes_left() const;
  /// Throws unless everything was read.
  void expect_end() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace diffphase
