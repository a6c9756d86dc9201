#include "measure/spectrum.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "measure/probe_curves.hpp"
#include "measure/probed_score.hpp"
#include "spectrum/dense_eigenvalues.hpp"
#include "spectrum/hutchinson.hpp"
#include "spectrum/interval_count.hpp"
#include "spectrum/partial_spectrum.hpp"
#include "spectrum/spectral_density.hpp"
#include "theory/noised_hypersphere.hpp"

namespace diffphase {

namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();

constexpr const char* jacobian_source = "N = -b^2 J = I - C, C = (a^2/b^2) Cov[x_0|x]";

std::int64_t integer(const TaskParameters& task, const char* option) {
  return static_cast<std::int64_t>(task.options.at(option));
}

const std::vector<double>& spectrum_times(const TaskParameters& task) {
  const auto given = task.lists.find("times");
  return given == task.lists.end() ? task.times : given->second;
}

// No more than the data have dimensions.
std::int64_t wanted(const TaskParameters& task) { return std::min(integer(task, "largest"), task.dimension()); }

SpectrumMethod method_of(const TaskParameters& task) {
  const std::string& word = task.words.at("method");
  for (const SpectrumMethod method :
       {SpectrumMethod::krylov, SpectrumMethod::block_krylov, SpectrumMethod::gram, SpectrumMethod::dense}) {
    if (word == name(method)) return method;
  }
  return SpectrumMethod::automatic;
}

CountMethod count_method_of(const TaskParameters& task) {
  const std::string& word = task.words.at("count_method");
  for (const CountMethod method : {CountMethod::inertia, CountMethod::density}) {
    if (word == name(method)) return method;
  }
  return CountMethod::automatic;
}

// Rows of the largest matrix that the asked method forms; 0: none, or its own choice.
std::int64_t matrix_side(const TaskParameters& task) {
  const bool has_rows = task.mixture || score_kind(task) == ScoreKind::training_set;
  if (!has_rows) return 0;
  if (method_of(task) == SpectrumMethod::dense) return task.nonzero_columns();
  if (method_of(task) != SpectrumMethod::gram) return 0;
  return score_kind(task) == ScoreKind::training_set ? task.samples.back() : task.mixture->classes;
}

bool has_density(const TaskParameters& task) { return integer(task, "density_probes") > 0; }
bool has_count(const TaskParameters& task) { return task.options.at("count_below") > 0.0; }
bool counts_by_density(const TaskParameters& task) {
  const CountMethod method = count_method_of(task);
  const bool small = task.nonzero_columns() <= max_inertia_size;
  return has_count(task) && (method == CountMethod::density || (method == CountMethod::automatic && !small));
}
bool has_traces(const TaskParameters& task) { return integer(task, "hutchinson_probes") > 0; }

std::vector<double> density_grid(const TaskParameters& task) {
  const std::int64_t points = integer(task, "density_points");
  const double from = task.options.at("density_from");
  const double to = task.options.at("density_to");
  std::vector<double> grid;
  for (std::int64_t i = 0; i < points; ++i) {
    grid.push_back(from + (to - from) * (static_cast<double>(i) + 0.5) / static_cast<double>(points));
  }
  return grid;
}

DensitySettings density_settings(const TaskParameters& task) {
  DensitySettings settings;
  // Eigenvalues are counted with as many as there usually are where no density is asked for.
  if (has_density(task)) settings.probes = static_cast<int>(integer(task, "density_probes"));
  settings.steps = static_cast<int>(integer(task, "density_steps"));
  return settings;
}

// What is computed at one time and one probe.
class ProbeSpectra {
 public:
  ProbeSpectra(const TaskGroup& group, const TaskParameters& task, VariableCollector& collector)
      : group_(group), task_(task), collector_(collector) {}

