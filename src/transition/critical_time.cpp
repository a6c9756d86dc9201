#include "transition/critical_time.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "transition/monotone_interpolation.hpp"

namespace diffphase {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

/// log(b^2/a^2) at the times of a grid.
std::vector<double> log_noise_to_signal(std::span<const double> times, const NoisingProcess& process) {
  std::vector<double> nodes;
  nodes.reserve(times.size());
  for (const double t : times) {
    if (!process.contains(t)) {
      throw std::invalid_argument(fmt::format("time {} is not on the clock of {}", t, process.name()));
    }
    nodes.push_back(-process.log_snr(t));
  }
  return nodes;
}

/// Where a curve given at nodes crosses a level: at a node, or inside the cell after it.
struct Crossing {
  RootStatus status = RootStatus::failed;
  std::size_t node = 0;
  bool at_node = false;
};

/// Classifies by the signs at the nodes alone, which is all that matters for an interpolant that is monotone
/// between them. A node exactly on the level with opposite signs around it (or the end of the grid on one
/// side) is one crossing.
Crossing locate(std::span<const double> curve, double level, bool falling) {
  Crossing result;
  int crossings = 0;
  int previous = 0;       // sign at the last node off the level, oriented so that + comes first in time
  bool on_level = false;  // the node before this one is on the level
  for (std::size_t i = 0; i < curve.size(); ++i) {
    if (!std::isfinite(curve[i])) return {};
    const double above = falling ? curve[i] - level : level - curve[i];
    if (above == 0.0) {
      if (on_level || previous < 0) return {RootStatus::not_monotone, i, false};
      on_level = true;
      result.node = i;
      result.at_node = true;
      ++crossings;
      continue;
    }
    const int sign = above > 0.0 ? 1 : -1;
    const bool wrong_way = sign > 0 && (previous < 0 || on_level);
    const bool touches = on_level && previous == sign;
    if (wrong_way || touches) return {RootStatus::not_monotone, i, false};
    if (!on_level && previous > 0 && sign < 0) {
      result.node = i - 1;
      result.at_node = false;
      ++crossings;
    }
    on_level = false;
    previous = sign;
  }
  if (crossings > 1) return {RootStatus::not_monotone, 0, false};
  if (crossings == 1) {
    result.status = RootStatus::found;
  } else {
    result.status = previous > 0 ? RootStatus::after_grid : RootStatus::before_grid;
  }
  return result;
}

/// Finds crossings of many curves on one grid.
class CrossingFinder {
 public:
  CrossingFinder(std::span<const double> times, const NoisingProcess& process, double level, bool falling)
      : times_(times),
        process_(process),
        level_(level),
        falling_(falling),
        stencils_(log_noise_to_signal(times, process)),
        interpolation_(stencils_, std::vector<double>(times.size(), 0.0)) {}

  /// Time and status; the standard error is left NaN.
  CriticalTime find(std::span<const double> curve) {
    const Crossing crossing = locate(curve, level_, falling_);
    CriticalTime result{.time = nan, .standard_error = nan, .status = crossing.status};
    if (crossing.status != RootStatus::found) return result;
    if (crossing.at_node) {
      result.time = times_[crossing.node];
      return result;
    }
    interpolation_.assign(curve);
    const double x = interpolation_.solve(crossing.node, level_);
    result.time = std::clamp(process_.time_at_log_snr(-x), times_[crossing.node], times_[crossing.node + 1]);
    return result;
  }

  /// Standard error of the crossing from that of the curve: s(curve) / |d curve / d log tau|, taken to the
  /// clock.
  double slope_error(const CriticalTime& found, std::span<const double> curve, std::span<const double> curve_error) {
    interpolation_.assign(curve);
    const double x = -process_.log_snr(found.time);
    const double slope = std::abs(interpolation_.derivative(x));
    const std::size_t cell = interpolation_.cell_of(x);
    const auto& nodes = stencils_.nodes();
    if (nodes.size() < 2 || slope == 0.0) return nan;
    // Neighbouring times share their random numbers: their errors add as they are, not in squares.
    const double s = (x - nodes[cell]) / (nodes[cell + 1] - nodes[cell]);
    const double error = (1.0 - s) * curve_error[cell] + s * curve_error[cell + 1];
    const double step = 1e-4 * (nodes[cell + 1] - nodes[cell]);
    const double below = std::max(x - step, nodes.front());
    const double above = std::min(x + step, nodes.back());
    const double time_per_x = (process_.time_at_log_snr(-above) - process_.time_at_log_snr(-below)) / (above - below);
    return error / slope * time_per_x;
  }

