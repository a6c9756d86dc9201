#pragma once

#include <optional>
#include <string>

namespace diffphase {

/// Seconds of "90s", "55m", "2h", "1d" or a bare number of seconds; nothing for any other text.
[[nodiscard]] std::optional<double> seconds_of(const std::string& text);

}  // namespace diffphase
