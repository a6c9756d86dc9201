#include "sweep/former_results.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <set>
#include <system_error>
#include <utility>

#include "files/posix_file.hpp"
#include "files/wall_clock.hpp"
#include "sweep/run_plan.hpp"
#include "sweep/shell_word.hpp"
#include "sweep/sweep_file.hpp"

namespace diffphase {

namespace {

namespace fs = std::filesystem;

// What is computed once: a task at one sample count, or without counts.
using Unit = std::pair<Hash128, std::int64_t>;
constexpr std::int64_t without_counts = -1;

std::set<Unit> units(const Sweep& sweep) {
  std::set<Unit> all;
  for (const SweepTask& task : sweep.tasks) {
    if (task.counts.empty()) all.emplace(task.identity, without_counts);
    for (const std::int64_t count : task.counts) all.emplace(task.identity, count);
  }
  return all;
}

bool is_known(const JournalState& journals, const Unit& unit) {
  const TaskHistory& history = journals.task(unit.first);
  return unit.second == without_counts ? history.complete({}) : history.complete({&unit.second, 1}, false);
}

std::size_t known(const JournalState& journals, const std::set<Unit>& all) {
  return static_cast<std::size_t>(
      std::count_if(all.begin(), all.end(), [&](const Unit& unit) { return is_known(journals, unit); }));
}

fs::path kept_name(const fs::path& run) {
  struct stat status {};
  if (::stat((run / "results.h5").c_str(), &status) != 0) return run / "results-former.h5";
  const auto time = std::chrono::system_clock::from_time_t(status.st_mtim.tv_sec) +
                    std::chrono::duration_cast<WallTime::duration>(std::chrono::nanoseconds(status.st_mtim.tv_nsec));
  return run / fmt::format("results-{}.h5", compact_iso8601(time));
}

// The texts that the results file may be of: of the last start that wrote it, and of the last start.
std::set<std::string> former_texts(const JournalState& journals, const std::string& next) {
  std::set<std::string> texts;
  const auto& headers = journals.headers();
  for (auto start = headers.rbegin(); start != headers.rend(); ++start) {
    const bool whole = start->first.find("-1of1-") != std::string::npos;
    if (start == headers.rbegin() || whole) texts.insert(start->second.sweep);
    if (whole) break;
  }
  texts.erase(next);
  return texts;
}

}  // namespace

std::optional<FormerResults> former_results(const fs::path& run, const JournalState& journals, const Sweep& next,
                                            const std::vector<const Measure*>& measures) {
  std::error_code ignored;
  if (!fs::exists(run / "results.h5", ignored)) return std::nullopt;
  const std::set<Unit> coming = units(next);
  DatasetSummaries summaries = recorded_summaries(journals);
  for (const std::string& text : former_texts(journals, next.file.effective_text)) {
    std::set<Unit> before;
    try {
      Sweep former = make_sweep(parse_sweep_text(text, "former sweep", {}, measures));
      attach_dataset_summaries(former, inspect_unless_known(summaries));
      before = units(former);
    } catch (const std::exception& error) {
      return FormerResults{
          kept_name(run), fmt::format("the sweep that {} was written for cannot be read any more ({}): the "
                                      "file will be kept as {}",
                                      (run / "results.h5").string(), error.what(), kept_name(run).filename().string())};
    }
    const std::size_t had = known(journals, before);
    std::erase_if(before, [&](const Unit& unit) { return coming.contains(unit); });
    const std::size_t gone = known(journals, before);
    if (gone == 0) continue;
    return FormerResults{
        kept_name(run),
        fmt::format(
            "{} has {} results, each of one measure at one point, of another sweep than this one, which asks for "
            "{} of them and {} others: the file will be kept as {}, its results stay in the journals, and "
            "`diffphase collect --all {}` writes a file for each sweep that was run here",
            (run / "results.h5").string(), had, had - gone, coming.size() - std::min(coming.size(), had - gone),
            kept_name(run).filename().string(), shell_word(run.string()))};
  }
  return std::nullopt;
}

void keep_former(const fs::path& run, const FormerResults& former) {
  if (::link((run / "results.h5").c_str(), former.kept.c_str()) == 0 || errno == EEXIST || errno == ENOENT) return;
  // Where there are no hard links, readers do without the results for a moment.
  if (::rename((run / "results.h5").c_str(), former.kept.c_str()) != 0) {
    throw FileError("keep", run / "results.h5", errno);
  }
}

}  // namespace diffphase
