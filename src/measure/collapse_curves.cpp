#include "measure/collapse_curves.hpp"

#include <algorithm>
#include <iterator>
#include <optional>

#include "ensemble/sample_count.hpp"
#include "measure/probes.hpp"
#include "posterior/extreme_reduction.hpp"
#include "posterior/frame_probes.hpp"
#include "posterior/projected_source.hpp"
#include "posterior/reduction.hpp"
#include "posterior/streamed_source.hpp"

namespace diffphase {

CollapseOptions::CollapseOptions(const TaskParameters& task)
    : probes(static_cast<std::int64_t>(task.options.at("probes"))),
      noises(static_cast<std::int64_t>(task.options.at("noises"))),
      starts(probes / noises),
      partition(task.words.at("partition") == "dimension" ? Partition::dimension : Partition::component),
      block_probes(ProbeBlock::size_for_rows(task.nonzero_columns(), partition)) {}

CollapseCurves::CollapseCurves(std::int64_t starts, std::int64_t times)
    : participation(starts, times),
      entropy(starts, times),
      parent_weight(starts, times),
      largest_weight(starts, times) {}

CollapsePasses::CollapsePasses(const TaskParameters& task, const TaskGroup& group, std::span<const std::int64_t> counts)
    : task_(task), group_(group), options_(task), counts_(counts.begin(), counts.end()) {
  group.run_guarded([&] {
    if (!group.comm().is_root()) return;
    curves_.assign(counts_.size(), {options_.starts, static_cast<std::int64_t>(task.times.size())});
  });
}

void CollapsePasses::measure_stored(const std::vector<std::int64_t>& counts) {
  if (task_.single_precision) {
    measure_rows(make_single_precision_training_set(group_, task_, options_.partition, counts.back()), counts);
  } else {
    measure_rows(make_nonzero_training_set(group_, task_, options_.partition, counts.back()), counts);
  }
}

template <class Slab>
void CollapsePasses::measure_rows(const Slab& slab, const std::vector<std::int64_t>& counts) {
  const std::int64_t noises = options_.noises;
  const StoredSource source(group_, slab);
  const ProbeStarts starts(task_);
  for (std::int64_t first = 0; first < options_.probes; first += options_.block_probes) {
    const std::int64_t size = std::min(options_.block_probes, options_.probes - first);
    for (const auto& together : starts.groups(counts, first / noises, size / noises)) {
      const auto row_of = [&](std::int64_t start) { return starts.row(start, together.front()); };
      reduce(source, fetch_probes(group_, slab, starts.noise(), first, size, row_of, noises), first, together);
    }
  }
}

void CollapsePasses::measure_streamed(const std::vector<std::int64_t>& counts) {
  const GaussianMixture mixture(*task_.mixture, task_.seed, task_.ensemble, task_.realization);
  std::optional<ClassFrame> frame;
  group_.run_guarded([&] { frame.emplace(mixture, task_.seed, task_.ensemble, task_.realization); });
  const FrameProbes starts(*frame, task_.seed, task_.ensemble, task_.realization);
  const StreamedSource source(*frame, task_.seed, task_.ensemble, task_.realization);
  for (std::int64_t first = 0; first < options_.probes; first += ProbeBlock::size) {
    std::optional<ProbeBlock> block;
    group_.run_guarded(
        [&] { block = own_training_sets(starts.draw(first, std::min(ProbeBlock::size, options_.probes - first))); });
    reduce(source, *block, first, counts);
  }
}

void CollapsePasses::measure_extreme(const std::vector<std::int64_t>& counts) {
  const GaussianMixture mixture(*task_.mixture, task_.seed, task_.ensemble, task_.realization);
  std::optional<ClassFrame> frame;
  group_.run_guarded([&] { frame.emplace(mixture, task_.seed, task_.ensemble, task_.realization); });
  const FrameProbes starts(*frame, task_.seed, task_.ensemble, task_.realization);
  const ProjectedSource source(*frame);
  ExtremePlan plan{.times = task_.times,
                   .process = task_.process,
                   .log_counts = {},
                   .classes = mixture.classes(),
                   .law = ComponentLaw::classes(mixture),
                   .arrivals = RandomStream(task_.seed, task_.ensemble, task_.realization, "arrivals")};
  std::transform(counts.begin(), counts.end(), std::back_inserter(plan.log_counts), log_samples);
  for (std::int64_t first = 0; first < options_.probes; first += ProbeBlock::size) {
    std::optional<ProbeBlock> block;
    group_.run_guarded([&] { block = starts.draw(first, std::min(ProbeBlock::size, options_.probes - first)); });
    ExtremeReduction reduction(plan, mixture.dimension(), *block, first);
    source.visit(group_, *block, mixture.classes(), reduction.consumer());
    reduction.merge_over(group_);
    record(reduction, counts, first, block->probes);
  }
}

void CollapsePasses::reduce(const InnerProductSource& source, const ProbeBlock& block, std::int64_t first,
                            const std::vector<std::int64_t>& counts) {
  const ReductionPlan plan{
      .times = task_.times, .process = task_.process, .counts = counts, .law = {}, .single = task_.single_precision};
  Reduction reduction(plan, source.dimension(), block);
  source.visit(group_, block, counts.back(), reduction.consumer());
  reduction.merge_over(group_);
  record(reduction, counts, first, block.probes);
}

template <class AnyReduction>
void CollapsePasses::record(const AnyReduction& reduction, const std::vector<std::int64_t>& counts, std::int64_t first,
                            std::int64_t probes) {
  if (!group_.comm().is_root()) return;
  for (std::size_t c = 0; c < counts.size(); ++c) {
    curves_[place_of(counts[c])].record(reduction, c, log_samples(counts[c]), first, probes, options_.noises);
  }
}

std::size_t CollapsePasses::place_of(std::int64_t count) const {
  return static_cast<std::size_t>(std::find(counts_.begin(), counts_.end(), count) - counts_.begin());
}

}  // namespace diffphase
