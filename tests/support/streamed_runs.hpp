#pragma once

// What probes see of training sets, probe by probe: of stored ones, several probes for each, and of streamed ones.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "ensemble/class_frame.hpp"
#include "parallel/communicator.hpp"
#include "posterior/frame_probes.hpp"
#include "posterior/reduction.hpp"
#include "posterior/streamed_source.hpp"
#include "random/text_hash.hpp"
#include "support/two_sample.hpp"

namespace diffphase::test {

/// A law, and at which times and counts to look.
struct StreamedCase {
  std::string name;
  MixtureParameters mixture;
  std::vector<std::int64_t> counts;  ///< ascending
  std::vector<double> times;
};

/// Participation and entropy of every probe, count and time.
struct ProbeValues {
  std::size_t quantities = 0;  ///< numbers of one probe
  std::vector<double> values;  ///< [probe][count][time][participation, entropy]

  void record(const Reduction& reduction, const StreamedCase& c, std::int64_t probes) {
    quantities = 2 * c.counts.size() * c.times.size();
    for (std::int64_t p = 0; p < probes; ++p) {
      for (std::size_t n = 0; n < c.counts.size(); ++n) {
        for (std::size_t t = 0; t < c.times.size(); ++t) {
          const PosteriorSummary summary = reduction.summary(n, p, t);
          values.push_back(summary.participation);
          values.push_back(summary.entropy);
        }
      }
    }
  }

  [[nodiscard]] std::size_t probes() const { return values.size() / quantities; }
  [[nodiscard]] double at(std::size_t probe, std::size_t quantity) const {
    return values[probe * quantities + quantity];
  }
};

inline ProbeValues stored_values(const StreamedCase& c, std::int64_t sets, std::int64_t probes_per_set) {
  const Communicator self = Communicator::self();
  const TaskGroup group(self);
  const ReductionPlan plan{.times = c.times, .process = NoisingProcess(), .counts = c.counts, .law = {}};
  ProbeValues values;
  for (std::int64_t set = 0; set < sets; ++set) {
    const GaussianMixture mixture(c.mixture, 11, hash_text("stored " + c.name), set);
    const RandomStream noise(11, hash_text("stored " + c.name), set, "noise");
    const DataSlab slab =
        draw_training_set(mixture, SlabLayout{.rows = c.counts.back(), .columns = mixture.dimension()});
    const StoredSource source(group, slab);
    ProbeBlock probes(probes_per_set, mixture.dimension());
    for (std::int64_t p = 0; p < probes_per_set; ++p) {
      mixture.sample(p, 0, probes.start(p));
      noise.normals(static_cast<std::uint64_t>(p), 0, probes.noise(p));
      probes.parents[static_cast<std::size_t>(p)] = p;
    }
    probes.starts_at_parent = true;
    probes.measure(group, Partition::component);
    Reduction reduction(plan, mixture.dimension(), probes);
    source.visit(group, probes, c.counts.back(), reduction.consumer());
    reduction.merge_over(group);
    values.record(reduction, c, probes_per_set);
  }
  return values;
}

/// A probe's products with the points of one tile, to be made wrong.
struct ProbeTile {
  std::int64_t first = 0;
  std::span<double> start;
  std::span<double> noise;
  std::span<double> half_norm2;
};

/// A source whose products are changed on their way.
class AlteredSource : public InnerProductSource {
 public:
  AlteredSource(const InnerProductSource& source, std::function<void(const ProbeTile&)> alter)
      : source_(source), alter_(std::move(alter)) {}

  [[nodiscard]] std::int64_t dimension() const override { return source_.dimension(); }

  void visit(const TaskGroup& group, const ProbeBlock& probes, std::int64_t components,
             const TileConsumer& consumer) const override {
    const auto alter = [&](const ProductTile& tile) {
      const auto size = static_cast<std::size_t>(tile.probes * tile.stride);
      std::vector<double> start(tile.start_products, tile.start_products + size);
      std::vector<double> noise(tile.noise_products, tile.noise_products + size);
      std::vector<double> half(tile.half_norm2, tile.half_norm2 + size);
      for (std::int64_t p = 0; p < tile.probes; ++p) {
        const auto from = static_cast<std::size_t>(p * tile.stride);
        const auto count = static_cast<std::size_t>(tile.components);
        alter_({.first = tile.first,
                .start = std::span(start).subspan(from, count),
                .noise = std::span(noise).subspan(from, count),
                .half_norm2 = std::span(half).subspan(from, count)});
      }
      ProductTile altered = tile;
      altered.start_products = start.data();
      altered.noise_products = noise.data();
      altered.half_norm2 = half.data();
      consumer.consume(altered);
    };
    source_.visit(group, probes, components, {.consume = alter, .work_per_product = consumer.work_per_product});
  }

