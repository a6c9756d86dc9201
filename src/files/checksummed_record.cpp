#include "files/checksummed_record.hpp"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <stdexcept>

#include "files/posix_file.hpp"

namespace diffphase {
namespace {

using Word = std::array<std::byte, 4>;

Word little_endian(std::uint32_t value) {
  Word bytes{};
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(value >> (8 * i) & 0xFFU);
  return bytes;
}

std::uint32_t from_little_endian(std::span<const std::byte> bytes) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) value |= std::to_integer<std::uint32_t>(bytes[i]) << (8 * i);
  return value;
}

std::uint32_t checksum(std::span<const std::byte> length, std::span<const std::byte> payload) {
  // zlib's CRC-32 is that of Boost.CRC (IEEE 802.3), several times as fast.
  const auto append = [](uLong crc, std::span<const std::byte> bytes) {
    // Without bytes it would begin anew.
    return bytes.empty() ? crc : ::crc32_z(crc, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size());
  };
  return static_cast<std::uint32_t>(append(append(::crc32_z(0, nullptr, 0), length), payload));
}

RecordDamage torn(std::uint64_t offset, std::uint64_t wanted, std::uint64_t there) {
  return {offset, true, fmt::format("the record is cut off after {} of {} bytes", there, wanted)};
}

// Payload of the record at the front of `bytes`, or what is wrong with it.
std::optional<RecordDamage> examine(std::span<const std::byte> bytes, std::uint64_t offset,
                                    std::span<const std::byte>& payload) {
  if (bytes.size() < record_frame_bytes) return torn(offset, record_frame_bytes, bytes.size());
  const std::size_t length = from_little_endian(bytes);
  if (length > max_record_bytes) {
    return RecordDamage{offset, false, fmt::format("the record claims a length of {} bytes", length)};
  }
  const std::size_t whole = record_frame_bytes + length;
  if (bytes.size() < whole) return torn(offset, whole, bytes.size());
  payload = bytes.subspan(record_frame_bytes, length);
  if (checksum(bytes.first(4), payload) != from_little_endian(bytes.subspan(4))) {
    return RecordDamage{offset, false, "the checksum of the record is wrong"};
  }
  return std::nullopt;
}

}  // namespace

void append_record(std::vector<std::byte>& records, std::span<const std::byte> payload) {
  if (payload.size() > max_record_bytes) {
    throw std::length_error(fmt::format("a record of {} bytes is longer than the journal takes ({} bytes)",
                                        payload.size(), max_record_bytes));
  }
  const Word length = little_endian(static_cast<std::uint32_t>(payload.size()));
  const Word crc = little_endian(checksum(length, payload));
  records.insert(records.end(), length.begin(), length.end());
  records.insert(records.end(), crc.begin(), crc.end());
  records.insert(records.end(), payload.begin(), payload.end());
}

std::vector<std::byte> frame_record(std::span<const std::byte> payload) {
  std::vector<std::byte> record;
  record.reserve(record_frame_bytes + std::min(payload.size(), max_record_bytes));
  append_record(record, payload);
  return record;
}

RecordScan scan_records(std::span<const std::byte> bytes, const RecordVisitor& visit, std::uint64_t offset) {
  RecordScan scan{offset, std::nullopt};
  while (!bytes.empty()) {
    std::span<const std::byte> payload;
    scan.damage = examine(bytes, scan.end, payload);
    if (scan.damage) break;
    visit(payload, scan.end);
    bytes = bytes.subspan(record_frame_bytes + payload.size());
    scan.end += record_frame_bytes + payload.size();
  }
  return scan;
}

RecordScan scan_records(const PosixFile& file, const RecordVisitor& visit, std::uint64_t offset) {
  constexpr std::uint64_t piece = std::uint64_t{1} << 20U;
  const std::uint64_t size = file.size();
  RecordScan scan{offset, std::nullopt};
  std::vector<std::byte> buffer;
  std::uint64_t wanted = piece;
  while (scan.end < size) {
    const std::uint64_t asked = std::min(wanted, size - scan.end);
    buffer.resize(static_cast<std::size_t>(asked));
    buffer.resize(file.read_at(scan.end, buffer));
    const std::uint64_t begin = scan.end;
    const bool last = begin + asked == size || buffer.size() < asked;  // the latter if the file shrank meanwhile
    scan = scan_records(buffer, visit, begin);
    if (last || (scan.damage && !scan.damage->torn)) break;
    // Not even one record fitted: next time all of it. Its length is in bounds, or it would not count as
    // torn.
    wanted = scan.end > begin ? piece : record_frame_bytes + from_little_endian(buffer);
  }
  return scan;
}

}  // namespace diffphase
