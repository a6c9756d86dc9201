#include "sweep/journal_records.hpp"

#include <fmt/format.h>

#include <stdexcept>
#include <utility>

#include "files/bad_input.hpp"
#include "files/bounded_archive.hpp"

namespace diffphase {
namespace {

constexpr std::uint64_t byte_order_mark = 0x0102030405060708U;
constexpr std::uint64_t swapped_byte_order_mark = 0x0807060504030201U;
constexpr std::int64_t layout_without_data = 1;
constexpr std::int64_t journal_layout_version = 2;

enum class RecordKind : std::int64_t { begin = 1, done = 2, failed = 3, abandoned = 4 };

// Each sample count of a record keeps the name with its values: a long one would multiply.
constexpr std::size_t longest_name = 256;

// Empty if the names are short and the values divide among the counts of the record.
std::string shape_problem(const DoneRecord& record) {
  for (const JournalVariable& variable : record.variables) {
    if (variable.name.size() > longest_name) {
      return fmt::format("the name of a variable has {} letters", variable.name.size());
    }
    if (!variable.per_sample) continue;
    if (record.counts.empty() || variable.values.size() % record.counts.size() != 0) {
      return fmt::format("{} has {} values for {} sample counts", variable.name, variable.values.size(),
                         record.counts.size());
    }
  }
  return {};
}

void put(ArchiveWriter& archive, RecordKind kind, const Hash128& identity) {
  archive.integer(static_cast<std::int64_t>(kind));
  archive.word(identity.high);
  archive.word(identity.low);
}

void put(ArchiveWriter& archive, const DataFileRecord& file) {
  archive.text(file.path);
  archive.word(file.size);
  archive.real(file.time);
  archive.word(file.hash.high);
  archive.word(file.hash.low);
}

void put(ArchiveWriter& archive, const BeginRecord& record) {
  put(archive, RecordKind::begin, record.identity);
  archive.integer(record.attempt);
  archive.integer(record.ranks);
  archive.integer(record.leader);
  archive.real(record.time);
}

void put(ArchiveWriter& archive, const JournalVariable& variable) {
  archive.text(variable.name);
  archive.boolean(variable.per_sample);
  archive.reals(variable.values);
}

void put(ArchiveWriter& archive, const DoneRecord& record) {
  if (const std::string problem = shape_problem(record); !problem.empty()) throw std::logic_error(problem);
  put(archive, RecordKind::done, record.identity);
  archive.integers(record.counts);
  archive.boolean(record.count_free);
  archive.count(record.variables.size());
  for (const JournalVariable& variable : record.variables) put(archive, variable);
  archive.count(record.warnings.size());
  for (const std::string& warning : record.warnings) archive.text(warning);
  archive.real(record.seconds);
  archive.integer(record.ranks);
}

void put(ArchiveWriter& archive, const FailedRecord& record) {
  put(archive, RecordKind::failed, record.identity);
  archive.text(record.message);
  archive.real(record.seconds);
  archive.integer(record.ranks);
}

void put(ArchiveWriter& archive, const AbandonedRecord& record) {
  put(archive, RecordKind::abandoned, record.identity);
}

std::vector<std::byte> bytes_of(const ArchiveWriter& archive) {
  const auto bytes = archive.bytes();
  return {bytes.begin(), bytes.end()};
}

DataFileRecord get_data_file(ArchiveReader& archive) {
  DataFileRecord file;
  file.path = archive.text();
  file.size = archive.word();
  file.time = archive.real();
  file.hash.high = archive.word();
  file.hash.low = archive.word();
  return file;
}

// The functions get_... below read what follows the identity.

BeginRecord get_begin(ArchiveReader& archive, const Hash128& identity) {
  BeginRecord record;
  record.identity = identity;
  record.attempt = archive.integer();
  record.ranks = archive.integer();
  record.leader = archive.integer();
  record.time = archive.real();
  return record;
}

DoneRecord get_done(ArchiveReader& archive, const Hash128& identity) {
  constexpr std::size_t least_variable_bytes = 24;  // two counts and a flag
  constexpr std::size_t least_warning_bytes = 8;
  DoneRecord record;
  record.identity = identity;
  record.counts = archive.integers();
  record.count_free = archive.boolean();
  record.variables.resize(archive.count(least_variable_bytes));
  for (JournalVariable& variable : record.variables) {
    variable.name = archive.text();
    variable.per_sample = archive.boolean();
    variable.values = archive.reals();
  }
  record.warnings.resize(archive.count(least_warning_bytes));
  for (std::string& warning : record.warnings) warning = archive.text();
  record.seconds = archive.real();
  record.ranks = archive.integer();
  if (const std::string problem = shape_problem(record); !problem.empty()) throw ArchiveError(problem);
  return record;
}

FailedRecord get_failed(ArchiveReader& archive, const Hash128& identity) {
  FailedRecord record;
  record.identity = identity;
  record.message = archive.text();
  record.seconds = archive.real();
  record.ranks = archive.integer();
  return record;
}

JournalRecord get_record(ArchiveReader& archive) {
  const auto kind = static_cast<RecordKind>(archive.integer());
  Hash128 identity;
  identity.high = archive.word();
  identity.low = archive.word();
  switch (kind) {
    case RecordKind::begin:
      return get_begin(archive, identity);
    case RecordKind::done:
      return get_done(archive, identity);
    case RecordKind::failed:
      return get_failed(archive, identity);
    case RecordKind::abandoned:
      return AbandonedRecord{identity};
  }
  throw ArchiveError("a record of unknown kind");
}

}  // namespace

std::vector<std::byte> encode_header(const JournalHeader& header) {
  ArchiveWriter archive;
  archive.word(byte_order_mark);
  archive.integer(header.knows_data ? journal_layout_version : layout_without_data);
  archive.word(header.seed);
  archive.integer(header.numerics_version);
  archive.text(header.program_version);
  archive.text(header.sweep);
  if (!header.knows_data) return bytes_of(archive);
  archive.count(header.data.size());
  for (const DataFileRecord& file : header.data) put(archive, file);
  archive.text(header.summaries);
  return bytes_of(archive);
}

std::vector<std::byte> encode_record(const JournalRecord& record) {
  ArchiveWriter archive;
  std::visit([&](const auto& kind) { put(archive, kind); }, record);
  return bytes_of(archive);
}

JournalHeader decode_header(std::span<const std::byte> payload, const std::filesystem::path& path) {
  ArchiveReader archive(payload);
  const std::uint64_t mark = archive.word();
  if (mark == swapped_byte_order_mark) {
    throw BadInput(
        fmt::format("{} was written on a machine of the other byte order: go on with this run there, or "
                    "choose another folder with -o",
                    path.string()));
  }
  if (mark != byte_order_mark) throw ArchiveError("it does not begin like a journal");
  const std::int64_t layout = archive.integer();
  if (layout != journal_layout_version && layout != layout_without_data) {
    throw BadInput(
        fmt::format("{} has journal layout {}, this program knows {} and {}: use the program that wrote it, or "
                    "choose another folder with -o",
                    path.string(), layout, layout_without_data, journal_layout_version));
  }
  JournalHeader header;
  header.seed = archive.word();
  header.numerics_version = archive.integer();
  header.program_version = archive.text();
  header.sweep = archive.text();
  header.knows_data = layout != layout_without_data;
  if (header.knows_data) {
    constexpr std::size_t least_file_bytes = 40;
    header.data.resize(archive.count(least_file_bytes));
    for (DataFileRecord& file : header.data) file = get_data_file(archive);
    header.summaries = archive.text();
  }
  archive.expect_end();
  return header;
}

JournalRecord decode_record(std::span<const std::byte> payload) {
  ArchiveReader archive(payload);
  JournalRecord record = get_record(archive);
  archive.expect_end();
  return record;
}

}  // namespace diffphase
