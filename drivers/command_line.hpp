#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "sweep/run.hpp"

namespace diffphase {

/// What `diffphase plan` and `diffphase theory` were told.
struct PlanOptions {
  std::string sweep_file;
  std::vector<std::string> overrides;
  int ranks = 1;
  bool defaults = false;
  bool for_scripts = false;  ///< key=value instead of text for people
};

/// The command line, parsed: which command, and its options.
struct CommandLine {
  enum class Command { run, plan, theory, status, collect, check };

  Command command = Command::run;
  RunOptions run;
  PlanOptions plan;
  std::filesystem::path folder;  ///< of status, collect and check
  bool watch = false;
  bool all_sweeps = false;  ///< collect
};

/// A command line with nothing to do: --help and --version (code 0), errors (code 2).
struct CommandLineEnd {
  int code = 0;
  std::string output;  ///< for standard output
  std::string error;   ///< for standard error
};

/// Parses the arguments; prints nothing.
[[nodiscard]] std::variant<CommandLine, CommandLineEnd> parse_command_line(int argc, char** argv);

/// Prints it once, whatever the number of ranks; returns the code. May start and end MPI.
int tell(int argc, char** argv, const CommandLineEnd& end);

}  // namespace diffphase
