#include "measure/probed_score.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <utility>

#include "ensemble/row_view.hpp"
#include "measure/probe_curves.hpp"
#include "measure/probes.hpp"
#include "posterior/component_law.hpp"
#include "posterior/point_posterior.hpp"
#include "posterior/rounding_loss.hpp"
#include "spectrum/factor_variances.hpp"
#include "spectrum/row_kernels.hpp"
#include "spectrum/score_jacobian.hpp"
#include "spectrum/verified_krylov.hpp"
#include "theory/noised_hypersphere.hpp"

namespace diffphase {

namespace {

// Below, C is 0: solvers that square such numbers find nothing in them.
constexpr double zero_trace = 1e-100;

// An operator that is diagonal in a basis of its own; `eigenvalues` must outlive it.
SymmetricOperator diagonal_operator(const TaskGroup& group, const std::vector<double>& eigenvalues) {
  const auto size = static_cast<std::int64_t>(eigenvalues.size());
  const PanelRange own(size, group.comm().rank(), group.comm().size());
  SymmetricOperator op;
  op.size = size;
  op.local_size = own.count;
  op.apply = [&eigenvalues, own](std::int64_t vectors, std::span<const double> in, std::span<double> out) {
    for (std::int64_t i = 0; i < vectors * own.count; ++i) {
      const std::int64_t k = own.first + i % own.count;
      out[static_cast<std::size_t>(i)] = eigenvalues[static_cast<std::size_t>(k)] * in[static_cast<std::size_t>(i)];
    }
  };
  op.trace = std::accumulate(eigenvalues.begin(), eigenvalues.end(), 0.0);
  op.work = static_cast<double>(size);
  return op;
}

ProbedJacobian known_jacobian(const TaskGroup& group, std::vector<double> eigenvalues) {
  const auto kept = std::make_shared<std::vector<double>>(std::move(eigenvalues));
  std::ranges::sort(*kept, std::greater<>());
  ProbedJacobian jacobian{.covariance = diagonal_operator(group, *kept), .trace = 0.0, .floor = kept->back()};
  jacobian.trace = *jacobian.covariance.trace;
  jacobian.eigenvalues = *kept;
  jacobian.owner = kept;
  return jacobian;
}

struct ProbeSource {
  // Writes x_0 and xi of a probe, this rank's columns.
  std::function<void(std::int64_t probe, std::span<double> start, std::span<double> noise)> fetch;
  std::function<std::int64_t(std::int64_t probe)> parent;  // the row that it starts at
  double variance = 0.0;                                   // the least of a row's law
};

// Distances between rows are lost in the rounding of what they are stored or computed in. On every rank.
class DigitsLost : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

// The score of a mixture: classes or training points.
class RowsScore : public ProbedScore {
 public:
  RowsScore(const TaskGroup& group, RowView rows, ComponentLaw law, ProbeSource probes)
      : group_(group), probes_(std::move(probes)), posterior_(group, rows, std::move(law)) {}

  [[nodiscard]] std::int64_t span() const override { return posterior_.rows().layout().columns; }

  [[nodiscard]] ProbedJacobian jacobian(double tau, std::int64_t probe) const override {
    const auto columns = static_cast<std::size_t>(posterior_.local_columns());
    std::vector<double> x;
    std::vector<double> noise;
    group_.run_guarded([&] {
      x.resize(columns);
      noise.resize(columns);
    });
    probes_.fetch(probe, x, noise);
    const std::vector<double> start = x;
    require_digits(start, tau, /*trace=*/0.0, probe);  // or there is no posterior
    for (std::size_t j = 0; j < columns; ++j) x[j] += std::sqrt(tau) * noise[j];
    const auto made =
        std::make_shared<ScoreJacobian>(ScoreJacobian::at(group_, posterior_, NoiseLevel::at_tau(tau), x));
    require_digits(start, tau, made->trace(), probe);
    if (made->trace() < zero_trace) return zero_jacobian();
    return {.covariance = made->covariance(), .trace = made->trace(), .floor = made->isotropic(), .owner = made};
  }

  [[nodiscard]] std::vector<double> start(std::int64_t probe) const override {
    require_whole_columns();
    std::vector<double> x(static_cast<std::size_t>(posterior_.local_columns()));
    std::vector<double> noise(x.size());
    probes_.fetch(probe, x, noise);
    return x;
  }

