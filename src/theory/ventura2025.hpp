#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "process/noising_process.hpp"
#include "theory/marchenko_pastur.hpp"

namespace diffphase {

/// The distance between two eigenvalues of N = -b^2 J, J the score Jacobian, of Gaussian data: those of directions
/// of data variance `above` = a and `below` = b, a >= b >= 0. N has the eigenvalue tau/(tau + gamma) along a
/// direction of variance gamma, so that with tau = b(t)^2/a(t)^2
///
///   height(tau) = tau/(tau + b) - tau/(tau + a) = tau (a - b)/((tau + a)(tau + b)),
///   peak at tau = sqrt(a b), of height (sqrt a - sqrt b)/(sqrt a + sqrt b).
///
/// It is a gap if no direction lies between (a: lower edge of one bulk, b: upper edge of the next), and the width
/// of a bulk if a and b are its edges. Normal directions have b = 0: then it grows to 1 as tau falls to 0. (Of -J
/// itself, without the factor, the same distance is monotone in tau and has no peak.) Immutable, local.
class ScoreSplitting {
 public:
  /// Throws std::invalid_argument unless a >= b >= 0 and finite.
  ScoreSplitting(double above, double below);

  [[nodiscard]] double above() const { return above_; }
  [[nodiscard]] double below() const { return below_; }
  /// At tau >= 0; 0 at tau = 0, unless b = 0: then 1, the limit.
  [[nodiscard]] double height(double tau) const;
  [[nodiscard]] double peak_tau() const;
  [[nodiscard]] double peak_height() const;

  /// The largest and the smallest tau of height `threshold`, which is the resolution at which a gap is seen; NaN
  /// unless 0 < threshold <= peak_height(). Their product is a b; closing is 0 for b = 0 (it never closes).
  [[nodiscard]] double opening_tau(double threshold) const;
  [[nodiscard]] double closing_tau(double threshold) const;

 private:
  double above_;
  double below_;
};

/// A gap on the clock of a process, NaN where there is no such time. Generation runs against the clock: the gap
/// opens at the larger time.
struct GapTimes {
  double opening = 0.0;
  double peak = 0.0;
  double peak_height = 0.0;
  double closing = 0.0;
};

/// Phases of generation on a linear manifold.
enum class GeometricPhase { trivial, coverage, consolidation };

/// Spectral gaps of the score Jacobian for Gaussian data x = F z on a linear manifold, and the geometric phases
/// of Ventura, Achilli, Silvestri, Lucibello, Ambrogioni, "Manifolds, random matrices and spectral gaps: the
/// geometric phases of generative diffusion", arXiv:2410.05898. The bulks of F F^T are whatever is given: exact
/// edges (gaussian_factor_bulks), one law of Marchenko and Pastur per block as in the paper, the points of
/// orthonormal columns, or the singular values of one replica, for which everything here is exact.
///
/// The paper describes the phases in words; here, at resolution `threshold` = D:
///  - trivial: every eigenvalue of N is within D of the others, tau > coverage_tau(). That is where the spread
///    of the whole spectrum opens; with normal directions tau = gamma_max (1 - D)/D.
///  - consolidation: the gap to the normal directions (the final gap) is at least D high and no other gap is
///    higher, tau <= consolidation_tau(): from here on the largest gap tells the dimension of the manifold. With
///    one bulk tau = gamma_min (1 - D)/D.
///  - coverage: between them; the bulks spread and intermediate gaps open and close.
/// Times follow on any clock through tau = b^2/a^2. Immutable, local.
class Ventura2025 {
 public:
  /// Bulks ascending and disjoint; `dimension` d at least the sum of their counts; what is left are normal
  /// directions, in which the data have the variance ambient_variance >= 0, as beside the others in all
  /// directions. 0 < threshold < 1. Throws std::invalid_argument otherwise.
  Ventura2025(std::vector<SpectralBulk> bulks, std::int64_t dimension, double threshold = 0.1,
              double ambient_variance = 0.0);

  [[nodiscard]] double threshold() const { return threshold_; }
  /// Between neighbouring bulks, from the largest variances down, the order in which they open; gap k has the
  /// bulks' first k + 1 (from the top) on its tangent side.
  [[nodiscard]] const std::vector<ScoreSplitting>& intermediate_gaps() const { return intermediate_; }
  /// Between the lowest bulk and the normal directions; none without normal directions or bulks.
  [[nodiscard]] const std::optional<ScoreSplitting>& final_gap() const { return final_; }
  /// Widths of the bulks in N, from the largest variances down.
  [[nodiscard]] const std::vector<ScoreSplitting>& widths() const { return widths_; }

  /// Opening and closing at the threshold, and the peak, on a clock.
  [[nodiscard]] GapTimes times(const ScoreSplitting& gap, const NoisingProcess& process) const;

  /// Phase boundaries; NaN where the phase does not exist (spread never above the threshold; no final gap).
  [[nodiscard]] double coverage_tau() const;
  [[nodiscard]] double consolidation_tau() const;
  [[nodiscard]] double coverage_time(const NoisingProcess& process) const;
  [[nodiscard]] double consolidation_time(const NoisingProcess& process) const;
  [[nodiscard]] GeometricPhase phase(double tau) const;

  /// The number of directions on the tangent side of the highest gap at tau > 0, final gap included: intrinsic
  /// dimension by largest gap. 0 if no gap reaches the threshold.
  [[nodiscard]] std::int64_t largest_gap_dimension(double tau) const;

  /// The `source` attribute of a prediction, by the name of the function above.
  [[nodiscard]] static std::string source(std::string_view prediction);

 private:
  double threshold_;
  std::vector<ScoreSplitting> intermediate_;
  std::vector<std::int64_t> tangent_counts_;  ///< on the tangent side of each intermediate gap, then in all
  std::optional<ScoreSplitting> final_;
  std::optional<ScoreSplitting> spread_;
  std::vector<ScoreSplitting> widths_;
};

/// Density of the eigenvalues r of N at tau > 0 for a Gaussian factor, per eigenvalue of d and without the normal
/// directions at r = 1: rho(tau (1 - r)/r) tau/r^2, with rho of gaussian_factor_density; 0 outside of (0, 1).
[[nodiscard]] double score_spectrum_density(std::int64_t dimension, std::span<const FactorBlock> blocks, double scale,
                                            double tau, double r);

}  // namespace diffphase
