#pragma once

#include <string>

namespace diffphase {

/// What a shell command prints, its standard error included; empty if it could not be run. Waits until it has ended.
/// The command finds signals as programs expect them, whatever this one ignores or holds back.
[[nodiscard]] std::string command_output(const std::string& command);

}  // namespace diffphase