  [[nodiscard]] ScoreFunction score(double tau) const override {
    require_whole_columns();
    return [this, tau](std::int64_t points, std::span<const double> x, std::span<double> scores) {
      const std::vector<double> values = posterior_.score(NoiseLevel::at_tau(tau), points, x);
      std::copy(values.begin(), values.end(), scores.begin());
    };
  }
  [[nodiscard]] ScoreCall score_call() const override { return ScoreCall::together; }

 private:
  [[nodiscard]] bool by_component() const { return posterior_.rows().layout().partition == Partition::component; }

  // Half the squared distance of the probe's start to the nearest row but its own, from differences. Collective.
  [[nodiscard]] double half_nearest2(std::span<const double> start, std::int64_t probe) const {
    const RowView rows = posterior_.rows();
    const SlabLayout& layout = rows.layout();
    std::vector<double> distances;
    group_.run_guarded([&] {
      distances.assign(static_cast<std::size_t>(layout.local_rows()), 0.0);
      std::vector<double> buffer(static_cast<std::size_t>(rows.stride()));
      for (std::size_t i = 0; i < distances.size(); ++i) {
        const double* row = rows.rows(static_cast<std::int64_t>(i), 1, buffer);
        for (std::size_t j = 0; j < start.size(); ++j) distances[i] += 0.5 * (row[j] - start[j]) * (row[j] - start[j]);
      }
    });
    if (!by_component()) group_.comm().sum(distances);
    double minus_nearest = -std::numeric_limits<double>::infinity();
    for (std::size_t i = 0; i < distances.size(); ++i) {
      if (layout.global_row(static_cast<std::int64_t>(i)) == probes_.parent(probe)) continue;
      minus_nearest = std::max(minus_nearest, -distances[i]);
    }
    group_.comm().maximum(std::span(&minus_nearest, 1));
    return -minus_nearest;
  }

  // Throws DigitsLost where rounding may move eigenvalues of N by more than is allowed: by the error of the logits
  // times the root of the trace, which is small where all weight is on one row; and where neighbours cannot be told
  // from one another and it matters.
  void require_digits(std::span<const double> start, double tau, double trace, std::int64_t probe) const {
    constexpr double lost_logit = 0.1;
    constexpr double errors_in_distance = 16.0;
    std::array<double, 1> norm2{std::inner_product(start.begin(), start.end(), start.begin(), 0.0)};
    if (!by_component()) group_.comm().sum(std::span(norm2));
    const double variance = tau + probes_.variance;
    const RoundingModel arithmetic(span(), /*single=*/false);
    double of_logit = arithmetic.of_half_distance2({.start_norm2 = norm2[0]}) / variance;
    if (posterior_.rows().is_single()) {
      // Each coordinate is stored to a share that is uniform within half an ulp.
      constexpr double of_coordinate = 0.5 * std::numeric_limits<float>::epsilon() / 1.7320508075688772;
      of_logit += of_coordinate * std::sqrt((norm2[0] + trace * variance) / variance);
    }
    bool is_lost = !(of_logit * std::min(1.0, std::sqrt(trace)) <= RoundingLoss::allowed);
    std::int64_t looks = of_logit > lost_logit ? 1 : 0;  // the same on every rank
    group_.comm().broadcast(std::span(&looks, 1));
    if (looks != 0) is_lost = is_lost || half_nearest2(start, probe) < errors_in_distance * of_logit * variance;
    std::int64_t lost = is_lost ? 1 : 0;
    group_.comm().broadcast(std::span(&lost, 1));
    if (lost == 0) return;
    throw DigitsLost(
        fmt::format("a point at a distance of {:.3g} from where coordinates are taken from, with noise of {:.3g}, has "
                    "too few digits in {} precision: eigenvalues could be off by more than {}",
                    std::sqrt(norm2[0]), std::sqrt(variance), posterior_.rows().is_single() ? "mixed" : "double",
                    RoundingLoss::allowed));
  }

  // Of a training set of which one point has all the weight.
  [[nodiscard]] ProbedJacobian zero_jacobian() const {
    ProbedJacobian zero;
    group_.run_guarded(
        [&] { zero = known_jacobian(group_, std::vector<double>(static_cast<std::size_t>(span()), 0.0)); });
    return zero;
  }
  void require_whole_columns() const {
    if (posterior_.rows().layout().partition != Partition::component) {
      throw std::logic_error("a score by columns has no whole points");
    }
  }