 private:
  const InnerProductSource& source_;
  std::function<void(const ProbeTile&)> alter_;
};

struct StreamedMistake {
  std::function<void(const ProbeTile&)> alter;
  std::function<void(MixtureParameters&)> law;
  bool fresh_start = false;  ///< the own training point is left out of the training set
};

inline ProbeValues streamed_values(const StreamedCase& c, std::int64_t probes, const StreamedMistake& mistake = {}) {
  const Communicator self = Communicator::self();
  const TaskGroup group(self);
  const Hash128 key = hash_text("streamed " + c.name);
  const GaussianMixture mixture(c.mixture, 12, key, 0);
  const ClassFrame frame(mixture, 12, key, 0);
  const FrameProbes starts(frame, 12, key, 0);
  MixtureParameters training = c.mixture;
  if (mistake.law) mistake.law(training);
  const GaussianMixture training_mixture(training, 12, key, 0);
  const ClassFrame training_frame(training_mixture, 12, key, 0);
  const StreamedSource source(training_frame, 12, key, 0);
  const AlteredSource altered(
      source, mistake.alter ? mistake.alter : [](const ProbeTile& /*tile*/) {});
  const InnerProductSource& used = mistake.alter ? static_cast<const InnerProductSource&>(altered) : source;
  const ReductionPlan plan{.times = c.times, .process = NoisingProcess(), .counts = c.counts, .law = {}};
  ProbeValues values;
  for (std::int64_t first = 0; first < probes; first += ProbeBlock::size) {
    const std::int64_t size = std::min(ProbeBlock::size, probes - first);
    ProbeBlock block = own_training_sets(starts.draw(first, size));
    if (mistake.fresh_start) block.starts_at_parent = false;
    Reduction reduction(plan, mixture.dimension(), block);
    used.visit(group, block, c.counts.back(), reduction.consumer());
    reduction.merge_over(group);
    values.record(reduction, c, size);
  }
  return values;
}

/// Means and variances of every quantity and of its difference between the extreme counts, whose errors follow from
/// the spread over sets, and a two-sample test of one probe of each set against streamed probes.
inline Comparisons compare_laws(const StreamedCase& c, const ProbeValues& stored, std::size_t probes_per_set,
                                const ProbeValues& streamed) {
  Comparisons comparisons;
  const std::size_t sets = stored.probes() / probes_per_set;
  const std::size_t per_count = 2 * c.times.size();
  const std::size_t last_count = (c.counts.size() - 1) * per_count;
  const auto compare = [&](const auto& quantity, const std::string& what) {
    std::vector<double> all, first_of_set, of_set(sets), of_stream;
    for (std::size_t p = 0; p < stored.probes(); ++p) {
      all.push_back(quantity(stored, p));
      of_set[p / probes_per_set] += all.back() / static_cast<double>(probes_per_set);
      if (p % probes_per_set == 0) first_of_set.push_back(all.back());
    }
    for (std::size_t p = 0; p < streamed.probes(); ++p) of_stream.push_back(quantity(streamed, p));
    comparisons.add_means(estimate(of_set), estimate(of_stream), "mean " + what);
    comparisons.add(two_sample_p_value(first_of_set, of_stream), "law " + what);
    const double centre = estimate(all).mean;
    std::fill(of_set.begin(), of_set.end(), 0.0);
    for (std::size_t p = 0; p < all.size(); ++p) {
      of_set[p / probes_per_set] += (all[p] - centre) * (all[p] - centre) / static_cast<double>(probes_per_set);
    }
    comparisons.add_means(estimate(of_set), estimate(squared_deviations(of_stream)), "variance " + what);
  };
  for (std::size_t q = 0; q < stored.quantities; ++q) {
    compare([q](const ProbeValues& v, std::size_t p) { return v.at(p, q); }, std::to_string(q) + " of " + c.name);
  }
  for (std::size_t q = 0; last_count > 0 && q < per_count; ++q) {
    compare([&](const ProbeValues& v, std::size_t p) { return v.at(p, last_count + q) - v.at(p, q); },
            "difference " + std::to_string(q) + " of " + c.name);
  }
  return comparisons;
}

}  // namespace diffphase::test