  void compute(const ProbedScore& score, std::int64_t count, double time, std::int64_t probe) {
    const double tau = task_.process.noise_to_signal(time);
    const ProbedJacobian jacobian = score.jacobian(tau, probe);
    const std::string where =
        fmt::format("{}time {:.6g}, probe {}", count > 0 ? fmt::format("n = {}, ", count) : "", time, probe);
    const PartialSpectrum partial = largest(jacobian);
    append_largest(partial, jacobian, where);
    const auto normal = static_cast<double>(task_.dimension() - score.span());
    append("jacobian_trace", static_cast<double>(score.span()) - jacobian.trace + normal);
    const DeflatedSpace deflated = deflated_space(partial, jacobian);
    if (has_density(task_)) append_density(jacobian, deflated, probe);
    if (has_count(task_)) append_count(jacobian, deflated, normal, probe);
    if (has_traces(task_)) append_traces(jacobian, normal, probe);
  }

  /// Why each method was used where it was used first.
  [[nodiscard]] std::vector<std::string> notes() const {
    std::vector<std::string> texts;
    for (const auto& [method, reason] : notes_) texts.push_back(reason);
    return texts;
  }

 private:
  void append(const std::string& variable, double value) {
    if (group_.comm().is_root()) collector_.append(variable, value);
  }

  [[nodiscard]] bool keeps_vectors() const { return has_density(task_) || has_count(task_); }

  [[nodiscard]] PartialSpectrum largest(const ProbedJacobian& jacobian) const {
    const std::int64_t count = std::min(wanted(task_), jacobian.covariance.size);
    if (jacobian.eigenvalues) {
      PartialSpectrum known;
      known.eigenvalues.assign(jacobian.eigenvalues->begin(), jacobian.eigenvalues->begin() + count);
      known.residuals.assign(known.eigenvalues.size(), 0.0);
      known.converged.assign(known.eigenvalues.size(), true);
      known.reason = jacobian.trace > 0.0 ? "the law's covariance is known" : "all weight is on one point: C is 0";
      return known;
    }
    SpectrumOptions options;
    options.count = count;
    options.method = method_of(task_);
    options.tolerance = task_.options.at("tolerance");
    options.verify = task_.words.at("verify") == "yes";
    options.keep_vectors = keeps_vectors();
    return largest_eigenpairs(group_, jacobian.covariance, options);
  }

  void append_largest(const PartialSpectrum& partial, const ProbedJacobian& jacobian, const std::string& where) {
    if (!group_.comm().is_root()) return;
    append_padded(partial);
    const SolverStatus status = solver_status(partial);
    collector_.append("spectrum_method", jacobian.eigenvalues ? 4.0 : static_cast<double>(partial.method) - 1.0);
    collector_.append("spectrum_status", static_cast<double>(status));
    collector_.append("spectrum_iterations", partial.iterations);
    collector_.append("spectrum_products", static_cast<double>(partial.products));
    const char* method = jacobian.eigenvalues ? "closed form" : name(partial.method);
    notes_.try_emplace(method, fmt::format("{}{}{}", partial.reason,
                                           partial.stop_reason.empty() ? "" : "; stopped: ", partial.stop_reason));
    if (status == SolverStatus::not_converged) {
      const auto bad = std::ranges::count(partial.converged, false);
      collector_.warn(fmt::format("spectrum at {}: {} of {} eigenvalues above the tolerance of {:.1e} ({})", where, bad,
                                  partial.converged.size(), partial.tolerance, partial.stop_reason));
    }
    if (status == SolverStatus::copies_missing) {
      collector_.warn(fmt::format("spectrum at {}: an eigenvalue {:.6g} was seen outside of those found", where,
                                  partial.verification.largest_outside));
    }
  }