  const TaskGroup& group_;
  ProbeSource probes_;
  PointPosterior posterior_;
};

// Gaussian data on a linear manifold, in their principal axes: the noise is isotropic.
class GaussianScore : public ProbedScore {
 public:
  GaussianScore(const TaskGroup& group, const TaskParameters& task)
      : group_(group), noise_(task.seed, task.ensemble, task.realization, "principal axes") {
    std::unique_ptr<LinearManifold> manifold;
    group.run_guarded([&] {
      manifold = std::make_unique<LinearManifold>(*task.manifold, task.seed, task.ensemble, task.realization);
    });
    variances_ = factor_variances(group, *manifold);
    const double ambient = task.manifold->ambient_noise * task.manifold->ambient_noise;
    if (ambient > 0.0) variances_.resize(static_cast<std::size_t>(task.manifold->dimension), 0.0);
    for (double& variance : variances_) variance += ambient;
  }

  [[nodiscard]] std::int64_t span() const override { return static_cast<std::int64_t>(variances_.size()); }

  [[nodiscard]] ProbedJacobian jacobian(double tau, std::int64_t /*probe*/) const override {
    ProbedJacobian jacobian;
    group_.run_guarded([&] {
      std::vector<double> eigenvalues;
      for (const double variance : variances_) eigenvalues.push_back(variance / (variance + tau));
      jacobian = known_jacobian(group_, std::move(eigenvalues));
    });
    return jacobian;
  }

  [[nodiscard]] std::vector<double> start(std::int64_t probe) const override {
    std::vector<double> x(variances_.size());
    noise_.normals(static_cast<std::uint64_t>(probe), 0, x);
    for (std::size_t k = 0; k < x.size(); ++k) x[k] *= std::sqrt(variances_[k]);
    return x;
  }

  [[nodiscard]] ScoreFunction score(double tau) const override {
    return [this, tau](std::int64_t points, std::span<const double> x, std::span<double> scores) {
      const std::size_t columns = variances_.size();
      for (std::size_t i = 0; i < static_cast<std::size_t>(points) * columns; ++i) {
        scores[i] = -x[i] / (variances_[i % columns] + tau);
      }
    };
  }
  [[nodiscard]] ScoreCall score_call() const override { return ScoreCall::each_rank; }

 private:
  const TaskGroup& group_;
  RandomStream noise_;
  std::vector<double> variances_;
};

// The uniform law on a sphere.
class SphereScore : public ProbedScore {
 public:
  SphereScore(const TaskGroup& group, const TaskParameters& task)
      : group_(group),
        sphere_(*task.sphere, task.seed, task.ensemble, task.realization),
        noise_(task.seed, task.ensemble, task.realization, "noise"),
        theory_(task.sphere->span(), task.sphere->radius) {}

  [[nodiscard]] std::int64_t span() const override { return sphere_.parameters().span(); }

  [[nodiscard]] ProbedJacobian jacobian(double tau, std::int64_t probe) const override {
    ProbedJacobian jacobian;
    group_.run_guarded([&] {
      const HypersphereSpectrum spectrum = theory_.spectrum(noised_radius(tau, probe), tau);
      std::vector<double> eigenvalues(static_cast<std::size_t>(span()), 1.0 - spectrum.tangential);
      eigenvalues.back() = 1.0 - spectrum.radial;
      jacobian = known_jacobian(group_, std::move(eigenvalues));
    });
    return jacobian;
  }

  [[nodiscard]] std::vector<double> start(std::int64_t probe) const override {
    std::vector<double> x(static_cast<std::size_t>(span()));
    sphere_.sample(probe, 0, x);
    return x;
  }

  [[nodiscard]] ScoreFunction score(double tau) const override {
    return [this, tau](std::int64_t points, std::span<const double> x, std::span<double> scores) {
      const auto columns = static_cast<std::size_t>(span());
      for (std::size_t p = 0; p < static_cast<std::size_t>(points); ++p) {
        const std::span<const double> point = x.subspan(p * columns, columns);
        const double r = std::sqrt(std::inner_product(point.begin(), point.end(), point.begin(), 0.0));
        const double along = r > 0.0 ? theory_.radial_score(r, tau) / r : 0.0;
        for (std::size_t j = 0; j < columns; ++j) scores[p * columns + j] = along * point[j];
      }
    };
  }
  [[nodiscard]] ScoreCall score_call() const override { return ScoreCall::each_rank; }

