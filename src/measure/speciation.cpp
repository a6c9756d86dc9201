#include "measure/speciation.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <map>
#include <numeric>
#include <optional>
#include <stdexcept>

#include "ensemble/equal_rows.hpp"
#include "ensemble/sample_count.hpp"
#include "measure/probe_curves.hpp"
#include "measure/probes.hpp"
#include "posterior/frame_probes.hpp"
#include "posterior/projected_source.hpp"
#include "posterior/rounding_loss.hpp"
#include "spectrum/centre_stability.hpp"
#include "spectrum/covariance.hpp"
#include "theory/biroli2024.hpp"
#include "theory/spiked_covariance.hpp"
#include "transition/centre_instability.hpp"
#include "transition/critical_time.hpp"

namespace diffphase {

namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();
// Random centroids are predicted as if they were orthogonal and of equal norm: good to this on phi and on the
// Ornstein-Uhlenbeck clock.
constexpr double random_centroid_tolerance = 0.07;
const std::string paper = "Biroli, Bonnaire, de Bortoli, Mezard 2024";

std::int64_t probe_count(const TaskParameters& task) { return static_cast<std::int64_t>(task.options.at("probes")); }

bool has_superclasses(const TaskParameters& task) {
  return task.mixture && task.mixture->centroids == CentroidKind::hierarchical;
}

bool has_classes(const TaskParameters& task) { return task.mixture || !task.file_summary.class_sizes.empty(); }

// Asked for; then there are no coordinates of any training set.
bool is_reduced(const TaskParameters& task) {
  return task.representation == Representation::projected || task.representation == Representation::streaming ||
         task.representation == Representation::extreme;
}

// Whether a set of so many points exists, or only its law.
bool is_drawn(const TaskParameters& task, std::int64_t count) {
  const bool is_automatic = task.mixture && task.representation == Representation::automatic;
  return is_countable(count) && (!is_automatic || count <= most_drawn_samples);
}

std::vector<std::int64_t> drawn_counts(const TaskParameters& task, const std::vector<std::int64_t>& counts) {
  std::vector<std::int64_t> result;
  std::ranges::copy_if(counts, std::back_inserter(result), [&](std::int64_t count) { return is_drawn(task, count); });
  return result;
}

// The spectral time is that of a training set's covariance, for every sample count that is drawn; where none is, that
// of the law.
bool has_samples(const TaskParameters& task) { return !drawn_counts(task, task.samples).empty(); }

bool draws_training_set(const TaskParameters& task) { return has_samples(task) && !is_reduced(task); }

VariableSpec curve_spec(const std::string& name, const std::string& long_name, bool per_sample) {
  return {.name = name,
          .units = "1",
          .long_name = long_name,
          .source = paper + ", section 2.2",
          .per_sample = per_sample,
          .dims = {"time"}};
}

VariableSpec number_spec(const std::string& name, const std::string& units, const std::string& long_name,
                         const std::string& source, bool per_sample) {
  return {.name = name, .units = units, .long_name = long_name, .source = source, .per_sample = per_sample, .dims = {}};
}

VariableSpec agreement_spec(bool per_sample) {
  return curve_spec("class_agreement", "class agreement, probability that two clones end in one class", per_sample);
}
VariableSpec speciation_spec(bool per_sample) {
  return number_spec("speciation_time", "time", "speciation time, rescaled class agreement = 0.5504",
                     paper + ", section 2.2", per_sample);
}
VariableSpec distinct_agreement_spec() {
  return {.name = "distinct_class_agreement",
          .units = "1",
          .long_name = "class agreement of two clones that end on different training points",
          .source = "E sum_(i != j) w_i w_j [c_i = c_j] over E sum_(i != j) w_i w_j, diffphase derivation",
          .per_sample = true,
          .dims = {"time"}};
}
VariableSpec superclass_agreement_spec() {
  return curve_spec("superclass_agreement", "superclass agreement, probability that two clones end in one superclass",
                    false);
}
VariableSpec superclass_speciation_spec() {
  return number_spec("superclass_speciation_time", "time",
                     "superclass speciation time, rescaled superclass agreement = 0.5504", paper + ", section 2.2",
                     false);
}
VariableSpec spectral_spec(bool per_sample) {
  return number_spec("speciation_time_spectral", "time", "spectral speciation time, Lambda a^2 = a^2 + b^2",
                     paper + ", equation Lambda exp(-2 t_S) = 1", per_sample);
}
VariableSpec eigenvalue_spec(bool per_sample) {
  return number_spec("covariance_eigenvalue", "1", "largest eigenvalue Lambda of the covariance about the mean",
                     paper + ", section 2.2", per_sample);
}
VariableSpec drift_spec() {
  return number_spec("drift_instability_time", "time",
                     "time at which the Jacobian of the drift x + 2S has a zero eigenvalue at the centre",
                     paper + ", V''(0) = 0", false);
}
VariableSpec curvature_spec() {
  return number_spec("curvature_instability_time", "time",
                     "time at which the score Jacobian has a zero eigenvalue at the centre", "c(t) = 1", false);
}

VariableSpec tolerance_spec() {
  return number_spec("speciation_time_tolerance", "time",
                     "how far speciation_time_theory, which approximates, may be off", "", false);
}

bool approximates_centroids(const TaskParameters& task) {
  return task.mixture->centroids == CentroidKind::random && task.mixture->classes > 1;
}

// The tolerance of random centroids at a time, on the clock of the process.
double tolerance_at(const NoisingProcess& process, double time) {
  const double ou_time = 0.5 * std::log1p(process.noise_to_signal(time));
  const auto moved = [&](double by) { return process.time_at(std::expm1(2.0 * std::max(ou_time + by, 0.0))); };
  return 0.5 * (moved(random_centroid_tolerance) - moved(-random_centroid_tolerance));
}

// The covariance is that of a training set where one is drawn, whose large-size law is the ensemble's.
std::vector<VariableSpec> spectral_prediction_specs(const TaskParameters& task, const Biroli2024& theory) {
  const bool drawn = has_samples(task);
  return {prediction_spec(eigenvalue_spec(drawn),
                          drawn ? SpikedCovariance::source() : theory.source("covariance_eigenvalue")),
          prediction_spec(spectral_spec(drawn),
                          drawn ? SpikedCovariance::source() : theory.source("speciation_time_spectral")),
          prediction_spec(spectral_spec(false),
                          theory.source(drawn ? "speciation_time_spectral" : "speciation_time_spectral_asymptotic"),
                          "_theory_asymptotic")};
}

std::vector<VariableSpec> prediction_specs(const TaskParameters& task) {
  const Biroli2024 theory(*task.mixture);
  std::vector<VariableSpec> specs{prediction_spec(agreement_spec(false), theory.source("class_agreement")),
                                  prediction_spec(speciation_spec(false), theory.source("speciation_time")),
                                  prediction_spec(drift_spec(), theory.source("drift_instability_time")),
                                  prediction_spec(curvature_spec(), theory.source("curvature_instability_time"))};
  for (const auto& spec : spectral_prediction_specs(task, theory)) specs.push_back(spec);
  if (approximates_centroids(task)) {
    specs[0].tolerance = random_centroid_tolerance;
    specs.push_back(prediction_spec(tolerance_spec(), "random centroids taken as orthogonal", ""));
  }
  if (has_superclasses(task)) {
    specs.push_back(prediction_spec(superclass_agreement_spec(), theory.source("superclass_agreement")));
    specs.push_back(prediction_spec(superclass_speciation_spec(), theory.source("superclass_speciation_time")));
  }
  return specs;
}

void predict_spectral_time(const TaskParameters& task, const Biroli2024& theory, VariableCollector& collector) {
  const double ensemble_time = theory.speciation_time_spectral(task.process);
  if (!has_samples(task)) {
    collector.append("covariance_eigenvalue_theory", theory.covariance_eigenvalue());
    collector.append("speciation_time_spectral_theory", ensemble_time);
    collector.append("speciation_time_spectral_theory_asymptotic",
                     theory.speciation_time_spectral_asymptotic(task.process));
    return;
  }
  for (const std::int64_t count : task.samples) {
    if (!is_drawn(task, count)) {
      collector.append("covariance_eigenvalue_theory", theory.covariance_eigenvalue());
      collector.append("speciation_time_spectral_theory", ensemble_time);
      continue;
    }
    const SpikedCovariance covariance(*task.mixture, count);
    collector.append("covariance_eigenvalue_theory", covariance.mean_eigenvalue());
    collector.append("speciation_time_spectral_theory", covariance.mean_time(task.process));
  }
  collector.append("speciation_time_spectral_theory_asymptotic", ensemble_time);
}

// Lambda a^2 = a^2 + b^2: NaN for Lambda <= 1.
double spectral_time(const NoisingProcess& process, double eigenvalue) {
  return eigenvalue > 1.0 ? process.time_at(eigenvalue - 1.0) : nan;
}

// The rescaled agreement of two equal classes at c = 1 between its limits `at_infinity` and 1.
double level_above(double at_infinity) { return at_infinity + speciation_level * (1.0 - at_infinity); }

std::vector<VariableSpec> representation_specs() {
  return {
      flags_spec(number_spec("speciation_representation", "1", "how probes and classes were represented", "", false),
                 {"explicit", "projected"}),
      flags_spec(number_spec("speciation_representation_reason", "1", "why they were represented so", "", false),
                 representation_reasons())};
}

// Of the class agreement.
Cost explicit_cost(const TaskParameters& task) {
  const auto probes = static_cast<double>(probe_count(task));
  const auto dimension = static_cast<double>(task.dimension());
  const auto classes = static_cast<double>(task.mixture->classes);
  return {.flops = 4.0 * probes * classes * dimension,
          .exponentials = probes * classes * static_cast<double>(task.times.size()),
          .normals = 2.0 * probes * dimension,
          .divided_bytes = 8.0 * stored_numbers(classes + 2.0 * 2.0 * ProbeBlock::size, dimension),
          .rank_bytes = 8.0 * 6.0 * 2.0 * ProbeBlock::size * SlabLayout::block};
}

Cost projected_cost(const TaskParameters& task) {
  const MixtureParameters& mixture = *task.mixture;
  const auto probes = static_cast<double>(probe_count(task));
  const auto columns = static_cast<double>(ClassFrame::columns_of(mixture));
  Cost cost = frame_probes_cost(mixture, probes);
  cost.exponentials = probes * static_cast<double>(mixture.classes) * static_cast<double>(task.times.size());
  cost.rank_bytes = ClassFrame::bytes_of(mixture) + 8.0 * 2.0 * ProbeBlock::size * (columns + SlabLayout::block);
  return cost;
}

// Random centroids have other coordinates in their frame than those that the instabilities of the centre and other
// measures know: taken only where asked for.
RepresentationChoice choose(const TaskParameters& task) {
  if (task.representation == Representation::automatic && approximates_centroids(task)) {
    return {.representation = Representation::full,
            .reason = RepresentationReason::not_eligible,
            .explanation = "explicit: random centroids are those of all measures"};
  }
  const Representation asked = is_reduced(task) ? Representation::projected : task.representation;
  return choose_representation(asked, explicit_cost(task).operations(), Representation::projected,
                               projected_cost(task).operations());
}

double sum_of_squares(const std::vector<double>& weights) {
  return std::inner_product(weights.begin(), weights.end(), weights.begin(), 0.0);
}

// Where an agreement runs to: as noise grows without end, and as it vanishes.
struct AgreementLimits {
  double most_noise = 0.0;
  double no_noise = 1.0;
};

// The crossing of an agreement between its limit at high noise and 1; there is none where all is one class, or where
// the agreement never comes up to it.
void append_agreement_time(VariableCollector& collector, const TaskParameters& task, const std::string& name,
                           const ProbeCurves& agreement, const AgreementLimits& limits, std::int64_t count = 0) {
  constexpr double rounding = 1e-12;  // of a sum of squared frequencies that is 1
  const double at_infinity = limits.most_noise;
  if (at_infinity > 1.0 - rounding) {
    collector.append_no_time(
        name, RootStatus::never,
        count > 0 ? fmt::format("{} of n = {} is not defined: there is only one class.", name, count) : "");
    return;
  }
  const double level = level_above(at_infinity);
  if (count > 0 && limits.no_noise <= level) {
    collector.append_no_time(name, RootStatus::never,
                             fmt::format("there is no {} of n = {}: equal points have different labels, and the class "
                                         "agreement never rises above {:.4g}.",
                                         name, count, limits.no_noise));
    return;
  }
  const CriticalTime found = crossing_of_mean(task.times, agreement.values, agreement.probes, level, task.process,
                                              /*falling=*/true);
  if (found.status == RootStatus::before_grid && limits.no_noise < level) {
    collector.append_no_time(name, found.status,
                             fmt::format("{} is not on the grid, nor would it be on any: classes overlap so much that "
                                         "the agreement stays below its level {:.4g} where there is no noise.",
                                         name, level));
    return;
  }
  collector.append_time(name, found, task.times, count);
}

// phi and its crossing for the classes of a mixture: K components, every probe of its own.
class MixtureSpeciation {
 public:
  MixtureSpeciation(const TaskParameters& task, const TaskGroup& group)
      : task_(task),
        group_(group),
        mixture_(*task.mixture, task.seed, task.ensemble, task.realization),
        choice_(choose(task)),
        agreement_(group.comm().is_root() ? probe_count(task) : 0, static_cast<std::int64_t>(task.times.size())),
        superclass_agreement_(has_superclasses(task) ? agreement_ : ProbeCurves(0, 0)),
        plan_{.times = task.times,
              .process = task.process,
              .counts = {mixture_.classes()},
              .law = ComponentLaw::classes(mixture_),
              .label_groups = mixture_.superclasses()} {
    if (!projected()) return;
    group.run_guarded([&] { frame_.emplace(mixture_, task.seed, task.ensemble, task.realization); });
  }

