#include "sweep/task_payload.hpp"

#include <algorithm>

#include "files/bounded_archive.hpp"

namespace diffphase {

std::string encode_result(const MeasureResult& result, std::span<const VariableSpec> specs) {
  ArchiveWriter archive;
  archive.count(result.variables.size());
  for (const VariableValues& variable : result.variables) {
    archive.text(variable.name);
    const auto spec = std::ranges::find(specs, variable.name, &VariableSpec::name);
    archive.boolean(spec != specs.end() && spec->per_sample);
    archive.reals(variable.values);
  }
  archive.count(result.warnings.size());
  for (const std::string& warning : result.warnings) archive.text(warning);
  archive.count(result.notes.size());
  for (const std::string& note : result.notes) archive.text(note);
  const auto bytes = archive.bytes();
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

TaskResult decode_result(const std::string& bytes) {
  constexpr std::size_t least_element = 8;  // a text begins with its length
  constexpr std::size_t least_variable = 3 * least_element;
  ArchiveReader archive(std::as_bytes(std::span(bytes)));
  TaskResult result;
  result.variables.resize(archive.count(least_variable));
  for (JournalVariable& variable : result.variables) {
    variable.name = archive.text();
    variable.per_sample = archive.boolean();
    variable.values = archive.reals();
  }
  const std::size_t warnings = archive.count(least_element);
  for (std::size_t i = 0; i < warnings; ++i) result.warnings.push_back(archive.text());
  const std::size_t notes = archive.count(least_element);
  for (std::size_t i = 0; i < notes; ++i) result.notes.push_back(archive.text());
  archive.expect_end();
  return result;
}

}  // namespace diffphase
