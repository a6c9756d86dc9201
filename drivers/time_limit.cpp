#include "time_limit.hpp"

#include <exception>

namespace diffphase {

std::optional<double> seconds_of(const std::string& text) {
  try {
    std::size_t used = 0;
    const double value = std::stod(text, &used);
    const std::string unit = text.substr(used);
    if (!(value >= 0.0)) return std::nullopt;
    if (unit.empty() || unit == "s") return value;
    if (unit == "m") return 60.0 * value;
    if (unit == "h") return 3600.0 * value;
    if (unit == "d") return 86400.0 * value;
  } catch (const std::exception&) {
    return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace diffphase
