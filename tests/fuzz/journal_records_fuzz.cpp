// Records behind a correct checksum. First byte: how much is there at the first look. Then, for each record, a byte
// that says into which of two journals it goes, two bytes of its length, and its payload.

#include <array>
#include <vector>

#include "files/bad_input.hpp"
#include "files/bounded_archive.hpp"
#include "files/checksummed_record.hpp"
#include "fuzz_input.hpp"
#include "journal_reading.hpp"
#include "sweep/journal_records.hpp"
#include "sweep/task_payload.hpp"

namespace {

using diffphase::require;

// What can be read is written as the same bytes.
void check_payload(std::span<const std::byte> payload) {
  const auto same = [&](const std::vector<std::byte>& bytes) { return std::ranges::equal(bytes, payload); };
  try {
    require(same(diffphase::encode_record(diffphase::decode_record(payload))), "a record is written as it was read");
  } catch (const diffphase::ArchiveError&) {  // NOLINT(bugprone-empty-catch): it is no record
  }
  try {
    require(same(diffphase::encode_header(diffphase::decode_header(payload, "journal"))),
            "a header is written as it was read");
  } catch (const diffphase::ArchiveError&) {  // NOLINT(bugprone-empty-catch): it is no header
  } catch (const diffphase::BadInput&) {      // NOLINT(bugprone-empty-catch): of another layout
  }
  try {
    (void)diffphase::decode_result(diffphase::text_of(payload));
  } catch (const diffphase::ArchiveError&) {  // NOLINT(bugprone-empty-catch): it is no result
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  diffphase::FuzzInput input(data, size);
  const double part = input.byte() / 255.0;
  std::array<std::vector<std::byte>, 2> journals;
  while (!input.empty()) {
    const unsigned journal = input.byte() % 2;
    const auto payload = input.take(input.length());
    check_payload(payload);
    diffphase::append_record(journals[journal], payload);
  }
  diffphase::check_journals(journals[0], journals[1], part);
  return 0;
}
