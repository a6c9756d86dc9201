#include "measure/dimension.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>
#include <set>

#include "measure/probe_curves.hpp"
#include "measure/probed_score.hpp"
#include "spectrum/dense_eigenvalues.hpp"
#include "spectrum/intrinsic_dimension.hpp"
#include "spectrum/partial_spectrum.hpp"
#include "spectrum/score_matrix.hpp"
#include "spectrum/tall_singular_values.hpp"
#include "theory/noised_hypersphere.hpp"
#include "theory/ventura2025.hpp"

namespace diffphase {

namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr std::int64_t first_eigenvalues = 16;       // computed at first, then four times as many, then all
constexpr std::int64_t largest_score_matrix = 4096;  // dimensions

enum Estimator : std::size_t { by_gap = 0, by_threshold = 1, by_score_matrix = 2 };
const std::vector<std::string> estimators{"largest_gap", "threshold", "score_matrix"};

std::int64_t probe_count(const TaskParameters& task) { return static_cast<std::int64_t>(task.options.at("probes")); }
double threshold_of(const TaskParameters& task) { return task.options.at("threshold"); }
double resolution_of(const TaskParameters& task) { return task.options.at("resolution"); }
bool has_score_matrix(const TaskParameters& task) {
  const std::string& word = task.words.at("score_matrix");
  return word == "automatic" ? task.dimension() <= largest_score_matrix : word != "off";
}

std::int64_t matrix_rows(const TaskParameters& task) {
  const auto asked = static_cast<std::int64_t>(task.options.at("score_matrix_rows"));
  return asked > 0 ? asked : 4 * task.dimension();
}

ScoreRows rows_of(const TaskParameters& task) {
  const std::string& word = task.words.at("score_matrix");
  if (word == "plain") return ScoreRows::plain;
  return word == "antithetic" ? ScoreRows::antithetic : ScoreRows::centred;
}

// The largest eigenvalues of C over all d dimensions, and whether the rest can hide anything.
struct LeadingEigenvalues {
  std::vector<double> values;  // descending
  double floor = 0.0;          // no other eigenvalue is below
  bool complete = false;       // all that differ from the last one
};

// Distance of the two neighbours that are furthest apart.
double largest_gap(std::span<const double> values) {
  double largest = 0.0;
  for (std::size_t i = 0; i + 1 < values.size(); ++i) largest = std::max(largest, values[i] - values[i + 1]);
  return largest;
}

// What is not computed lies between the last value and the floor: no gap there is larger than their distance.
bool is_certain(const LeadingEigenvalues& leading, double threshold) {
  if (leading.complete) return true;
  const double hidden = leading.values.back() - leading.floor;
  return leading.values.back() <= 1.0 - threshold && largest_gap(leading.values) >= hidden;
}

// A spectrum without a wide gap is certain only when it is complete, and is so at the cost of some large part of it.
std::int64_t next_count(std::int64_t count, std::int64_t size) {
  if (size > largest_matrix) return std::min(2 * count, size);
  return count == first_eigenvalues ? std::min(4 * count, size) : size;
}

// Dimensions read off spectra.
class SpectralDimensions {
 public:
  SpectralDimensions(const TaskGroup& group, const TaskParameters& task) : group_(group), task_(task) {}

  [[nodiscard]] std::array<double, 2> at(const ProbedScore& score, double tau, std::int64_t probe) {
    const ProbedJacobian jacobian = score.jacobian(tau, probe);
    const std::int64_t normal = task_.dimension() - score.span();
    const LeadingEigenvalues leading = certain_eigenvalues(jacobian, normal);
    std::vector<double> n;
    for (const double value : leading.values) n.push_back(1.0 - value);
    const IntrinsicDimension by_gap_of_n = dimension_of_score_by_largest_gap(n);
    const bool resolved = by_gap_of_n.above - by_gap_of_n.below >= resolution_of(task_);
    return {resolved ? static_cast<double>(by_gap_of_n.dimension) : 0.0,
            static_cast<double>(dimension_by_threshold(n, threshold_of(task_)).dimension)};
  }

  [[nodiscard]] const std::set<std::string>& notes() const { return notes_; }

 private:
  [[nodiscard]] LeadingEigenvalues certain_eigenvalues(const ProbedJacobian& jacobian, std::int64_t normal) {
    const std::int64_t size = jacobian.covariance.size;
    for (std::int64_t count = std::min(first_eigenvalues, size);; count = next_count(count, size)) {
      LeadingEigenvalues leading;
      leading.values = jacobian.eigenvalues ? *jacobian.eigenvalues : computed(jacobian, count);
      leading.complete = static_cast<std::int64_t>(leading.values.size()) == size;
      leading.floor = normal > 0 ? 0.0 : jacobian.floor;
      if (leading.complete && normal > 0) leading.values.push_back(0.0);
      if (is_certain(leading, threshold_of(task_))) {
        // The directions beyond are like the floor: their distance to it is a gap as well.
        if (!leading.complete) leading.values.push_back(leading.floor);
        return leading;
      }
    }
  }

