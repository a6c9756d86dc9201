#include "measure/collapse.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <span>

#include "ensemble/sample_count.hpp"
#include "measure/collapse_curves.hpp"
#include "measure/probe_curves.hpp"
#include "measure/probes.hpp"
#include "posterior/extreme_values.hpp"
#include "posterior/frame_probes.hpp"
#include "posterior/streamed_source.hpp"
#include "theory/achilli2024.hpp"
#include "theory/biroli2024.hpp"
#include "theory/collapse_shift.hpp"
#include "theory/manifold_collapse.hpp"
#include "transition/critical_time.hpp"

namespace diffphase {

namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr double collapse_level = 0.5;
constexpr std::int64_t fewest_to_collapse = 3;  // the participation of n points lies above 1/n

// The curves, and the sums of a block of probes: of every count, of the one that runs, and to merge those of all ranks.
Cost curves_cost(const TaskParameters& task, std::span<const std::int64_t> request, std::int64_t block_probes) {
  const auto starts = static_cast<double>(CollapseOptions(task).starts);
  const auto times = static_cast<double>(task.times.size());
  const auto counts = static_cast<double>(request.size());
  return {.rank_bytes =
              8.0 * times * (4.0 * counts * starts + 6.0 * (counts + 3.0) * static_cast<double>(block_probes))};
}

Cost explicit_cost(const TaskParameters& task, std::span<const std::int64_t> counts) {
  const CollapseOptions options(task);
  const auto probes = static_cast<double>(options.probes);
  const auto points = probes + static_cast<double>(options.starts);
  const auto times = static_cast<double>(task.times.size());
  const auto dimension = static_cast<double>(task.nonzero_columns());
  const std::int64_t largest = *std::max_element(counts.begin(), counts.end());
  const auto n = static_cast<double>(largest);
  // Files draw new starting rows for every count: one pass each.
  const double passes = task.file ? static_cast<double>(counts.size()) : 1.0;
  const double of_double = task.single_precision ? 0.5 : 1.0;  // in time, of a product or an exponential
  Cost cost = curves_cost(task, counts, options.block_probes);
  cost += draw_cost(task, options.partition, largest);
  cost.flops += of_double * passes * 2.0 * points * n * dimension;
  cost.exponentials += of_double * passes * probes * n * times;
  cost.normals += 2.0 * probes * dimension;
  cost.divided_bytes += (task.single_precision ? 4.0 : 8.0) * stored_numbers(n, dimension);
  if (task.file) cost.rank_bytes += 40.0 * n;  // rows that are equal
  const double bytes_of_product = task.single_precision ? 12.0 : 8.0;
  const auto points_of_block = 2.0 * static_cast<double>(options.block_probes);
  const bool by_dimension = options.partition == Partition::dimension;
  const double bytes_of_point = task.single_precision ? 12.0 : (by_dimension ? 16.0 : 8.0);
  (by_dimension ? cost.divided_bytes : cost.rank_bytes) += bytes_of_point * points_of_block * dimension;
  // Three sums under way, each of what is sent and of what arrives.
  const double copies = by_dimension ? 2.0 * 3.0 : 1.0;
  cost.rank_bytes += bytes_of_product * copies * points_of_block * SlabLayout::block;
  cost.threaded = Cost::Threaded::posterior_pass;
  return cost;
}

Cost streamed_cost(const TaskParameters& task, std::span<const std::int64_t> counts) {
  const MixtureParameters& mixture = *task.mixture;
  const auto probes = static_cast<double>(CollapseOptions(task).probes);
  const auto n = static_cast<double>(*std::max_element(counts.begin(), counts.end()));
  const auto classes = static_cast<double>(mixture.classes);
  const auto columns = static_cast<double>(ClassFrame::columns_of(mixture));
  const double table = ClassFrame::bytes_of(mixture);
  Cost cost = curves_cost(task, counts, ProbeBlock::size);
  cost += frame_probes_cost(mixture, probes);
  cost.exponentials += probes * n * static_cast<double>(task.times.size());
  cost.normals += probes * n * StreamedSource::numbers_per_point;
  cost.rank_bytes += table + 8.0 * ProbeBlock::size * (3.0 * SlabLayout::block + 9.0 * classes + 2.0 * columns);
  cost.threaded = Cost::Threaded::everything;
  return cost;
}

// One draw of the posterior of a (probe, time, count, class) takes about as long as this many entries of a reduction,
// and the arrivals of a (probe, class) as this many normal numbers.
constexpr double exponentials_per_extreme_draw = 4000.0;
constexpr double normals_per_arrivals = 2000.0;

Cost extreme_cost(const TaskParameters& task, std::span<const std::int64_t> counts) {
  const MixtureParameters& mixture = *task.mixture;
  const auto probes = static_cast<double>(CollapseOptions(task).probes);
  const auto classes = static_cast<double>(mixture.classes);
  const auto curves = static_cast<double>(counts.size() * task.times.size());
  const auto columns = static_cast<double>(ClassFrame::columns_of(mixture));
  Cost cost = curves_cost(task, counts, ProbeBlock::size);
  cost += frame_probes_cost(mixture, probes);
  cost.exponentials += probes * curves * classes * exponentials_per_extreme_draw;
  cost.normals += probes * classes * normals_per_arrivals;
  cost.rank_bytes += ClassFrame::bytes_of(mixture) + 8.0 * ProbeBlock::size * (4.0 * classes + 2.0 * columns) +
                     8.0 * static_cast<double>(default_extreme_energies) * classes;
  return cost;
}

bool can_reduce(const TaskParameters& task) { return task.mixture && !task.mixed_precision && !task.single_precision; }

bool can_stream(const TaskParameters& task) {
  return can_reduce(task) && CollapseOptions(task).noises == 1 &&
         task.mixture->dimension >= StreamedSource::least_dimension;
}

// From this many dimensions on, the energies are good to 2e-3, and from this many points on, it does not matter that
// their number is Poisson.
constexpr std::int64_t least_extreme_dimension = 10;
constexpr std::int64_t least_extreme_samples = 100;

bool can_be_extreme(const TaskParameters& task) {
  if (!can_reduce(task) || CollapseOptions(task).noises > 1 || task.mixture->dimension < least_extreme_dimension)
    return false;
  const std::vector<double>& sigmas = task.mixture->class_sigma;
  return sigmas.empty() ? task.mixture->sigma > 0.0
                        : std::all_of(sigmas.begin(), sigmas.end(), [](double sigma) { return sigma > 0.0; });
}

// By the count alone: its numbers must not depend on which other counts are asked for.
bool is_extreme(const TaskParameters& task, std::int64_t count) {
  if (task.representation == Representation::extreme) return true;
  return count > most_drawn_samples && task.representation == Representation::automatic && can_be_extreme(task);
}

// What is drawn. By the work of a further training point, which does not depend on their number: all counts of a task
// have the same representation, and nested sets stay nested.
RepresentationChoice choose(const TaskParameters& task) {
  if (!can_stream(task)) {
    return {.representation = Representation::full,
            .reason = task.representation == Representation::automatic ? RepresentationReason::not_eligible
                                                                       : RepresentationReason::asked_for,
            .explanation = "explicit: nothing else is possible"};
  }
  const auto operations_per_point = [&](const auto& cost) {
    constexpr std::array<std::int64_t, 2> counts{1, 2};
    return cost(task, std::span(counts).last(1)).operations() - cost(task, std::span(counts).first(1)).operations();
  };
  return choose_representation(task.representation, operations_per_point(explicit_cost), Representation::streaming,
                               operations_per_point(streamed_cost));
}

// What is taken for so many samples.
RepresentationChoice choose(const TaskParameters& task, std::int64_t count) {
  if (!is_extreme(task, count)) return choose(task);
  const bool asked = task.representation == Representation::extreme;
  return {.representation = Representation::extreme,
          .reason = asked ? RepresentationReason::asked_for : RepresentationReason::beyond_counting,
          .explanation = asked ? "extreme: asked for" : "extreme: too many samples to be drawn"};
}

// The probes of a start are in one block, and all starts have as many.
std::string noises_problem(const TaskParameters& task) {
  const CollapseOptions options(task);
  const std::int64_t noises = options.noises;
  if (noises == 1) return {};
  if (ProbeBlock::size % noises != 0) {
    return fmt::format("measure.collapse.noises is {}; it must divide {}", noises, ProbeBlock::size);
  }
  if (options.probes % noises != 0 || options.starts < 2) {
    return fmt::format("measure.collapse.probes is {}; with noises = {} it must be a multiple of it, {} or more",
                       options.probes, noises, 2 * noises);
  }
  return {};
}

// Why sizes that cannot be drawn, or all that are asked for, cannot be taken as extreme.
std::string extreme_problem(const TaskParameters& task) {
  const bool asked = task.representation == Representation::extreme;
  const auto uncountable = std::find_if_not(task.samples.begin(), task.samples.end(), is_countable);
  if (!asked && uncountable == task.samples.end()) return {};
  if (!asked && task.representation != Representation::automatic) {
    return fmt::format("measure.collapse of {} samples needs ensemble.representation = \"extreme\" or \"auto\"",
                       samples_text(*uncountable));
  }
  const std::string what = asked ? "measure.collapse with ensemble.representation = \"extreme\""
                                 : fmt::format("measure.collapse of {} samples", samples_text(*uncountable));
  if (!can_be_extreme(task)) {
    return fmt::format(
        "{} needs a Gaussian mixture in at least {} dimensions, sigma above 0, double precision and noises = 1", what,
        least_extreme_dimension);
  }
  const double fewest = std::log(static_cast<double>(least_extreme_samples));
  const bool too_few = std::any_of(task.samples.begin(), task.samples.end(), [&](std::int64_t count) {
    return (asked || !is_countable(count)) && log_samples(count) < fewest;
  });
  return too_few ? fmt::format("{} needs at least {} samples", what, least_extreme_samples) : "";
}

bool streams(const TaskParameters& task) { return choose(task).representation == Representation::streaming; }

// The counts that are drawn and those that are not, ascending.
struct SplitCounts {
  std::vector<std::int64_t> drawn;
  std::vector<std::int64_t> extreme;

