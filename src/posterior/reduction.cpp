#include "posterior/reduction.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "parallel/kernel_threads.hpp"
#include "posterior/logits.hpp"
#include "posterior/softmax_kernel.hpp"

namespace diffphase {

namespace {

constexpr double empty = -std::numeric_limits<double>::infinity();
constexpr double negligible_logit = 60.0;  // below another: a million such weights are less than rounding
constexpr double negligible_in_single = 40.0;
constexpr std::int64_t nowhere = -1;
constexpr std::size_t numbers_per_sum = sizeof(PosteriorSums) / sizeof(double);

// As they are sent to other ranks.
std::span<double> flat(std::vector<PosteriorSums>& sums) {
  static_assert(numbers_per_sum == 6);
  return {sums.empty() ? nullptr : &sums.front().reference, numbers_per_sum * sums.size()};
}

}  // namespace

Reduction::Reduction(const ReductionPlan& plan, std::int64_t dimension, const ProbeBlock& probes)
    : plan_(plan),
      dimension_(dimension),
      probes_(probes),
      rounding_(dimension, plan.single),
      workspaces_(static_cast<std::size_t>(kernel_threads())) {
  if (!std::is_sorted(plan.counts.begin(), plan.counts.end()) || plan.counts.empty() || plan.counts.front() < 1) {
    throw std::logic_error("reduction: counts must be ascending and positive");
  }
  if (plan.single && !fused()) {
    throw std::logic_error("reduction: single precision needs components of one law, and no labels");
  }
  for (const double time : plan.times) {
    const double noise = plan.process.noise(time);
    factors_.push_back({logit_coefficients(plan.process.signal(time), noise, plan.law.sigma(0), 0.0, dimension),
                        log_common_density(noise, dimension, 0.0)});
  }
  running_ = empty_state();
  at_count_.assign(plan.counts.size(), empty_state());
  minus_nearest_.assign(static_cast<std::size_t>(probes.probes), empty);
  constexpr auto block = static_cast<std::size_t>(SlabLayout::block);
  for (Workspace& work : workspaces_) {
    for (auto* buffer : {&work.logits, &work.weights}) buffer->resize(block);
    work.label_sums.resize(static_cast<std::size_t>(plan.label_groups));
  }
  if (!plan.law.same_for_all_rows()) {
    for (auto* table : {&component_distance_, &component_overlap_, &component_gain_, &component_offset_}) {
      table->resize(block * plan.times.size());
    }
  }
}

std::size_t Reduction::entry(std::int64_t probe, std::size_t time) const {
  return static_cast<std::size_t>(probe) * plan_.times.size() + time;
}

Reduction::State Reduction::empty_state() const {
  const std::size_t entries = static_cast<std::size_t>(probes_.probes) * plan_.times.size();
  return {std::vector<PosteriorSums>(entries),
          std::vector<double>(entries * static_cast<std::size_t>(plan_.label_groups))};
}

void Reduction::consume(const ProductTile& tile) {
  if (plan_.label_groups > 0 && tile.labels == nullptr) throw std::logic_error("reduction: components have no labels");
  if (!plan_.law.same_for_all_rows()) prepare_general_law(tile);
  const std::int64_t end = tile.first + tile.components;
  for (; next_count_ < plan_.counts.size() && plan_.counts[next_count_] < end; ++next_count_) {
    State& state = at_count_[next_count_];
    state = running_;
    const std::int64_t part = plan_.counts[next_count_] - tile.first;
    if (part > 0) add_segment(tile, part, state);
  }
  if (next_count_ < plan_.counts.size()) add_segment(tile, tile.components, running_);
}

TileConsumer Reduction::consumer() {
  // An exponential and the sums it enters take about as long as this many multiply-adds of a matrix product.
  constexpr double work_per_time = 20.0;
  return {.consume = [this](const ProductTile& tile) { consume(tile); },
          .work_per_product = work_per_time * static_cast<double>(plan_.times.size())};
}

void Reduction::prepare_general_law(const ProductTile& tile) {
  const auto prepare = [&](std::int64_t i) {
    const std::int64_t component = tile.first + i;
    const double log_weight = plan_.law.weights.empty() ? 0.0 : std::log(plan_.law.weight(component, 0));
    for (std::size_t t = 0; t < plan_.times.size(); ++t) {
      const auto c = logit_coefficients(plan_.process.signal(plan_.times[t]), plan_.process.noise(plan_.times[t]),
                                        plan_.law.sigma(component), log_weight, dimension_);
      const std::size_t at = t * static_cast<std::size_t>(SlabLayout::block) + static_cast<std::size_t>(i);
      component_distance_[at] = c.distance;
      component_overlap_[at] = c.overlap;
      component_gain_[at] = c.gain;
      component_offset_[at] = c.offset;
    }
  };
  for_each_part(static_cast<int>(workspaces_.size()), tile.components,
                [&](int /*part*/, std::int64_t begin, std::int64_t end) {
                  for (std::int64_t i = begin; i < end; ++i) prepare(i);
                });
}

void Reduction::centre(const ProductTile& tile, std::int64_t components, std::int64_t probe, Workspace& work) const {
  const auto p = static_cast<std::size_t>(probe);
  const std::int64_t in_tile = probe - tile.first_probe;
  const std::int64_t start_in_tile = probe / probes_.noises - tile.first_probe / probes_.noises;
  work.products.fill(tile.half_norm2 + in_tile * tile.half_norm2_stride, 0.5 * probes_.start_norm2[p],
                     tile.start_products + start_in_tile * tile.stride, tile.noise_products + in_tile * tile.stride,
                     probes_.start_noise[p], components,
                     probes_.starts_at_parent ? probes_.parents[p] - tile.first : nowhere);
  if (plan_.single) work.rounded.round(work.products);
}

bool Reduction::fused() const { return plan_.law.same_for_all_rows() && plan_.label_groups == 0; }

void Reduction::add_segment(const ProductTile& tile, std::int64_t components, State& state) {
  for_each_part(static_cast<int>(workspaces_.size()), tile.probes, [&](int part, std::int64_t begin, std::int64_t end) {
    Workspace& work = workspaces_[static_cast<std::size_t>(part)];
    for (std::int64_t i = begin; i < end; ++i) {
      add_probe(tile, components, tile.first_probe + i, state, work);
    }
  });
}

void Reduction::add_probe(const ProductTile& tile, std::int64_t components, std::int64_t probe, State& state,
                          Workspace& work) {
  centre(tile, components, probe, work);
  double& nearest = minus_nearest_[static_cast<std::size_t>(probe)];
  nearest = std::max(nearest, -work.products.nearest_distance());
  const std::int64_t parent = probes_.parents[static_cast<std::size_t>(probe)] - tile.first;
  const bool one_law = plan_.law.same_for_all_rows();
  for (std::size_t time = 0; time < plan_.times.size(); ++time) {
    PosteriorSums& total = state.sums[entry(probe, time)];
    if (one_law) {
      add_parent(work, parent, time, total);
      if (is_negligible(work, time, total)) continue;
    }
    if (fused()) {
      add_fused(work, time, total);
    } else {
      add_stored(tile, probe, parent, time, state, work);
    }
  }
}

// Also of blocks that are negligible.
void Reduction::add_parent(const Workspace& work, std::int64_t parent, std::size_t time, PosteriorSums& total) const {
  const CentredProducts& products = work.products;
  if (parent < 0 || parent >= products.size()) return;
  const LogitCoefficients& factors = factors_[time].shared;
  total.parent =
      factors.overlap * products.noise_overlap()[parent] - factors.distance * products.half_distance2()[parent];
}

// Components with one law, none of which matters beside those before them.
bool Reduction::is_negligible(const Workspace& work, std::size_t time, const PosteriorSums& total) const {
  // The component that a probe starts at is in every set, with logit 0.
  const double known = probes_.starts_at_parent ? std::max(total.largest, 0.0) : total.largest;
  const LogitCoefficients& factors = factors_[time].shared;
  return work.products.upper_bound(factors.distance, factors.overlap) <
         known - (plan_.single ? negligible_in_single : negligible_logit);
}

// Of components with one law and no labels: nothing is stored.
void Reduction::add_fused(const Workspace& work, std::size_t time, PosteriorSums& total) const {
  const CentredProducts& products = work.products;
  const double distance = factors_[time].shared.distance;
  const double overlap = factors_[time].shared.overlap;
  const double bound = products.upper_bound(distance, overlap);
  double reference = total.sum > 0.0 ? total.reference : (probes_.starts_at_parent ? 0.0 : empty);
  const double headroom = plan_.single ? single_headroom : fused_headroom;
  if (bound > reference + headroom) reference = std::max(reference, largest_logit(products, distance, overlap));
  const PosteriorSums sums = plan_.single ? fused_softmax_sums(work.rounded, distance, overlap, reference)
                                          : fused_softmax_sums(products, distance, overlap, reference);
  if (total.sum > 0.0 && total.reference == reference) {
    total.sum += sums.sum;
    total.weighted_logit += sums.weighted_logit;
    total.sum_of_squares += sums.sum_of_squares;
    total.largest = std::max(total.largest, sums.largest);
  } else {
    total = merge(total, sums);
  }
}

double Reduction::fill_logits(std::int64_t probe, std::size_t time, Workspace& work) const {
  const CentredProducts& products = work.products;
  const LogitCoefficients& factors = factors_[time].shared;
  if (plan_.law.same_for_all_rows()) {
    return shared_logits(products.half_distance2(), products.noise_overlap(), products.size(), factors.distance,
                         factors.overlap, work.logits.data());
  }
  const std::size_t at = time * static_cast<std::size_t>(SlabLayout::block);
  return general_logits(products.half_distance2(), products.noise_overlap(), products.size(),
                        {.distance = &component_distance_[at],
                         .overlap = &component_overlap_[at],
                         .gain = &component_gain_[at],
                         .offset = &component_offset_[at]},
                        0.5 * probes_.noise_norm2[static_cast<std::size_t>(probe)], work.logits.data());
}

void Reduction::add_stored(const ProductTile& tile, std::int64_t probe, std::int64_t parent, std::size_t time,
                           State& state, Workspace& work) const {
  const std::int64_t components = work.products.size();
  const double maximum = fill_logits(probe, time, work);
  PosteriorSums sums = softmax_sums(work.logits.data(), components, maximum, work.weights.data());
  // With one law it is known already (add_parent).
  const bool own_laws = !plan_.law.same_for_all_rows();
  if (own_laws && parent >= 0 && parent < components) sums.parent = work.logits[static_cast<std::size_t>(parent)];
  if (plan_.label_groups > 0) {
    std::fill(work.label_sums.begin(), work.label_sums.end(), 0.0);
    for (std::int64_t i = 0; i < components; ++i) {
      work.label_sums[static_cast<std::size_t>(tile.labels[i])] += work.weights[static_cast<std::size_t>(i)];
    }
  }
  add(state, entry(probe, time), sums, work.label_sums.data());
}

void Reduction::add(State& state, std::size_t at, const PosteriorSums& sums, const double* label_sums) const {
  PosteriorSums& total = state.sums[at];
  const double reference = std::max(total.reference, sums.reference);
  if (plan_.label_groups > 0 && reference > empty) {
    const double old_factor = rescaling(total.reference, reference);
    const double new_factor = rescaling(sums.reference, reference);
    const auto groups = static_cast<std::size_t>(plan_.label_groups);
    double* labels = state.label_sums.data() + at * groups;
    for (std::size_t g = 0; g < groups; ++g) labels[g] = old_factor * labels[g] + new_factor * label_sums[g];
  }
  total = merge(total, sums);
}

void Reduction::merge_over(const TaskGroup& group) {
  for (; next_count_ < plan_.counts.size(); ++next_count_) at_count_[next_count_] = running_;
  if (group.comm().size() == 1) return;
  group.comm().maximum(minus_nearest_);
  merge_shares(group);
}

void Reduction::merge_shares(const TaskGroup& group) {
  const Communicator& comm = group.comm();
  const auto ranks = static_cast<std::size_t>(comm.size());
  const auto labels = static_cast<std::size_t>(plan_.label_groups);
  const std::size_t entries = running_.sums.size();
  std::vector<int> sum_counts, label_counts;  // of the entries that each rank merges
  std::size_t share = 0;
  std::vector<PosteriorSums> sums;
  std::vector<double> label_sums;
  State merged;
  group.run_guarded([&] {
    if (entries * std::max(numbers_per_sum, labels) > static_cast<std::size_t>(std::numeric_limits<int>::max())) {
      throw std::length_error("reduction: more sums than MPI counts");
    }
    for (std::size_t rank = 0; rank < ranks; ++rank) {
      const std::size_t count = entries * (rank + 1) / ranks - entries * rank / ranks;
      sum_counts.push_back(static_cast<int>(count * numbers_per_sum));
      label_counts.push_back(static_cast<int>(count * labels));
      if (rank == static_cast<std::size_t>(comm.rank())) share = count;
    }
    sums.resize(ranks * share);
    label_sums.resize(ranks * share * labels);
  });
  for (State& state : at_count_) {
    comm.exchange(flat(state.sums), flat(sums), sum_counts);
    if (labels > 0) comm.exchange(state.label_sums, label_sums, label_counts);
    group.run_guarded([&] {
      merged = {std::vector<PosteriorSums>(share), std::vector<double>(share * labels)};
      for (std::size_t i = 0; i < sums.size(); ++i) {
        add(merged, i % share, sums[i], labels > 0 ? &label_sums[i * labels] : nullptr);
      }
    });
    const bool keeps = comm.is_root();
    comm.gather_parts(flat(merged.sums), keeps ? flat(state.sums) : std::span<double>(), sum_counts);
    if (labels == 0) continue;
    comm.gather_parts(merged.label_sums, keeps ? std::span(state.label_sums) : std::span<double>(), label_counts);
  }
}

PosteriorSummary Reduction::summary(std::size_t count, std::int64_t probe, std::size_t time) const {
  PosteriorSummary result = summarise(at_count_[count].sums[entry(probe, time)]);
  const TimeFactors& factors = factors_[time];
  const double half_noise_norm2 = 0.5 * probes_.noise_norm2[static_cast<std::size_t>(probe)];
  result.log_evidence += factors.log_common_density - half_noise_norm2;
  if (plan_.law.same_for_all_rows()) result.log_evidence += factors.shared.logit(0.0, 0.0, half_noise_norm2);
  if (plan_.law.weights.empty()) result.log_evidence -= std::log(static_cast<double>(plan_.counts[count]));
  return result;
}

RoundedProbe Reduction::rounded_probe(std::int64_t probe) const {
  const auto p = static_cast<std::size_t>(probe);
  return {.start_norm2 = probes_.start_norm2[p],
          .noise_norm2 = probes_.noise_norm2[p],
          .half_nearest2 = -minus_nearest_[p]};
}

double Reduction::rounding_error(std::size_t count, std::int64_t probe, std::size_t time) const {
  const PosteriorSums& sums = at_count_[count].sums[entry(probe, time)];
  const LogitCoefficients& factors = factors_[time].shared;
  return rounding_.error(rounded_probe(probe), factors.distance, factors.overlap,
                         std::exp(sums.largest - sums.reference) / sums.sum);
}

double Reduction::label_agreement(std::size_t count, std::int64_t probe, std::size_t time) const {
  const std::size_t at = entry(probe, time);
  const State& state = at_count_[count];
  const auto groups = static_cast<std::size_t>(plan_.label_groups);
  double total = 0.0;
  for (std::size_t g = 0; g < groups; ++g) {
    const double share = state.label_sums[at * groups + g] / state.sums[at].sum;
    total += share * share;
  }
  return total;
}

}  // namespace diffphase