  // With those of the normal directions that the score leaves out, in which C is 0, exactly; NaN last.
  void append_padded(const PartialSpectrum& partial) {
    std::vector<double> values = partial.eigenvalues;
    std::vector<double> residuals = partial.residuals;
    const auto rounding = std::ranges::find_if(values, [](double value) { return !(value >= 0.0); });
    const auto found = rounding - values.begin();
    const auto missing = static_cast<std::size_t>(wanted(task_)) - values.size();
    values.insert(values.begin() + found, missing, 0.0);
    residuals.insert(residuals.begin() + found, missing, 0.0);
    collector_.append("jacobian_eigenvalue", values);
    collector_.append("jacobian_eigenvalue_residual", residuals);
  }

  // The leading eigenvalues that converged.
  [[nodiscard]] DeflatedSpace deflated_space(const PartialSpectrum& partial, const ProbedJacobian& jacobian) const {
    DeflatedSpace space;
    if (!keeps_vectors() || jacobian.eigenvalues) return space;
    std::size_t good = 0;
    while (good < partial.converged.size() && partial.converged[good]) ++good;
    space.eigenvalues.assign(partial.eigenvalues.begin(),
                             partial.eigenvalues.begin() + static_cast<std::ptrdiff_t>(good));
    space.vectors = std::span(partial.vectors).first(good * static_cast<std::size_t>(jacobian.covariance.local_size));
    return space;
  }

  [[nodiscard]] RandomStream stream(const char* purpose, std::int64_t probe) const {
    return {task_.seed, task_.ensemble, task_.realization, fmt::format("{} {}", purpose, probe)};
  }

  void append_density(const ProbedJacobian& jacobian, const DeflatedSpace& deflated, std::int64_t probe) {
    const SpectralDensity density =
        spectral_density(group_, jacobian.covariance, stream("density", probe), density_settings(task_), deflated);
    if (!group_.comm().is_root()) return;
    std::vector<double> grid = density_grid(task_);
    const double spacing = grid.size() > 1 ? grid[1] - grid[0] : 1.0;
    for (double& eigenvalue : grid) eigenvalue = 1.0 - eigenvalue;
    const double width = std::max(spacing, density.width_of_steps());
    const SmoothedDensity smoothed = density.smoothed(grid, width);
    collector_.append("spectral_density", smoothed.values);
    collector_.append("spectral_density_stderr", smoothed.standard_errors);
    collector_.append("spectral_density_bias", smoothed.biases);
    collector_.append("spectral_density_width", width);
    for (int degree = 1; degree <= 4; ++degree) {
      const DensityEstimate moment = density.moment(degree);
      collector_.append("spectral_moment", moment.value);
      collector_.append("spectral_moment_stderr", moment.standard_error);
      collector_.append("spectral_moment_bias", moment.bias);
    }
  }

  void append_count(const ProbedJacobian& jacobian, const DeflatedSpace& deflated, double normal, std::int64_t probe) {
    const double level = 1.0 - task_.options.at("count_below");
    IntervalCount found;
    if (jacobian.eigenvalues) {
      found.count.value = static_cast<double>(
          std::ranges::count_if(*jacobian.eigenvalues, [level](double value) { return value > level; }));
    } else {
      found = count_eigenvalues(group_, jacobian.covariance, level, infinity, stream("count", probe),
                                density_settings(task_), deflated, count_method_of(task_));
    }
    if (!group_.comm().is_root()) return;
    // N is 1 in the normal directions that the score leaves out.
    collector_.append("eigenvalue_count", found.count.value + (level < 0.0 ? normal : 0.0));
    collector_.append("eigenvalue_count_stderr", found.count.standard_error);
    collector_.append("eigenvalue_count_bias", found.count.bias);
    collector_.append("eigenvalue_count_bound", found.count.bound);
    collector_.append("eigenvalue_count_method", jacobian.eigenvalues ? 2.0 : static_cast<double>(found.method) - 1.0);
    if (jacobian.eigenvalues) return;
    notes_.try_emplace(fmt::format("count by {}", name(found.method)),
                       fmt::format("count by {}: {}", name(found.method), found.reason));
  }

