#include "posterior/streamed_source.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <optional>
#include <span>
#include <stdexcept>

#include "parallel/kernel_threads.hpp"
#include "posterior/agreement_distance.hpp"
#include "posterior/streamed_kernel.hpp"
#include "random/philox.hpp"

namespace diffphase {

namespace {

constexpr std::int64_t block_size = SlabLayout::block;
static_assert(block_size == LengthStream::block);

// A point takes about as long to make as this many multiply-adds of a matrix product.
constexpr double work_per_point = 200.0;

std::int64_t checked_dimension(std::int64_t dimension) {
  if (dimension < StreamedSource::least_dimension) {
    throw std::invalid_argument("streamed training sets need at least 3 dimensions");
  }
  return dimension;
}

StreamedProbe probe_in_its_basis(const ProbeBlock& probes, std::size_t p) {
  const double length = std::sqrt(probes.start_norm2[p]);
  const double along = length > 0.0 ? probes.start_noise[p] / length : 0.0;
  return {.length = length, .along = along, .across = std::sqrt(std::max(0.0, probes.noise_norm2[p] - along * along))};
}

// The centroid with these products in the basis e_1 | x_0, e_2 in the plane of x_0 and xi, e_3 across it.
StreamedClass class_in_basis(const StreamedProbe& probe, double start_product, double noise_product, double norm2,
                             double sigma) {
  const double first = probe.length > 0.0 ? start_product / probe.length : 0.0;
  const double second = probe.across > 0.0 ? (noise_product - probe.along * first) / probe.across : 0.0;
  return {.start_product = start_product,
          .noise_product = noise_product,
          .half_norm2 = 0.5 * norm2,
          .sigma = sigma,
          .along_start = first,
          .along_noise = second,
          .across = std::sqrt(std::max(0.0, norm2 - first * first - second * second))};
}

// Makes the tiles of one block of probes.
class TileStream {
 public:
  TileStream(const ClassFrame& frame, const LengthStream& points, const RandomStream& classes,
             std::span<const double> cumulative_weights, const ProbeBlock& probes)
      : frame_(frame),
        points_(points),
        class_stream_(classes),
        cumulative_weights_(cumulative_weights),
        probes_(probes),
        workspaces_(static_cast<std::size_t>(kernel_threads())) {
    for (auto* products : {&start_, &noise_, &half_norm2_}) {
      products->resize(static_cast<std::size_t>(probes.probes * block_size));
    }
    fill_classes();
  }

  // Whole blocks are made, whatever is asked for: the rounding of a number must not depend on that.
  ProductTile tile(std::int64_t first, std::int64_t components) {
    for_each_part(static_cast<int>(workspaces_.size()), probes_.probes,
                  [&](int part, std::int64_t begin, std::int64_t end) {
                    Workspace& work = workspaces_[static_cast<std::size_t>(part)];
                    for (std::int64_t p = begin; p < end; ++p) fill(p, first, work);
                  });
    return {.first = first,
            .components = components,
            .probes = probes_.probes,
            .stride = block_size,
            .start_products = start_.data(),
            .noise_products = noise_.data(),
            .half_norm2 = half_norm2_.data(),
            .half_norm2_stride = block_size};
  }

 private:
  // Of one thread: for one probe and a tile.
  struct Workspace {
    LengthStream::Numbers numbers;
    std::array<std::vector<std::uint64_t>, 4> class_words;
    std::vector<std::int32_t> labels = std::vector<std::int32_t>(static_cast<std::size_t>(block_size));

    Workspace() {
      for (auto& words : class_words) words.resize(static_cast<std::size_t>(block_size / 4));
    }
  };

  [[nodiscard]] std::int64_t classes() const { return frame_.mixture().classes(); }

  void fill_classes() {
    const std::int64_t rows = 2 * probes_.probes;
    std::vector<double> products(static_cast<std::size_t>(rows * classes()));
    CentroidProducts(frame_, probes_.points, rows).fill(0, classes(), products.data(), classes());
    std::vector<double> norms2;
    for (std::int64_t c = 0; c < classes(); ++c) norms2.push_back(frame_.norm2(c));
    for (std::int64_t p = 0; p < probes_.probes; ++p) {
      in_basis_.push_back(probe_in_its_basis(probes_, static_cast<std::size_t>(p)));
      for (std::int64_t c = 0; c < classes(); ++c) {
        const auto start = static_cast<std::size_t>(p * classes() + c);
        const auto noise = static_cast<std::size_t>((probes_.probes + p) * classes() + c);
        class_terms_.push_back(class_in_basis(in_basis_.back(), products[start], products[noise],
                                              norms2[static_cast<std::size_t>(c)], frame_.mixture().sigma(c)));
      }
    }
  }