  void measure_agreement() {
    if (projected()) {
      measure_projected();
    } else {
      measure_explicit();
    }
  }

  void collect(VariableCollector& collector) {
    std::vector<double> weights;
    std::vector<double> superclass_weights(static_cast<std::size_t>(mixture_.superclasses()));
    for (std::int64_t c = 0; c < mixture_.classes(); ++c) {
      weights.push_back(mixture_.weight(c));
      if (has_superclasses(task_)) {
        superclass_weights[static_cast<std::size_t>(mixture_.superclass(c))] += mixture_.weight(c);
      }
    }
    collector.append("speciation_representation", projected() ? 1.0 : 0.0);
    collector.append("speciation_representation_reason", static_cast<double>(choice_.reason));
    collector.note("class agreement: " + choice_.explanation);
    if (has_samples(task_) && is_reduced(task_)) {
      collector.note(fmt::format("{}: no covariance of a training set", representation_name(task_.representation)));
    }
    const Biroli2024 theory(*task_.mixture);
    collect_level(collector, "class_agreement", "speciation_time", agreement_,
                  limits(sum_of_squares(weights), theory.class_agreement(least_noise())));
    if (has_superclasses(task_)) {
      collect_level(collector, "superclass_agreement", "superclass_speciation_time", superclass_agreement_,
                    limits(sum_of_squares(superclass_weights), theory.superclass_agreement(least_noise())));
    }
  }

