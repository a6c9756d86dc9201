#include "measure/gap.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <set>
#include <stdexcept>

#include "measure/probe_curves.hpp"
#include "measure/probed_score.hpp"
#include "spectrum/factor_variances.hpp"
#include "spectrum/largest_eigenvalue.hpp"
#include "spectrum/partial_spectrum.hpp"
#include "theory/ventura2025.hpp"
#include "transition/humped_curve.hpp"

namespace diffphase {

namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

std::int64_t probe_count(const TaskParameters& task) { return static_cast<std::int64_t>(task.options.at("probes")); }
double threshold_of(const TaskParameters& task) { return task.options.at("threshold"); }

// The bands of the spectrum.
std::vector<VarianceBand> bands_of(const TaskParameters& task) { return variance_bands(task.manifold->blocks); }

double ambient_variance(const TaskParameters& task) {
  return task.manifold->ambient_noise * task.manifold->ambient_noise;
}

std::int64_t band_columns(const std::vector<VarianceBand>& bands) {
  std::int64_t columns = 0;
  for (const VarianceBand& band : bands) columns += band.size;
  return columns;
}

// Curves of everything that is measured on spectra, [unit][time], a unit being a probe.
struct GapCurves {
  std::vector<ProbeCurves> gaps;  // between bands, from the largest sigma
  ProbeCurves final_gap;
  ProbeCurves spread;  // between the lowest and the highest eigenvalue of N
  std::vector<ProbeCurves> lower;
  std::vector<ProbeCurves> upper;  // edges of the bands in N

  GapCurves(std::size_t bands, std::int64_t probes, std::int64_t times)
      : gaps(bands > 0 ? bands - 1 : 0, ProbeCurves(probes, times)),
        final_gap(probes, times),
        spread(probes, times),
        lower(bands, ProbeCurves(probes, times)),
        upper(bands, ProbeCurves(probes, times)) {}
};

// How far the final gap is above the threshold and all other gaps.
ProbeCurves lead_of_final_gap(const GapCurves& curves, double threshold) {
  ProbeCurves lead = curves.final_gap;
  for (std::size_t i = 0; i < lead.values.size(); ++i) {
    double other = threshold;
    for (const ProbeCurves& gap : curves.gaps) other = std::max(other, gap.values[i]);
    lead.values[i] -= other;
  }
  return lead;
}

VariableSpec spec_of(const TaskParameters& task, std::string name, std::string units, std::string long_name,
                     std::vector<std::string> dims, std::string source = {}) {
  return {.name = std::move(name),
          .units = std::move(units),
          .long_name = std::move(long_name),
          .source = std::move(source),
          .per_sample = score_kind(task) == ScoreKind::training_set,
          .dims = std::move(dims)};
}

bool has_gaps(const TaskParameters& task) { return bands_of(task).size() > 1; }
bool has_final_gap(const TaskParameters& task) { return band_columns(bands_of(task)) < task.dimension(); }

// Everything that this measure knows of a critical time or a curve.
struct Quantity {
  VariableSpec spec;
  bool is_time = false;
};

std::vector<Quantity> quantities(const TaskParameters& task) {
  const auto source = [](const char* prediction) { return Ventura2025::source(prediction); };
  std::vector<Quantity> all;
  const auto curve = [&](const char* name, const char* meaning, std::vector<std::string> dims, const char* prediction) {
    all.push_back({spec_of(task, name, "1", meaning, std::move(dims), source(prediction)), false});
  };
  const auto time = [&](const char* name, const char* meaning, std::vector<std::string> dims, const char* prediction) {
    all.push_back({spec_of(task, name, "time", meaning, std::move(dims), source(prediction)), true});
  };
  curve("block_eigenvalue_lower", "smallest eigenvalue of N in a variance block", {"time", "block"},
        "intermediate_gaps");
  curve("block_eigenvalue_upper", "largest eigenvalue of N in a variance block", {"time", "block"},
        "intermediate_gaps");
  if (has_gaps(task)) {
    curve("gap", "gap of N between adjacent variance blocks, from the largest sigma", {"time", "block_gap"},
          "intermediate_gaps");
    curve("gap_maximum", "largest height of the gap", {"block_gap"}, "intermediate_gaps");
    time("gap_opening_time", "largest time at which the gap is at the threshold", {"block_gap"}, "times");
    time("gap_maximum_time", "time at which the gap is highest", {"block_gap"}, "times");
    time("gap_closing_time", "smallest time at which the gap is at the threshold", {"block_gap"}, "times");
  }
  if (has_final_gap(task)) {
    curve("final_gap", "gap of N between tangent and normal directions", {"time"}, "final_gap");
    time("final_gap_opening_time", "largest time at which the final gap is at the threshold", {}, "final_gap");
    time("final_gap_closing_time", "smallest time at which the final gap is at the threshold", {}, "final_gap");
    time("consolidation_time", "begin of manifold consolidation: the final gap becomes the largest", {},
         "consolidation_time");
  }
  time("coverage_time", "begin of manifold coverage: the spread of the eigenvalues of N reaches the threshold", {},
       "coverage_time");
  return all;
}

// "_theory" where the prediction is of the same quantity at the same size: the law's own score with exact bands.
std::string suffix(const TaskParameters& task) {
  const bool same = score_kind(task) == ScoreKind::exact && task.manifold->factor == FactorKind::orthonormal;
  return same ? "_theory" : "_theory_asymptotic";
}

// The values of every quantity that known bands give, appended under the name that `named` makes of it.
class KnownBands {
 public:
  KnownBands(const TaskParameters& task, std::vector<SpectralBulk> bulks)
      : task_(task), theory_(std::move(bulks), task.dimension(), threshold_of(task), ambient_variance(task)) {}

