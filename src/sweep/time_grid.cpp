#include "sweep/time_grid.hpp"

#include <cmath>

namespace diffphase {

std::vector<double> time_grid(double from, double to, std::int64_t count, bool logarithmic) {
  std::vector<double> times(static_cast<std::size_t>(count), from);
  for (std::size_t i = 1; i < times.size(); ++i) {
    const double part = static_cast<double>(i) / static_cast<double>(count - 1);
    times[i] = logarithmic ? from * std::pow(to / from, part) : from + (to - from) * part;
  }
  times.back() = to;
  return times;
}

}  // namespace diffphase
