#include "measure/collapse.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "measure/probe_curves.hpp"
#include "measure/probes.hpp"
#include "theory/biroli2024.hpp"
#include "transition/critical_time.hpp"

namespace diffphase {

namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr double collapse_level = 0.5;
constexpr std::int64_t fewest_to_collapse = 3;  // the participation of n points lies above 1/n

struct CollapseCurves {
  ProbeCurves participation;
  ProbeCurves entropy;
  ProbeCurves parent_weight;
  ProbeCurves largest_weight;

  CollapseCurves(std::int64_t probes, std::int64_t times)
      : participation(probes, times),
        entropy(probes, times),
        parent_weight(probes, times),
        largest_weight(probes, times) {}

  void record(const Reduction& reduction, std::size_t count, double log_count, std::int64_t first,
              std::int64_t probes) {
    for (std::int64_t p = 0; p < probes; ++p) {
      for (std::size_t t = 0; t < static_cast<std::size_t>(participation.times); ++t) {
        const PosteriorSummary summary = reduction.summary(count, p, t);
        participation.at(first + p, t) = summary.participation;
        entropy.at(first + p, t) = log_count > 0.0 ? summary.entropy / log_count : 0.0;
        parent_weight.at(first + p, t) = summary.parent_weight;
        largest_weight.at(first + p, t) = summary.largest_weight;
      }
    }
  }
};

std::int64_t probe_count(const TaskParameters& task) { return static_cast<std::int64_t>(task.options.at("probes")); }

Partition partition_of(const TaskParameters& task) {
  return task.words.at("partition") == "dimension" ? Partition::dimension : Partition::component;
}

VariableSpec per_sample(std::string name, std::string units, std::string long_name, std::string source,
                        std::vector<std::string> dims) {
  return {.name = std::move(name),
          .units = std::move(units),
          .long_name = std::move(long_name),
          .source = std::move(source),
          .per_sample = true,
          .dims = std::move(dims)};
}

const VariableSpec participation_spec =
    per_sample("participation", "1", "participation ratio, probability that two clones end on one training point",
               "Biroli et al. 2024, section 2.3; identity E sum w^2", {"time"});
const VariableSpec entropy_spec = per_sample("weight_entropy", "1", "excess entropy over log n",
                                             "Biroli et al. 2024, excess entropy density over alpha", {"time"});
const VariableSpec parent_spec = per_sample("parent_weight", "1", "weight of the probe's own training point",
                                            "equals participation in expectation (Bayes identity)", {"time"});
const VariableSpec largest_spec = per_sample("largest_weight", "1", "largest weight of a training point", "", {"time"});
const VariableSpec time_spec =
    per_sample("collapse_time", "time", "collapse time, participation = 1/2", "Biroli et al. 2024, section 2.3", {});

const VariableSpec shift_spec = per_sample(
    "collapse_time_shift", "time", "finite-size shift of the crossing of 1/2 from collapse_time_theory", "", {});
const VariableSpec window_spec =
    per_sample("collapse_window", "1", "width of the collapse on the logarithm of b^2/a^2", "", {});

}  // namespace

std::vector<MeasureOption> CollapseMeasure::options() const {
  return {{.name = "probes",
           .value = 1024,
           .minimum = 2,
           .maximum = 1e9,
           .integer = true,
           .meaning = "noised training points per realization",
           .words = {}},
          {.name = "partition",
           .value = 0,
           .minimum = 0,
           .maximum = 0,
           .integer = false,
           .meaning = "what the ranks of a group divide: training points or coordinates",
           .words = {"component", "dimension"}}};
}

std::string CollapseMeasure::problem(const TaskParameters& task) const {
  if (task.samples.empty()) return "measure.collapse needs [dataset] samples: the size of the training set";
  return {};
}

std::vector<VariableSpec> CollapseMeasure::variables(const TaskParameters& task) const {
  std::vector<VariableSpec> specs;
  const auto add = [&](const std::vector<VariableSpec>& more) { specs.insert(specs.end(), more.begin(), more.end()); };
  for (const auto& curve : {participation_spec, entropy_spec, parent_spec, largest_spec}) add(curve_specs(curve));
  add(critical_time_specs(time_spec));
  if (task.mixture) {
    const Biroli2024 theory(*task.mixture);
    add({prediction_spec(participation_spec, theory.source("participation")),
         prediction_spec(entropy_spec, theory.source("weight_entropy")),
         prediction_spec(time_spec, theory.source("collapse_time")),
         prediction_spec(time_spec, theory.source("collapse_time_asymptotic"), "_theory_asymptotic"),
         prediction_spec(shift_spec, theory.source("collapse_time_shift"), ""),
         prediction_spec(window_spec, theory.source("collapse_window"), "")});
  }
  return specs;
}

