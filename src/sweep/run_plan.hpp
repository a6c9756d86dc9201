#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "ensemble/dataset_file.hpp"
#include "measure/measure.hpp"
#include "sweep/grid.hpp"
#include "sweep/journal.hpp"
#include "sweep/run.hpp"
#include "sweep/run_files.hpp"

namespace diffphase {

/// A sweep, whole for the results, and with what this start was told to do: the same one where that is everything.
struct RunPlan {
  std::shared_ptr<const Sweep> whole;
  std::shared_ptr<const Sweep> selected;
};

/// What rank 0 saw in the data files, by file and all that changes what it sees there.
using DatasetSummaries = std::map<std::string, DatasetSummary>;

/// Parses and checks a sweep. Data files that are not among the summaries are inspected and added. Identities that are
/// left out are computed all the same where --shard needs them. Throws BadInput. Local.
[[nodiscard]] RunPlan make_plan(const RunOptions& options, const std::string& text, DatasetSummaries& summaries,
                                const std::vector<const Measure*>& measures,
                                TaskIdentities identities = TaskIdentities::computed);

/// The shard of --shard. Throws BadInput.
[[nodiscard]] Shard shard_of(const RunOptions& options);

/// What the journals of a run of this sweep begin with.
[[nodiscard]] JournalHeader journal_header(const Sweep& sweep);

/// Summaries as bytes for the other ranks, and back.
[[nodiscard]] std::string encode_summaries(const DatasetSummaries& summaries);
[[nodiscard]] DatasetSummaries decode_summaries(const std::string& bytes);

}  // namespace diffphase