  // Rounding may leave the last cumulative weight below 1.
  [[nodiscard]] std::int32_t class_of(double u) const {
    const auto above = std::upper_bound(cumulative_weights_.begin(), cumulative_weights_.end() - 1, u);
    return static_cast<std::int32_t>(above - cumulative_weights_.begin());
  }

  // A quarter of the block from each of the four words of as many Philox blocks.
  void draw_labels(std::uint64_t row, std::int64_t first, Workspace& work) const {
    auto& words = work.class_words;
    class_stream_.blocks(row, static_cast<std::uint64_t>(first) / 4, {words[0], words[1], words[2], words[3]});
    std::int32_t* labels = work.labels.data();
    const auto count = static_cast<double>(classes());
    const auto last = static_cast<std::int32_t>(classes() - 1);
    for (const std::vector<std::uint64_t>& quarter : words) {
      for (const std::uint64_t word : quarter) {
        const double u = unit_interval(word);
        *labels++ = cumulative_weights_.empty() ? std::min(static_cast<std::int32_t>(u * count), last) : class_of(u);
      }
    }
  }

  void fill(std::int64_t probe, std::int64_t first, Workspace& work) {
    const auto row = static_cast<std::uint64_t>(probes_.first + probe);
    points_.fill(row, static_cast<std::uint64_t>(first), work.numbers);
    if (classes() > 1) draw_labels(row, first, work);
    const StreamedProducts out{.start = &start_[static_cast<std::size_t>(probe * block_size)],
                               .noise = &noise_[static_cast<std::size_t>(probe * block_size)],
                               .half_norm2 = &half_norm2_[static_cast<std::size_t>(probe * block_size)]};
    streamed_products(in_basis_[static_cast<std::size_t>(probe)],
                      &class_terms_[static_cast<std::size_t>(probe * classes())],
                      classes() > 1 ? work.labels.data() : nullptr,
                      {.first = work.numbers.normals[0].data(),
                       .second = work.numbers.normals[1].data(),
                       .third = work.numbers.normals[2].data(),
                       .rest = work.numbers.chi_squares.data()},
                      block_size, out);
    if (first > 0) return;
    const auto p = static_cast<std::size_t>(probe);
    *out.start = probes_.start_norm2[p];
    *out.noise = probes_.start_noise[p];
    *out.half_norm2 = 0.5 * probes_.start_norm2[p];
  }

  const ClassFrame& frame_;
  const LengthStream& points_;
  const RandomStream& class_stream_;
  std::span<const double> cumulative_weights_;
  const ProbeBlock& probes_;
  std::vector<StreamedProbe> in_basis_;
  std::vector<StreamedClass> class_terms_;  // [probe][class]

  std::vector<Workspace> workspaces_;               // of each thread
  std::vector<double> start_, noise_, half_norm2_;  // [probe][component]
};

}  // namespace

StreamedSource::StreamedSource(const ClassFrame& frame, std::uint64_t seed, const Hash128& ensemble,
                               std::int64_t realization)
    : frame_(frame),
      points_(seed, ensemble, realization, "streamed points",
              checked_dimension(frame.mixture().dimension()) - least_dimension),
      classes_(seed, ensemble, realization, "streamed classes") {
  const GaussianMixture& mixture = frame.mixture();
  if (mixture.uniform_weights()) return;
  cumulative_weights_.resize(static_cast<std::size_t>(mixture.classes()));
  const std::vector<double>& weights = mixture.parameters().weights;
  std::partial_sum(weights.begin(), weights.end(), cumulative_weights_.begin());
}

void StreamedSource::visit(const TaskGroup& group, const ProbeBlock& probes, std::int64_t components,
                           const TileConsumer& consumer) const {
  if (components > LengthStream::most_columns) throw std::logic_error("visit: more components than can be drawn");
  const std::int64_t blocks = (components + block_size - 1) / block_size;
  const std::int64_t ranks = group.comm().size();
  const std::int64_t rounds = (blocks + ranks - 1) / ranks;
  const std::int64_t chunk = blocks_between_agreements(probes.probes, work_per_point + consumer.work_per_product);
  std::optional<TileStream> tiles;
  group.run_guarded([&] { tiles.emplace(frame_, points_, classes_, cumulative_weights_, probes); });
  for (std::int64_t round = 0; round < rounds; round += chunk) {
    group.run_guarded([&] {
      for (std::int64_t r = round; r < std::min(rounds, round + chunk); ++r) {
        const std::int64_t first = (r * ranks + group.comm().rank()) * block_size;
        if (first < components) consumer.consume(tiles->tile(first, std::min(block_size, components - first)));
      }
    });
  }
}

ProbeBlock own_training_sets(ProbeBlock probes) {
  std::fill(probes.parents.begin(), probes.parents.end(), 0);
  probes.starts_at_parent = true;
  return probes;
}

}  // namespace diffphase
