#include "transition/humped_curve.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>
#include <vector>

namespace diffphase {

namespace {

constexpr std::size_t stencil_side = 2;  // nodes beside each end of a cell that its interpolation takes in
constexpr double nan = std::numeric_limits<double>::quiet_NaN();

// Columns [first, first + count) of units x times values.
std::vector<double> columns_of(std::span<const double> values, std::size_t times, std::size_t first,
                               std::size_t count) {
  std::vector<double> part;
  for (std::size_t row = 0; row < values.size(); row += times) {
    part.insert(part.end(), values.begin() + static_cast<std::ptrdiff_t>(row + first),
                values.begin() + static_cast<std::ptrdiff_t>(row + first + count));
  }
  return part;
}

CriticalTime no_time(RootStatus status) { return {.time = nan, .standard_error = nan, .status = status}; }

// The crossing on a part of the grid, on which there is one. The part has nodes on both sides of it, as far as the grid
// does: interpolation from one side is less accurate.
CriticalTime crossing_on_part(std::span<const double> times, std::span<const double> values, std::int64_t units,
                              double level, const NoisingProcess& process, bool falling, std::size_t first,
                              std::size_t count) {
  const std::vector<double> part = columns_of(values, times.size(), first, count);
  return crossing_of_mean(times.subspan(first, count), part, units, level, process, falling);
}

bool is_finite(std::span<const double> curve) {
  return std::ranges::all_of(curve, [](double value) { return std::isfinite(value); });
}

struct Vertex {
  double x = nan;
  double height = nan;
};

// Of the parabola through three points, the middle one the highest; the middle one if they are on a line.
Vertex vertex(std::array<double, 3> x, std::array<double, 3> y) {
  const double before = (y[1] - y[0]) / (x[1] - x[0]);
  const double after = (y[2] - y[1]) / (x[2] - x[1]);
  const double bend = (after - before) / (x[2] - x[0]);
  if (!(bend < 0.0)) return {x[1], y[1]};
  const double at = 0.5 * (x[0] + x[1] - before / bend);
  return {at, y[0] + (at - x[0]) * (before + bend * (at - x[1]))};
}

// The vertex at the largest value that has neighbours at `step` nodes' distance; none at an end.
std::optional<Vertex> highest(std::span<const double> nodes, std::span<const double> curve, std::size_t step) {
  const auto top = static_cast<std::size_t>(std::ranges::max_element(curve) - curve.begin());
  if (top < step || top + step >= curve.size()) return std::nullopt;
  return vertex({nodes[top - step], nodes[top], nodes[top + step]}, {curve[top - step], curve[top], curve[top + step]});
}

// Errors of place and height from the curves that leave out one unit each.
void add_errors(CurveMaximum& maximum, std::span<const double> nodes, std::span<const double> values,
                std::int64_t units, const MeasuredCurve& curve, const NoisingProcess& process) {
  if (units < 2) return;
  const std::size_t times = nodes.size();
  std::vector<double> places;
  std::vector<double> heights;
  std::vector<double> without(times);
  for (std::size_t unit = 0; unit < static_cast<std::size_t>(units); ++unit) {
    for (std::size_t t = 0; t < times; ++t) {
      without[t] =
          (static_cast<double>(units) * curve.mean[t] - values[unit * times + t]) / (static_cast<double>(units) - 1.0);
    }
    const std::optional<Vertex> moved = highest(nodes, without, 1);
    if (!moved) return;
    places.push_back(process.time_at_log_snr(-moved->x));
    heights.push_back(moved->height);
  }
  maximum.time.standard_error = jackknife_error(places);
  maximum.standard_error = jackknife_error(heights);
}

}  // namespace

CriticalTime largest_crossing_of_mean(std::span<const double> times, std::span<const double> values, std::int64_t units,
                                      double level, const NoisingProcess& process, bool falling) {
  const MeasuredCurve curve = average_curve(values, units, static_cast<std::int64_t>(times.size()));
  if (!is_finite(curve.mean)) return no_time(RootStatus::failed);
  const auto early = [&](double value) { return falling ? value > level : value < level; };
  std::size_t last = times.size();
  while (last > 0 && !early(curve.mean[last - 1])) --last;
  if (last == 0) return no_time(RootStatus::before_grid);
  if (last == times.size()) return no_time(RootStatus::after_grid);
  std::size_t begin = last - 1;
  while (begin > 0 && last - 1 - begin < stencil_side && early(curve.mean[begin - 1])) --begin;
  return crossing_on_part(times, values, units, level, process, falling, begin, times.size() - begin);
}

CriticalTime smallest_crossing_of_mean(std::span<const double> times, std::span<const double> values,
                                       std::int64_t units, double level, const NoisingProcess& process, bool falling) {
  const MeasuredCurve curve = average_curve(values, units, static_cast<std::int64_t>(times.size()));
  if (!is_finite(curve.mean)) return no_time(RootStatus::failed);
  const auto late = [&](double value) { return falling ? value < level : value > level; };
  std::size_t first = 0;
  while (first < times.size() && !late(curve.mean[first])) ++first;
  if (first == times.size()) return no_time(RootStatus::after_grid);
  if (first == 0) return no_time(RootStatus::before_grid);
  std::size_t end = first + 1;
  while (end < times.size() && end - first - 1 < stencil_side && late(curve.mean[end])) ++end;
  return crossing_on_part(times, values, units, level, process, falling, 0, end);
}

CurveMaximum maximum_of_mean(std::span<const double> times, std::span<const double> values, std::int64_t units,
                             const NoisingProcess& process) {
  const MeasuredCurve curve = average_curve(values, units, static_cast<std::int64_t>(times.size()));
  CurveMaximum maximum{.time = no_time(RootStatus::failed), .height = nan, .standard_error = nan};
  if (!is_finite(curve.mean)) return maximum;
  const auto [lowest_mean, highest_mean] = std::ranges::minmax(curve.mean);
  if (times.size() > 1 && lowest_mean == highest_mean) {
    maximum.time.status = RootStatus::unresolved;
    return maximum;
  }
  std::vector<double> nodes;
  for (const double t : times) nodes.push_back(-process.log_snr(t));
  const std::optional<Vertex> found = highest(nodes, curve.mean, 1);
  if (!found) {
    const bool first = std::ranges::max_element(curve.mean) == curve.mean.begin();
    maximum.time.status = first ? RootStatus::before_grid : RootStatus::after_grid;
    return maximum;
  }
  maximum.time.status = RootStatus::found;
  maximum.time.time = process.time_at_log_snr(-found->x);
  maximum.height = found->height;
  if (const std::optional<Vertex> coarse = highest(nodes, curve.mean, 2)) {
    maximum.time.coarse_grid_shift = std::abs(process.time_at_log_snr(-coarse->x) - maximum.time.time);
  }
  add_errors(maximum, nodes, values, units, curve, process);
  return maximum;
}

}  // namespace diffphase
