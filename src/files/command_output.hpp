#pragma once

#include <string>

namespace diffphase {

/// What a shell command prints, its standard error included; empty if it could not be run. Waits until it has ended.
[[nodiscard]] std::string command_output(const std::string& command);

}  // namespace diffphase
