#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "measure/measure.hpp"
#include "parallel/communicator.hpp"
#include "sweep/console.hpp"

namespace diffphase {

/// Exit codes of the program.
enum ExitCode : int { exit_complete = 0, exit_failed_tasks = 1, exit_bad_input = 2, exit_stopped = 75 };

/// What `diffphase run` was told on the command line.
struct RunOptions {
  std::string sweep_file;
  std::vector<std::string> overrides;  ///< key=value
  std::filesystem::path folder;        ///< DIR; empty: runs/<name>
  std::string points;                  ///< --points; empty: all
  std::string shard;                   ///< --shard I/M; empty: the whole sweep
  std::optional<double> stop_after;    ///< seconds
  bool stop_with_job = false;          ///< --stop-after auto: before the SLURM job ends
  bool retry_failed = false;
  bool accept_changed_data = false;  ///< results of files that have changed since are kept
  Verbosity verbosity = Verbosity::normal;
  std::string command_line;
};

/// Runs what is left of a sweep: parses and checks it on rank 0, reads the journals, distributes the tasks, writes
/// the results. Returns the exit code, the same on every rank. Bad input is found before any other work; nothing
/// finished is lost. Prints to standard output what to do next. Collective over `world`.
[[nodiscard]] int run_sweep(const Communicator& world, const RunOptions& options,
                            const std::vector<const Measure*>& measures);

/// Rebuilds DIR/results.h5 from the journals and DIR/sweep.toml; with `all_sweeps` writes for each sweep that was run
/// in the folder, by its text in the journals, DIR/results-<start of its last run>.h5. Needs no data file that the
/// journals know. One process. Returns the exit code.
[[nodiscard]] int collect_results(const std::filesystem::path& folder, bool all_sweeps, const std::string& command_line,
                                  const std::vector<const Measure*>& measures);

}  // namespace diffphase
