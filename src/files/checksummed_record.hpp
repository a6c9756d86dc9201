#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace diffphase {

class PosixFile;

/// A record on disk: its payload's length and a CRC-32 of length and payload, both 32-bit little-endian, then
/// the payload. The length is part of the checksum, so that a stretch of zeros is no record.
inline constexpr std::size_t record_frame_bytes = 8;
inline constexpr std::size_t max_record_bytes = std::size_t{64} << 20U;

/// The payload with its frame. Throws std::length_error beyond max_record_bytes.
[[nodiscard]] std::vector<std::byte> frame_record(std::span<const std::byte> payload);

/// Appends the payload with its frame to `records`. Throws std::length_error beyond max_record_bytes.
void append_record(std::vector<std::byte>& records, std::span<const std::byte> payload);

/// Where and why reading stopped before the end.
struct RecordDamage {
  std::uint64_t offset = 0;  ///< where the bad record begins
  bool torn = false;         ///< the record is longer than what is there: cut off, or still being written
  std::string reason;
};

/// How far the records are good.
struct RecordScan {
  std::uint64_t end = 0;  ///< just behind the last good record
  std::optional<RecordDamage> damage;
};

/// Gets each good payload and the offset of its record; throws to stop.
using RecordVisitor = std::function<void(std::span<const std::byte> payload, std::uint64_t offset)>;

/// Visits the records of `bytes` (which start at `offset` of some file) up to the first that is torn or
/// corrupt.
RecordScan scan_records(std::span<const std::byte> bytes, const RecordVisitor& visit, std::uint64_t offset = 0);

/// The same for a file from `offset`, which must be a record's begin, reading it in pieces. A file that grows
/// meanwhile is read up to the size it had at the call.
RecordScan scan_records(const PosixFile& file, const RecordVisitor& visit, std::uint64_t offset = 0);

}  // namespace diffphase
