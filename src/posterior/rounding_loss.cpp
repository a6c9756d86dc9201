#include "posterior/rounding_loss.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace diffphase {

namespace {

// Errors of a distance below which it is known, and of a logit above which it matters that it is not.
constexpr double errors_in_distance = 16.0;
constexpr double lost_logit = 0.1;
constexpr double common_share = 0.1;
constexpr double deviations = 3.0;

}  // namespace

RoundingModel::RoundingModel(std::int64_t dimension, bool single) {
  // Sums of more products are formed of parts.
  constexpr double most_in_a_row = 200.0;
  const double half_ulp = 0.5 * (single ? static_cast<double>(std::numeric_limits<float>::epsilon())
                                        : std::numeric_limits<double>::epsilon());
  share_ = half_ulp * std::max(0.5, 0.25 * std::sqrt(std::min(static_cast<double>(dimension), most_in_a_row)));
  noise_share_ = 0.5 * half_ulp;
}

double RoundingModel::error(const RoundedProbe& probe, double distance, double overlap, double largest_weight) const {
  const double of_distance = of_half_distance2(probe);
  const bool is_known = probe.half_nearest2 >= errors_in_distance * of_distance;
  if (!is_known && distance * of_distance > lost_logit) return 1.0;
  const double of_logit =
      distance * of_distance + overlap * noise_share_ * std::sqrt(probe.start_norm2 * probe.noise_norm2);
  const double elsewhere = std::clamp(1.0 - largest_weight, 0.0, 1.0);
  return std::min(1.0, 2.0 * elsewhere * of_logit);
}

void RoundingLoss::add(double error) {
  if (error >= 1.0) {
    lost_ += 1.0;
    return;
  }
  sum_ += error;
  squares_ += error * error;
}

double RoundingLoss::of_mean(std::int64_t probes, std::int64_t starts) const {
  const auto count = static_cast<double>(probes);
  const double root_mean_square = std::sqrt(squares_ / count);
  const double independent =
      deviations * root_mean_square / std::sqrt(static_cast<double>(std::max<std::int64_t>(starts, 1)));
  return std::max(independent, common_share * sum_ / count) + lost_ / count;
}

}  // namespace diffphase