  // Collective: instabilities of the centre, and the ensemble's own eigenvalue where nothing is drawn.
  void measure_centre(VariableCollector& collector) {
    double drift = nan;
    double curvature = nan;
    double eigenvalue = nan;
    const bool feasible = mixture_.classes() <= CentreStability::max_classes;
    if (feasible) {
      const CentreStability centre = projected() ? CentreStability(group_, *frame_) : CentreStability(group_, mixture_);
      if (mixture_.classes() > 1) {
        drift = task_.process.time_at(centre_instability(group_, centre, 0.5));
        curvature = task_.process.time_at(centre_instability(group_, centre, 0.0));
      }
      group_.run_guarded([&] {
        double within = 0.0;
        for (std::int64_t c = 0; c < mixture_.classes(); ++c) {
          within += mixture_.weight(c) * mixture_.sigma(c) * mixture_.sigma(c);
        }
        eigenvalue = within + centre.centroid_eigenvalue();
      });
    }
    if (!group_.comm().is_root()) return;
    const RootStatus otherwise = feasible ? RootStatus::never : RootStatus::not_measured;
    if (!feasible) {
      collector.warn(fmt::format("the instabilities of the centre are not computed for more than {} classes: NaN",
                                 CentreStability::max_classes));
    }
    collector.append_root("drift_instability_time", drift, otherwise);
    collector.append_root("curvature_instability_time", curvature, otherwise);
    if (!has_samples(task_)) {
      collector.append("covariance_eigenvalue", eigenvalue);
      collector.append_root("speciation_time_spectral", spectral_time(task_.process, eigenvalue), otherwise);
    }
  }

