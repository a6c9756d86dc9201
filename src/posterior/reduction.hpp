#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "parallel/task_group.hpp"
#include "posterior/component_law.hpp"
#include "posterior/fused_softmax.hpp"
#include "posterior/inner_products.hpp"
#include "posterior/logits.hpp"
#include "posterior/posterior_sums.hpp"
#include "posterior/rounding_loss.hpp"
#include "posterior/single_softmax.hpp"
#include "process/noising_process.hpp"

namespace diffphase {

/// What a pass over the data is to answer.
struct ReductionPlan {
  std::vector<double> times;
  NoisingProcess process;
  std::vector<std::int64_t> counts;  ///< ascending: sums over components [0, count) for each
  ComponentLaw law;
  bool single = false;            ///< logits and exponentials in single precision; one law and no labels only
  std::int64_t label_groups = 0;  ///< > 0: also sum the responsibilities of each label in [0, label_groups)
};

/// Consumes tiles of inner products for a block of probes, for all times and all nested counts at once, and
/// keeps mergeable partial sums per (count, probe, time).
///
/// The sums over [0, n) are formed of whole blocks of SlabLayout::block components and the part of the last
/// one, so that they do not depend, to the last bit, on which other counts are asked for. Memory: (counts +
/// 1) x probes x times x (6 + label_groups) doubles. The kernel threads share the probes of a tile: the sums of
/// the same products do not depend, to the last bit, on how many there are. Not thread-safe.
class Reduction {
 public:
  /// `probes` must outlive the reduction. Local.
  Reduction(const ReductionPlan& plan, std::int64_t dimension, const ProbeBlock& probes);

  /// Adds a tile; tiles come in ascending order, all with the same probes. Local.
  void consume(const ProductTile& tile);
  /// The reduction as what a source hands its tiles to; must not outlive it.
  [[nodiscard]] TileConsumer consumer();

  /// Merges the sums of all ranks, in rank order, on rank 0; every rank merges a part of the (probe, time). Call once,
  /// after the last tile. Collective. Memory: as much again for one count.
  void merge_over(const TaskGroup& group);

  /// The reduced responsibilities among components [0, counts[count]); on rank 0 after merge_over.
  /// log_evidence is the logarithm of the density p_t(x_t) of the mixture.
  [[nodiscard]] PosteriorSummary summary(std::size_t count, std::int64_t probe, std::size_t time) const;

  /// By how much rounding may have moved the summary's shares of 1, for probes that start at their parent and
  /// components of one law; on rank 0 after merge_over.
  [[nodiscard]] double rounding_error(std::size_t count, std::int64_t probe, std::size_t time) const;
  /// Of that probe: on rank 0 after merge_over.
  [[nodiscard]] RoundedProbe rounded_probe(std::int64_t probe) const;

  /// sum_g (sum of the responsibilities with label g)^2; on rank 0 after merge_over, label_groups > 0.
  [[nodiscard]] double label_agreement(std::size_t count, std::int64_t probe, std::size_t time) const;

 private:
  struct State {
    std::vector<PosteriorSums> sums;  // [probe][time]
    std::vector<double> label_sums;   // [probe][time][label], relative to the reference in sums
  };
  struct TimeFactors {
    LogitCoefficients shared;         // where all components share one sigma; without weights
    double log_common_density = 0.0;  // at xi = 0
  };

  // Of one thread: for one probe and the components of a tile.
  struct Workspace {
    CentredProducts products{SlabLayout::block};
    SingleProducts rounded{SlabLayout::block};
    std::vector<double> logits, weights, label_sums;
  };

  void prepare_general_law(const ProductTile& tile);
  void centre(const ProductTile& tile, std::int64_t components, std::int64_t probe, Workspace& work) const;
  double fill_logits(std::int64_t probe, std::size_t time, Workspace& work) const;
  void add_segment(const ProductTile& tile, std::int64_t components, State& state);
  void add_probe(const ProductTile& tile, std::int64_t components, std::int64_t probe, State& state, Workspace& work);
  [[nodiscard]] bool fused() const;
  void add_parent(const Workspace& work, std::int64_t parent, std::size_t time, PosteriorSums& total) const;
  [[nodiscard]] bool is_negligible(const Workspace& work, std::size_t time, const PosteriorSums& total) const;
  void add_fused(const Workspace& work, std::size_t time, PosteriorSums& total) const;
  void add_stored(const ProductTile& tile, std::int64_t probe, std::int64_t parent, std::size_t time, State& state,
                  Workspace& work) const;
  void add(State& state, std::size_t entry, const PosteriorSums& sums, const double* label_sums) const;
  void merge_shares(const TaskGroup& group);
  [[nodiscard]] std::size_t entry(std::int64_t probe, std::size_t time) const;
  [[nodiscard]] State empty_state() const;

  const ReductionPlan& plan_;
  std::int64_t dimension_;
  const ProbeBlock& probes_;
  RoundingModel rounding_;
  std::vector<TimeFactors> factors_;

  State running_;
  std::vector<State> at_count_;
  std::size_t next_count_ = 0;
  std::vector<double> minus_nearest_;  // [probe]: minus D of the nearest component but its parent

  std::vector<Workspace> workspaces_;  // of each thread
  // Of one tile, for the general law: [time][component].
  std::vector<double> component_distance_, component_overlap_, component_gain_, component_offset_;
};

}  // namespace diffphase
