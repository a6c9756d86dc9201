#include "sweep/task_payload.hpp"

#include <span>

#include "files/bounded_archive.hpp"

namespace diffphase {

std::string encode_result(const MeasureResult& result) {
  ArchiveWriter archive;
  archive.count(result.variables.size());
  for (const VariableValues& variable : result.variables) {
    archive.text(variable.name);
    archive.reals(variable.values);
  }
  archive.count(result.warnings.size());
  for (const std::string& warning : result.warnings) archive.text(warning);
  archive.count(result.notes.size());
  for (const std::string& note : result.notes) archive.text(note);
  const auto bytes = archive.bytes();
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

MeasureResult decode_result(const std::string& bytes) {
  constexpr std::size_t least_element = 8;  // a text begins with its length
  ArchiveReader archive(std::as_bytes(std::span(bytes)));
  MeasureResult result;
  const std::size_t variables = archive.count(least_element);
  for (std::size_t i = 0; i < variables; ++i) {
    std::string name = archive.text();
    result.variables.push_back({std::move(name), archive.reals()});
  }
  const std::size_t warnings = archive.count(least_element);
  for (std::size_t i = 0; i < warnings; ++i) result.warnings.push_back(archive.text());
  const std::size_t notes = archive.count(least_element);
  for (std::size_t i = 0; i < notes; ++i) result.notes.push_back(archive.text());
  archive.expect_end();
  return result;
}

}  // namespace diffphase