 private:
  [[nodiscard]] bool projected() const { return choice_.representation == Representation::projected; }

  void measure_explicit() {
    const SlabLayout layout{.partition = Partition::dimension,
                            .rows = mixture_.classes(),
                            .columns = mixture_.dimension(),
                            .ranks = group_.comm().size(),
                            .rank = group_.comm().rank()};
    const DataSlab centroids = make_centroids(group_, mixture_, layout);
    const StoredSource source(group_, centroids);
    const ProbeStarts starts(task_);
    const std::int64_t probes = probe_count(task_);
    for (std::int64_t first = 0; first < probes; first += ProbeBlock::size) {
      reduce(source,
             draw_probes(group_, mixture_, starts.noise(), layout, first, std::min(ProbeBlock::size, probes - first),
                         [](std::int64_t p) { return p; }),
             first);
    }
  }

  void measure_projected() {
    const ProjectedSource source(*frame_);
    const FrameProbes starts(*frame_, task_.seed, task_.ensemble, task_.realization);
    const std::int64_t probes = probe_count(task_);
    for (std::int64_t first = 0; first < probes; first += ProbeBlock::size) {
      std::optional<ProbeBlock> block;
      group_.run_guarded([&] { block = starts.draw(first, std::min(ProbeBlock::size, probes - first)); });
      reduce(source, *block, first);
    }
  }

