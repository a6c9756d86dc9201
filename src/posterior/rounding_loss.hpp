#pragma once

#include <cstdint>

namespace diffphase {

/// What a probe's start and its inner products say about the rounding of its logits. Distances between points are
/// differences of their norms: where points lie far from where norms are taken from, and close to one another, nothing
/// is left of them.
struct RoundedProbe {
  double start_norm2 = 0.0;    ///< |x_0|^2
  double noise_norm2 = 0.0;    ///< |xi|^2
  double half_nearest2 = 0.0;  ///< half the squared distance to the nearest other point, as it was computed
};

/// By how much the rounding of inner products in d dimensions may have moved what a posterior over training points
/// says.
class RoundingModel {
 public:
  /// `single`: products are formed in single precision.
  RoundingModel(std::int64_t dimension, bool single);

  /// Root mean square error of half a squared distance between the probe's start and points near it. As measured of
  /// BLAS: half an ulp of |x_0|^2 where products add up with random signs, seven times as much where all are positive.
  [[nodiscard]] double of_half_distance2(const RoundedProbe& probe) const { return share_ * probe.start_norm2; }

  /// Error of a share of the posterior, such as a participation, at the probe, with the coefficients of its logits
  /// (LogitCoefficients) and the largest weight that was found: the error of the logits times twice the weight that is
  /// not on that point. 1 where neighbours cannot be told from the probe's own point and it matters.
  [[nodiscard]] double error(const RoundedProbe& probe, double distance, double overlap, double largest_weight) const;

 private:
  double share_;
  double noise_share_;
};

/// The error of a mean over probes that follows from those of the probes: they are independent of one another where the
/// probes start at different points, but a tenth of them is taken to be common to all. Local.
class RoundingLoss {
 public:
  /// What a mean may be off by: as documented for single precision.
  static constexpr double allowed = 1e-4;

  void add(double error);
  /// Of the mean over `probes` of which those added are some; never falls as more are added. `starts`: different points
  /// at which they start.
  [[nodiscard]] double of_mean(std::int64_t probes, std::int64_t starts) const;

 private:
  double sum_ = 0.0;
  double squares_ = 0.0;
  double lost_ = 0.0;
};

}  // namespace diffphase