Cost CollapseMeasure::cost(const TaskParameters& task, const TaskRequest& request) const {
  const auto probes = static_cast<double>(probe_count(task));
  const auto times = static_cast<double>(task.times.size());
  const auto dimension = static_cast<double>(task.dimension());
  const auto n = static_cast<double>(*std::max_element(request.counts.begin(), request.counts.end()));
  const auto counts = static_cast<double>(request.counts.size());
  // Files draw new starting rows for every count: one pass each.
  const double passes = task.file ? counts : 1.0;
  return {.flops = passes * 4.0 * probes * n * dimension,
          .exponentials = passes * probes * n * times,
          .normals = (n + 2.0 * probes) * dimension,
          .divided_bytes = 8.0 * n * dimension,
          .rank_bytes = 8.0 * (2.0 * ProbeBlock::size * (dimension + SlabLayout::block) +
                               4.0 * counts * probes * times + 6.0 * counts * ProbeBlock::size * times)};
}

MeasureResult CollapseMeasure::run(const TaskParameters& task, const TaskRequest& request,
                                   const TaskGroup& group) const {
  std::vector<std::int64_t> counts = request.counts;
  std::sort(counts.begin(), counts.end());
  const std::int64_t probes = probe_count(task);
  const DataSlab slab = make_training_set(group, task, partition_of(task), counts.back());
  const StoredSource source(group, slab);
  const ProbeStarts starts(task);
  const bool keeps = group.comm().is_root();

  std::vector<CollapseCurves> curves;
  group.run_guarded([&] {
    if (keeps) curves.assign(counts.size(), {probes, static_cast<std::int64_t>(task.times.size())});
  });
  const auto curves_of = [&](std::int64_t count) -> CollapseCurves& {
    return curves[static_cast<std::size_t>(std::find(counts.begin(), counts.end(), count) - counts.begin())];
  };

  for (std::int64_t first = 0; first < probes; first += ProbeBlock::size) {
    const std::int64_t size = std::min(ProbeBlock::size, probes - first);
    for (const auto& together : starts.groups(counts, first, size)) {
      const auto row_of = [&](std::int64_t p) { return starts.row(p, together.front()); };
      const ProbeBlock block = fetch_probes(group, slab, starts.noise(), first, size, row_of);
      const ReductionPlan plan{.times = task.times, .process = task.process, .counts = together, .law = {}};
      Reduction reduction(plan, task.dimension(), block);
      source.visit(group, block, together.back(), reduction.consumer());
      reduction.merge_over(group);
      if (!keeps) continue;
      for (std::size_t c = 0; c < together.size(); ++c) {
        curves_of(together[c]).record(reduction, c, std::log(static_cast<double>(together[c])), first, size);
      }
    }
  }

  VariableCollector collector;
  group.run_guarded([&] {
    if (!keeps) return;
    for (const std::int64_t count : request.counts) {
      const CollapseCurves& c = curves_of(count);
      collector.append_curve("participation", c.participation);
      collector.append_curve("weight_entropy", c.entropy);
      collector.append_curve("parent_weight", c.parent_weight);
      collector.append_curve("largest_weight", c.largest_weight);
      if (count < fewest_to_collapse) {
        collector.append_no_time(
            "collapse_time", RootStatus::after_grid,
            fmt::format("collapse_time of n = {} is not defined: the participation of fewer than {} "
                        "samples never falls below 1/2.",
                        count, fewest_to_collapse));
        continue;
      }
      collector.append_time("collapse_time",
                            crossing_of_mean(task.times, c.participation.values, probes, collapse_level, task.process,
                                             /*falling=*/true),
                            task.times, count);
    }
  });
  return collector.take();
}

std::vector<VariableValues> CollapseMeasure::predict(const TaskParameters& task) const {
  if (!task.mixture) return {};
  const Biroli2024 theory(*task.mixture);
  VariableCollector collector;
  for (const std::int64_t count : task.samples) {
    const double log_samples = std::log(static_cast<double>(count));
    std::vector<double> participation;
    std::vector<double> entropy;
    for (const double time : task.times) {
      const double tau = task.process.noise_to_signal(time);
      participation.push_back(theory.participation(log_samples, tau));
      entropy.push_back(theory.weight_entropy(log_samples, tau));
    }
    collector.append("participation_theory", participation);
    collector.append("weight_entropy_theory", entropy);
    const auto where_it_exists = [&](double prediction) { return count < fewest_to_collapse ? nan : prediction; };
    collector.append("collapse_time_theory", where_it_exists(theory.collapse_time(log_samples, task.process)));
    collector.append("collapse_time_theory_asymptotic",
                     where_it_exists(theory.collapse_time_asymptotic(log_samples, task.process)));
    collector.append("collapse_time_shift", where_it_exists(theory.collapse_time_shift(log_samples, task.process)));
    collector.append("collapse_window", where_it_exists(theory.collapse_window(log_samples)));
  }
  return collector.take().variables;
}

}  // namespace diffphase
