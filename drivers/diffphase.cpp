// diffphase: phase transitions of generative diffusion, over parameter grids and MPI ranks.
//
// Sample runs, from the root of the project (a test executes each of them):
//   $ diffphase --version
//   $ diffphase plan jobs/quickstart.toml --ranks 2
//   $ diffphase plan --defaults
//   $ diffphase theory jobs/quickstart.toml
//   $ mpirun -n 2 diffphase run jobs/quickstart.toml --points 0:1 --set measure.collapse.probes=64 -o runs/sample
//   $ diffphase status runs/sample
//   $ diffphase collect runs/sample
//   $ diffphase check runs/sample

#include <fmt/format.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <exception>
#include <iostream>

#include "command_line.hpp"
#include "measure/measure.hpp"
#include "parallel/mpi_environment.hpp"
#include "parallel/stop_request.hpp"
#include "sweep/calibration.hpp"
#include "sweep/folder_check.hpp"
#include "sweep/plan_report.hpp"
#include "sweep/status_report.hpp"
#include "sweep/sweep_keys.hpp"

namespace diffphase {
namespace {

Sweep load_sweep(const PlanOptions& options) {
  Sweep sweep = make_sweep(parse_sweep_file(options.sweep_file, options.overrides, measures()));
  attach_dataset_summaries(sweep, inspect_dataset);
  return sweep;
}

int run(int argc, char** argv, const RunOptions& options) {
  note_stop_signals();            // a stop that is asked for while MPI starts is not lost
  std::signal(SIGXFSZ, SIG_IGN);  // a file at its limit is a full disk, with a message
  const MpiEnvironment environment(argc, argv);
  return run_sweep(Communicator::world(), options, measures());
}

// Calibration runs the kernels, which need MPI.
int plan(int argc, char** argv, const PlanOptions& options) {
  if (options.defaults) {
    fmt::print("{}", defaults_text(measures()));
    return exit_complete;
  }
  const Sweep sweep = load_sweep(options);
  const MpiEnvironment environment(argc, argv);
  fmt::print("{}", plan_text(sweep, options.ranks, kept_calibration()));
  return exit_complete;
}

int status(const CommandLine& line) {
  if (!line.watch) {
    fmt::print("{}", StatusReport(line.folder).text());
    return exit_complete;
  }
  StopRequest stop({});
  const auto interrupted = [&] { return stop.wanted(); };
  wait_for_begin(line.folder, std::cout, interrupted);
  if (interrupted()) return exit_complete;
  StatusReport report(line.folder);
  watch_status(report, std::cout, interrupted, isatty(STDOUT_FILENO) != 0);
  return exit_complete;
}

int check(const CommandLine& line) {
  const FolderCheck found = check_folder(line.folder, measures());
  fmt::print("{}", found.text());
  return found.problems.empty() ? exit_complete : exit_failed_tasks;
}

int execute(int argc, char** argv, const CommandLine& line) {
  switch (line.command) {
    case CommandLine::Command::run:
      return run(argc, argv, line.run);
    case CommandLine::Command::plan:
      return plan(argc, argv, line.plan);
    case CommandLine::Command::theory:
      fmt::print("{}", theory_text(load_sweep(line.plan)));
      return exit_complete;
    case CommandLine::Command::status:
      return status(line);
    case CommandLine::Command::collect:
      return collect_results(line.folder, line.all_sweeps, line.run.command_line, measures());
    case CommandLine::Command::check:
      return check(line);
  }
  return exit_bad_input;
}

}  // namespace
}  // namespace diffphase

int main(int argc, char** argv) {
  const auto parsed = diffphase::parse_command_line(argc, argv);
  try {
    if (const auto* end = std::get_if<diffphase::CommandLineEnd>(&parsed)) return diffphase::tell(argc, argv, *end);
    return diffphase::execute(argc, argv, std::get<diffphase::CommandLine>(parsed));
  } catch (const std::exception& e) {
    fmt::print(stderr, "diffphase: error: {}\n", e.what());
    return diffphase::exit_bad_input;
  }
}
