#pragma once

#include <functional>
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

/// What was seen in the data files, by file and all that changes what is seen there.
using DatasetSummaries = std::map<std::string, DatasetSummary>;

/// Answers for attach_dataset_summaries: those that are known; other files are inspected, and added. `summaries` must
/// outlive it.
[[nodiscard]] std::function<DatasetSummary(const DatasetFile&)> inspect_unless_known(DatasetSummaries& summaries);

/// What the starts of a run saw in its data files, the latest where they differ: with it nobody needs the files.
[[nodiscard]] DatasetSummaries recorded_summaries(const JournalState& journals);

/// Parses and checks a sweep. Data files that are not among the summaries are inspected and added. Identities that are
/// left out are computed all the same where --shard needs them. Throws BadInput. Local.
[[nodiscard]] RunPlan make_plan(const RunOptions& options, const std::string& text, DatasetSummaries& summaries,
                                const std::vector<const Measure*>& measures,
                                TaskIdentities identities = TaskIdentities::computed);

/// The shard of --shard. Throws BadInput.
[[nodiscard]] Shard shard_of(const RunOptions& options);

/// What the journals of a run of this sweep begin with, but for its data.
[[nodiscard]] JournalHeader journal_header(const Sweep& sweep);

/// Summaries as bytes for the other ranks, and back.
[[nodiscard]] std::string encode_summaries(const DatasetSummaries& summaries);
[[nodiscard]] DatasetSummaries decode_summaries(const std::string& bytes);

}  // namespace diffphase
