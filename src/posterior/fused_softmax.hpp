#pragma once

#include <cstdint>
#include <vector>

#include "posterior/posterior_sums.hpp"

namespace diffphase {

/// D_i and E_i (LogitCoefficients) of one probe and up to `most` consecutive components, with their ranges: what any
/// number of times is answered from. Local.
class CentredProducts {
 public:
  explicit CentredProducts(std::int64_t most);

  /// D_i = (half_norm2[i] + half_start_norm2) - start[i],  E_i = noise[i] - start_noise for 0 <= i < n <= most; n >= 1.
  /// At component `start_component`, if it is one of them, the probe starts: both are 0 there.
  void fill(const double* half_norm2, double half_start_norm2, const double* start, const double* noise,
            double start_noise, std::int64_t n, std::int64_t start_component);

  [[nodiscard]] std::int64_t size() const { return size_; }
  [[nodiscard]] const double* half_distance2() const { return half_distance2_.data(); }
  [[nodiscard]] const double* noise_overlap() const { return noise_overlap_.data(); }
  /// The smallest D_i of the components at which the probe does not start; infinite if there are none.
  [[nodiscard]] double nearest_distance() const { return nearest_distance_; }

  /// What no logit overlap E_i - distance D_i exceeds, for coefficients >= 0. Not sharp.
  [[nodiscard]] double upper_bound(double distance, double overlap) const {
    return overlap * most_overlap_ - distance * least_distance_;
  }
  [[nodiscard]] double lower_bound(double distance, double overlap) const {
    return overlap * least_overlap_ - distance * most_distance_;
  }

 private:
  std::int64_t size_ = 0;
  std::vector<double> half_distance2_, noise_overlap_;
  double least_distance_ = 0.0, most_distance_ = 0.0, least_overlap_ = 0.0, most_overlap_ = 0.0;
  double nearest_distance_ = 0.0;
};

/// Logits that are this far above the reference of fused_softmax_sums are still summed without overflow.
inline constexpr double fused_headroom = 300.0;

/// Sums over the logits l_i = overlap E_i - distance D_i relative to `reference`, none of which may be more than
/// fused_headroom above it; `parent` is left empty. Logits and exponentials never leave the registers. Exponentials are
/// within 4 ulp, of logits to base 2, which are rounded once when they are formed: as the logits themselves, to
/// |l_i| / 2 ulp of e^l_i. Logits more than 690 below the reference count as e^-690. Runs the widest of the compiled
/// instruction sets (AVX-512, AVX2 with FMA, baseline) that the processor has. `products` must not be empty. Local.
[[nodiscard]] PosteriorSums fused_softmax_sums(const CentredProducts& products, double distance, double overlap,
                                               double reference);

/// The largest of these logits. Local.
[[nodiscard]] double largest_logit(const CentredProducts& products, double distance, double overlap);

}  // namespace diffphase