  SplitCounts(const TaskParameters& task, std::span<const std::int64_t> counts) {
    for (const std::int64_t count : counts) (is_extreme(task, count) ? extreme : drawn).push_back(count);
    std::sort(drawn.begin(), drawn.end());
    std::sort(extreme.begin(), extreme.end());
  }
};

const VariableSpec participation_spec =
    per_sample_spec("participation", "1", "participation ratio, probability that two clones end on one training point",
                    "Biroli et al. 2024, section 2.3; identity E sum w^2", {"time"});
const VariableSpec entropy_spec = per_sample_spec("weight_entropy", "1", "excess entropy over log n",
                                                  "Biroli et al. 2024, excess entropy density over alpha", {"time"});
const VariableSpec parent_spec = per_sample_spec("parent_weight", "1", "weight of the probe's own training point",
                                                 "equals participation in expectation (Bayes identity)", {"time"});
const VariableSpec largest_spec =
    per_sample_spec("largest_weight", "1", "largest weight of a training point", "", {"time"});
const VariableSpec time_spec = per_sample_spec("collapse_time", "time", "collapse time, participation = 1/2",
                                               "Biroli et al. 2024, section 2.3", {});

std::vector<VariableSpec> representation_specs() {
  return {flags_spec(per_sample_spec("collapse_representation", "1", "how the training set was represented", "", {}),
                     {"explicit", "streaming", "extreme"}),
          flags_spec(per_sample_spec("collapse_representation_reason", "1", "why it was represented so", "", {}),
                     representation_reasons())};
}

double flag_of(Representation representation) {
  if (representation == Representation::streaming) return 1.0;
  return representation == Representation::extreme ? 2.0 : 0.0;
}

const VariableSpec shift_spec = per_sample_spec(
    "collapse_time_shift", "time", "finite-size shift of the crossing of 1/2 from collapse_time_theory", "", {});
const VariableSpec tolerance_spec = per_sample_spec(
    "collapse_time_tolerance", "time",
    "how far collapse_time_theory and its shift may be off; NaN from 100 samples on, where half the shift says it", "",
    {});
const VariableSpec window_spec =
    per_sample_spec("collapse_window", "1", "width of the collapse on the logarithm of b^2/a^2", "", {});

std::vector<VariableSpec> manifold_prediction_specs(const ManifoldParameters& manifold) {
  const auto source = [&](const char* prediction) { return ManifoldCollapse::source(manifold, prediction); };
  return {prediction_spec(participation_spec, source("planted_participation")),
          prediction_spec(time_spec, source("collapse_tau")),
          prediction_spec(shift_spec, Achilli2024::source("collapse_shift"), ""),
          prediction_spec(tolerance_spec, Achilli2024::source("collapse_shift"), ""),
          prediction_spec(window_spec, source("collapse_window"), "")};
}

std::vector<VariableValues> predict_manifold(const TaskParameters& task) {
  VariableCollector collector;
  for (const std::int64_t count : task.samples) {
    const ManifoldCollapse theory(*task.manifold, std::log(static_cast<double>(count)));
    std::vector<double> participation;
    for (const double time : task.times) {
      participation.push_back(theory.participation(task.process.noise_to_signal(time)));
    }
    collector.append("participation_theory", participation);
    const bool collapses = count >= fewest_to_collapse;
    const double tau = collapses ? theory.tau() : nan;
    const double time = task.process.time_at(tau);
    collector.append("collapse_time_theory", time);
    const double directions = theory.effective_dimension();
    collector.append("collapse_time_shift",
                     task.process.time_at(tau * std::exp(collapse_shift_of_log_tau(directions))) - time);
    collector.append("collapse_time_tolerance",
                     shifted_collapse_tolerance(task.process, tau, static_cast<double>(count), directions));
    collector.append("collapse_window", collapses ? 2.0 / std::sqrt(theory.effective_dimension()) : nan);
  }
  return collector.take().variables;
}

}  // namespace

