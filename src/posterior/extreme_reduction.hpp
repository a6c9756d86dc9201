#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "parallel/task_group.hpp"
#include "posterior/component_law.hpp"
#include "posterior/extreme_values.hpp"
#include "posterior/inner_products.hpp"
#include "process/noising_process.hpp"
#include "random/random_stream.hpp"

namespace diffphase {

/// What is asked about training sets too large to be drawn.
struct ExtremePlan {
  std::vector<double> times;
  NoisingProcess process;
  std::vector<double> log_counts;  ///< log n >= 0 of training sets of n points, the probe's own among them
  std::int64_t classes = 1;        ///< K, of which the points are independent draws
  ComponentLaw law;                ///< of the classes; every sigma > 0
  RandomStream arrivals;           ///< row p K + c: those of probe p and class c of K
  std::int64_t energies = default_extreme_energies;  ///< drawn of each class
};

/// The posterior over the points of a training set of any size, drawn from a Gaussian mixture, of which each probe has
/// its own draw: probes are independent. Stands in place of a Reduction, but consumes the inner products with the
/// centroids of the classes, all that the law of the energies depends on given x_t = a x_0 + b xi.
///
/// Each time's and each count's law is that of draw_extreme_sums. The arrivals of a (probe, class) serve all times and
/// counts, which makes the curves smooth: no joint law over times or counts is claimed. The probe's own training point
/// is a member of every set, with the energy |xi|^2/2.
///
/// Memory: probes x (counts x times x 5 + 2 classes) doubles. Not thread-safe.
class ExtremeReduction {
 public:
  /// `plan` and `probes` must outlive the reduction; the block's first probe is number `first_probe`. Throws
  /// std::invalid_argument for a sigma of 0, counts below 1 and fewer than one energy. Local.
  ExtremeReduction(const ExtremePlan& plan, std::int64_t dimension, const ProbeBlock& probes, std::int64_t first_probe);

  /// Adds a tile of products with centroids; each pair of a probe and a class comes once, on one rank. Local.
  void consume(const ProductTile& tile);
  /// The reduction as what a source hands its tiles to; must not outlive it.
  [[nodiscard]] TileConsumer consumer();

  /// Draws the posteriors: every rank those of its share of the probes, the same whatever their number. Call once,
  /// after the last tile. Collective, with agreement points.
  void merge_over(const TaskGroup& group);

  /// The reduced responsibilities in the training set of log_counts[count]; on every rank after merge_over.
  /// log_evidence is the logarithm of its density p_t(x_t).
  [[nodiscard]] PosteriorSummary summary(std::size_t count, std::int64_t probe, std::size_t time) const;

 private:
  void draw(std::int64_t probe);
  [[nodiscard]] std::vector<ClassOfEnergies> classes_at(std::int64_t probe, double time) const;
  [[nodiscard]] std::size_t entry(std::size_t count, std::int64_t probe, std::size_t time) const;

  const ExtremePlan& plan_;
  std::int64_t dimension_;
  const ProbeBlock& probes_;
  std::int64_t first_probe_;
  std::vector<double> half_distance2_;       // |mu_c - x_0|^2/2: [class][probe]
  std::vector<double> noise_overlap_;        // xi . (mu_c - x_0)
  std::vector<PosteriorSummary> summaries_;  // [count][probe][time]
};

}  // namespace diffphase