  void append(VariableCollector& collector, const std::string& ending, bool with_status) const {
    append_edges(collector, ending);
    const auto time = [&](const std::string& name, double value) {
      collector.append(name + ending, value);
      if (with_status) {
        collector.append(name + "_status",
                         static_cast<double>(std::isfinite(value) ? RootStatus::found : RootStatus::never));
      }
    };
    if (has_gaps(task_)) append_gaps(collector, ending, time);
    if (has_final_gap(task_)) append_final_gap(collector, ending, time);
    time("coverage_time", theory_.coverage_time(task_.process));
  }

  void append_phases(VariableCollector& collector, const std::string& name) const {
    for (const double t : task_.times) {
      collector.append(name, static_cast<double>(theory_.phase(task_.process.noise_to_signal(t))));
    }
  }

 private:
  // Gaps that the bands have, where blocks merge: fewer than there are blocks; the others are not there.
  [[nodiscard]] const ScoreSplitting* gap(std::size_t k) const {
    const auto& gaps = theory_.intermediate_gaps();
    return gaps.size() + 1 == bands_of(task_).size() ? &gaps[k] : nullptr;
  }
  [[nodiscard]] std::size_t gap_count() const { return bands_of(task_).size() - 1; }

  void append_edges(VariableCollector& collector, const std::string& ending) const {
    const auto& widths = theory_.widths();
    const std::size_t bands = bands_of(task_).size();
    for (const double t : task_.times) {
      const double tau = task_.process.noise_to_signal(t);
      for (std::size_t b = 0; b < bands; ++b) {
        const ScoreSplitting* width = widths.size() == bands ? &widths[b] : nullptr;
        collector.append("block_eigenvalue_lower" + ending, width ? tau / (tau + width->above()) : nan);
        collector.append("block_eigenvalue_upper" + ending, width ? tau / (tau + width->below()) : nan);
      }
    }
  }

  template <typename Time>
  void append_gaps(VariableCollector& collector, const std::string& ending, const Time& time) const {
    for (const double t : task_.times) {
      for (std::size_t k = 0; k < gap_count(); ++k) {
        collector.append("gap" + ending, gap(k) ? gap(k)->height(task_.process.noise_to_signal(t)) : nan);
      }
    }
    for (std::size_t k = 0; k < gap_count(); ++k) {
      const GapTimes times = gap(k) ? theory_.times(*gap(k), task_.process) : GapTimes{nan, nan, nan, nan};
      collector.append("gap_maximum" + ending, times.peak_height);
      time("gap_opening_time", times.opening);
      time("gap_maximum_time", times.peak);
      time("gap_closing_time", times.closing);
    }
  }

