#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "random/text_hash.hpp"

namespace diffphase {

/// A file of data as a start found it.
struct DataFileRecord {
  std::string path;  ///< absolute
  std::uint64_t size = 0;
  double time = 0.0;  ///< of its last change, seconds since 1970
  Hash128 hash;       ///< of its bytes

  friend bool operator==(const DataFileRecord&, const DataFileRecord&) = default;
};

/// First record of every journal.
struct JournalHeader {
  std::uint64_t seed = 1;
  std::int64_t numerics_version = 0;
  std::string program_version;
  std::string sweep;                 ///< text of the sweep file, as run
  std::vector<DataFileRecord> data;  ///< every file that the sweep reads
  std::string summaries;             ///< what was seen in them (sweep/run_plan.hpp), so that no reader needs the files
  bool knows_data = true;            ///< not so in journals of layout 1, which say nothing of data
};

/// Written before a task is handed out.
struct BeginRecord {
  Hash128 identity;
  std::int64_t attempt = 1;
  std::int64_t ranks = 1;
  std::int64_t leader = 0;  ///< first rank of the group: works through what it was handed in this order
  double time = 0.0;        ///< seconds since 1970
};

/// Values of one variable: [counts of the record, if per_sample][dims...], row-major.
struct JournalVariable {
  std::string name;
  bool per_sample = false;
  std::vector<double> values;

  friend bool operator==(const JournalVariable&, const JournalVariable&) = default;
};

/// A task, or some sample counts of it, is complete.
struct DoneRecord {
  Hash128 identity;
  std::vector<std::int64_t> counts;  ///< sample counts computed
  bool count_free = true;            ///< the variables without sample count are there too
  std::vector<JournalVariable> variables;
  std::vector<std::string> warnings;
  double seconds = 0.0;
  std::int64_t ranks = 1;
};

/// The ranks of a task that failed because it fits on no group: neither an attempt nor a reason not to try again.
inline constexpr std::int64_t never_handed_out = 0;

struct FailedRecord {
  Hash128 identity;
  std::string message;
  double seconds = 0.0;
  std::int64_t ranks = 1;
};

/// A task given back by a clean stop: does not count as an attempt.
struct AbandonedRecord {
  Hash128 identity;
};

using JournalRecord = std::variant<BeginRecord, DoneRecord, FailedRecord, AbandonedRecord>;

/// The payload of a record in a journal.
[[nodiscard]] std::vector<std::byte> encode_header(const JournalHeader& header);
/// Throws std::logic_error if the values of a per_sample variable do not divide among the counts, or for a name of
/// more than 256 letters.
[[nodiscard]] std::vector<std::byte> encode_record(const JournalRecord& record);

/// The inverse. Throw ArchiveError for whatever is no record, whatever the bytes; memory is bounded by a multiple of
/// the size of the payload. decode_header throws BadInput that names `path` for journals of another byte order or
/// layout.
[[nodiscard]] JournalHeader decode_header(std::span<const std::byte> payload, const std::filesystem::path& path);
[[nodiscard]] JournalRecord decode_record(std::span<const std::byte> payload);

}  // namespace diffphase