  void append_traces(const ProbedJacobian& jacobian, double normal, std::int64_t probe) {
    const SymmetricOperator& c = jacobian.covariance;
    SymmetricOperator n;
    n.size = c.size;
    n.local_size = c.local_size;
    n.apply = [&c](std::int64_t vectors, std::span<const double> in, std::span<double> out) {
      c.apply(vectors, in, out);
      for (std::size_t i = 0; i < out.size(); ++i) out[i] = in[i] - out[i];
    };
    HutchinsonSettings settings;
    settings.probes = static_cast<int>(integer(task_, "hutchinson_probes"));
    const HutchinsonEstimates estimates = hutchinson(group_, n, stream("hutchinson", probe), settings);
    const double frobenius = std::hypot(estimates.frobenius.value, std::sqrt(normal));
    append("jacobian_trace_estimate", estimates.trace.value + normal);
    append("jacobian_trace_estimate_stderr", estimates.trace.standard_error);
    append("jacobian_frobenius", frobenius);
    append("jacobian_frobenius_stderr",
           frobenius > 0.0 ? estimates.frobenius.standard_error * estimates.frobenius.value / frobenius : 0.0);
    append("jacobian_asymmetry", estimates.asymmetry.value);
    append("jacobian_asymmetry_stderr", estimates.asymmetry.standard_error);
  }

  const TaskGroup& group_;
  const TaskParameters& task_;
  VariableCollector& collector_;
  std::map<std::string, std::string, std::less<>> notes_;
};

VariableSpec variable(const TaskParameters& task, std::string name, std::string long_name,
                      std::vector<std::string> dims, std::string source = jacobian_source) {
  return {.name = std::move(name),
          .units = "1",
          .long_name = std::move(long_name),
          .source = std::move(source),
          .per_sample = score_kind(task) == ScoreKind::training_set,
          .dims = std::move(dims)};
}

const std::vector<std::string> each_probe{"spectrum_time", "probe"};

std::vector<std::string> each_probe_and(const char* dim) { return {"spectrum_time", "probe", dim}; }

void add_with_error(std::vector<VariableSpec>& specs, const VariableSpec& spec) {
  specs.push_back(spec);
  VariableSpec error = spec;
  error.name += "_stderr";
  error.long_name = "standard error of " + spec.name + " over random vectors";
  error.source.clear();
  specs.push_back(error);
}

std::vector<VariableSpec> optional_variables(const TaskParameters& task) {
  std::vector<VariableSpec> specs;
  if (has_density(task)) {
    add_with_error(specs, variable(task, "spectral_density",
                                   "density of the eigenvalues of N, smoothed; without the normal directions that the "
                                   "data do not reach",
                                   each_probe_and("density_eigenvalue"), "stochastic Lanczos quadrature"));
    specs.push_back(variable(task, "spectral_density_bias", "spectral_density minus the same from half the steps",
                             each_probe_and("density_eigenvalue"), ""));
    specs.push_back(variable(task, "spectral_density_width", "standard deviation of the smoothing", each_probe, ""));
    add_with_error(specs, variable(task, "spectral_moment", "sum over eigenvalues of C of their power",
                                   each_probe_and("power"), "stochastic Lanczos quadrature"));
    specs.push_back(variable(task, "spectral_moment_bias", "spectral_moment minus the same from half the steps",
                             each_probe_and("power"), ""));
  }
  if (has_count(task)) {
    add_with_error(specs, variable(task, "eigenvalue_count", "eigenvalues of N below count_below", each_probe));
    specs.push_back(
        variable(task, "eigenvalue_count_bias", "eigenvalue_count minus the same from half the steps", each_probe, ""));
    specs.push_back(variable(task, "eigenvalue_count_bound", "what steps or rounding leave open", each_probe, ""));
    specs.push_back(
        flags_spec(variable(task, "eigenvalue_count_method", "how the eigenvalues were counted", each_probe),
                   {"inertia", "density", "closed_form"}));
  }
  if (has_traces(task)) {
    add_with_error(specs, variable(task, "jacobian_trace_estimate", "tr N from random vectors", each_probe,
                                   "Hutchinson's estimator"));
    add_with_error(specs, variable(task, "jacobian_frobenius", "Frobenius norm of N from random vectors", each_probe,
                                   "Hutchinson's estimator"));
    add_with_error(specs, variable(task, "jacobian_asymmetry", "Frobenius norm of J - J^T times b^2", each_probe,
                                   "Hutchinson's estimator; 0 but for rounding for an exact score"));
  }
  return specs;
}

// Whether the eigenvalues of the exact score's N are known beforehand: averaged over the length of a probe on a sphere.
bool has_law(const TaskParameters& task) {
  return task.sphere || (task.manifold && task.manifold->factor == FactorKind::orthonormal);
}

// Eigenvalues of C of the exact score, the largest first, 0 in normal directions.
std::vector<double> law_eigenvalues(const TaskParameters& task, double tau) {
  std::vector<double> values;
  // No more of each kind than are asked for of all.
  const auto add = [&](std::int64_t count, double value) {
    values.insert(values.end(), static_cast<std::size_t>(std::min(count, wanted(task))), value);
  };
  if (task.sphere) {
    const HypersphereSpectrum spectrum = NoisedHypersphere(task.sphere->span(), task.sphere->radius).mean_spectrum(tau);
    add(task.sphere->sphere_dimension, 1.0 - spectrum.tangential);
    add(1, 1.0 - spectrum.radial);
  } else {
    const double ambient = task.manifold->ambient_noise * task.manifold->ambient_noise;
    for (const FactorBlock& block : task.manifold->blocks) {
      const double variance = block.sigma * block.sigma + ambient;
      add(block.size, variance / (variance + tau));
    }
    add(task.manifold->dimension - task.manifold->columns(), ambient / (ambient + tau));
  }
  values.resize(std::max(values.size(), static_cast<std::size_t>(wanted(task))), 0.0);
  std::ranges::sort(values, std::greater<>());
  values.resize(static_cast<std::size_t>(wanted(task)));
  return values;
}

// The exact score's numbers are those of any training set that is large enough.
std::string law_suffix(const TaskParameters& task) {
  return score_kind(task) == ScoreKind::exact ? "_theory" : "_theory_asymptotic";
}

}  // namespace

