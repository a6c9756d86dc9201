#include "posterior/extreme_reduction.hpp"

#include <algorithm>
#include <cmath>
#include <span>
#include <stdexcept>

#include "posterior/logits.hpp"

namespace diffphase {

ExtremeReduction::ExtremeReduction(const ExtremePlan& plan, std::int64_t dimension, const ProbeBlock& probes,
                                   std::int64_t first_probe)
    : plan_(plan), dimension_(dimension), probes_(probes), first_probe_(first_probe) {
  if (plan.energies < 1) throw std::invalid_argument("extreme values: at least one energy must be drawn");
  for (const double log_count : plan.log_counts) {
    if (!(log_count >= 0.0) || std::isinf(log_count)) throw std::invalid_argument("extreme values: log n must be >= 0");
  }
  for (std::int64_t c = 0; c < plan.classes; ++c) {
    if (!(plan.law.sigma(c) > 0.0)) throw std::invalid_argument("extreme values need classes with sigma > 0");
  }
  const auto pairs = static_cast<std::size_t>(plan.classes * probes.probes);
  half_distance2_.resize(pairs);
  noise_overlap_.resize(pairs);
  summaries_.assign(plan.log_counts.size() * static_cast<std::size_t>(probes.probes) * plan.times.size(), {});
}

std::size_t ExtremeReduction::entry(std::size_t count, std::int64_t probe, std::size_t time) const {
  return (count * static_cast<std::size_t>(probes_.probes) + static_cast<std::size_t>(probe)) * plan_.times.size() +
         time;
}

void ExtremeReduction::consume(const ProductTile& tile) {
  for (std::int64_t p = 0; p < tile.probes; ++p) {
    const auto probe = static_cast<std::size_t>(tile.first_probe + p);
    const std::int64_t start = (tile.first_probe + p) / probes_.noises - tile.first_probe / probes_.noises;
    const double* const start_row = tile.start_products + start * tile.stride;
    const double* const noise_row = tile.noise_products + p * tile.stride;
    for (std::int64_t i = 0; i < tile.components; ++i) {
      const auto pair = static_cast<std::size_t>((tile.first + i) * probes_.probes) + probe;
      half_distance2_[pair] = (tile.half_norm2[i] + 0.5 * probes_.start_norm2[probe]) - start_row[i];
      noise_overlap_[pair] = noise_row[i] - probes_.start_noise[probe];
    }
  }
}

TileConsumer ExtremeReduction::consumer() {
  return {.consume = [this](const ProductTile& tile) { consume(tile); }, .work_per_product = 1.0};
}

// |x_t - a mu|^2 = a^2 |mu - x_0|^2 - 2 a b xi.(mu - x_0) + b^2 |xi|^2, in units of b^2.
std::vector<ClassOfEnergies> ExtremeReduction::classes_at(std::int64_t probe, double time) const {
  const double tau = plan_.process.noise_to_signal(time);
  std::vector<ClassOfEnergies> result;
  for (std::int64_t c = 0; c < plan_.classes; ++c) {
    const auto pair = static_cast<std::size_t>(c * probes_.probes + probe);
    const double distance2 = 2.0 * half_distance2_[pair] / tau - 2.0 * noise_overlap_[pair] / std::sqrt(tau) +
                             probes_.noise_norm2[static_cast<std::size_t>(probe)];
    const double variance = plan_.law.sigma(c) * plan_.law.sigma(c) / tau;
    result.push_back(
        {.log_points = 0.0, .noncentrality = std::max(0.0, distance2 / variance), .scale = 0.5 * variance});
  }
  return result;
}

void ExtremeReduction::draw(std::int64_t probe) {
  std::vector<std::vector<double>> arrivals;
  const auto first_row = static_cast<std::uint64_t>((first_probe_ + probe) * plan_.classes);
  for (std::int64_t c = 0; c < plan_.classes; ++c) {
    arrivals.push_back(log_arrivals(plan_.arrivals, first_row + static_cast<std::uint64_t>(c), plan_.energies));
  }
  const double noise_norm2 = probes_.noise_norm2[static_cast<std::size_t>(probe)];
  const double parent_energy = 0.5 * noise_norm2;
  for (std::size_t t = 0; t < plan_.times.size(); ++t) {
    std::vector<ClassOfEnergies> classes = classes_at(probe, plan_.times[t]);
    for (std::size_t n = 0; n < plan_.log_counts.size(); ++n) {
      const double log_count = plan_.log_counts[n];
      const double log_others = log_count + std::log(-std::expm1(-log_count));
      PosteriorSums total = parent_sums(parent_energy);
      for (std::size_t c = 0; c < classes.size(); ++c) {
        const double weight = plan_.law.weight(static_cast<std::int64_t>(c), plan_.classes);
        classes[c].log_points = log_others + std::log(weight);
        total = merge(total, draw_extreme_sums(dimension_, classes[c], arrivals[c], -parent_energy));
      }
      PosteriorSummary& summary = summaries_[entry(n, probe, t)];
      summary = summarise(total);
      const double noise = plan_.process.noise(plan_.times[t]);
      summary.log_evidence += log_common_density(noise, dimension_, 0.0) - log_count;
    }
  }
}

void ExtremeReduction::merge_over(const TaskGroup& group) {
  // Zeros where a rank has nothing: the sums are exact.
  group.comm().sum(half_distance2_);
  group.comm().sum(noise_overlap_);
  const int ranks = group.comm().size();
  for (std::int64_t first = 0; first < probes_.probes; first += ranks) {
    group.run_guarded([&] {
      const std::int64_t probe = first + group.comm().rank();
      if (probe < probes_.probes) draw(probe);
    });
  }
  static_assert(sizeof(PosteriorSummary) == 5 * sizeof(double));
  group.comm().sum(std::span<double>(&summaries_.data()->log_evidence, 5 * summaries_.size()));
}

PosteriorSummary ExtremeReduction::summary(std::size_t count, std::int64_t probe, std::size_t time) const {
  return summaries_[entry(count, probe, time)];
}

}  // namespace diffphase
