// diffphase: phase transitions of generative diffusion, over parameter grids and MPI ranks.
//
// Sample runs (a test executes each of them):
//   $ diffphase --version
//   $ diffphase plan jobs/quickstart.toml --ranks 2
//   $ diffphase plan --defaults
//   $ diffphase theory jobs/quickstart.toml
//   $ mpirun -n 2 diffphase run jobs/quickstart.toml --points 0:1 --set measure.collapse.probes=64 -o runs/sample
//   $ diffphase status runs/sample
//   $ diffphase collect runs/sample

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <string>

#include "measure/measure.hpp"
#include "parallel/mpi_environment.hpp"
#include "results/provenance.hpp"
#include "sweep/run.hpp"

namespace diffphase {
namespace {

// "55m", "2h", "90s", "1d" or seconds.
double seconds_of(const std::string& text) {
  std::size_t used = 0;
  const double value = std::stod(text, &used);
  const std::string unit = text.substr(used);
  if (unit.empty() || unit == "s") return value;
  if (unit == "m") return 60.0 * value;
  if (unit == "h") return 3600.0 * value;
  if (unit == "d") return 86400.0 * value;
  throw CLI::ValidationError("--stop-after", text + ": expected a time such as 90s, 55m, 2h or 1d");
}

int run(int& argc, char**& argv, RunOptions options) {
  const MpiEnvironment environment(argc, argv);
  const Communicator world = Communicator::world();
  return run_sweep(world, options, measures());
}

}  // namespace
}  // namespace diffphase

int main(int argc, char** argv) {
  using namespace diffphase;
  CLI::App app{"Phase transitions of generative diffusion: speciation and collapse times over parameter grids."};
  app.set_version_flag("--version", program_version() + " (" + git_revision() + ")");
  app.require_subcommand(1);
  RunOptions options;
  std::string stop_after;
  std::string folder;
  bool quiet = false;
  bool verbose = false;

  auto* run_command = app.add_subcommand("run", "run what is left of a sweep; under mpirun or srun on many ranks");
  run_command->add_option("sweep", options.sweep_file, "sweep file (TOML)")->required();
  run_command->add_option("-o,--output", options.folder, "folder of the run (default runs/<name>)");
  run_command->add_option("--set", options.overrides, "override a key: key=value")->allow_extra_args(false);
  run_command->add_option("--points", options.points, "grid points to run, as plan numbers them: 2:5,9");
  run_command->add_option("--shard", options.shard, "run shard I of M: I/M");
  run_command->add_option("--stop-after", stop_after, "stop cleanly after this time: 55m");
  run_command->add_flag("--retry-failed", options.retry_failed, "try failed tasks again");
  run_command->add_flag("-q,--quiet", quiet, "warnings and errors only");
  run_command->add_flag("-v,--verbose", verbose, "every task");

  auto* collect_command = app.add_subcommand("collect", "rebuild DIR/results.h5 from the journals");
  collect_command->add_option("folder", folder, "folder of a run")->required();

  try {
    app.parse(argc, argv);
    if (!stop_after.empty()) options.stop_after = seconds_of(stop_after);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? exit_complete : exit_bad_input;
  } catch (const std::exception&) {
    std::fprintf(stderr, "--stop-after %s: expected a time such as 90s, 55m, 2h or 1d\n", stop_after.c_str());
    return exit_bad_input;
  }
  options.verbosity = quiet ? Verbosity::quiet : verbose ? Verbosity::verbose : Verbosity::normal;
  for (int i = 0; i < argc; ++i) options.command_line += (i == 0 ? "" : " ") + std::string(argv[i]);

  try {
    if (collect_command->parsed()) return collect_results(folder, options.command_line, measures());
    return run(argc, argv, options);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "diffphase: %s\n", e.what());
    return exit_bad_input;
  }
}
