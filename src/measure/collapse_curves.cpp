#include "measure/collapse_curves.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <optional>
#include <stdexcept>

#include "ensemble/equal_rows.hpp"
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
  group.run_guarded([&] { clear(); });
}

void CollapsePasses::clear() {
  if (!group_.comm().is_root()) return;
  curves_.assign(counts_.size(), {options_.starts, static_cast<std::int64_t>(task_.times.size())});
  losses_.assign(counts_.size() * task_.times.size(), {});
  closest_ = {.half_nearest2 = std::numeric_limits<double>::infinity()};
}

void CollapsePasses::measure_stored(const std::vector<std::int64_t>& counts) {
  single_ = task_.single_precision;
  if (single_) {
    if (measure_rows(make_single_precision_training_set(group_, task_, options_.partition, counts.back()), counts)) {
      return;
    }
    group_.run_guarded([&] {
      if (group_.comm().is_root()) precision_warning_ = "collapse was computed in double precision: " + lost_digits();
      clear();
    });
    single_ = false;
  }
  if (measure_rows(make_nonzero_training_set(group_, task_, options_.partition, counts.back()), counts)) return;
  group_.run_guarded([&] {
    if (group_.comm().is_root()) throw std::runtime_error("measure.collapse: " + lost_digits());
  });
}

// Whether the digits sufficed; stops where they do not.
template <class Slab>
bool CollapsePasses::measure_rows(const Slab& slab, const std::vector<std::int64_t>& counts) {
  const std::int64_t noises = options_.noises;
  const StoredSource source(group_, slab);
  const ProbeStarts starts(task_);
  for (std::int64_t first = 0; first < options_.probes; first += options_.block_probes) {
    const std::int64_t size = std::min(options_.block_probes, options_.probes - first);
    for (const auto& together : starts.groups(counts, first / noises, size / noises)) {
      const auto row_of = [&](std::int64_t start) { return starts.row(start, together.front()); };
      reduce(source, fetch_probes(group_, slab, starts.noise(), first, size, row_of, noises), first, together);
    }
    std::int64_t lost = is_lost() ? 1 : 0;
    group_.comm().broadcast(std::span(&lost, 1));
    if (lost != 0) return false;
  }
  if (task_.file) find_equal_rows(slab, counts);
  return true;
}

bool CollapsePasses::is_lost() const {
  for (std::size_t i = 0; i < losses_.size(); ++i) {
    const std::int64_t starts = std::min(options_.starts, counts_[i / task_.times.size()]);
    if (!(losses_[i].of_mean(options_.probes, starts) <= RoundingLoss::allowed)) return true;
  }
  return false;
}

std::string CollapsePasses::lost_digits() const {
  std::string text = fmt::format(
      "a training point at a distance of {:.3g} from the point that {} taken from has its nearest neighbour at {:.3g}, "
      "which loses its digits in the rounding of {} precision: participation could be off by more than {}",
      std::sqrt(closest_.start_norm2), task_.file ? "distances are" : "coordinates are",
      std::sqrt(2.0 * std::max(closest_.half_nearest2, 0.0)), single_ ? "single" : "double", RoundingLoss::allowed);
  if (!task_.file) return text;
  const LargestNumber& largest = task_.file_summary.largest;
  return text + fmt::format("; the largest number of {} is {:.6g}, in row {}, column {} (from 0)", task_.file->path,
                            largest.value, largest.row, largest.column);
}

void CollapsePasses::find_equal_rows(RowView rows, const std::vector<std::int64_t>& counts) {
  const EqualRows equal(group_, rows);
  const ProbeStarts starts(task_);
  for (const std::int64_t count : counts) {
    group_.run_guarded([&] {
      if (!group_.comm().is_root()) return;
      const std::vector<std::int64_t> first = equal.first_equal(count);
      std::vector<double> copies(first.size());
      for (const std::int64_t row : first) copies[static_cast<std::size_t>(row)] += 1.0;
      double sum = 0.0;
      for (std::int64_t start = 0; start < options_.starts; ++start) {
        const auto row = static_cast<std::size_t>(starts.row(start, count));
        sum += 1.0 / copies[static_cast<std::size_t>(first[row])];
      }
      of_equal_rows_[count] = sum / static_cast<double>(options_.starts);
    });
  }
}

double CollapsePasses::highest_participation(std::int64_t count) const {
  return task_.file ? of_equal_rows_.at(count) : 1.0;
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
      .times = task_.times, .process = task_.process, .counts = counts, .law = {}, .single = single_};
  Reduction reduction(plan, source.dimension(), block);
  source.visit(group_, block, counts.back(), reduction.consumer());
  reduction.merge_over(group_);
  record(reduction, counts, first, block.probes);
  if (block.starts_at_parent) record_loss(reduction, counts, block.probes);
}

void CollapsePasses::record_loss(const Reduction& reduction, const std::vector<std::int64_t>& counts,
                                 std::int64_t probes) {
  if (!group_.comm().is_root()) return;
  const auto closeness = [](const RoundedProbe& probe) { return probe.half_nearest2 / probe.start_norm2; };
  for (std::int64_t p = 0; p < probes; ++p) {
    const RoundedProbe probe = reduction.rounded_probe(p);
    if (!(closeness(probe) >= closeness(closest_))) closest_ = probe;
    for (std::size_t c = 0; c < counts.size(); ++c) {
      for (std::size_t t = 0; t < task_.times.size(); ++t) {
        losses_[place_of(counts[c]) * task_.times.size() + t].add(reduction.rounding_error(c, p, t));
      }
    }
  }
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