  void reduce(const InnerProductSource& source, const ProbeBlock& block, std::int64_t first) {
    Reduction reduction(plan_, mixture_.dimension(), block);
    source.visit(group_, block, mixture_.classes(), reduction.consumer());
    reduction.merge_over(group_);
    if (group_.comm().is_root()) record(reduction, first, block.probes);
  }

  void record(const Reduction& reduction, std::int64_t first, std::int64_t probes) {
    for (std::int64_t p = 0; p < probes; ++p) {
      for (std::size_t t = 0; t < task_.times.size(); ++t) {
        agreement_.at(first + p, t) = reduction.summary(0, p, t).participation;
        if (has_superclasses(task_)) superclass_agreement_.at(first + p, t) = reduction.label_agreement(0, p, t);
      }
    }
  }

  void collect_level(VariableCollector& collector, const std::string& agreement, const std::string& time,
                     const ProbeCurves& curves, const AgreementLimits& limits) const {
    collector.append_curve(agreement, curves);
    append_agreement_time(collector, task_, time, curves, limits);
  }

  // So little that classes which it blurs are told apart for certain where they do not overlap without it.
  [[nodiscard]] double least_noise() const {
    const MixtureParameters& mixture = *task_.mixture;
    return 1e-6 * static_cast<double>(mixture.dimension) * mixture.separation * mixture.separation;
  }

  // `predicted` without noise, NaN where it is not known. Random centroids may do better by the tolerance.
  [[nodiscard]] AgreementLimits limits(double at_infinity, double predicted) const {
    if (std::isnan(predicted) || least_noise() == 0.0) return {.most_noise = at_infinity};
    const double tolerance = approximates_centroids(task_) ? random_centroid_tolerance : 0.0;
    return {.most_noise = at_infinity, .no_noise = predicted + tolerance};
  }

