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
};

/// The command line, parsed: which command, and its options.
struct CommandLine {
  enum class Command { run, plan, theory, status, collect };

  Command command = Command::run;
  RunOptions run;
  PlanOptions plan;
  std::filesystem::path folder;  ///< of status and collect
  bool watch = false;
};

/// Parses the arguments; the exit code instead where there is nothing to do (--help, --version: 0; errors: 2, after one
/// message on standard error).
[[nodiscard]] std::variant<CommandLine, int> parse_command_line(int argc, char** argv);

}  // namespace diffphase
