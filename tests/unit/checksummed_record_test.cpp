#include "files/checksummed_record.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/crc.hpp>
#include <random>
#include <stdexcept>
#include <vector>

#include "files/posix_file.hpp"
#include "temporary_folder.hpp"

namespace diffphase {
namespace {

using Bytes = std::vector<std::byte>;

Bytes random_bytes(std::mt19937& random, std::size_t size) {
  Bytes bytes(size);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random() & 0xFFU);
  return bytes;
}

struct Records {
  std::vector<Bytes> payloads;
  std::vector<std::size_t> begins;
  Bytes file;
};

Records random_records(std::mt19937& random, std::size_t largest) {
  Records records;
  const std::size_t count = 1 + random() % 6;
  for (std::size_t i = 0; i < count; ++i) {
    records.payloads.push_back(random_bytes(random, random() % (largest + 1)));
    records.begins.push_back(records.file.size());
    const Bytes record = frame_record(records.payloads.back());
    records.file.insert(records.file.end(), record.begin(), record.end());
  }
  return records;
}

struct Seen {
  std::vector<Bytes> payloads;
  RecordScan scan;
};

Seen scan(const Bytes& bytes) {
  Seen seen;
  seen.scan = scan_records(bytes, [&](std::span<const std::byte> payload, std::uint64_t /*offset*/) {
    seen.payloads.emplace_back(payload.begin(), payload.end());
  });
  return seen;
}

// The number of records that end at or before `offset`.
std::size_t whole_before(const Records& records, std::size_t offset) {
  std::size_t whole = 0;
  for (std::size_t i = 0; i < records.payloads.size(); ++i) {
    if (records.begins[i] + record_frame_bytes + records.payloads[i].size() <= offset) ++whole;
  }
  return whole;
}

void expect_first(const Records& records, std::size_t count, const Seen& seen) {
  ASSERT_EQ(seen.payloads.size(), count);
  for (std::size_t i = 0; i < count; ++i) EXPECT_EQ(seen.payloads[i], records.payloads[i]);
}

TEST(ChecksummedRecord, TruncationAnywhereKeepsTheWholeRecords) {
  std::mt19937 random(1);
  for (int trial = 0; trial < 50; ++trial) {
    const Records records = random_records(random, 40);
    for (std::size_t size = 0; size <= records.file.size(); ++size) {
      const Seen seen = scan(Bytes(records.file.begin(), records.file.begin() + static_cast<long>(size)));
      const std::size_t whole = whole_before(records, size);
      expect_first(records, whole, seen);
      const std::size_t end = whole < records.begins.size() ? records.begins[whole] : records.file.size();
      EXPECT_EQ(seen.scan.end, end);
      ASSERT_EQ(seen.scan.damage.has_value(), size != end);
      if (seen.scan.damage) {
        EXPECT_TRUE(seen.scan.damage->torn);
        EXPECT_EQ(seen.scan.damage->offset, end);
      }
    }
  }
}

TEST(ChecksummedRecord, AChangedByteAnywhereEndsTheReadingAtItsRecord) {
  std::mt19937 random(2);
  for (int trial = 0; trial < 50; ++trial) {
    const Records records = random_records(random, 40);
    for (std::size_t i = 0; i < records.file.size(); ++i) {
      Bytes damaged = records.file;
      damaged[i] ^= static_cast<std::byte>(1 + random() % 255);
      const Seen seen = scan(damaged);
      expect_first(records, whole_before(records, i), seen);
      ASSERT_TRUE(seen.scan.damage.has_value());
      EXPECT_EQ(seen.scan.damage->offset, records.begins[whole_before(records, i)]);
      EXPECT_FALSE(seen.scan.damage->reason.empty());
    }
  }
}

// Journals are read by programs with other checksum libraries too.
TEST(ChecksummedRecord, TheChecksumIsTheCrc32OfLengthAndPayload) {
  std::mt19937 random(11);
  for (const std::size_t size : {0, 1, 7, 64, 1000, 70001}) {
    const Bytes record = frame_record(random_bytes(random, size));
    boost::crc_32_type crc;
    crc.process_bytes(record.data(), 4);
    crc.process_bytes(record.data() + record_frame_bytes, size);
    for (std::size_t i = 0; i < 4; ++i) {
      EXPECT_EQ(std::to_integer<unsigned>(record[4 + i]), crc.checksum() >> (8 * i) & 0xFFU) << size;
    }
  }
}

TEST(ChecksummedRecord, ZerosAreNoRecords) {
  const Seen seen = scan(Bytes(100));
  EXPECT_TRUE(seen.payloads.empty());
  ASSERT_TRUE(seen.scan.damage.has_value());
  EXPECT_FALSE(seen.scan.damage->torn);
}

TEST(ChecksummedRecord, LengthsAreBounded) {
  EXPECT_THROW((void)frame_record(Bytes(max_record_bytes + 1)), std::length_error);
  Bytes huge(16, std::byte{0xFF});
  ASSERT_TRUE(scan(huge).scan.damage.has_value());
  EXPECT_FALSE(scan(huge).scan.damage->torn);
}

TEST(ChecksummedRecord, FilesReadInPiecesGiveTheSame) {
  const TemporaryFolder folder;
  std::mt19937 random(3);
  // Around and beyond the pieces in which files are read.
  for (const std::size_t largest : {std::size_t{100}, std::size_t{700000}, std::size_t{5000000}}) {
    for (int trial = 0; trial < 4; ++trial) {
      const Records records = random_records(random, largest);
      const std::size_t size = trial == 0 ? records.file.size() : random() % (records.file.size() + 1);
      const auto name = folder / (std::to_string(largest) + "-" + std::to_string(trial));
      PosixFile file = PosixFile::create(name);
      file.write_all(std::span(records.file).first(size));
      std::vector<Bytes> payloads;
      const RecordScan found = scan_records(file, [&](std::span<const std::byte> payload, std::uint64_t offset) {
        EXPECT_EQ(offset, records.begins[payloads.size()]);
        payloads.emplace_back(payload.begin(), payload.end());
      });
      const Seen seen = scan(Bytes(records.file.begin(), records.file.begin() + static_cast<long>(size)));
      EXPECT_EQ(payloads, seen.payloads);
      EXPECT_EQ(found.end, seen.scan.end);
      EXPECT_EQ(found.damage.has_value(), seen.scan.damage.has_value());
    }
  }
}

TEST(ChecksummedRecord, ReadingGoesOnWhereItEnded) {
  const TemporaryFolder folder;
  std::mt19937 random(4);
  const Records records = random_records(random, 40);
  PosixFile file = PosixFile::create(folder / "f");
  std::vector<Bytes> payloads;
  std::uint64_t end = 0;
  for (const std::byte byte : records.file) {
    file.write_all(std::span(&byte, 1));
    end = scan_records(
              file,
              [&](std::span<const std::byte> payload, std::uint64_t /*offset*/) {
                payloads.emplace_back(payload.begin(), payload.end());
              },
              end)
              .end;
  }
  EXPECT_EQ(payloads, records.payloads);
}

}  // namespace
}  // namespace diffphase