  const TaskParameters& task_;
  const TaskGroup& group_;
  GaussianMixture mixture_;
  RepresentationChoice choice_;
  std::optional<ClassFrame> frame_;  // where projected
  ProbeCurves agreement_;
  ProbeCurves superclass_agreement_;
  ReductionPlan plan_;
};

// Throws where the rounding of distances between the rows of a file may have moved the agreement.
void require_digits(const TaskParameters& task, const std::vector<RoundingLoss>& losses, std::int64_t starts) {
  for (const RoundingLoss& loss : losses) {
    const double off = loss.of_mean(probe_count(task), starts);
    if (off <= RoundingLoss::allowed) continue;
    const LargestNumber& largest = task.file_summary.largest;
    throw std::runtime_error(fmt::format(
        "measure.speciation: distances between rows of {} lose their digits in double precision: "
        "class_agreement could be off by {:.2g}; its largest number is {:.6g}, in row {}, column {} (from 0)",
        task.file->path, off, largest.value, largest.row, largest.column));
  }
}

// The ratio of two means over probes of pairs of clones: with its error to first order in those of the means.
void append_distinct_agreement(VariableCollector& collector, const ProbeCurves& agreeing, const ProbeCurves& pairs) {
  constexpr double fewest_probes = 16.0;  // on which the mean number of pairs may rest
  constexpr double fewest_pairs = 1e-6;   // below, rounding of 1 - Y shows
  const auto probes = static_cast<double>(pairs.probes);
  const auto times = static_cast<std::size_t>(pairs.times);
  for (std::size_t t = 0; t < times; ++t) {
    double agree = 0.0;
    double total = 0.0;
    double squares = 0.0;
    for (std::size_t i = t; i < pairs.values.size(); i += times) {
      agree += agreeing.values[i];
      total += pairs.values[i];
      squares += pairs.values[i] * pairs.values[i];
    }
    const bool known =
        total >= fewest_pairs * probes && total * total >= std::min(fewest_probes, 0.5 * probes) * squares;
    const double ratio = known ? agree / total : nan;
    double residuals = 0.0;
    for (std::size_t i = t; i < pairs.values.size(); i += times) {
      const double residual = agreeing.values[i] - ratio * pairs.values[i];
      residuals += residual * residual;
    }
    collector.append("distinct_class_agreement", ratio);
    collector.append("distinct_class_agreement_stderr", std::sqrt(residuals * probes / (probes - 1.0)) / total);
  }
}

// What the agreement of the labels of these rows rises to as noise vanishes: equal rows stay together.
double agreement_of_equal_rows(const std::vector<std::int64_t>& first_equal, const std::vector<std::int32_t>& labels,
                               const ProbeStarts& starts, std::int64_t probes) {
  std::vector<double> copies(first_equal.size());
  for (const std::int64_t row : first_equal) copies[static_cast<std::size_t>(row)] += 1.0;
  std::map<std::int64_t, std::map<std::int32_t, double>> shares;  // of rows that are not alone, by label
  for (std::size_t row = 0; row < first_equal.size(); ++row) {
    const double equal = copies[static_cast<std::size_t>(first_equal[row])];
    if (equal > 1.0) shares[first_equal[row]][labels[row]] += 1.0 / equal;
  }
  double sum = 0.0;
  for (std::int64_t probe = 0; probe < probes; ++probe) {
    const auto row = static_cast<std::size_t>(starts.row(probe, static_cast<std::int64_t>(first_equal.size())));
    const auto found = shares.find(first_equal[row]);
    if (found == shares.end()) sum += 1.0;
    for (const auto& [label, share] : found == shares.end() ? std::map<std::int32_t, double>() : found->second) {
      sum += share * share;
    }
  }
  return sum / static_cast<double>(probes);
}

// phi from the labels of a file: responsibilities of its rows, summed by label.
void measure_labelled_file(const TaskParameters& task, const TaskRequest& request, const TaskGroup& group,
                           const DataSlab& slab, VariableCollector& collector) {
  const auto groups = static_cast<std::int64_t>(task.file_summary.class_sizes.size());
  const bool keeps = group.comm().is_root();
  const std::int64_t probes = probe_count(task);
  const StoredSource source(group, slab);
  const EqualRows equal(group, slab);
  const ProbeStarts starts(task);
  for (const std::int64_t count : request.counts) {
    const ReductionPlan plan{
        .times = task.times, .process = task.process, .counts = {count}, .law = {}, .label_groups = groups};
    ProbeCurves agreement(keeps ? probes : 0, static_cast<std::int64_t>(task.times.size()));
    std::vector<RoundingLoss> losses(task.times.size());
    ProbeCurves distinct_agreeing = agreement;  // of pairs of clones that end on different points
    ProbeCurves distinct_pairs = agreement;
    const std::int64_t most = ProbeBlock::size_for_rows(task.dimension(), Partition::component);
    for (std::int64_t first = 0; first < probes; first += most) {
      const std::int64_t size = std::min(most, probes - first);
      const ProbeBlock block =
          fetch_probes(group, slab, starts.noise(), first, size, [&](std::int64_t p) { return starts.row(p, count); });
      Reduction reduction(plan, task.dimension(), block);
      source.visit(group, block, count, reduction.consumer());
      reduction.merge_over(group);
      for (std::int64_t p = 0; keeps && p < size; ++p) {
        for (std::size_t t = 0; t < task.times.size(); ++t) {
          const double same_class = reduction.label_agreement(0, p, t);
          const double same_point = reduction.summary(0, p, t).participation;
          agreement.at(first + p, t) = same_class;
          distinct_agreeing.at(first + p, t) = std::max(0.0, same_class - same_point);
          distinct_pairs.at(first + p, t) = std::max(0.0, 1.0 - same_point);
          losses[t].add(reduction.rounding_error(0, p, t));
        }
      }
    }
    group.run_guarded([&] {
      if (!keeps) return;
      require_digits(task, losses, std::min(probes, count));
      std::vector<double> frequencies(static_cast<std::size_t>(groups));
      const std::vector<std::int32_t> labels = read_labels(*task.file, count);
      for (const std::int32_t label : labels) {
        frequencies[static_cast<std::size_t>(label)] += 1.0 / static_cast<double>(count);
      }
      collector.append_curve("class_agreement", agreement);
      append_distinct_agreement(collector, distinct_agreeing, distinct_pairs);
      const double no_noise = agreement_of_equal_rows(equal.first_equal(count), labels, starts, probes);
      append_agreement_time(collector, task, "speciation_time", agreement,
                            {.most_noise = sum_of_squares(frequencies), .no_noise = no_noise}, count);
    });
  }
}

void measure_spectral_time(const TaskParameters& task, const TaskRequest& request, const TaskGroup& group,
                           const DataSlab& slab, VariableCollector& collector) {
  for (const std::int64_t count : request.counts) {
    if (!is_drawn(task, count)) {
      if (!group.comm().is_root()) continue;
      collector.append("covariance_eigenvalue", nan);
      collector.append("covariance_residual", nan);
      collector.append_root("speciation_time_spectral", nan, RootStatus::not_measured);
      continue;
    }
    const LargestEigenvalue largest = largest_covariance_eigenvalue(group, slab, count);
    if (!group.comm().is_root()) continue;
    if (!largest.converged) {
      collector.warn(fmt::format("covariance_eigenvalue of {} samples did not converge ({}, {} restarts): NaN", count,
                                 largest.stop_reason, largest.iterations));
    }
    collector.append("covariance_eigenvalue", largest.value);
    collector.append("covariance_residual", largest.residual);
    collector.append_root("speciation_time_spectral", spectral_time(task.process, largest.value),
                          largest.converged ? RootStatus::never : RootStatus::failed);
  }
}

}  // namespace

