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

#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <exception>
#include <iostream>
#include <string>

#include "command_line.hpp"
#include "measure/measure.hpp"
#include "parallel/launch_problem.hpp"
#include "parallel/mpi_environment.hpp"
#include "parallel/stop_request.hpp"
#include "standard_streams.hpp"
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
  std::signal(SIGPIPE, SIG_IGN);  // whoever read what the run prints may go
  const std::string hint = launch_hint();
  if (!hint.empty()) std::fputs(("diffphase: " + hint + "\n").c_str(), stderr);
  const MpiEnvironment environment(argc, argv);
  const Communicator world = Communicator::world();
  if (const std::string problem = launch_problem(world.size()); !problem.empty()) {
    std::fputs(("diffphase: error: " + problem + "\n").c_str(), stderr);
    return exit_bad_input;
  }
  return run_sweep(world, options, measures());
}

// Calibration runs the kernels, which need MPI.
std::string planned_text(int argc, char** argv, const PlanOptions& options) {
  if (options.defaults) return defaults_text(measures());
  const Sweep sweep = load_sweep(options);
  const MpiEnvironment environment(argc, argv);
  const Calibration machine = kept_calibration();
  return options.for_scripts ? plan_lines(sweep, options.ranks, machine) : plan_text(sweep, options.ranks, machine);
}

int status(const CommandLine& line) {
  if (!line.watch) {
    print_output(StatusReport(line.folder).text());
    return exit_complete;
  }
  StopRequest stop({});
  const auto interrupted = [&] { return stop.wanted() || !std::cout; };
  wait_for_begin(line.folder, std::cout, interrupted);
  if (interrupted()) return exit_complete;
  StatusReport report(line.folder);
  watch_status(report, std::cout, interrupted, isatty(STDOUT_FILENO) != 0);
  return exit_complete;
}

int check(const CommandLine& line) {
  const FolderCheck found = check_folder(line.folder, measures());
  print_output(found.text());
  return found.problems.empty() ? exit_complete : exit_failed_tasks;
}

int execute(int argc, char** argv, const CommandLine& line) {
  switch (line.command) {
    case CommandLine::Command::run:
      return run(argc, argv, line.run);
    case CommandLine::Command::plan:
      print_output(planned_text(argc, argv, line.plan));
      return exit_complete;
    case CommandLine::Command::theory:
      print_output(theory_text(load_sweep(line.plan)));
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
  diffphase::open_missing_streams();
  const auto parsed = diffphase::parse_command_line(argc, argv);
  try {
    if (const auto* end = std::get_if<diffphase::CommandLineEnd>(&parsed)) return diffphase::tell(argc, argv, *end);
    const auto& line = std::get<diffphase::CommandLine>(parsed);
    const int code = diffphase::execute(argc, argv, line);
    // Of a run the files are what counts, and they are written.
    if (line.command != diffphase::CommandLine::Command::run) diffphase::flush_standard_output();
    return code;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "diffphase: error: %s\n", e.what());  // fmt would throw where nobody reads
    return diffphase::exit_bad_input;
  }
}
