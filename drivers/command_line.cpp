#include "command_line.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <optional>
#include <sstream>
#include <string_view>

#include "parallel/instruction_set.hpp"
#include "results/provenance.hpp"
#include "time_limit.hpp"

namespace diffphase {

namespace {

constexpr std::string_view until_job_ends = "auto";

const CLI::Validator time_limit(
    [](const std::string& text) {
      if (text == until_job_ends || seconds_of(text)) return std::string();
      return text + " is no time; write 90s, 55m, 2h or 1d, or auto in a SLURM job";
    },
    "TIME");

// An unset variable of a script must not start what was not meant.
const CLI::Validator not_empty([](const std::string& text) { return text.empty() ? "must not be empty" : ""; }, "");

CLI::Option* add_sweep(CLI::App& command, std::string& file, std::vector<std::string>& overrides) {
  command.add_option("--set", overrides, "KEY=VALUE in place of the sweep file's, as measure.collapse.probes=64")
      ->allow_extra_args(false);
  return command.add_option("sweep", file, "sweep file (TOML)");
}

}  // namespace

std::variant<CommandLine, CommandLineEnd> parse_command_line(int argc, char** argv) {
  CommandLine line;
  RunOptions& run = line.run;
  std::string stop_after;
  bool quiet = false;
  bool verbose = false;

  CLI::App app{"Phase transitions of generative diffusion, over parameter grids and MPI ranks."};
  app.set_version_flag("--version", "diffphase " + program_version() + " (" + git_revision() + ")");
  app.require_subcommand(1);
  app.failure_message([argc, argv](const CLI::App* command, const CLI::Error& error) {
    const bool no_command = argc > 1 && command->get_subcommands().empty() && command->get_parent() == nullptr;
    const std::string problem = no_command ? fmt::format("{}: no such command", argv[1]) : error.what();
    return fmt::format("diffphase: error: {} (diffphase --help lists what there is)\n", problem);
  });

  auto* run_command = app.add_subcommand("run", "compute what is left of a sweep; under mpirun or srun on many ranks");
  add_sweep(*run_command, run.sweep_file, run.overrides)->required();
  run_command->add_option("-o,--output", run.folder, "folder of the run (default: runs/<name>)")->check(not_empty);
  run_command->add_option("--points", run.points, "grid points, as plan numbers them: 2:5,9")->check(not_empty);
  run_command->add_option("--shard", run.shard, "part I of M of the tasks: I/M")->check(not_empty);
  run_command
      ->add_option("--stop-after", stop_after,
                   "stop cleanly after this time, as 55m, or auto: before the SLURM job ends")
      ->check(time_limit);
  run_command->add_flag("--retry-failed", run.retry_failed, "try tasks again that failed as often as allowed");
  auto* quiet_flag = run_command->add_flag("-q,--quiet", quiet, "show warnings and errors only");
  run_command->add_flag("-v,--verbose", verbose, "show every task")->excludes(quiet_flag);

  auto* plan_command = app.add_subcommand("plan", "grid, tasks, memory and predicted time of a sweep");
  auto* plan_sweep = add_sweep(*plan_command, line.plan.sweep_file, line.plan.overrides);
  plan_command->add_option("--ranks", line.plan.ranks, "number of ranks to plan for")->check(CLI::Range(1, 1000000));
  auto* defaults_flag = plan_command->add_flag("--defaults", line.plan.defaults, "every key with default and meaning");

  auto* theory_command = app.add_subcommand("theory", "predicted critical times of a sweep");
  add_sweep(*theory_command, line.plan.sweep_file, line.plan.overrides)->required();

  auto* status_command = app.add_subcommand("status", "done, failed, left, rate and time left of a run");
  status_command->add_option("folder", line.folder, "folder of the run")->required();
  status_command->add_flag("--watch", line.watch, "refresh until the run is complete");

  auto* collect_command = app.add_subcommand("collect", "rebuild results.h5 from the journals");
  collect_command->add_option("folder", line.folder, "folder of the run")->required();

  try {
    app.parse(argc, argv);
    if (plan_command->parsed() && plan_sweep->empty() && defaults_flag->empty()) {
      throw CLI::RequiredError("plan: a sweep file or --defaults");
    }
  } catch (const CLI::ParseError& e) {
    std::ostringstream output;
    std::ostringstream error;
    const int code = app.exit(e, output, error) == 0 ? exit_complete : exit_bad_input;
    return CommandLineEnd{.code = code, .output = output.str(), .error = error.str()};
  }
  if (!instruction_set_limit_is_known()) {
    return CommandLineEnd{
        .code = exit_bad_input,
        .error = fmt::format("DIFFPHASE_INSTRUCTION_SET={} in the environment: must be baseline, avx2 or "
                             "avx512, the widest to be used\n",
                             instruction_set_limit())};
  }
  line.command = run_command->parsed()      ? CommandLine::Command::run
                 : plan_command->parsed()   ? CommandLine::Command::plan
                 : theory_command->parsed() ? CommandLine::Command::theory
                 : status_command->parsed() ? CommandLine::Command::status
                                            : CommandLine::Command::collect;
  run.stop_with_job = stop_after == until_job_ends;
  run.stop_after = seconds_of(stop_after);
  run.verbosity = quiet ? Verbosity::quiet : verbose ? Verbosity::verbose : Verbosity::normal;
  for (int i = 0; i < argc; ++i) run.command_line += (i == 0 ? "" : " ") + std::string(argv[i]);
  return line;
}

}  // namespace diffphase
