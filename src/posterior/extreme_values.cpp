#include "posterior/extreme_values.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <stdexcept>

#include "posterior/noncentral_chi_square.hpp"
#include "posterior/softmax_kernel.hpp"

namespace diffphase {
namespace {

constexpr double empty = -std::numeric_limits<double>::infinity();
constexpr double negligible = 50.0;  // logarithm of what is left out

/// The expected sums over the points of D > x.
ExtremeSums sums_beyond(const NoncentralChiSquare& law, const ClassOfEnergies& points, double x) {
  const double s = points.scale;
  const NoncentralChiSquare once = law.tilted(s);
  const NoncentralChiSquare twice = law.tilted(2.0 * s);
  const double log_sum = points.log_points + law.log_average(s) + once.log_survival((1.0 + 2.0 * s) * x);
  const double log_squares = points.log_points + law.log_average(2.0 * s) + twice.log_survival((1.0 + 4.0 * s) * x);
  const double energy = s / (1.0 + 2.0 * s) * once.mean_above((1.0 + 2.0 * s) * x);
  return {.sums = {.maximum = log_sum,
                   .sum = 1.0,
                   .weighted_logit = -energy - log_sum,
                   .sum_of_squares = std::exp(log_squares - 2.0 * log_sum)},
          .largest = empty};
}

/// A class of which no point comes near: its mean, without the squares, which are those of points that are not there.
ExtremeSums mean_sums(const NoncentralChiSquare& law, const ClassOfEnergies& points) {
  ExtremeSums all = sums_beyond(law, points, 0.0);
  all.sums.sum_of_squares = 0.0;
  return all;
}

ExtremeSums drawn_sums(std::span<const double> squares, double scale) {
  std::vector<double> logits(squares.size());
  std::vector<double> weights(squares.size());
  std::transform(squares.begin(), squares.end(), logits.begin(), [&](double square) { return -scale * square; });
  const double largest = logits.front();
  return {.sums = softmax_sums(logits.data(), static_cast<std::int64_t>(logits.size()), largest, weights.data()),
          .largest = largest};
}

}  // namespace

ExtremeSums merge(const ExtremeSums& a, const ExtremeSums& b) {
  return {.sums = merge(a.sums, b.sums), .largest = std::max(a.largest, b.largest)};
}

ExtremeSums parent_sums(double energy) {
  return {.sums = {.maximum = -energy, .sum = 1.0, .weighted_logit = 0.0, .sum_of_squares = 1.0, .parent = -energy},
          .largest = -energy};
}

PosteriorSummary summarise(const ExtremeSums& sums) {
  PosteriorSummary summary = summarise(sums.sums);
  if (sums.sums.sum > 0.0) summary.largest_weight = std::exp(sums.largest - sums.sums.maximum) / sums.sums.sum;
  return summary;
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

ExtremeSums draw_extreme_sums(std::int64_t dimension, const ClassOfEnergies& points,
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
  std::vector<double> squares(levels.size());
  if (!all) {
    const double nearest = law.quantile(levels.front());
    const ExtremeSums beyond = sums_beyond(law, points, nearest);
    const double log_count = std::log(static_cast<double>(levels.size()));
    if (beyond.sums.maximum > log_count - points.scale * nearest + negligible) {
      return {.sums = beyond.sums, .largest = -points.scale * nearest};
    }
  }
  law.quantiles(levels, squares);
  const ExtremeSums drawn = drawn_sums(squares, points.scale);
  return all ? drawn : merge(drawn, sums_beyond(law, points, squares.back()));
}

}  // namespace diffphase
