#include "command_line.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "parallel/instruction_set.hpp"
#include "results/provenance.hpp"
#include "sweep/nearest_name.hpp"
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

void add_run(CLI::App& app, CommandLine& line) {
  RunOptions& run = line.run;
  auto* command = app.add_subcommand("run", "compute what is left of a sweep; under mpirun or srun on many ranks");
  command->callback([&line] { line.command = CommandLine::Command::run; });
  add_sweep(*command, run.sweep_file, run.overrides)->required();
  command->add_option("-o,--output", run.folder, "folder of the run (default: runs/<name>)")->check(not_empty);
  command->add_option("--points", run.points, "grid points, as plan numbers them: 2:5,9")->check(not_empty);
  command->add_option("--shard", run.shard, "part I of M of the tasks: I/M")->check(not_empty);
  const auto stop_after = [&run](const std::string& text) {
    run.stop_with_job = text == until_job_ends;
    run.stop_after = seconds_of(text);
  };
  command
      ->add_option_function<std::string>("--stop-after", stop_after,
                                         "stop cleanly after this time, as 55m, or auto: before the SLURM job ends")
      ->check(time_limit);
  command->add_flag("--retry-failed", run.retry_failed, "try tasks again that failed as often as allowed");
  command->add_flag("--accept-changed-data", run.accept_changed_data,
                    "keep what was computed from data files that have changed since");
  const auto be = [&run](Verbosity verbosity) { return [&run, verbosity] { run.verbosity = verbosity; }; };
  auto* quiet = command->add_flag_callback("-q,--quiet", be(Verbosity::quiet), "show warnings and errors only");
  command->add_flag_callback("-v,--verbose", be(Verbosity::verbose), "show every task")->excludes(quiet);
}

void add_plan(CLI::App& app, CommandLine& line) {
  PlanOptions& plan = line.plan;
  auto* command = app.add_subcommand("plan", "grid, tasks, memory and predicted time of a sweep");
  add_sweep(*command, plan.sweep_file, plan.overrides);
  command->add_option("--ranks", plan.ranks, "number of ranks to plan for")->check(CLI::Range(1, 1000000));
  command->add_flag("--for-scripts", plan.for_scripts, "lines key=value: tasks, ranks, nodes, time, memory, folder");
  command->add_flag("--defaults", plan.defaults, "every key with default and meaning");
  command->callback([&line] {
    line.command = CommandLine::Command::plan;
    if (line.plan.sweep_file.empty() && !line.plan.defaults)
      throw CLI::RequiredError("plan: a sweep file or --defaults");
  });
}

void add_theory(CLI::App& app, CommandLine& line) {
  auto* command = app.add_subcommand("theory", "predicted critical times of a sweep");
  command->callback([&line] { line.command = CommandLine::Command::theory; });
  add_sweep(*command, line.plan.sweep_file, line.plan.overrides)->required();
}

void add_status(CLI::App& app, CommandLine& line) {
  auto* command = app.add_subcommand("status", "done, failed, left, rate and time left of a run");
  command->callback([&line] { line.command = CommandLine::Command::status; });
  command->add_option("folder", line.folder, "folder of the run")->required();
  command->add_flag("--watch", line.watch, "refresh until the run is complete");
}

void add_collect(CLI::App& app, CommandLine& line) {
  auto* command = app.add_subcommand("collect", "rebuild results.h5 from the journals");
  command->callback([&line] { line.command = CommandLine::Command::collect; });
  command->add_option("folder", line.folder, "folder of the run")->required();
  command->add_flag("--all", line.all_sweeps, "a file for each sweep that was run there: results-<last start>.h5");
}

void add_check(CLI::App& app, CommandLine& line) {
  auto* command =
      app.add_subcommand("check", "are journals, results and lock whole, and do they agree? changes nothing");
  command->callback([&line] { line.command = CommandLine::Command::check; });
  command->add_option("folder", line.folder, "folder of the run")->required();
}

CommandLineEnd end_of(const CLI::App& app, const CLI::ParseError& problem) {
  std::ostringstream output;
  std::ostringstream error;
  const int code = app.exit(problem, output, error) == 0 ? exit_complete : exit_bad_input;
  return {.code = code, .output = output.str(), .error = error.str()};
}

std::vector<std::string> commands_of(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands(/*filter=*/nullptr)) names.push_back(command->get_name());
  return names;
}

// The first argument that nothing knows, and the option of the command that is like it.
CommandLineEnd end_of_unknown(const CLI::App& app) {
  const std::vector<std::string> extras = app.remaining(/*recurse=*/true);
  const auto dashed = std::ranges::find_if(extras, [](const std::string& text) { return text.starts_with('-'); });
  const std::string& unknown = dashed != extras.end() ? *dashed : extras.front();
  const auto given = app.get_subcommands();
  const CLI::App& command = given.empty() ? app : *given.front();
  std::vector<std::string> known;
  for (const CLI::Option* option : command.get_options()) {
    for (const std::string& name : option->get_lnames()) known.push_back(name);
  }
  const std::size_t begin = std::min(unknown.find_first_not_of('-'), unknown.size());
  const std::string word = unknown.substr(begin, unknown.find('=') - begin);
  const std::string command_name = given.empty() ? "" : " " + command.get_name();
  return {.code = exit_bad_input,
          .error = fmt::format("diffphase: error: unexpected argument {}{} (diffphase{} --help lists what there is)\n",
                               unknown, dashed != extras.end() ? nearest_name(word, known) : "", command_name)};
}

}  // namespace

std::variant<CommandLine, CommandLineEnd> parse_command_line(int argc, char** argv) {
  CommandLine line;
  CLI::App app{"Phase transitions of generative diffusion, over parameter grids and MPI ranks."};
  app.set_version_flag("--version", "diffphase " + program_version() + " (" + git_revision() + ")");
  app.require_subcommand(1);
  app.failure_message([argc, argv](const CLI::App* command, const CLI::Error& error) {
    const bool no_command = argc > 1 && command->get_subcommands().empty() && command->get_parent() == nullptr;
    const std::string problem =
        no_command ? fmt::format("{}: no such command{}", argv[1], nearest_name(argv[1], commands_of(*command)))
                   : error.what();
    return fmt::format("diffphase: error: {} (diffphase --help lists what there is)\n", problem);
  });
  for (const auto add : {add_run, add_plan, add_theory, add_status, add_collect, add_check}) add(app, line);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ExtrasError&) {
    return end_of_unknown(app);
  } catch (const CLI::ParseError& problem) {
    return end_of(app, problem);
  }
  if (!instruction_set_limit_is_known()) {
    return CommandLineEnd{
        .code = exit_bad_input,
        .error = fmt::format("DIFFPHASE_INSTRUCTION_SET={} in the environment: must be baseline, avx2 or "
                             "avx512, the widest to be used\n",
                             instruction_set_limit())};
  }
  for (int i = 0; i < argc; ++i) line.run.command_line += (i == 0 ? "" : " ") + std::string(argv[i]);
  return line;
}

}  // namespace diffphase
