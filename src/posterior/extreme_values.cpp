#include "posterior/extreme_values.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <stdexcept>

#include "posterior/noncentral_chi_square.hpp"
#include "posterior/softmax_kernel.hpp"

namespace diffphase {
namespace {

constexpr double empty = -std::numeric_limits<double>::infinity();
constexpr double negligible = 50.0;  // logarithm of what is left out

/// Logarithm of the expected sum of e^(-s D) over the points of D > x.
double log_sum_beyond(const NoncentralChiSquare& law, double log_points, double s, double x) {
  return log_points + law.log_average(s) + law.tilted(s).log_survival((1.0 + 2.0 * s) * x);
}

/// The expected sums over the points of D > x.
PosteriorSums sums_beyond(const NoncentralChiSquare& law, const ClassOfEnergies& points, double x) {
  const double s = points.scale;
  const double log_sum = log_sum_beyond(law, points.log_points, s, x);
  const double log_squares = log_sum_beyond(law, points.log_points, 2.0 * s, x);
  const double energy = s / (1.0 + 2.0 * s) * law.tilted(s).mean_above((1.0 + 2.0 * s) * x);
  return {.reference = log_sum,
          .sum = 1.0,
          .weighted_logit = -energy - log_sum,
          .sum_of_squares = std::exp(log_squares - 2.0 * log_sum)};
}

/// A class of which no point comes near: its mean, without the squares, which are those of points that are not there.
PosteriorSums mean_sums(const NoncentralChiSquare& law, const ClassOfEnergies& points) {
  PosteriorSums all = sums_beyond(law, points, 0.0);
  all.sum_of_squares = 0.0;
  return all;
}

/// Cubic polynomial through four points, in Newton's form.
class CubicThrough {
 public:
  CubicThrough(const double* x, const double* y) : x_{x[0], x[1], x[2]}, c_{y[0], y[1], y[2], y[3]} {
    for (std::size_t order = 1; order < c_.size(); ++order) {
      for (std::size_t i = c_.size() - 1; i >= order; --i) c_[i] = (c_[i] - c_[i - 1]) / (x[i] - x[i - order]);
    }
  }
  [[nodiscard]] double operator()(double x) const {
    return c_[0] + (x - x_[0]) * (c_[1] + (x - x_[1]) * (c_[2] + (x - x_[2]) * c_[3]));
  }

 private:
  std::array<double, 3> x_;
  std::array<double, 4> c_;
};

/// Levels so close that a cubic between them has no error: one below the first of `levels`, two above the last.
std::vector<double> nodes_around(std::span<const double> levels) {
  const auto spacing = [](double level) { return std::min(0.4, -0.1 * level); };
  std::vector<double> nodes{levels.front() - spacing(levels.front()), levels.front()};
  while (nodes.back() <= levels.back()) nodes.push_back(nodes.back() + spacing(nodes.back()));
  nodes.push_back(nodes.back() + spacing(nodes.back()));
  return nodes;
}

/// Quantiles of ascending levels, many of them by interpolation: to 1e-3 of their distance to the mean, and 1e-6 where
/// the levels are below -10.
std::vector<double> quantiles_of(const NoncentralChiSquare& law, std::span<const double> levels) {
  std::vector<double> squares(levels.size());
  const std::vector<double> nodes = nodes_around(levels);
  if (nodes.size() >= levels.size()) {
    law.quantiles(levels, squares);
    return squares;
  }
  std::vector<double> at_nodes(nodes.size());
  law.quantiles(nodes, at_nodes);
  std::size_t first = 0;  // of the four nodes
  CubicThrough cubic(nodes.data(), at_nodes.data());
  for (std::size_t i = 0; i < levels.size(); ++i) {
    while (levels[i] > nodes[first + 2]) {
      ++first;
      cubic = CubicThrough(&nodes[first], &at_nodes[first]);
    }
    squares[i] = cubic(levels[i]);
  }
  return squares;
}

PosteriorSums drawn_sums(std::span<const double> squares, double scale) {
  std::vector<double> logits(squares.size());
  std::vector<double> weights(squares.size());
  std::transform(squares.begin(), squares.end(), logits.begin(), [&](double square) { return -scale * square; });
  const double largest = logits.front();
  return softmax_sums(logits.data(), static_cast<std::int64_t>(logits.size()), largest, weights.data());
}

}  // namespace

PosteriorSums parent_sums(double energy) {
  return {.reference = -energy,
          .sum = 1.0,
          .weighted_logit = 0.0,
          .sum_of_squares = 1.0,
          .largest = -energy,
          .parent = -energy};
}

std::vector<double> log_arrivals(const RandomStream& stream, std::uint64_t row, std::int64_t count) {
  constexpr double shortest = std::numeric_limits<double>::min();  // an arrival at 0 has no logarithm
  std::vector<double> result;
  double time = shortest;
  for (std::int64_t k = 0; k < count; ++k) {
    time -= std::log1p(-stream.uniform(row, static_cast<std::uint64_t>(k)));
    result.push_back(std::log(time));
  }
  return result;
}

PosteriorSums draw_extreme_sums(std::int64_t dimension, const ClassOfEnergies& points,
                                std::span<const double> log_arrivals, double reference) {
  if (!(points.scale > 0.0)) throw std::invalid_argument("extreme values need data with a standard deviation");
  if (points.log_points == empty) return {};
  const NoncentralChiSquare law(dimension, points.noncentrality);
  if (points.log_points + law.log_average(points.scale) < reference - negligible) return mean_sums(law, points);

  std::vector<double> levels;
  for (const double log_arrival : log_arrivals) {
    if (log_arrival < points.log_points) levels.push_back(log_arrival - points.log_points);
  }
  const bool all = levels.size() < log_arrivals.size();
  if (levels.empty()) return {};
  if (!all) {
    const double nearest = law.quantile(levels.front());
    const double log_count = std::log(static_cast<double>(levels.size()));
    if (log_sum_beyond(law, points.log_points, points.scale, nearest) >
        log_count - points.scale * nearest + negligible) {
      PosteriorSums beyond = sums_beyond(law, points, nearest);
      beyond.largest = -points.scale * nearest;
      return beyond;
    }
  }
  const std::vector<double> squares = quantiles_of(law, levels);
  const PosteriorSums drawn = drawn_sums(squares, points.scale);
  return all ? drawn : merge(drawn, sums_beyond(law, points, squares.back()));
}

}  // namespace diffphase