std::vector<MeasureOption> SpectrumMeasure::options() const {
  MeasureOption times = number_option("times", 0.0, 0.0, infinity, "times of the spectra; those of the grid if absent");
  times.list = true;
  return {
      integer_option("probes", 4, 1, 1e6, "noised data points per realization"),
      integer_option("largest", 32, 1, 1e6, "eigenvalues of C to compute, the largest: tangent directions"),
      times,
      score_option(),
      word_option("method", "how eigenvalues are computed", {"automatic", "krylov", "block-krylov", "gram", "dense"}),
      number_option("tolerance", 1e-8, 1e-14, 1e-2, "residual of an eigenpair relative to its eigenvalue"),
      word_option("verify", "krylov: search for copies that were missed", {"yes", "no"}),
      word_option("partition", "what the ranks of a group divide: data points or coordinates",
                  {"component", "dimension"}),
      integer_option("density_probes", 0, 0, 1e6, "random vectors for the density of all eigenvalues; 0: none"),
      integer_option("density_steps", 64, 2, 1e4, "Lanczos steps for each of them"),
      integer_option("density_points", 128, 2, 1e5, "points at which the density is given"),
      number_option("density_from", -0.5, -1e6, 0.99, "smallest eigenvalue of N there"),
      number_option("density_to", 1.1, 1.0, 1e6, "largest; above 1 because the density is smoothed"),
      number_option("count_below", 0.0, 0.0, 1e6, "count the eigenvalues of N below; 0: do not"),
      word_option("count_method", "how they are counted: by factorising the matrix, or from the density",
                  {"automatic", "inertia", "density"}),
      integer_option("hutchinson_probes", 0, 0, 1e6, "random vectors for trace, norm and asymmetry; 0: none")};
}

