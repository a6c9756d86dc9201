#pragma once

#include <cstdint>
#include <vector>

#include "posterior/fused_softmax.hpp"
#include "posterior/posterior_sums.hpp"

namespace diffphase {

/// CentredProducts rounded to single precision: the differences to where the probe starts are formed in double, so that
/// rounding is relative to them and not to the length of the points. Local.
class SingleProducts {
 public:
  explicit SingleProducts(std::int64_t most);

  /// At most `most` components.
  void round(const CentredProducts& products);

  [[nodiscard]] std::int64_t size() const { return size_; }
  [[nodiscard]] const float* half_distance2() const { return half_distance2_.data(); }
  [[nodiscard]] const float* noise_overlap() const { return noise_overlap_.data(); }
  [[nodiscard]] double lower_bound(double distance, double overlap) const {
    return overlap * least_overlap_ - distance * most_distance_;
  }

 private:
  std::int64_t size_ = 0;
  std::vector<float> half_distance2_, noise_overlap_;
  double most_distance_ = 0.0, least_overlap_ = 0.0;
};

/// fused_headroom of single precision.
inline constexpr double single_headroom = 40.0;

/// fused_softmax_sums in single precision: logits and exponentials are floats, and so are sums of up to 256 components,
/// sixteen in each of 16 places; all others are doubles. Sums are good to 1e-6 where logits of a few tens count; logits
/// more than 42 below the reference count as e^-42.9. `products` must not be empty. Local.
[[nodiscard]] PosteriorSums fused_softmax_sums(const SingleProducts& products, double distance, double overlap,
                                               double reference);

}  // namespace diffphase