std::vector<MeasureOption> SpeciationMeasure::options() const {
  return {{.name = "probes",
           .value = 4096,
           .minimum = 2,
           .maximum = 1e9,
           .integer = true,
           .meaning = "noised samples per realization",
           .words = {}}};
}

std::string SpeciationMeasure::problem(const TaskParameters& task) const {
  if (task.manifold || task.sphere) {
    return fmt::format(
        "measure.speciation needs data with classes, which a {} has not: [ensemble] kind must be \"gaussian-mixture\" "
        "or "
        "\"file\"",
        task.manifold ? "linear manifold" : "hypersphere");
  }
  if (task.file && task.samples.empty()) return "measure.speciation of a file needs at least one sample count";
  return {};
}

std::vector<VariableSpec> SpeciationMeasure::variables(const TaskParameters& task) const {
  std::vector<VariableSpec> specs;
  const auto add = [&](const std::vector<VariableSpec>& more) { specs.insert(specs.end(), more.begin(), more.end()); };
  const bool by_count = task.file.has_value();
  if (has_classes(task)) {
    add(curve_specs(agreement_spec(by_count)));
    add(critical_time_specs(speciation_spec(by_count)));
    if (by_count) add(curve_specs(possibly_missing(distinct_agreement_spec())));
  }
  if (has_superclasses(task)) {
    add(curve_specs(superclass_agreement_spec()));
    add(critical_time_specs(superclass_speciation_spec()));
  }
  if (task.mixture) {
    add(representation_specs());
    add(root_specs(drift_spec()));
    add(root_specs(curvature_spec()));
    add(prediction_specs(task));
  }
  if (has_samples(task) && !draws_training_set(task)) return specs;
  const bool spectral_by_count = draws_training_set(task);
  add({possibly_missing(eigenvalue_spec(spectral_by_count))});
  add(root_specs(spectral_spec(spectral_by_count)));
  if (spectral_by_count) {
    add({possibly_missing(number_spec("covariance_residual", "1", "residual norm of the largest covariance eigenpair",
                                      "SLEPc Krylov-Schur, relative tolerance 1e-10", true))});
  }
  return specs;
}

