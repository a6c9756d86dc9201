#pragma once

#include <cstdint>
#include <vector>

#include "ensemble/class_frame.hpp"
#include "posterior/inner_products.hpp"
#include "random/length_stream.hpp"
#include "random/random_stream.hpp"

namespace diffphase {

/// Inner products of every probe with a training set of its own, drawn from the mixture in law and never stored.
///
/// Given the probe, a fresh point y = mu_c + sigma_c z of class c enters only through the components of z along an
/// orthonormal basis of span{x_0, xi, mu_c}, three unit Gaussians g, and the rest of its squared length, an independent
/// chi-square R with d - 3 degrees. With x_0 = A e_1, xi = B e_1 + C e_2, mu_c = m_1 e_1 + m_2 e_2 + m_3 e_3:
///
///   y . x_0   = mu_c . x_0 + sigma_c A g_1
///   y . xi    = mu_c . xi + sigma_c (B g_1 + C g_2)
///   |y|^2 / 2 = |mu_c|^2 / 2 + sigma_c (m . g) + sigma_c^2 (g . g + R) / 2
///
/// so that the cost of a point does not depend on d or K, and any n and d can be had. Component 0 is the probe's own
/// training point: its products are |x_0|^2, x_0 . xi and |x_0|^2/2, and it is a member of every nested set. The class
/// c of the others is drawn with the weights. All nested counts and times of one probe have the joint law that a stored
/// training set gives one probe; different probes are independent.
///
/// Points are a pure function of (probe, component) and are dealt out in blocks of SlabLayout::block, as rows are.
/// Tiles have no labels. Memory: 3 ProbeBlock::size x SlabLayout::block doubles, and 7 for each probe of a block and
/// class.
class StreamedSource : public InnerProductSource {
 public:
  static constexpr std::int64_t least_dimension = 3;
  /// Normal random numbers of a point of a probe.
  static constexpr double numbers_per_point = 4.0;

  /// `frame` must outlive the source; the rest is the key of the random numbers, see RandomStream. Throws
  /// std::invalid_argument for fewer than least_dimension dimensions. Local.
  StreamedSource(const ClassFrame& frame, std::uint64_t seed, const Hash128& ensemble, std::int64_t realization);

  [[nodiscard]] std::int64_t dimension() const override { return frame_.mixture().dimension(); }

  /// `probes` are those of FrameProbes, with parents 0 and starts_at_parent; see own_training_sets.
  void visit(const TaskGroup& group, const ProbeBlock& probes, std::int64_t components,
             const TileConsumer& consumer) const override;

 private:
  const ClassFrame& frame_;
  LengthStream points_;
  RandomStream classes_;
  std::vector<double> cumulative_weights_;  // empty: uniform
};

/// Makes component 0 the parent of every probe: its own training point in a StreamedSource.
[[nodiscard]] ProbeBlock own_training_sets(ProbeBlock probes);

}  // namespace diffphase