 private:
  std::span<const double> times_;
  const NoisingProcess& process_;
  double level_;
  bool falling_;
  DerivativeStencils stencils_;
  MonotoneInterpolation interpolation_;
};

void check_shape(std::span<const double> values, std::int64_t units, std::int64_t times) {
  if (units < 1 || times < 1 || values.size() != static_cast<std::size_t>(units * times)) {
    throw std::invalid_argument(fmt::format("{} values are not {} units of {} times", values.size(), units, times));
  }
}

/// The crossing of a curve of which only every second time is known, the first of them `first`; NaN if there is none.
double crossing_on_half_grid(std::span<const double> times, std::span<const double> curve, std::size_t first,
                             double level, const NoisingProcess& process, bool falling) {
  std::vector<double> fewer_times;
  std::vector<double> fewer_values;
  for (std::size_t i = first; i < times.size(); i += 2) {
    fewer_times.push_back(times[i]);
    fewer_values.push_back(curve[i]);
  }
  if (fewer_times.size() < 4) return nan;
  return CrossingFinder(fewer_times, process, level, falling).find(fewer_values).time;
}

/// To the farther end of the interval of the grid in which `time` is; 0 on the grid.
double distance_to_ends(double time, std::span<const double> times) {
  const auto above = std::ranges::lower_bound(times, time);
  if (above == times.end() || *above == time || above == times.begin()) return 0.0;
  return std::max(*above - time, time - *(above - 1));
}

double coarse_grid_shift(double time, std::span<const double> times, std::span<const double> curve, double level,
                         const NoisingProcess& process, bool falling) {
  double shift = nan;
  for (const std::size_t first : {0U, 1U}) {
    const double other = crossing_on_half_grid(times, curve, first, level, process, falling);
    if (std::isfinite(other)) shift = std::fmax(shift, std::abs(other - time));
  }
  return std::isfinite(shift) ? shift : distance_to_ends(time, times);
}

}  // namespace

std::string root_status_meanings() {
  return "found before_grid after_grid not_monotone failed never not_measured unresolved";
}

MeasuredCurve average_curve(std::span<const double> values, std::int64_t units, std::int64_t times) {
  check_shape(values, units, times);
  const auto count = static_cast<std::size_t>(times);
  const double n = static_cast<double>(units);
  MeasuredCurve curve{std::vector<double>(count, 0.0), std::vector<double>(count, 0.0)};
  for (std::size_t i = 0; i < values.size(); ++i) curve.mean[i % count] += values[i];
  for (double& m : curve.mean) m /= n;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double deviation = values[i] - curve.mean[i % count];
    curve.standard_error[i % count] += deviation * deviation;
  }
  for (double& s : curve.standard_error) s = units > 1 ? std::sqrt(s / ((n - 1.0) * n)) : nan;
  return curve;
}

double jackknife_error(std::span<const double> leave_one_out) {
  const auto n = static_cast<double>(leave_one_out.size());
  double mean = 0.0;
  for (const double estimate : leave_one_out) mean += estimate / n;
  double squares = 0.0;
  for (const double estimate : leave_one_out) squares += (estimate - mean) * (estimate - mean);
  return std::sqrt((n - 1.0) / n * squares);
}

CriticalTime find_crossing(std::span<const double> times, std::span<const double> curve, double level,
                           const NoisingProcess& process, bool falling) {
  if (times.empty() || curve.size() != times.size()) {
    throw std::invalid_argument(fmt::format("{} values for a curve at {} times", curve.size(), times.size()));
  }
  return CrossingFinder(times, process, level, falling).find(curve);
}

CriticalTime crossing_of_mean(std::span<const double> times, std::span<const double> values, std::int64_t units,
                              double level, const NoisingProcess& process, bool falling) {
  const MeasuredCurve curve = average_curve(values, units, static_cast<std::int64_t>(times.size()));
  CrossingFinder finder(times, process, level, falling);
  CriticalTime result = finder.find(curve.mean);
  if (result.status != RootStatus::found) return result;
  result.coarse_grid_shift = coarse_grid_shift(result.time, times, curve.mean, level, process, falling);
  if (units < 2) return result;

  const std::size_t count = times.size();
  const double others = static_cast<double>(units) - 1.0;
  std::vector<double> without(count);
  std::vector<double> estimates;
  estimates.reserve(static_cast<std::size_t>(units));
  for (std::size_t unit = 0; unit < static_cast<std::size_t>(units); ++unit) {
    for (std::size_t i = 0; i < count; ++i) {
      without[i] = curve.mean[i] + (curve.mean[i] - values[unit * count + i]) / others;
    }
    const CriticalTime one = finder.find(without);
    if (one.status != RootStatus::found) {
      result.standard_error = finder.slope_error(result, curve.mean, curve.standard_error);
      return result;
    }
    estimates.push_back(one.time);
  }
  result.standard_error = jackknife_error(estimates);
  return result;
}

std::string grid_warning(const std::string& name, const CriticalTime& result, std::span<const double> times) {
  const double first = times.empty() ? nan : times.front();
  const double last = times.empty() ? nan : times.back();
  switch (result.status) {
    case RootStatus::found:
      if (!(result.coarse_grid_shift > 4.0 * result.standard_error)) return "";
      return fmt::format(
          "{}: the time grid is coarse there; leaving out every second time moves it by more than 4 standard errors: "
          "use "
          "more times.",
          name);
    case RootStatus::before_grid:
      return fmt::format("{} lies before the first time of the grid, {}, if anywhere: start the grid earlier.", name,
                         first);
    case RootStatus::after_grid:
      return fmt::format("{} lies after the last time of the grid, {}: end the grid later.", name, last);
    case RootStatus::not_monotone:
      return fmt::format(
          "{} is not defined: the curve crosses its level several times between {} and {}; use more probes.", name,
          first, last);
    case RootStatus::never:
    case RootStatus::not_measured:
    case RootStatus::unresolved:
      return "";
    case RootStatus::failed:
      break;
  }
  return fmt::format("{} could not be found: the curve between {} and {} has values that are not numbers.", name, first,
                     last);
}

}  // namespace diffphase