  template <typename Time>
  void append_final_gap(VariableCollector& collector, const std::string& ending, const Time& time) const {
    const std::optional<ScoreSplitting>& final_gap = theory_.final_gap();
    for (const double t : task_.times) {
      collector.append("final_gap" + ending, final_gap ? final_gap->height(task_.process.noise_to_signal(t)) : nan);
    }
    const GapTimes times = final_gap ? theory_.times(*final_gap, task_.process) : GapTimes{nan, nan, nan, nan};
    time("final_gap_opening_time", times.opening);
    time("final_gap_closing_time", times.closing > 0.0 ? times.closing : nan);
    time("consolidation_time", theory_.consolidation_time(task_.process));
  }

  const TaskParameters& task_;
  Ventura2025 theory_;
};

std::vector<SpectralBulk> limit_bulks(const TaskParameters& task) {
  const ManifoldParameters& manifold = *task.manifold;
  return manifold.factor == FactorKind::orthonormal
             ? orthonormal_factor_bulks(manifold.dimension, manifold.blocks)
             : gaussian_factor_bulks(manifold.dimension, manifold.blocks, manifold.scale());
}

// The exact score of one replica.
MeasureResult exact_gaps(const TaskGroup& group, const TaskParameters& task) {
  std::unique_ptr<LinearManifold> manifold;
  group.run_guarded(
      [&] { manifold = std::make_unique<LinearManifold>(*task.manifold, task.seed, task.ensemble, task.realization); });
  const std::vector<double> variances = factor_variances(group, *manifold);
  VariableCollector collector;
  group.run_guarded([&] {
    const KnownBands bands(task, replica_bulks(variances, task.manifold->blocks));
    bands.append(collector, "", /*with_status=*/true);
    bands.append_phases(collector, "geometric_phase");
  });
  return collector.take();
}

// The largest eigenvalues of C down to the first normal direction, and the lowest of all.
struct ScoreEigenvalues {
  std::vector<double> leading;
  double lowest = 0.0;
};

// Reads gaps and edges off the eigenvalues of C at one probe and time.
void record(GapCurves& curves, const std::vector<VarianceBand>& bands, const ScoreEigenvalues& score,
            std::int64_t probe, std::size_t time) {
  const std::vector<double>& eigenvalues = score.leading;
  std::size_t end = 0;
  for (std::size_t b = 0; b < bands.size(); ++b) {
    const std::size_t begin = end;
    end += static_cast<std::size_t>(bands[b].size);
    curves.lower[b].at(probe, time) = 1.0 - eigenvalues[begin];
    curves.upper[b].at(probe, time) = 1.0 - eigenvalues[end - 1];
    if (b + 1 < bands.size()) curves.gaps[b].at(probe, time) = eigenvalues[end - 1] - eigenvalues[end];
  }
  const bool normal = end < eigenvalues.size();
  curves.final_gap.at(probe, time) = normal ? eigenvalues[end - 1] - eigenvalues[end] : nan;
  curves.spread.at(probe, time) = eigenvalues[0] - score.lowest;
}

// The lowest eigenvalue of C in all dimensions, of which `largest` are known. Training points on a manifold, or no more
// of them than dimensions, leave directions where it is 0.
double lowest(const TaskGroup& group, const TaskParameters& task, const ProbedJacobian& jacobian,
              const std::vector<double>& largest) {
  const SymmetricOperator& c = jacobian.covariance;
  if (static_cast<std::int64_t>(largest.size()) == task.dimension()) return largest.back();
  if (ambient_variance(task) == 0.0 || c.size < task.dimension()) return 0.0;
  if (c.factor && c.factor->shift == 0.0 && c.factor->rows <= c.size) return 0.0;
  SymmetricOperator from_above{.size = c.size, .local_size = c.local_size, .apply = {}};
  from_above.apply = [&](std::int64_t vectors, std::span<const double> in, std::span<double> out) {
    c.apply(vectors, in, out);
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = largest.front() * in[i] - out[i];
  };
  const LargestEigenvalue found = largest_eigenvalue(group, from_above, 1e-8);
  if (!found.converged) {
    throw std::runtime_error("measure.gap: the lowest eigenvalue is above the tolerance: " + found.stop_reason);
  }
  return largest.front() - found.value;
}

ScoreEigenvalues eigenvalues_of(const TaskGroup& group, const TaskParameters& task, const ProbedScore& score,
                                std::int64_t wanted, double tau, std::int64_t probe, std::set<std::string>& notes) {
  const ProbedJacobian jacobian = score.jacobian(tau, probe);
  SpectrumOptions options;
  options.count = std::min(wanted, jacobian.covariance.size);
  const PartialSpectrum partial = largest_eigenpairs(group, jacobian.covariance, options);
  require_spectrum(partial, "gap", notes);
  ScoreEigenvalues found{.leading = partial.eigenvalues};
  found.leading.resize(static_cast<std::size_t>(std::min(wanted, task.dimension())), 0.0);
  found.lowest = lowest(group, task, jacobian, found.leading);
  return found;
}

void append_curves(VariableCollector& collector, const std::string& name, const std::vector<ProbeCurves>& curves) {
  std::vector<MeasuredCurve> averages;
  averages.reserve(curves.size());
  for (const ProbeCurves& c : curves) averages.push_back(average_curve(c.values, c.probes, c.times));
  for (std::size_t t = 0; t < static_cast<std::size_t>(curves.front().times); ++t) {
    for (const MeasuredCurve& average : averages) {
      collector.append(name, average.mean[t]);
      collector.append(name + "_stderr", average.standard_error[t]);
    }
  }
}

// Measured curves and the times on them.
class MeasuredGaps {
 public:
  MeasuredGaps(const TaskParameters& task, const GapCurves& curves, std::int64_t count, VariableCollector& collector)
      : task_(task), curves_(curves), count_(count), collector_(collector) {}

