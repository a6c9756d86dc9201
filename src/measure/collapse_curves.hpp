#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "ensemble/row_view.hpp"
#include "measure/measure.hpp"
#include "measure/probe_curves.hpp"
#include "parallel/task_group.hpp"
#include "posterior/inner_products.hpp"
#include "posterior/posterior_sums.hpp"
#include "posterior/reduction.hpp"
#include "posterior/rounding_loss.hpp"

namespace diffphase {

/// The options of measure.collapse of one task.
struct CollapseOptions {
  std::int64_t probes = 0;
  std::int64_t noises = 0;  ///< probes of each starting point
  std::int64_t starts = 0;  ///< probes / noises
  Partition partition = Partition::component;
  std::int64_t block_probes = 0;  ///< probes that are reduced together in a pass over stored points

  explicit CollapseOptions(const TaskParameters& task);
};

/// What a posterior over training points is at every time, for one sample count: means over the noises of each start,
/// because probes that share one are not independent. Memory: 32 starts times bytes.
struct CollapseCurves {
  ProbeCurves participation;
  ProbeCurves entropy;  ///< over log n; 0 for one point
  ProbeCurves parent_weight;
  ProbeCurves largest_weight;

  CollapseCurves(std::int64_t starts, std::int64_t times);

  /// Adds what a Reduction or an ExtremeReduction has for its sample count `count`, whose logarithm is `log_count`, of
  /// `probes` probes from `first` on, `noises` of each start. Local.
  template <class AnyReduction>
  void record(const AnyReduction& reduction, std::size_t count, double log_count, std::int64_t first,
              std::int64_t probes, std::int64_t noises) {
    const double share = 1.0 / static_cast<double>(noises);
    for (std::int64_t p = 0; p < probes; ++p) {
      const std::int64_t start = (first + p) / noises;
      for (std::size_t t = 0; t < static_cast<std::size_t>(participation.times); ++t) {
        const PosteriorSummary summary = reduction.summary(count, p, t);
        participation.at(start, t) += share * summary.participation;
        entropy.at(start, t) += log_count > 0.0 ? share * summary.entropy / log_count : 0.0;
        parent_weight.at(start, t) += share * summary.parent_weight;
        largest_weight.at(start, t) += share * summary.largest_weight;
      }
    }
  }
};

/// The curves of all sample counts of one task, kept on rank 0 of its group. Every member function but curves_of is
/// collective over the group and throws, on every rank, what TaskGroup::run_guarded does.
class CollapsePasses {
 public:
  /// `task` and `group` must outlive this.
  CollapsePasses(const TaskParameters& task, const TaskGroup& group, std::span<const std::int64_t> counts);

  /// Every probe at rows of one stored training set; one pass gives all `counts`, ascending, that share starting rows.
  /// In double precision also where the task asks for single, if rounding could move the means by more than
  /// RoundingLoss::allowed; throws GroupError if it could in double.
  void measure_stored(const std::vector<std::int64_t>& counts);
  /// Every probe with a training set of its own, of which nothing is stored; one pass for all counts.
  void measure_streamed(const std::vector<std::int64_t>& counts);
  /// Every probe with the nearest points of a training set of its own.
  void measure_extreme(const std::vector<std::int64_t>& counts);

  /// On rank 0.
  [[nodiscard]] const CollapseCurves& curves_of(std::int64_t count) const { return curves_[place_of(count)]; }
  /// Why a pass was not made in the precision that was asked for; empty if it was. On rank 0.
  [[nodiscard]] const std::string& precision_warning() const { return precision_warning_; }
  /// What the participation rises to as the noise vanishes: below 1 where points of the training set are equal. Of the
  /// rows of files at the starts of these curves; drawn points are never equal. On rank 0.
  [[nodiscard]] double highest_participation(std::int64_t count) const;

 private:
  template <class Slab>
  [[nodiscard]] bool measure_rows(const Slab& slab, const std::vector<std::int64_t>& counts);
  void find_equal_rows(RowView rows, const std::vector<std::int64_t>& counts);
  void reduce(const InnerProductSource& source, const ProbeBlock& block, std::int64_t first,
              const std::vector<std::int64_t>& counts);
  void clear();
  void record_loss(const Reduction& reduction, const std::vector<std::int64_t>& counts, std::int64_t probes);
  [[nodiscard]] bool is_lost() const;
  [[nodiscard]] std::string lost_digits() const;
  template <class AnyReduction>
  void record(const AnyReduction& reduction, const std::vector<std::int64_t>& counts, std::int64_t first,
              std::int64_t probes);
  [[nodiscard]] std::size_t place_of(std::int64_t count) const;

  const TaskParameters& task_;
  const TaskGroup& group_;
  CollapseOptions options_;
  std::vector<std::int64_t> counts_;
  std::vector<CollapseCurves> curves_;            // of counts_; empty on other ranks
  std::map<std::int64_t, double> of_equal_rows_;  // highest participation of the counts of files
  bool single_ = false;                           // precision of the pass that runs
  std::vector<RoundingLoss> losses_;              // [place of count][time], on rank 0
  RoundedProbe closest_;                          // the probe whose neighbour is nearest for its norm, on rank 0
  std::string precision_warning_;
};

}  // namespace diffphase