std::string SpectrumMeasure::problem(const TaskParameters& task) const {
  for (const double time : spectrum_times(task)) {
    if (task.process.contains(time)) continue;
    return fmt::format("measure.spectrum.times holds {}, which is not a time of {}", time, task.process.name());
  }
  const std::vector<double>& times = spectrum_times(task);
  if (!std::ranges::is_sorted(times, std::less_equal<>())) return "measure.spectrum.times must ascend";
  if (integer(task, "hutchinson_probes") == 1)
    return "measure.spectrum.hutchinson_probes = 1: at least 2, or 0 for none";
  const auto is_given = [&](const char* option, double usual) { return task.options.at(option) != usual; };
  if (!has_density(task) && !has_count(task) && (is_given("density_steps", 64) || is_given("density_points", 128))) {
    return "measure.spectrum.density_steps and density_points have no effect without density_probes";
  }
  if (!has_count(task) && count_method_of(task) != CountMethod::automatic) {
    return "measure.spectrum.count_method has no effect without count_below";
  }
  if (integer(task, "density_probes") == 1) return "measure.spectrum.density_probes = 1: at least 2, or 0 for none";
  const bool closed_form = score_kind(task) == ScoreKind::exact && (task.manifold || task.sphere);
  if (closed_form && task.words.at("method") != "automatic") {
    return fmt::format(
        "measure.spectrum.method = \"{}\": the spectrum of the exact score of this law has a closed form; leave it out",
        task.words.at("method"));
  }
  const std::int64_t side = matrix_side(task);
  if (side > largest_matrix) {
    return fmt::format("measure.spectrum.method = \"{}\" of a matrix of {} rows: at most {}", task.words.at("method"),
                       side, largest_matrix);
  }
  if (has_count(task) && count_method_of(task) == CountMethod::inertia && task.nonzero_columns() > max_inertia_size) {
    return fmt::format("measure.spectrum.count_method = \"inertia\" in {} dimensions: at most {}",
                       task.nonzero_columns(), max_inertia_size);
  }
  return score_problem(task, "spectrum");
}

std::vector<DimensionSpec> SpectrumMeasure::dimensions(const TaskParameters& task) const {
  std::vector<DimensionSpec> dims{
      {"spectrum_time", spectrum_times(task), "time", "time of a spectrum, on the clock of the process"},
      {"probe", counting_up(integer(task, "probes")), "1", "noised data point"},
      {"eigenvalue_index", counting_up(wanted(task)), "1", "place of an eigenvalue, the largest of C first"}};
  if (has_density(task)) {
    dims.push_back({"density_eigenvalue", density_grid(task), "1", "eigenvalue of N"});
    dims.push_back({"power", std::vector<std::int64_t>{1, 2, 3, 4}, "1", "power of the eigenvalues of C"});
  }
  return dims;
}

std::vector<VariableSpec> SpectrumMeasure::variables(const TaskParameters& task) const {
  const VariableSpec eigenvalue = possibly_missing(
      variable(task, "jacobian_eigenvalue", "largest eigenvalues of C = 1 - N", each_probe_and("eigenvalue_index")));
  std::vector<VariableSpec> specs{
      eigenvalue,
      possibly_missing(variable(task, "jacobian_eigenvalue_residual",
                                "residual norm |C v - lambda v| of a unit vector v", each_probe_and("eigenvalue_index"),
                                "")),
      variable(task, "jacobian_trace", "trace of N", each_probe),
      flags_spec(variable(task, "spectrum_method", "how the eigenvalues were computed", each_probe),
                 {"krylov", "block_krylov", "gram", "dense", "closed_form"}),
      flags_spec(variable(task, "spectrum_status", "what the solver says of the eigenvalues", each_probe),
                 {"verified", "unverified", "copies_missing", "not_converged"}),
      variable(task, "spectrum_iterations", "restarts of the solver", each_probe, ""),
      variable(task, "spectrum_products", "products of C with a vector", each_probe, "")};
  const std::vector<VariableSpec> more = optional_variables(task);
  specs.insert(specs.end(), more.begin(), more.end());
  if (has_law(task)) {
    VariableSpec law =
        prediction_spec(eigenvalue, task.sphere ? NoisedHypersphere::source() : "s/(s + b^2/a^2)", law_suffix(task));
    law.dims = {"spectrum_time", "eigenvalue_index"};
    specs.push_back(law);
  }
  return specs;
}

