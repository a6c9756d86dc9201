#pragma once

#include <cstdint>

#include "ensemble/class_frame.hpp"
#include "posterior/inner_products.hpp"

namespace diffphase {

/// Inner products with the centroids of a mixture, for probes of FrameProbes: by closed forms or from the table of the
/// frame, without their d coordinates. Blocks of components are dealt out to the ranks in turn. Labels are
/// superclasses, where there are any. Memory: 2 ProbeBlock::size x SlabLayout::block products.
class ProjectedSource : public InnerProductSource {
 public:
  /// `frame` must outlive the source. Local.
  explicit ProjectedSource(const ClassFrame& frame) : frame_(frame) {}

  [[nodiscard]] std::int64_t dimension() const override { return frame_.mixture().dimension(); }
  void visit(const TaskGroup& group, const ProbeBlock& probes, std::int64_t components,
             const TileConsumer& consumer) const override;

 private:
  const ClassFrame& frame_;
};

}  // namespace diffphase