  [[nodiscard]] std::vector<double> computed(const ProbedJacobian& jacobian, std::int64_t count) {
    SpectrumOptions options;
    options.count = count;
    const PartialSpectrum partial = largest_eigenpairs(group_, jacobian.covariance, options);
    require_spectrum(partial, "dimension", notes_);
    return partial.eigenvalues;
  }

  const TaskGroup& group_;
  const TaskParameters& task_;
  std::set<std::string> notes_;
};

// The score of all d dimensions, from that of the first `span`; the data are 0 in the others.
ScoreFunction in_all_dimensions(ScoreFunction score, std::size_t span, std::size_t dimension, double tau) {
  if (span == dimension) return score;
  return [score = std::move(score), span, dimension, tau](std::int64_t points, std::span<const double> x,
                                                          std::span<double> scores) {
    const auto count = static_cast<std::size_t>(points);
    std::vector<double> part(count * span);
    std::vector<double> part_scores(part.size());
    for (std::size_t p = 0; p < count; ++p) {
      std::copy_n(x.begin() + static_cast<std::ptrdiff_t>(p * dimension), span,
                  part.begin() + static_cast<std::ptrdiff_t>(p * span));
    }
    score(points, part, part_scores);
    for (std::size_t p = 0; p < count; ++p) {
      for (std::size_t j = 0; j < dimension; ++j) {
        scores[p * dimension + j] = j < span ? part_scores[p * span + j] : -x[p * dimension + j] / tau;
      }
    }
  };
}

// The dimension near one probe from singular values of its scores, at any time.
class ScoreMatrixDimension {
 public:
  ScoreMatrixDimension(const TaskGroup& group, const TaskParameters& task, std::int64_t probe)
      : group_(group),
        task_(task),
        probe_(probe),
        stream_(task.seed, task.ensemble, task.realization, fmt::format("score matrix {}", probe)) {
    settings_.probes = matrix_rows(task);
    // Of the random vectors themselves: the matrix of a score whose N is the identity.
    const ScoreFunction identity = [](std::int64_t /*points*/, std::span<const double> x, std::span<double> scores) {
      std::ranges::copy(x, scores.begin());
    };
    const std::vector<double> vectors = singular_values(std::vector<double>(dimension()), identity, certifying_rows());
    most_ = vectors.front();
    least_ = vectors.back();
  }

  // 0 where the largest gap may be one of the random vectors alone. A row is -N z/sigma where the score is linear, so
  // that the singular values of the matrix are those of N times numbers between those of the random vectors; plain rows
  // have the score at the point itself added, and are judged without it.
  [[nodiscard]] double at(const ProbedScore& score, double tau) {
    std::vector<double> start = score.start(probe_);
    start.resize(dimension(), 0.0);
    settings_.sigma = std::sqrt(tau);
    settings_.call = score.score_call();
    const auto span = static_cast<std::size_t>(score.span());
    const ScoreFunction function = in_all_dimensions(score.score(tau), span, dimension(), tau);
    const auto read = [&](ScoreRows rows) {
      return dimension_by_largest_gap(singular_values(start, function, rows), task_.dimension());
    };
    const IntrinsicDimension certain = read(certifying_rows());
    const double least_gap = settings_.sigma * (certain.above / most_ - certain.below / least_);
    if (least_gap < resolution_of(task_)) return 0.0;
    const IntrinsicDimension found = rows_of(task_) == certifying_rows() ? certain : read(rows_of(task_));
    return static_cast<double>(found.dimension);
  }

 private:
  [[nodiscard]] std::size_t dimension() const { return static_cast<std::size_t>(task_.dimension()); }

  [[nodiscard]] ScoreRows certifying_rows() const {
    return rows_of(task_) == ScoreRows::plain ? ScoreRows::centred : rows_of(task_);
  }

  [[nodiscard]] std::vector<double> singular_values(const std::vector<double>& start, const ScoreFunction& score,
                                                    ScoreRows rows) {
    settings_.rows = rows;
    const ScoreMatrix matrix = score_matrix(group_, start, score, stream_, settings_);
    return tall_singular_values(group_, matrix.columns, matrix.values).values;
  }

