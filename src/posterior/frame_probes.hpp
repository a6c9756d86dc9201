#pragma once

#include <cstdint>

#include "ensemble/class_frame.hpp"
#include "posterior/inner_products.hpp"
#include "random/random_stream.hpp"

namespace diffphase {

/// Probes of a mixture in law, without their d coordinates: those of x_0 and xi in the frame of the classes, and of the
/// rest of both, which is isotropic in d - columns dimensions, the two lengths and the inner product (Bartlett). Probe
/// p starts at row p of the infinite training set. Where the frame is the mixture's first coordinates, the coordinates
/// in it are those of GaussianMixture::sample and of the stream "noise", so that only the rest is drawn anew. Local.
class FrameProbes {
 public:
  /// `frame` must outlive the object; the rest is the key of the random numbers, see RandomStream.
  FrameProbes(const ClassFrame& frame, std::uint64_t seed, const Hash128& ensemble, std::int64_t realization);

  /// Probes [first, first + probes) with frame.columns() columns on every rank and all inner products; parents are the
  /// classes.
  [[nodiscard]] ProbeBlock draw(std::int64_t first, std::int64_t probes) const;

 private:
  void measure(ProbeBlock& block, std::int64_t probe) const;

  const ClassFrame& frame_;
  RandomStream noise_;
  RandomStream rest_;
};

}  // namespace diffphase