  void append() {
    append_curves(collector_, "block_eigenvalue_lower", curves_.lower);
    append_curves(collector_, "block_eigenvalue_upper", curves_.upper);
    if (has_gaps(task_)) append_gaps();
    if (has_final_gap(task_)) append_final_gap();
    append_coverage();
    append_phases();
  }

 private:
  void time(const std::string& name, const CriticalTime& found) {
    collector_.append_time(name, found, task_.times, count_);
  }
  [[nodiscard]] CriticalTime outer(const ProbeCurves& c, double level) const {
    return largest_crossing_of_mean(task_.times, c.values, c.probes, level, task_.process, /*falling=*/true);
  }
  [[nodiscard]] CriticalTime inner(const ProbeCurves& c, double level) const {
    return smallest_crossing_of_mean(task_.times, c.values, c.probes, level, task_.process, /*falling=*/false);
  }

  // What rises and falls with time and stays below a level: why there is no crossing. Nothing where it reaches the
  // level.
  static std::optional<RootStatus> below(double level, const ProbeCurves& curve) {
    const std::vector<double> heights = average_curve(curve.values, curve.probes, curve.times).mean;
    const auto highest = std::ranges::max_element(heights);
    if (*highest > level) return std::nullopt;
    if (*highest == std::ranges::min(heights)) return RootStatus::unresolved;  // collapsed: nothing of it is left
    if (highest == heights.begin()) return RootStatus::before_grid;
    return highest == heights.end() - 1 ? RootStatus::after_grid : RootStatus::never;
  }

  // The warning for `which` of several.
  [[nodiscard]] std::string stays_below(const std::string& which, RootStatus status) const {
    const char* advice = status == RootStatus::unresolved ? ", where it is always the same" : "";
    if (status == RootStatus::before_grid) advice = ", and is highest at the first: start the grid earlier";
    if (status == RootStatus::after_grid) advice = ", and is highest at the last: end the grid later";
    return fmt::format("{} of n = {} does not reach the threshold {} at any time of the grid{}", which, count_,
                       threshold_of(task_), advice);
  }