  const TaskGroup& group_;
  const TaskParameters& task_;
  std::int64_t probe_;
  RandomStream stream_;
  ScoreMatrixSettings settings_;
  double most_ = 0.0;  // singular values of the random vectors
  double least_ = 0.0;
};

VariableSpec dimension_spec(const TaskParameters& task) {
  return {.name = "intrinsic_dimension",
          .units = "1",
          .long_name = "intrinsic dimension of the data near a probe",
          .source =
              "largest gap, threshold: eigenvalues of N = -b^2 J; score_matrix: Stanczuk et al. 2024 "
              "(arXiv:2212.12611)",
          .per_sample = score_kind(task) == ScoreKind::training_set,
          .dims = {"time", "estimator"}};
}

bool has_law(const TaskParameters& task) { return task.manifold || task.sphere; }

std::string suffix(const TaskParameters& task) {
  const bool exact = score_kind(task) == ScoreKind::exact;
  return exact && task.manifold && task.manifold->factor == FactorKind::orthonormal ? "_theory" : "_theory_asymptotic";
}

// Of the exact score, at one tau: by largest gap and by threshold.
std::array<double, 2> law_dimensions(const ManifoldParameters& manifold, double tau, double threshold,
                                     double resolution) {
  const double ambient = manifold.ambient_noise * manifold.ambient_noise;
  const bool orthonormal = manifold.factor == FactorKind::orthonormal;
  const Ventura2025 theory(orthonormal ? orthonormal_factor_bulks(manifold.dimension, manifold.blocks)
                                       : gaussian_factor_bulks(manifold.dimension, manifold.blocks, manifold.scale()),
                           manifold.dimension, resolution, ambient);
  double open = orthonormal ? 0.0 : nan;
  for (const FactorBlock& block : manifold.blocks) {
    const double variance = block.sigma * block.sigma + ambient;
    if (tau / (tau + variance) < threshold) open += static_cast<double>(block.size);
  }
  if (tau / (tau + ambient) < threshold) open += static_cast<double>(manifold.dimension - manifold.columns());
  return {static_cast<double>(theory.largest_gap_dimension(tau)), open};
}

std::array<double, 2> law_dimensions(const SphereParameters& sphere, double tau, double threshold, double resolution) {
  const HypersphereSpectrum n = NoisedHypersphere(sphere.span(), sphere.radius).mean_spectrum(tau);
  const bool has_normal = sphere.span() < sphere.dimension;
  const bool radial_is_normal = !has_normal || n.radial - n.tangential > n.normal - n.radial;
  const auto tangential = static_cast<double>(sphere.sphere_dimension);
  double open = n.tangential < threshold ? tangential : 0.0;
  if (n.radial < threshold) open += 1.0;
  const double gap = radial_is_normal ? n.radial - n.tangential : n.normal - n.radial;
  if (gap < resolution) return {0.0, open};
  return {radial_is_normal ? tangential : tangential + 1.0, open};
}

}  // namespace

std::vector<MeasureOption> DimensionMeasure::options() const {
  return {
      integer_option("probes", 4, 1, 1e6, "noised data points per realization"),
      number_option("threshold", 0.5, 1e-6, 0.999999, "eigenvalues of N below are tangent directions"),
      number_option("resolution", 1e-6, 1e-12, 0.5,
                    "a largest gap of N below is none: dimension 0; of the score matrix: what is certain of it"),
      word_option("score_matrix", "rows of the matrix of scores; automatic: centred, off in more than 4096 dimensions",
                  {"automatic", "centred", "plain", "antithetic", "off"}),
      integer_option("score_matrix_rows", 0, 0, 1e6,
                     "their number, at least twice the dimension; 0: 4 times the dimension"),
      score_option()};
}

std::string DimensionMeasure::problem(const TaskParameters& task) const {
  if (has_score_matrix(task) && task.dimension() > largest_score_matrix) {
    return fmt::format(
        "measure.dimension.score_matrix = \"{}\" in {} dimensions: at most {}, because all singular values of a matrix "
        "of that size are computed; \"off\" leaves the other estimators",
        task.words.at("score_matrix"), task.dimension(), largest_score_matrix);
  }
  const double rows = task.options.at("score_matrix_rows");
  if (has_score_matrix(task) && rows > 0.0 && rows < 2.0 * static_cast<double>(task.dimension())) {
    return fmt::format(
        "measure.dimension.score_matrix_rows is {:.0f} in {} dimensions; allowed: 0 or at least {}, twice the "
        "dimension, for fewer rows leave directions empty that are not tangent",
        rows, task.dimension(), 2 * task.dimension());
  }
  return score_problem(task, "dimension");
}

std::vector<DimensionSpec> DimensionMeasure::dimensions(const TaskParameters& /*task*/) const {
  return {{"estimator", estimators, "", "how the intrinsic dimension is read off"}};
}

