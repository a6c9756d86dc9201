#include "posterior/projected_source.hpp"

#include <algorithm>
#include <optional>
#include <stdexcept>
#include <vector>

#include "posterior/agreement_distance.hpp"

namespace diffphase {

namespace {

constexpr std::int64_t block_size = SlabLayout::block;

// Makes the tiles of one block of probes.
class ClassTiles {
 public:
  ClassTiles(const ClassFrame& frame, const ProbeBlock& probes)
      : frame_(frame),
        probes_(probes.probes),
        centroids_(frame, probes.points, 2 * probes.probes),
        products_(static_cast<std::size_t>(2 * probes.probes * block_size)),
        half_norm2_(static_cast<std::size_t>(block_size)),
        labels_(static_cast<std::size_t>(block_size)) {}

  ProductTile tile(std::int64_t first, std::int64_t components) {
    centroids_.fill(first, components, products_.data(), block_size);
    for (std::int64_t i = 0; i < components; ++i) {
      half_norm2_[static_cast<std::size_t>(i)] = 0.5 * frame_.norm2(first + i);
      if (labelled()) {
        labels_[static_cast<std::size_t>(i)] = static_cast<std::int32_t>(frame_.mixture().superclass(first + i));
      }
    }
    return {.first = first,
            .components = components,
            .probes = probes_,
            .stride = block_size,
            .start_products = products_.data(),
            .noise_products = products_.data() + probes_ * block_size,
            .half_norm2 = half_norm2_.data(),
            .labels = labelled() ? labels_.data() : nullptr};
  }

 private:
  [[nodiscard]] bool labelled() const { return frame_.mixture().superclasses() > 0; }

  const ClassFrame& frame_;
  std::int64_t probes_;
  CentroidProducts centroids_;
  std::vector<double> products_;  // [2 probes][component]
  std::vector<double> half_norm2_;
  std::vector<std::int32_t> labels_;
};

}  // namespace

void ProjectedSource::visit(const TaskGroup& group, const ProbeBlock& probes, std::int64_t components,
                            const TileConsumer& consumer) const {
  if (components > frame_.mixture().classes()) throw std::logic_error("visit: more components than classes");
  const std::int64_t blocks = (components + block_size - 1) / block_size;
  const std::int64_t ranks = group.comm().size();
  const std::int64_t rounds = (blocks + ranks - 1) / ranks;
  // At most: products with a table.
  const double work_per_product = 2.0 * static_cast<double>(frame_.columns()) + consumer.work_per_product;
  const std::int64_t chunk = blocks_between_agreements(probes.probes, work_per_product);
  std::optional<ClassTiles> tiles;
  group.run_guarded([&] { tiles.emplace(frame_, probes); });
  for (std::int64_t round = 0; round < rounds; round += chunk) {
    group.run_guarded([&] {
      for (std::int64_t r = round; r < std::min(rounds, round + chunk); ++r) {
        const std::int64_t first = (r * ranks + group.comm().rank()) * block_size;
        if (first < components) consumer.consume(tiles->tile(first, std::min(block_size, components - first)));
      }
    });
  }
}

}  // namespace diffphase