  void opening_and_closing(const std::string& name, const std::string& which, const ProbeCurves& gap) {
    if (const std::optional<RootStatus> status = below(threshold_of(task_), gap)) {
      collector_.append_no_time(name + "_opening_time", *status, stays_below(which, *status));
      collector_.append_no_time(name + "_closing_time", *status, "");
      return;
    }
    time(name + "_opening_time", outer(gap, threshold_of(task_)));
    time(name + "_closing_time", inner(gap, threshold_of(task_)));
  }

  void append_coverage() {
    if (const std::optional<RootStatus> status = below(threshold_of(task_), curves_.spread)) {
      collector_.append_no_time("coverage_time", *status, stays_below("the spread of all eigenvalues", *status));
      return;
    }
    time("coverage_time", outer(curves_.spread, threshold_of(task_)));
  }

  void append_gaps() {
    append_curves(collector_, "gap", curves_.gaps);
    for (std::size_t k = 0; k < curves_.gaps.size(); ++k) {
      const ProbeCurves& gap = curves_.gaps[k];
      const CurveMaximum maximum = maximum_of_mean(task_.times, gap.values, gap.probes, task_.process);
      collector_.append("gap_maximum", maximum.height);
      collector_.append("gap_maximum_stderr", maximum.standard_error);
      // Where all heights are the same, the warning is that of the opening.
      if (maximum.time.status == RootStatus::unresolved) {
        collector_.append_no_time("gap_maximum_time", RootStatus::unresolved, "");
      } else {
        time("gap_maximum_time", maximum.time);
      }
      opening_and_closing("gap", fmt::format("the gap between blocks {} and {}", k, k + 1), gap);
    }
  }

  void append_final_gap() {
    collector_.append_curve("final_gap", curves_.final_gap);
    opening_and_closing("final_gap", "the final gap", curves_.final_gap);
    const ProbeCurves lead = lead_of_final_gap(curves_, threshold_of(task_));
    if (const std::optional<RootStatus> status = below(0.0, lead)) {
      collector_.append_no_time("consolidation_time", *status, "");
    } else {
      time("consolidation_time", outer(lead, 0.0));
    }
  }

  // As Ventura2025::phase has it, from the means.
  void append_phases() {
    const ProbeCurves lead = lead_of_final_gap(curves_, threshold_of(task_));
    const MeasuredCurve leads = average_curve(lead.values, lead.probes, lead.times);
    const MeasuredCurve spreads = average_curve(curves_.spread.values, curves_.spread.probes, curves_.spread.times);
    for (std::size_t t = 0; t < task_.times.size(); ++t) {
      GeometricPhase phase = GeometricPhase::coverage;
      if (spreads.mean[t] < threshold_of(task_)) phase = GeometricPhase::trivial;
      if (leads.mean[t] >= 0.0) phase = GeometricPhase::consolidation;
      collector_.append("geometric_phase", static_cast<double>(phase));
    }
  }

  const TaskParameters& task_;
  const GapCurves& curves_;
  std::int64_t count_;
  VariableCollector& collector_;
};

MeasureResult training_set_gaps(const TaskGroup& group, const TaskParameters& task, const TaskRequest& request) {
  const std::vector<VarianceBand> bands = bands_of(task);
  const std::int64_t wanted = std::min(band_columns(bands) + 1, task.dimension());
  const bool keeps = group.comm().is_root();
  std::map<std::int64_t, MeasureResult> by_count;
  std::set<std::string> notes;
  const std::string warning = visit_scores(group, task, request, [&](std::int64_t count, const ProbedScore& score) {
    GapCurves curves(bands.size(), probe_count(task), static_cast<std::int64_t>(task.times.size()));
    for (std::int64_t probe = 0; probe < probe_count(task); ++probe) {
      for (std::size_t t = 0; t < task.times.size(); ++t) {
        const double tau = task.process.noise_to_signal(task.times[t]);
        record(curves, bands, eigenvalues_of(group, task, score, wanted, tau, probe, notes), probe, t);
      }
    }
    VariableCollector collector;
    if (keeps) MeasuredGaps(task, curves, count, collector).append();
    by_count[count] = collector.take();
  });
  MeasureResult result = joined(request.counts, by_count);
  if (keeps && !warning.empty()) result.warnings.push_back(warning);
  if (keeps) result.notes.assign(notes.begin(), notes.end());
  return result;
}

}  // namespace