std::vector<VariableSpec> DimensionMeasure::variables(const TaskParameters& task) const {
  const VariableSpec spec = dimension_spec(task);
  std::vector<VariableSpec> specs = curve_specs(spec);
  specs[0].may_be_missing = !has_score_matrix(task);
  specs[1].may_be_missing = !has_score_matrix(task) || probe_count(task) == 1;
  if (has_law(task)) {
    specs.push_back(prediction_spec(spec, task.sphere ? NoisedHypersphere::source() : Ventura2025::source("final_gap"),
                                    suffix(task)));
  }
  return specs;
}

Cost DimensionMeasure::cost(const TaskParameters& task, const TaskRequest& request) const {
  const auto probes = static_cast<double>(probe_count(task));
  const auto times = static_cast<double>(task.times.size());
  const auto dimension = static_cast<double>(task.dimension());
  Cost cost = score_cost(task, request, probes, times);
  const auto columns = static_cast<double>(task.nonzero_columns());
  for (const std::int64_t count : score_counts(task, request)) {
    const auto rows = static_cast<double>(count > 0 ? count : task.mixture ? task.mixture->classes : 0);
    if (!has_score_matrix(task)) continue;
    const auto scores = static_cast<double>(matrix_rows(task)) * (rows_of(task) == ScoreRows::centred ? 1.0 : 2.0);
    cost.flops += probes * times *
                  (scores * (4.0 * rows * columns + dimension * dimension) + 10.0 * dimension * dimension * dimension);
    // Of the random vectors, once for each probe.
    cost.flops += probes * (scores * dimension * dimension + 10.0 * dimension * dimension * dimension);
    cost.exponentials += probes * times * scores * rows;
    cost.normals += probes * (times + 1.0) * scores * dimension;
  }
  if (has_score_matrix(task)) {
    cost.divided_bytes += 8.0 * static_cast<double>(matrix_rows(task)) * dimension;
    cost.rank_bytes += 24.0 * dimension * dimension;
  }
  // Data of all dimensions have no wide gap at late times; those of a manifold have that to its normal space.
  const std::int64_t size = task.nonzero_columns();
  const bool complete = size == task.dimension() && size <= largest_matrix;
  cost += eigenpairs_cost(task, request, probes, times, complete ? size : 4 * first_eigenvalues);
  return cost;
}

MeasureResult DimensionMeasure::run(const TaskParameters& task, const TaskRequest& request,
                                    const TaskGroup& group) const {
  const bool keeps = group.comm().is_root();
  std::map<std::int64_t, MeasureResult> by_count;
  SpectralDimensions spectral(group, task);
  const std::string warning = visit_scores(group, task, request, [&](std::int64_t count, const ProbedScore& score) {
    const auto columns = static_cast<std::int64_t>(task.times.size() * estimators.size());
    ProbeCurves dimensions(probe_count(task), columns);
    std::ranges::fill(dimensions.values, nan);
    for (std::int64_t probe = 0; probe < probe_count(task); ++probe) {
      std::optional<ScoreMatrixDimension> by_matrix;
      if (has_score_matrix(task)) by_matrix.emplace(group, task, probe);
      for (std::size_t t = 0; t < task.times.size(); ++t) {
        const double tau = task.process.noise_to_signal(task.times[t]);
        const std::array<double, 2> read = spectral.at(score, tau, probe);
        dimensions.at(probe, t * estimators.size() + by_gap) = read[by_gap];
        dimensions.at(probe, t * estimators.size() + by_threshold) = read[by_threshold];
        if (by_matrix) dimensions.at(probe, t * estimators.size() + by_score_matrix) = by_matrix->at(score, tau);
      }
    }
    VariableCollector collector;
    if (keeps) collector.append_curve("intrinsic_dimension", dimensions);
    by_count[count] = collector.take();
  });
  MeasureResult result = joined(score_counts(task, request), by_count);
  if (keeps && !warning.empty()) result.warnings.push_back(warning);
  if (keeps) result.notes.assign(spectral.notes().begin(), spectral.notes().end());
  return result;
}

std::vector<VariableValues> DimensionMeasure::predict(const TaskParameters& task) const {
  if (!has_law(task)) return {};
  VariableCollector collector;
  const std::size_t copies = score_kind(task) == ScoreKind::training_set ? task.samples.size() : 1;
  for (std::size_t i = 0; i < copies; ++i) {
    for (const double time : task.times) {
      const double tau = task.process.noise_to_signal(time);
      const std::array<double, 2> law =
          task.manifold ? law_dimensions(*task.manifold, tau, threshold_of(task), resolution_of(task))
                        : law_dimensions(*task.sphere, tau, threshold_of(task), resolution_of(task));
      collector.append("intrinsic_dimension" + suffix(task), std::array{law[by_gap], law[by_threshold], nan});
    }
  }
  return collector.take().variables;
}

}  // namespace diffphase