std::vector<MeasureOption> CollapseMeasure::options() const {
  return {{.name = "probes",
           .value = 1024,
           .minimum = 2,
           .maximum = 1e9,
           .integer = true,
           .meaning = "noised training points per realization",
           .words = {}},
          {.name = "noises",
           .value = 1,
           .minimum = 1,
           .maximum = ProbeBlock::size,
           .integer = true,
           .meaning = "probes at each starting point, a divisor of 64; they share its products with the training set",
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
  if (std::string noises = noises_problem(task); !noises.empty()) return noises;
  if (std::string extreme = extreme_problem(task); !extreme.empty()) return extreme;
  if (task.representation == Representation::streaming && !can_stream(task)) {
    return fmt::format(
        "measure.collapse with ensemble.representation = \"streaming\" needs at least {} dimensions, double "
        "precision and noises = 1",
        StreamedSource::least_dimension);
  }
  return {};
}

std::vector<VariableSpec> CollapseMeasure::variables(const TaskParameters& task) const {
  std::vector<VariableSpec> specs;
  const auto add = [&](const std::vector<VariableSpec>& more) { specs.insert(specs.end(), more.begin(), more.end()); };
  for (const auto& curve : {participation_spec, entropy_spec, parent_spec, largest_spec}) add(curve_specs(curve));
  add(critical_time_specs(time_spec));
  if (task.mixture) {
    add(representation_specs());
    const Biroli2024 theory(*task.mixture);
    const auto curve = [&](const VariableSpec& measured, const std::string& name) {
      VariableSpec prediction = prediction_spec(measured, theory.source(name));
      prediction.tolerance = Biroli2024::accuracy_in_window;
      return prediction;
    };
    add({curve(participation_spec, "participation"), curve(entropy_spec, "weight_entropy"),
         prediction_spec(time_spec, theory.source("collapse_time")),
         prediction_spec(time_spec, theory.source("collapse_time_asymptotic"), "_theory_asymptotic"),
         prediction_spec(shift_spec, theory.source("collapse_time_shift"), ""),
         prediction_spec(tolerance_spec, theory.source("collapse_time_shift"), ""),
         prediction_spec(window_spec, theory.source("collapse_window"), "")});
  }
  if (task.manifold) add(manifold_prediction_specs(*task.manifold));
  return specs;
}

Cost CollapseMeasure::cost(const TaskParameters& task, const TaskRequest& request) const {
  const SplitCounts counts(task, request.counts);
  Cost cost;
  if (!counts.drawn.empty())
    cost += streams(task) ? streamed_cost(task, counts.drawn) : explicit_cost(task, counts.drawn);
  if (!counts.extreme.empty()) cost += extreme_cost(task, counts.extreme);
  return cost;
}

MeasureResult CollapseMeasure::run(const TaskParameters& task, const TaskRequest& request,
                                   const TaskGroup& group) const {
  CollapsePasses passes(task, group, request.counts);
  const SplitCounts counts(task, request.counts);
  if (!counts.drawn.empty() && streams(task)) {
    passes.measure_streamed(counts.drawn);
  } else if (!counts.drawn.empty()) {
    passes.measure_stored(counts.drawn);
  }
  if (!counts.extreme.empty()) passes.measure_extreme(counts.extreme);

  VariableCollector collector;
  group.run_guarded([&] {
    if (!group.comm().is_root()) return;
    if (!passes.precision_warning().empty()) collector.warn(passes.precision_warning());
    if (task.mixture && !counts.drawn.empty()) collector.note("training set: " + choose(task).explanation);
    for (const std::int64_t count : counts.extreme) {
      collector.note(fmt::format("training set of n = {}: {}", samples_text(count), choose(task, count).explanation));
    }
    for (const std::int64_t count : request.counts) {
      const CollapseCurves& c = passes.curves_of(count);
      collector.append_curve("participation", c.participation);
      collector.append_curve("weight_entropy", c.entropy);
      collector.append_curve("parent_weight", c.parent_weight);
      collector.append_curve("largest_weight", c.largest_weight);
      if (task.mixture) {
        const RepresentationChoice choice = choose(task, count);
        collector.append("collapse_representation", flag_of(choice.representation));
        collector.append("collapse_representation_reason", static_cast<double>(choice.reason));
      }
      if (count < fewest_to_collapse) {
        collector.append_no_time(
            "collapse_time", RootStatus::never,
            fmt::format("collapse_time of n = {} is not defined: the participation of fewer than {} "
                        "samples never falls below 1/2.",
                        count, fewest_to_collapse));
        continue;
      }
      if (const double highest = passes.highest_participation(count); highest <= collapse_level) {
        collector.append_no_time("collapse_time", RootStatus::never,
                                 fmt::format("there is no collapse_time of n = {}: points of the training set are "
                                             "equal, and the participation never rises above {:.4g}.",
                                             samples_text(count), highest));
        continue;
      }
      collector.append_time(
          "collapse_time",
          crossing_of_mean(task.times, c.participation.values, c.participation.probes, collapse_level, task.process,
                           /*falling=*/true),
          task.times, count);
    }
  });
  return collector.take();
}

std::vector<VariableValues> CollapseMeasure::predict(const TaskParameters& task) const {
  if (task.manifold) return predict_manifold(task);
  if (!task.mixture) return {};
  const Biroli2024 theory(*task.mixture);
  VariableCollector collector;
  for (const std::int64_t count : task.samples) {
    const double log_n = log_samples(count);
    std::vector<double> participation;
    std::vector<double> entropy;
    for (const double time : task.times) {
      const double tau = task.process.noise_to_signal(time);
      participation.push_back(theory.participation(log_n, tau));
      entropy.push_back(theory.weight_entropy(log_n, tau));
    }
    collector.append("participation_theory", participation);
    collector.append("weight_entropy_theory", entropy);
    const auto where_it_exists = [&](double prediction) { return count < fewest_to_collapse ? nan : prediction; };
    collector.append("collapse_time_theory", where_it_exists(theory.collapse_time(log_n, task.process)));
    collector.append("collapse_time_theory_asymptotic",
                     where_it_exists(theory.collapse_time_asymptotic(log_n, task.process)));
    collector.append("collapse_time_shift", where_it_exists(theory.collapse_time_shift(log_n, task.process)));
    collector.append("collapse_time_tolerance", where_it_exists(theory.collapse_time_tolerance(log_n, task.process)));
    collector.append("collapse_window", where_it_exists(theory.collapse_window(log_n)));
  }
  return collector.take().variables;
}

}  // namespace diffphase