 private:
  [[nodiscard]] double noised_radius(double tau, std::int64_t probe) const {
    const std::vector<double> x = start(probe);
    std::vector<double> noise(x.size());
    noise_.normals(static_cast<std::uint64_t>(probe), 0, noise);
    double square = 0.0;
    for (std::size_t j = 0; j < x.size(); ++j) square += std::pow(x[j] + std::sqrt(tau) * noise[j], 2);
    return std::sqrt(square);
  }

  const TaskGroup& group_;
  Hypersphere sphere_;
  RandomStream noise_;
  NoisedHypersphere theory_;
};

Partition partition_of(const TaskParameters& task) {
  const auto word = task.words.find("partition");
  return word != task.words.end() && word->second == "dimension" ? Partition::dimension : Partition::component;
}

// Rows in the precision that the task asks for.
struct StoredRows {
  bool single = false;
  DataSlab doubles;
  SinglePrecisionSlab singles;

  [[nodiscard]] RowView view() const { return single ? RowView(singles) : RowView(doubles); }

  // Gives the rows after the first `count` away.
  void keep_prefix(std::int64_t count) {
    single ? diffphase::keep_prefix(singles, count) : diffphase::keep_prefix(doubles, count);
  }
};

void visit_mixture(const TaskGroup& group, const TaskParameters& task,
                   const std::function<void(std::int64_t, const ProbedScore&)>& use) {
  std::unique_ptr<GaussianMixture> mixture;
  StoredRows rows{.single = task.mixed_precision, .doubles = {}, .singles = {}};
  ComponentLaw law;
  const SlabLayout layout{.partition = partition_of(task),
                          .rows = task.mixture->classes,
                          .columns = task.mixture->dimension,
                          .ranks = group.comm().size(),
                          .rank = group.comm().rank()};
  group.run_guarded([&] {
    mixture = std::make_unique<GaussianMixture>(*task.mixture, task.seed, task.ensemble, task.realization);
    law = ComponentLaw::classes(*mixture);
  });
  if (rows.single) {
    rows.singles = make_single_precision_centroids(group, *mixture, layout);
  } else {
    rows.doubles = make_centroids(group, *mixture, layout);
  }
  const RandomStream noise(task.seed, task.ensemble, task.realization, "noise");
  const auto fetch = [&](std::int64_t probe, std::span<double> start, std::span<double> xi) {
    mixture->sample(probe, layout.first_column(), start);
    noise.normals(static_cast<std::uint64_t>(probe), static_cast<std::uint64_t>(layout.first_column()), xi);
  };
  double variance = std::numeric_limits<double>::infinity();
  for (std::int64_t c = 0; c < mixture->classes(); ++c) variance = std::min(variance, std::pow(mixture->sigma(c), 2));
  use(0,
      RowsScore(
          group, rows.view(), law,
          {.fetch = fetch, .parent = [&](std::int64_t probe) { return mixture->label(probe); }, .variance = variance}));
}

void visit_training_sets(const TaskGroup& group, const TaskParameters& task, std::vector<std::int64_t> counts,
                         const std::function<void(std::int64_t, const ProbedScore&)>& use) {
  std::ranges::sort(counts, std::greater<>());
  StoredRows rows{.single = task.mixed_precision, .doubles = {}, .singles = {}};
  if (rows.single) {
    rows.singles = make_single_precision_training_set(group, task, partition_of(task), counts.front());
  } else {
    rows.doubles = make_nonzero_training_set(group, task, partition_of(task), counts.front());
  }
  const ProbeStarts starts(task);
  for (const std::int64_t count : counts) {
    rows.keep_prefix(count);
    const RowView view = rows.view();
    const auto fetch = [&](std::int64_t probe, std::span<double> start, std::span<double> xi) {
      fetch_rows(group, view, std::vector{starts.row(probe, count)}, start);
      starts.noise().normals(static_cast<std::uint64_t>(probe),
                             static_cast<std::uint64_t>(view.layout().first_column()), xi);
    };
    use(count, RowsScore(group, view, ComponentLaw{},
                         {.fetch = fetch, .parent = [&](std::int64_t probe) { return starts.row(probe, count); }}));
  }
}

}  // namespace

MeasureOption score_option() {
  return word_option("score",
                     "whose score: of the law that the data are drawn from, or of the training set; automatic: the "
                     "training set where there are samples",
                     {"automatic", "exact", "training-set"});
}

ScoreKind score_kind(const TaskParameters& task) {
  const std::string& word = task.words.at("score");
  if (word == "automatic") return task.samples.empty() && !task.file ? ScoreKind::exact : ScoreKind::training_set;
  return word == "exact" ? ScoreKind::exact : ScoreKind::training_set;
}

std::string score_problem(const TaskParameters& task, const std::string& measure) {
  if (score_kind(task) == ScoreKind::exact) {
    if (task.file) {
      return fmt::format("measure.{}.score = \"exact\": the law behind a data file is not known; \"training-set\"",
                         measure);
    }
    return {};
  }
  if (task.samples.empty()) {
    return fmt::format("measure.{}.score = \"training-set\" needs [dataset] samples: the size of the training set",
                       measure);
  }
  return {};
}

std::vector<std::int64_t> score_counts(const TaskParameters& task, const TaskRequest& request) {
  if (score_kind(task) == ScoreKind::training_set) return request.counts;
  return request.count_free ? std::vector<std::int64_t>{0} : std::vector<std::int64_t>{};
}

namespace {

void visit_scores_as_stored(const TaskGroup& group, const TaskParameters& task, const TaskRequest& request,
                            const std::function<void(std::int64_t count, const ProbedScore& score)>& use) {
  const std::vector<std::int64_t> counts = score_counts(task, request);
  if (counts.empty()) return;
  if (score_kind(task) == ScoreKind::training_set) {
    visit_training_sets(group, task, counts, use);
  } else if (task.manifold) {
    use(0, GaussianScore(group, task));
  } else if (task.sphere) {
    use(0, SphereScore(group, task));
  } else {
    visit_mixture(group, task, use);
  }
}

}  // namespace

std::string visit_scores(const TaskGroup& group, const TaskParameters& task, const TaskRequest& request,
                         const std::function<void(std::int64_t count, const ProbedScore& score)>& use) {
  std::string warning;
  try {
    visit_scores_as_stored(group, task, request, use);
    return warning;
  } catch (const DigitsLost& lost) {
    if (!task.mixed_precision) throw;
    warning = std::string("computed with data in double precision: ") + lost.what();
  }
  TaskParameters exact = task;
  exact.mixed_precision = false;
  visit_scores_as_stored(group, exact, request, use);
  return warning;
}

bool is_resolved(const PartialSpectrum& spectrum) {
  for (std::size_t i = 0; i < spectrum.converged.size(); ++i) {
    if (spectrum.converged[i]) continue;
    if (!(spectrum.residuals[i] <= std::numeric_limits<double>::epsilon())) return false;
  }
  return true;
}

SolverStatus solver_status(const PartialSpectrum& spectrum) {
  if (!is_resolved(spectrum)) return SolverStatus::not_converged;
  const bool by_products = spectrum.method == SpectrumMethod::krylov || spectrum.method == SpectrumMethod::block_krylov;
  if (!by_products) return SolverStatus::verified;
  if (spectrum.verification.performed && spectrum.verification.passed) return SolverStatus::verified;
  // A search that ended without an eigenvalue says nothing.
  return std::isnan(spectrum.verification.largest_outside) || !spectrum.verification.performed
             ? SolverStatus::unverified
             : SolverStatus::copies_missing;
}

void require_spectrum(const PartialSpectrum& spectrum, const std::string& measure, std::set<std::string>& notes) {
  notes.insert(spectrum.reason);
  const SolverStatus status = solver_status(spectrum);
  if (status == SolverStatus::not_converged) {
    throw std::runtime_error(
        fmt::format("measure.{}: eigenvalues above the tolerance: {}", measure, spectrum.stop_reason));
  }
  if (status == SolverStatus::copies_missing) {
    throw std::runtime_error(fmt::format("measure.{}: a larger eigenvalue was missed", measure));
  }
  if (status == SolverStatus::unverified) notes.insert("a search for missed eigenvalues ended without an answer");
}

MeasureResult joined(const std::vector<std::int64_t>& counts, const std::map<std::int64_t, MeasureResult>& by_count) {
  VariableCollector collector;
  for (const std::int64_t count : counts) {
    const MeasureResult& result = by_count.at(count);
    for (const VariableValues& variable : result.variables) collector.append(variable.name, variable.values);
    for (const std::string& warning : result.warnings) collector.warn(warning);
  }
  return collector.take();
}

Cost score_cost(const TaskParameters& task, const TaskRequest& request, double probes, double times) {
  const std::vector<std::int64_t> counts = score_counts(task, request);
  Cost cost;
  if (counts.empty()) return cost;
  const double number = task.mixed_precision ? 4.0 : 8.0;
  const auto rows_of_posterior = [&](double rows, double columns) {
    cost.flops += 8.0 * probes * times * rows * columns;
    cost.exponentials += 2.0 * probes * times * rows;
    cost.normals += probes * times * columns;
  };
  if (score_kind(task) == ScoreKind::training_set) {
    const std::int64_t largest = *std::ranges::max_element(counts);
    const auto columns = static_cast<double>(task.nonzero_columns());
    const Cost draw = draw_cost(task, partition_of(task), largest);
    cost.flops += draw.flops;
    cost.normals += draw.normals;
    cost.divided_bytes += draw.divided_bytes + number * stored_numbers(static_cast<double>(largest), columns);
    cost.rank_bytes += draw.rank_bytes + 32.0 * columns;
    for (const std::int64_t count : counts) rows_of_posterior(static_cast<double>(count), columns);
  } else if (task.mixture) {
    const auto classes = static_cast<double>(task.mixture->classes);
    const auto columns = static_cast<double>(task.mixture->dimension);
    cost.normals += classes * columns;
    cost.divided_bytes += number * stored_numbers(classes, columns);
    cost.rank_bytes += 32.0 * columns;
    rows_of_posterior(classes, columns);
  } else if (task.manifold && task.manifold->factor == FactorKind::gaussian) {
    const auto columns = static_cast<double>(task.manifold->columns());
    const auto dimension = static_cast<double>(task.manifold->dimension);
    const double smaller = std::min(columns, dimension);
    cost.normals += columns * dimension;
    cost.flops += columns * dimension * smaller + 10.0 * smaller * smaller * smaller;
    cost.divided_bytes += 8.0 * columns * dimension;
    cost.rank_bytes += 24.0 * smaller * smaller;
  }
  return cost;
}

Cost eigenpairs_cost(const TaskParameters& task, const TaskRequest& request, double probes, double times,
                     std::int64_t wanted, SpectrumMethod method) {
  Cost cost;
  if (score_kind(task) == ScoreKind::exact && !task.mixture) return cost;
  const std::int64_t size = task.nonzero_columns();
  const auto columns = static_cast<double>(size);
  const auto pairs = static_cast<double>(std::min(wanted, size));
  for (const std::int64_t count : score_counts(task, request)) {
    SymmetricOperator op;
    op.size = size;
    op.factor = RowFactor{.shift = 0.0, .rows = count > 0 ? count : task.mixture->classes, .read = {}};
    const auto rows = static_cast<double>(op.factor->rows);
    op.work = 2.0 * rows * columns;
    op.block = most_row_vectors;
    double flops = 0.0;
    const SpectrumMethod taken = method == SpectrumMethod::automatic ? choose_method(op, wanted).method : method;
    switch (taken) {
      case SpectrumMethod::gram:
        flops = (rows + 4.0 * pairs) * rows * columns + 4.0 * rows * rows * rows;
        cost.rank_bytes = std::max(cost.rank_bytes, 24.0 * rows * rows + 67108864.0);
        break;
      case SpectrumMethod::dense:
        flops = 4.0 * rows * columns * columns + 4.0 * columns * columns * columns;
        cost.rank_bytes = std::max(cost.rank_bytes, 24.0 * columns * columns);
        break;
      default:
        flops = (60.0 + 6.0 * pairs) * (product_penalty(taken) * 4.0 * rows * columns + 4.0 * pairs * columns);
        cost.divided_bytes = std::max(
            cost.divided_bytes,
            8.0 * columns * static_cast<double>(verified_krylov_vectors(size, std::min(wanted, size), op.block)));
    }
    cost.flops += probes * times * flops;
  }
  cost.divided_bytes += 8.0 * columns * 2.0 * pairs;      // eigenvectors, and their products for the residuals
  cost.rank_bytes += 67108864.0 + 16.0 * columns * 32.0;  // tiles, and blocks of whole vectors
  return cost;
}

}  // namespace diffphase