Cost SpeciationMeasure::cost(const TaskParameters& task, const TaskRequest& request) const {
  const auto probes = static_cast<double>(probe_count(task));
  const auto times = static_cast<double>(task.times.size());
  Cost cost;
  cost.rank_bytes = 8.0 * probes * times;
  if (task.mixture && request.count_free) {
    cost += choose(task).representation == Representation::projected ? projected_cost(task) : explicit_cost(task);
  }
  const std::vector<std::int64_t> counts = drawn_counts(task, request.counts);
  if (!counts.empty() && draws_training_set(task)) {
    const auto dimension = static_cast<double>(task.dimension());
    const auto points = 2.0 * static_cast<double>(ProbeBlock::size_for_rows(task.dimension(), Partition::component));
    if (task.file) cost.rank_bytes += 8.0 * points * (dimension + SlabLayout::block);
    const auto n = static_cast<double>(std::ranges::max(counts));
    constexpr double krylov_products = 60.0;
    double total = 0.0;
    for (const std::int64_t count : counts) total += static_cast<double>(count);
    cost.flops += 4.0 * krylov_products * total * dimension;
    cost.normals += n * dimension;
    cost.divided_bytes += 8.0 * stored_numbers(n, dimension);
    if (task.file && has_classes(task)) {
      cost.flops += 4.0 * probes * total * dimension;
      cost.exponentials += probes * total * times;
      cost.rank_bytes += 40.0 * n + 2.0 * 8.0 * probes * times;  // rows that are equal, pairs of clones
      // Sums by label of a block of probes: of the count, of what runs, and to merge those of all ranks.
      const auto sums = 6.0 + static_cast<double>(task.file_summary.class_sizes.size());
      cost.rank_bytes += 8.0 * 4.0 * 0.5 * points * times * sums;
    }
  }
  return cost;
}

MeasureResult SpeciationMeasure::run(const TaskParameters& task, const TaskRequest& request,
                                     const TaskGroup& group) const {
  VariableCollector collector;
  if (task.mixture && request.count_free) {
    MixtureSpeciation speciation(task, group);
    speciation.measure_agreement();
    group.run_guarded([&] {
      if (group.comm().is_root()) speciation.collect(collector);
    });
    speciation.measure_centre(collector);
  }
  if (!request.counts.empty() && draws_training_set(task)) {
    const std::vector<std::int64_t> counts = drawn_counts(task, request.counts);
    const std::int64_t largest = counts.empty() ? 1 : std::ranges::max(counts);
    const DataSlab slab = make_training_set(group, task, Partition::component, largest);
    if (task.file && has_classes(task)) measure_labelled_file(task, request, group, slab, collector);
    measure_spectral_time(task, request, group, slab, collector);
  }
  return collector.take();
}

std::vector<VariableValues> SpeciationMeasure::predict(const TaskParameters& task) const {
  if (!task.mixture) return {};
  const Biroli2024 theory(*task.mixture);
  VariableCollector collector;
  std::vector<double> agreement;
  std::vector<double> superclass_agreement;
  for (const double time : task.times) {
    const double tau = task.process.noise_to_signal(time);
    agreement.push_back(theory.class_agreement(tau));
    if (has_superclasses(task)) superclass_agreement.push_back(theory.superclass_agreement(tau));
  }
  collector.append("class_agreement_theory", agreement);
  const double speciation_time = theory.speciation_time(task.process);
  collector.append("speciation_time_theory", speciation_time);
  if (approximates_centroids(task)) {
    collector.append("speciation_time_tolerance",
                     std::isfinite(speciation_time) ? tolerance_at(task.process, speciation_time) : nan);
  }
  if (has_superclasses(task)) {
    collector.append("superclass_agreement_theory", superclass_agreement);
    collector.append("superclass_speciation_time_theory", theory.superclass_speciation_time(task.process));
  }
  collector.append("drift_instability_time_theory", theory.drift_instability_time(task.process));
  collector.append("curvature_instability_time_theory", theory.curvature_instability_time(task.process));
  predict_spectral_time(task, theory, collector);
  return collector.take().variables;
}

}  // namespace diffphase
