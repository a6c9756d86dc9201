#include "sweep/run_plan.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <set>
#include <span>

#include "files/bad_input.hpp"
#include "files/bounded_archive.hpp"
#include "results/provenance.hpp"
#include "sweep/console.hpp"
#include "sweep/task_selection.hpp"

namespace diffphase {

namespace {

// Key of a data file among the summaries: everything that changes what inspect_dataset sees.
std::string summary_key(const DatasetFile& file) {
  const int transpose = !file.transpose ? -1 : *file.transpose ? 1 : 0;
  std::string key =
      fmt::format("{}\n{}\n{}\n{}\n{}", file.path, file.labels, file.pad, static_cast<int>(file.scaling), transpose);
  for (const std::int64_t label : file.select_classes) key += "," + std::to_string(label);
  return key;
}

std::set<std::string> keys_of(const DatasetSummaries& summaries) {
  std::set<std::string> keys;
  for (const auto& [key, summary] : summaries) keys.insert(key);
  return keys;
}

// What the files whose keys were not known before were taken for.
void tell_what_was_read(const Sweep& sweep, std::set<std::string> known) {
  for (const GridCell& cell : sweep.cells) {
    const auto& file = cell.parameters.file;
    if (!file || !known.insert(summary_key(*file)).second) continue;
    const DatasetSummary& summary = cell.parameters.file_summary;
    show_info(fmt::format("{}: taken for {} points of {} dimensions", file->path, summary.rows, summary.dimension));
  }
}

}  // namespace

std::function<DatasetSummary(const DatasetFile&)> inspect_unless_known(DatasetSummaries& summaries) {
  return [&summaries](const DatasetFile& file) {
    const std::string key = summary_key(file);
    auto known = summaries.find(key);
    if (known == summaries.end()) known = summaries.emplace(key, inspect_dataset(file)).first;
    return known->second;
  };
}

DatasetSummaries recorded_summaries(const JournalState& journals) {
  DatasetSummaries summaries;
  for (const auto& [stem, header] : journals.headers()) {
    if (header.summaries.empty()) continue;
    try {
      for (auto& [key, summary] : decode_summaries(header.summaries)) summaries[key] = std::move(summary);
    } catch (const ArchiveError&) {  // NOLINT(bugprone-empty-catch): of another program: then the file is read
    }
  }
  return summaries;
}

RunPlan make_plan(const RunOptions& options, const std::string& text, DatasetSummaries& summaries,
                  const std::vector<const Measure*>& measures, TaskIdentities identities) {
  if (!options.shard.empty()) identities = TaskIdentities::computed;
  const std::set<std::string> known = keys_of(summaries);
  const auto inspect = inspect_unless_known(summaries);
  const auto parse = [&] {
    auto sweep = std::make_shared<Sweep>(
        make_sweep(parse_sweep_text(text, options.sweep_file, options.overrides, measures), identities));
    attach_dataset_summaries(*sweep, inspect);
    return sweep;
  };
  const std::shared_ptr<const Sweep> whole = parse();
  tell_what_was_read(*whole, known);
  if (options.points.empty() && options.shard.empty()) return {whole, whole};
  const std::shared_ptr<Sweep> selected = parse();
  if (!options.points.empty()) select_points(*selected, options.points);
  if (!options.shard.empty()) select_shard(*selected, options.shard);
  return {whole, selected};
}

Shard shard_of(const RunOptions& options) {
  Shard shard;
  if (!options.shard.empty() && std::sscanf(options.shard.c_str(), "%d/%d", &shard.index, &shard.count) != 2) {
    throw BadInput("--shard " + options.shard + ": expected I/M");
  }
  return shard;
}

JournalHeader journal_header(const Sweep& sweep) {
  return {.seed = sweep.file.seed,
          .numerics_version = numerics_version,
          .program_version = program_version(),
          .sweep = sweep.file.effective_text};
}

std::string encode_summaries(const DatasetSummaries& summaries) {
  ArchiveWriter archive;
  archive.count(summaries.size());
  for (const auto& [key, s] : summaries) {
    archive.text(key);
    archive.integer(s.rows);
    archive.integer(s.dimension);
    archive.integers(s.class_sizes);
    archive.real(s.mean);
    archive.real(s.standard_deviation);
    archive.real(s.largest.value);
    archive.integer(s.largest.row);
    archive.integer(s.largest.column);
    archive.real(s.largest_entry);
    archive.reals(s.column_means ? *s.column_means : std::vector<double>());
  }
  const auto bytes = archive.bytes();
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

DatasetSummaries decode_summaries(const std::string& bytes) {
  ArchiveReader archive(std::as_bytes(std::span(bytes)));
  DatasetSummaries summaries;
  for (std::size_t left = archive.count(8); left > 0; --left) {
    const std::string key = archive.text();
    DatasetSummary& s = summaries[key];
    s.rows = archive.integer();
    s.dimension = archive.integer();
    s.class_sizes = archive.integers();
    s.mean = archive.real();
    s.standard_deviation = archive.real();
    s.largest.value = archive.real();
    s.largest.row = archive.integer();
    s.largest.column = archive.integer();
    s.largest_entry = archive.real();
    s.column_means = std::make_shared<const std::vector<double>>(archive.reals());
  }
  archive.expect_end();
  return summaries;
}

}  // namespace diffphase