Cost SpectrumMeasure::cost(const TaskParameters& task, const TaskRequest& request) const {
  const auto probes = static_cast<double>(integer(task, "probes"));
  const auto times = static_cast<double>(spectrum_times(task).size());
  Cost cost = score_cost(task, request, probes, times);
  cost += eigenpairs_cost(task, request, probes, times, wanted(task), method_of(task));
  const auto columns = static_cast<double>(task.nonzero_columns());
  const DensitySettings settings = density_settings(task);
  const double density = static_cast<double>(settings.probes) * settings.steps;
  const bool factorises = has_count(task) && !counts_by_density(task);
  const double products = (has_density(task) ? density : 0.0) + (counts_by_density(task) ? density : 0.0) +
                          (factorises ? columns : 0.0) + task.options.at("hutchinson_probes");
  constexpr double factorisations = 4.0;
  const double factorising = factorises ? factorisations * columns * columns * columns / 3.0 : 0.0;
  for (const std::int64_t count : score_counts(task, request)) {
    if (score_kind(task) == ScoreKind::exact && !task.mixture) break;
    const auto rows = static_cast<double>(count > 0 ? count : task.mixture->classes);
    cost.flops += probes * times * (products * 4.0 * rows * columns + factorising);
  }
  if (factorises) cost.rank_bytes += 2.0 * 8.0 * columns * columns;
  if (has_density(task) || counts_by_density(task)) {
    cost.divided_bytes += static_cast<double>(density_bytes(task.nonzero_columns(), density_settings(task)));
  }
  return cost;
}

MeasureResult SpectrumMeasure::run(const TaskParameters& task, const TaskRequest& request,
                                   const TaskGroup& group) const {
  std::map<std::int64_t, MeasureResult> by_count;
  std::set<std::string> notes;
  const std::string warning = visit_scores(group, task, request, [&](std::int64_t count, const ProbedScore& score) {
    VariableCollector collector;
    ProbeSpectra spectra(group, task, collector);
    for (const double time : spectrum_times(task)) {
      for (std::int64_t probe = 0; probe < integer(task, "probes"); ++probe) {
        spectra.compute(score, count, time, probe);
      }
    }
    by_count[count] = collector.take();
    for (const std::string& note : spectra.notes()) notes.insert(note);
  });
  MeasureResult result = joined(score_counts(task, request), by_count);
  if (group.comm().is_root() && !warning.empty()) result.warnings.push_back(warning);
  if (group.comm().is_root()) result.notes.assign(notes.begin(), notes.end());
  return result;
}

std::vector<VariableValues> SpectrumMeasure::predict(const TaskParameters& task) const {
  if (!has_law(task)) return {};
  VariableCollector collector;
  const std::size_t copies = score_kind(task) == ScoreKind::training_set ? task.samples.size() : 1;
  for (std::size_t i = 0; i < copies; ++i) {
    for (const double time : spectrum_times(task)) {
      collector.append("jacobian_eigenvalue" + law_suffix(task),
                       law_eigenvalues(task, task.process.noise_to_signal(time)));
    }
  }
  return collector.take().variables;
}

}  // namespace diffphase