std::vector<MeasureOption> GapMeasure::options() const {
  return {number_option("threshold", 0.1, 1e-6, 0.999999, "resolution: the height at which a gap of N is seen"),
          integer_option("probes", 4, 2, 1e6, "noised training points, where the score is a training set's"),
          score_option()};
}

std::string GapMeasure::problem(const TaskParameters& task) const {
  if (!task.manifold) {
    return "measure.gap needs ensemble.kind = \"linear-manifold\": gaps lie between its variance blocks";
  }
  return score_problem(task, "gap");
}

std::vector<DimensionSpec> GapMeasure::dimensions(const TaskParameters& task) const {
  const auto bands = static_cast<std::int64_t>(bands_of(task).size());
  std::vector<DimensionSpec> dims{
      {"block", counting_up(bands), "1", "variance block of the manifold, the largest sigma first"}};
  if (bands > 1) {
    dims.push_back({"block_gap", counting_up(bands - 1), "1", "gap between a variance block and the next smaller one"});
  }
  return dims;
}

std::vector<VariableSpec> GapMeasure::variables(const TaskParameters& task) const {
  const bool measured = score_kind(task) == ScoreKind::training_set;
  std::vector<VariableSpec> specs;
  for (const Quantity& quantity : quantities(task)) {
    VariableSpec spec = quantity.spec;
    const VariableSpec prediction = prediction_spec(spec, spec.source, suffix(task));
    spec.source = "eigenvalues of N = -b^2 J";
    // Blocks of a Gaussian factor may merge; a maximum may lie outside of the grid.
    spec.may_be_missing = !measured || spec.name == "gap_maximum";
    const std::vector<VariableSpec> all = quantity.is_time ? critical_time_specs(spec) : curve_specs(spec);
    for (const VariableSpec& one : all) {
      const bool is_error = one.name.ends_with("_stderr") || one.name.ends_with("_interpolation_error");
      if (measured || !is_error) specs.push_back(one);
    }
    specs.push_back(prediction);
  }
  VariableSpec phase = spec_of(task, "geometric_phase", "1", "phase of generation", {"time"});
  specs.push_back(flags_spec(phase, {"trivial", "coverage", "consolidation"}));
  VariableSpec expected = prediction_spec(specs.back(), Ventura2025::source("phase"), suffix(task));
  specs.push_back(expected);
  return specs;
}

Cost GapMeasure::cost(const TaskParameters& task, const TaskRequest& request) const {
  const auto probes = static_cast<double>(probe_count(task));
  const auto times = static_cast<double>(task.times.size());
  const bool exact = score_kind(task) == ScoreKind::exact;
  Cost cost = score_cost(task, request, probes, times);
  if (exact) return cost;
  cost += eigenpairs_cost(task, request, probes, times, band_columns(bands_of(task)) + 1);
  if (ambient_variance(task) > 0.0) {
    cost += eigenpairs_cost(task, request, probes, times, 1, SpectrumMethod::krylov);  // the lowest
  }
  cost.rank_bytes += 8.0 * (6.0 + 2.0 * static_cast<double>(bands_of(task).size())) * probes * times;
  return cost;
}

MeasureResult GapMeasure::run(const TaskParameters& task, const TaskRequest& request, const TaskGroup& group) const {
  if (score_kind(task) == ScoreKind::training_set) return training_set_gaps(group, task, request);
  if (!request.count_free) return {};
  MeasureResult result = exact_gaps(group, task);
  return group.comm().is_root() ? std::move(result) : MeasureResult{};
}

std::vector<VariableValues> GapMeasure::predict(const TaskParameters& task) const {
  VariableCollector collector;
  const KnownBands bands(task, limit_bulks(task));
  const std::size_t copies = score_kind(task) == ScoreKind::training_set ? task.samples.size() : 1;
  for (std::size_t i = 0; i < copies; ++i) {
    bands.append(collector, suffix(task), /*with_status=*/false);
    bands.append_phases(collector, "geometric_phase" + suffix(task));
  }
  return collector.take().variables;
}

}  // namespace diffphase
