// Posteriors over training sets of any size: against drawn points, against the explicit path, and against what is known
// of sizes that nobody can draw.

#include "posterior/extreme_values.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numbers>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "ensemble/data_slab.hpp"
#include "measure/probes.hpp"
#include "posterior/extreme_reduction.hpp"
#include "posterior/noncentral_chi_square.hpp"
#include "posterior/reduction.hpp"
#include "random/random_sequence.hpp"
#include "support/measure_runs.hpp"
#include "support/statistics.hpp"
#include "theory/achilli2024.hpp"
#include "theory/biroli2024.hpp"
#include "theory/random_energy_model.hpp"
#include "transition/critical_time.hpp"

namespace diffphase {
namespace {

using test::agrees;
using test::estimate;
using test::Estimate;
using test::Tail;

constexpr double infinity = std::numeric_limits<double>::infinity();

// What is compared: numbers of order one of a posterior among n points.
constexpr std::array<const char*, 4> quantity_names{"participation", "entropy", "parent_weight", "largest_weight"};
using Quantities = std::array<double, quantity_names.size()>;

Quantities quantities_of(const PosteriorSummary& s, double log_count) {
  return {s.participation, s.entropy / log_count, s.parent_weight, s.largest_weight};
}

// The same from all logits, the parent's first.
Quantities plain_quantities(const std::vector<double>& logits, double log_count) {
  const double largest = *std::max_element(logits.begin(), logits.end());
  double sum = 0.0;
  double squares = 0.0;
  double energy = 0.0;
  for (const double logit : logits) {
    const double weight = std::exp(logit - largest);
    sum += weight;
    squares += weight * weight;
    energy += weight * (largest - logit);
  }
  return {squares / (sum * sum), (std::log(sum) + energy / sum) / log_count, std::exp(logits.front() - largest) / sum,
          1.0 / sum};
}

std::vector<double> column(const std::vector<Quantities>& rows, std::size_t quantity) {
  std::vector<double> result;
  for (const Quantities& row : rows) result.push_back(row[quantity]);
  return result;
}

// Kolmogorov's distance of two samples in units of its scale; beyond 2.5 with probability 7e-6. What rounding alone
// tells apart counts as equal.
double kolmogorov_distance(std::vector<double> a, std::vector<double> b) {
  constexpr double finest = 1e-9;
  for (std::vector<double>* sample : {&a, &b}) {
    for (double& x : *sample) x = std::round(x / finest) * finest;
  }
  std::sort(a.begin(), a.end());
  std::sort(b.begin(), b.end());
  const auto na = static_cast<double>(a.size());
  const auto nb = static_cast<double>(b.size());
  double distance = 0.0;
  for (const double x : a) {
    const auto below = [&](const std::vector<double>& v) {
      return static_cast<double>(std::upper_bound(v.begin(), v.end(), x) - v.begin()) / static_cast<double>(v.size());
    };
    distance = std::max(distance, std::abs(below(a) - below(b)));
  }
  return distance * std::sqrt(na * nb / (na + nb));
}

void expect_one_law(const std::vector<Quantities>& a, const std::vector<Quantities>& b) {
  for (std::size_t q = 0; q < quantity_names.size(); ++q) {
    const std::vector<double> x = column(a, q);
    const std::vector<double> y = column(b, q);
    const double fewer = static_cast<double>(std::min(x.size(), y.size()));
    EXPECT_TRUE(agrees(estimate(x), estimate(y), Tail{1.0, 100.0 * fewer})) << quantity_names[q];
    EXPECT_LE(kolmogorov_distance(x, y), 2.5) << quantity_names[q];
  }
}

// A typical x_t at tau of a single Gaussian of unit variance: the other points' law, and the parent's energy.
ClassOfEnergies typical_class(std::int64_t dimension, double log_points, double tau) {
  const auto d = static_cast<double>(dimension);
  return {.log_points = log_points, .noncentrality = d * (1.0 + tau), .scale = 0.5 / tau};
}

PosteriorSummary draw_posterior(std::int64_t dimension, const ClassOfEnergies& points, const RandomStream& stream,
                                std::uint64_t row, std::int64_t energies) {
  const double parent = 0.5 * static_cast<double>(dimension);
  return summarise(
      merge(parent_sums(parent), draw_extreme_sums(dimension, points, log_arrivals(stream, row, energies), -parent)));
}

TEST(ExtremeValues, HaveTheLawOfDrawnPointsAtOneX) {
  struct Case {
    std::int64_t dimension, points;
    int sets;
  };
  for (const auto& [dimension, points, sets] : {Case{20, 10000, 60}, Case{64, 10000, 40}, Case{20, 100, 1000}}) {
    const double log_count = std::log(static_cast<double>(points));
    const double collapse = 1.0 / std::expm1(2.0 * log_count / static_cast<double>(dimension));
    const std::array<double, 4> ratios{0.4, 1.0, 2.0, 6.0};
    std::array<std::vector<Quantities>, 4> drawn;
    const RandomStream points_stream(1, hash_text("extreme values, points"), dimension, "test");
    std::vector<double> along(static_cast<std::size_t>(points));
    std::vector<double> across(along.size());
    for (int set = 0; set < sets; ++set) {
      RandomSequence random(points_stream, static_cast<std::uint64_t>(set));
      for (std::size_t i = 0; i < along.size(); ++i) {
        along[i] = random.normal();
        across[i] = 2.0 * random.gamma(0.5 * static_cast<double>(dimension - 1));
      }
      for (std::size_t t = 0; t < ratios.size(); ++t) {
        const ClassOfEnergies law = typical_class(dimension, log_count, ratios[t] * collapse);
        std::vector<double> logits{-0.5 * static_cast<double>(dimension)};  // the parent's
        for (std::size_t i = 0; i < along.size(); ++i) {
          const double z = along[i] + std::sqrt(law.noncentrality);
          logits.push_back(-law.scale * (z * z + across[i]));
        }
        drawn[t].push_back(plain_quantities(logits, log_count));
      }
    }
    const RandomStream arrivals(1, hash_text("extreme values"), dimension, "arrivals");
    for (std::size_t t = 0; t < ratios.size(); ++t) {
      SCOPED_TRACE(testing::Message() << "d " << dimension << " n " << points << " tau/tau_C " << ratios[t]);
      std::vector<Quantities> extreme;
      for (std::uint64_t row = 0; row < 600; ++row) {
        const ClassOfEnergies law = typical_class(dimension, log_count, ratios[t] * collapse);
        extreme.push_back(
            quantities_of(draw_posterior(dimension, law, arrivals, row, default_extreme_energies), log_count));
      }
      expect_one_law(extreme, drawn[t]);
    }
  }
}

// x = 0 and no parent: the random energy model.
std::vector<double> origin_participations(std::int64_t dimension, double log_points, double tau, int draws) {
  const RandomStream arrivals(2, hash_text("extreme values, origin"), 0, "arrivals");
  std::vector<double> result;
  for (int row = 0; row < draws; ++row) {
    const auto log_times = log_arrivals(arrivals, static_cast<std::uint64_t>(row), default_extreme_energies);
    result.push_back(
        summarise(draw_extreme_sums(dimension, {log_points, 0.0, 0.5 / tau}, log_times, -infinity)).participation);
  }
  return result;
}

TEST(ExtremeValues, AloneAreTheRandomEnergyModel) {
  struct Case {
    std::int64_t dimension;
    double log_points;
    double of_the_formula, of_the_limit;  // allowed deviations
  };
  for (const auto& [dimension, log_points, of_the_formula, of_the_limit] :
       {Case{60, 20.0, 0.02, 0.2}, Case{200, 60.0, 0.01, 0.1}, Case{10000, 3000.0, 0.005, 0.01}}) {
    const std::vector<VarianceBlock> blocks{{dimension, 1.0}};
    const double frozen = Achilli2024(blocks, log_points).origin_condensation_tau();
    for (const double ratio : {0.2, 0.5, 0.8, 1.5}) {
      SCOPED_TRACE(testing::Message() << "log n " << log_points << " tau/t_c " << ratio);
      const Estimate measured = estimate(origin_participations(dimension, log_points, ratio * frozen, 250));
      const double formula = fixed_point_weights(blocks, log_points, ratio * frozen).participation;
      EXPECT_NEAR(measured.mean, formula, of_the_formula + 4.0 * measured.error);
      EXPECT_NEAR(measured.mean, std::max(0.0, 1.0 - ratio), of_the_limit + 4.0 * measured.error);
    }
  }
}

TEST(ExtremeValues, LimitsAndBadArguments) {
  const RandomStream stream(3, hash_text("extreme values, limits"), 0, "arrivals");
  // No points; far fewer than one.
  for (const double log_points : {-infinity, -60.0}) {
    const PosteriorSummary alone = draw_posterior(30, typical_class(30, log_points, 1.0), stream, 0, 10);
    EXPECT_EQ(alone.parent_weight, 1.0);
    EXPECT_EQ(alone.participation, 1.0);
    EXPECT_EQ(alone.entropy, 0.0);
    EXPECT_EQ(alone.largest_weight, 1.0);
  }
  // Far above and below the collapse, of numbers of points whose logarithm is large.
  for (const double log_points : {50.0, 3000.0, 1e5}) {
    const auto dimension = static_cast<std::int64_t>(log_points / 0.3);
    const double collapse = 1.0 / std::expm1(0.6);
    const PosteriorSummary hot =
        draw_posterior(dimension, typical_class(dimension, log_points, 1e6 * collapse), stream, 1, 300);
    EXPECT_NEAR(hot.entropy / log_points, 1.0, 1e-4);
    EXPECT_LT(hot.participation, std::exp(-0.99 * std::min(log_points, 700.0)));
    EXPECT_GE(hot.participation, 0.0);
    EXPECT_GE(hot.largest_weight, 0.0);
    const PosteriorSummary cold =
        draw_posterior(dimension, typical_class(dimension, log_points, 1e-3 * collapse), stream, 1, 300);
    EXPECT_NEAR(cold.parent_weight, 1.0, 1e-10);
    EXPECT_NEAR(cold.entropy, 0.0, 1e-9);
  }
  const std::vector<double> arrivals = log_arrivals(stream, 5, 1000);
  const std::vector<double> fewer = log_arrivals(stream, 5, 10);
  EXPECT_TRUE(std::equal(fewer.begin(), fewer.end(), arrivals.begin()));
  EXPECT_TRUE(std::is_sorted(arrivals.begin(), arrivals.end()));
  EXPECT_NEAR(std::exp(arrivals.back()), 1000.0, 4.0 * std::sqrt(1000.0));
  EXPECT_THROW(static_cast<void>(draw_extreme_sums(3, {1.0, 1.0, 0.0}, arrivals, 0.0)), std::invalid_argument);
  EXPECT_THROW(static_cast<void>(draw_extreme_sums(3, {1.0, -1.0, 1.0}, arrivals, 0.0)), std::invalid_argument);
  EXPECT_TRUE(std::isnan(summarise(PosteriorSums{}).largest_weight));
}

// Probes of a mixture and their posteriors, [count][time][probe].
struct ExtremeRun {
  std::vector<std::vector<std::vector<PosteriorSummary>>> summaries;
  std::vector<double> noise_norm2;  // [probe]
};

struct ExtremeTask {
  MixtureParameters mixture;
  NoisingProcess process = NoisingProcess();
  std::vector<double> times = {};
  std::vector<double> log_counts = {};
  std::string name = {};
  std::int64_t realization = 0;
  std::int64_t energies = default_extreme_energies;
};

constexpr std::uint64_t seed = 7;

ExtremeRun run(const ExtremeTask& task, std::int64_t probes) {
  const Communicator self = Communicator::self();
  const TaskGroup group(self);
  const Hash128 key = hash_text(task.name);
  const GaussianMixture mixture(task.mixture, seed, key, task.realization);
  const RandomStream noise(seed, key, task.realization, "noise");
  const SlabLayout layout{.rows = mixture.classes(), .columns = mixture.dimension()};
  const DataSlab centroids = centroid_matrix(mixture, layout);
  const StoredSource source(group, centroids);
  const ExtremePlan plan{.times = task.times,
                         .process = task.process,
                         .log_counts = task.log_counts,
                         .classes = mixture.classes(),
                         .law = ComponentLaw::classes(mixture),
                         .arrivals = RandomStream(seed, key, task.realization, "arrivals"),
                         .energies = task.energies};
  ExtremeRun result;
  result.summaries.assign(task.log_counts.size(), std::vector<std::vector<PosteriorSummary>>(task.times.size()));
  for (std::int64_t first = 0; first < probes; first += ProbeBlock::size) {
    const ProbeBlock block = draw_probes(group, mixture, noise, layout, first,
                                         std::min(ProbeBlock::size, probes - first), [](std::int64_t p) { return p; });
    ExtremeReduction reduction(plan, mixture.dimension(), block, first);
    source.visit(group, block, mixture.classes(), reduction.consumer());
    reduction.merge_over(group);
    for (std::size_t n = 0; n < task.log_counts.size(); ++n) {
      for (std::size_t t = 0; t < task.times.size(); ++t) {
        for (std::int64_t p = 0; p < block.probes; ++p) result.summaries[n][t].push_back(reduction.summary(n, p, t));
      }
    }
    result.noise_norm2.insert(result.noise_norm2.end(), block.noise_norm2.begin(), block.noise_norm2.end());
  }
  return result;
}

// The same probes in drawn training sets of `samples` points, [time][probe].
std::vector<std::vector<PosteriorSummary>> explicit_run(const ExtremeTask& task, std::int64_t samples,
                                                        std::int64_t probes) {
  const Communicator self = Communicator::self();
  const TaskGroup group(self);
  const Hash128 key = hash_text(task.name);
  const GaussianMixture mixture(task.mixture, seed, key, task.realization);
  const RandomStream noise(seed, key, task.realization, "noise");
  const DataSlab slab = draw_training_set(mixture, SlabLayout{.rows = samples, .columns = mixture.dimension()});
  const StoredSource source(group, slab);
  const ProbeBlock block = fetch_probes(group, slab, noise, 0, probes, [](std::int64_t p) { return p; });
  const ReductionPlan plan{.times = task.times, .process = task.process, .counts = {samples}, .law = {}};
  Reduction reduction(plan, mixture.dimension(), block);
  source.visit(group, block, samples, reduction.consumer());
  reduction.merge_over(group);
  std::vector<std::vector<PosteriorSummary>> result(task.times.size());
  for (std::size_t t = 0; t < task.times.size(); ++t) {
    for (std::int64_t p = 0; p < probes; ++p) result[t].push_back(reduction.summary(0, p, t));
  }
  return result;
}

MixtureParameters single_gaussian(std::int64_t dimension) {
  MixtureParameters mixture;
  mixture.dimension = dimension;
  return mixture;
}

MixtureParameters two_uneven_classes(std::int64_t dimension) {
  MixtureParameters mixture;
  mixture.dimension = dimension;
  mixture.classes = 2;
  mixture.centroids = CentroidKind::opposite;
  mixture.separation = 0.35;
  mixture.weights = {0.7, 0.3};
  mixture.class_sigma = {1.0, 0.8};
  return mixture;
}

// Means and mean squares of the same probes on both paths, averaged over each of several realizations; and the pooled
// distributions of other probes.
void expect_explicit_law(ExtremeTask task, std::int64_t samples, std::int64_t realizations) {
  constexpr std::int64_t probes = 32;
  const double log_count = std::log(static_cast<double>(samples));
  task.log_counts = {log_count};
  const std::size_t times = task.times.size();
  std::vector<std::vector<Quantities>> differences(times);
  std::vector<std::vector<Quantities>> of_squares(times);
  std::vector<std::vector<double>> evidences(times);
  std::vector<std::vector<Quantities>> drawn(times);
  for (task.realization = 0; task.realization < realizations; ++task.realization) {
    const ExtremeRun extreme = run(task, probes);
    const auto full = explicit_run(task, samples, probes);
    for (std::size_t t = 0; t < times; ++t) {
      Quantities mean{};
      Quantities squares{};
      double evidence = 0.0;
      for (std::size_t p = 0; p < static_cast<std::size_t>(probes); ++p) {
        const Quantities a = quantities_of(extreme.summaries[0][t][p], log_count);
        const Quantities b = quantities_of(full[t][p], log_count);
        drawn[t].push_back(b);
        for (std::size_t q = 0; q < a.size(); ++q) {
          mean[q] += (a[q] - b[q]) / static_cast<double>(probes);
          squares[q] += (a[q] * a[q] - b[q] * b[q]) / static_cast<double>(probes);
        }
        evidence += (extreme.summaries[0][t][p].log_evidence - full[t][p].log_evidence) / static_cast<double>(probes);
      }
      differences[t].push_back(mean);
      of_squares[t].push_back(squares);
      evidences[t].push_back(evidence);
    }
  }
  task.realization = 1000000;
  const ExtremeRun others = run(task, 1024);
  for (std::size_t t = 0; t < times; ++t) {
    SCOPED_TRACE(testing::Message() << task.name << " time " << task.times[t]);
    const Tail tail{1.0, 100.0 * static_cast<double>(probes * realizations)};
    for (std::size_t q = 0; q < quantity_names.size(); ++q) {
      EXPECT_TRUE(agrees(estimate(column(differences[t], q)), {0.0, 0.0}, tail)) << quantity_names[q];
      EXPECT_TRUE(agrees(estimate(column(of_squares[t], q)), {0.0, 0.0}, tail)) << "square of " << quantity_names[q];
    }
    EXPECT_TRUE(agrees(estimate(evidences[t]), {0.0, 0.0}, tail)) << "log evidence";
    std::vector<Quantities> pooled;
    for (const PosteriorSummary& s : others.summaries[0][t]) pooled.push_back(quantities_of(s, log_count));
    for (std::size_t q = 0; q < quantity_names.size(); ++q) {
      EXPECT_LE(kolmogorov_distance(column(pooled, q), column(drawn[t], q)), 2.5) << quantity_names[q];
    }
  }
}

TEST(ExtremeReduction, HasTheLawOfDrawnTrainingSets) {
  expect_explicit_law({.mixture = single_gaussian(20), .times = {0.1, 0.3, 0.5, 0.9}, .name = "one class"}, 2000, 32);
  expect_explicit_law({.mixture = two_uneven_classes(32), .times = {0.2, 0.45, 0.7, 1.2}, .name = "two classes"}, 2000,
                      32);
}

TEST(FullExtremeReduction, HasTheLawOfLargerDrawnTrainingSets) {
  for (const std::int64_t dimension : {20, 64}) {
    const std::string name = std::to_string(dimension);
    expect_explicit_law(
        {.mixture = single_gaussian(dimension), .times = {0.15, 0.35, 0.6, 0.8, 1.2}, .name = "one class " + name},
        100000, 64);
    expect_explicit_law(
        {.mixture = two_uneven_classes(dimension), .times = {0.15, 0.35, 0.6, 0.8, 1.2}, .name = "two classes " + name},
        30000, 64);
  }
}

TEST(ExtremeReduction, TwiceAsManyEnergiesChangeNothing) {
  ExtremeTask task{.mixture = single_gaussian(60), .log_counts = {std::log(1e4), 30.0}, .name = "energies"};
  task.times = test::log_spaced(0.15, 1.2, 4);
  const ExtremeRun once = run(task, 1024);
  task.energies *= 2;
  const ExtremeRun twice = run(task, 1024);
  for (std::size_t n = 0; n < task.log_counts.size(); ++n) {
    for (std::size_t t = 0; t < task.times.size(); ++t) {
      for (std::size_t q = 0; q < quantity_names.size(); ++q) {
        std::vector<double> a;
        std::vector<double> b;
        for (std::size_t p = 0; p < 1024; ++p) {
          a.push_back(quantities_of(once.summaries[n][t][p], task.log_counts[n])[q]);
          b.push_back(quantities_of(twice.summaries[n][t][p], task.log_counts[n])[q]);
        }
        EXPECT_LE(std::abs(estimate(a).mean - estimate(b).mean), 0.2 * estimate(b).error + 1e-9)
            << quantity_names[q] << " log n " << task.log_counts[n] << " time " << task.times[t];
      }
    }
  }
}

// Far above the collapse the training set is its law: the density of the mixture at x_t, probe by probe.
TEST(ExtremeReduction, EvidenceIsTheDensityOfTheMixtureWhereThereAreEnoughPoints) {
  const ExtremeTask task{
      .mixture = two_uneven_classes(50), .times = {2.0, 3.0}, .log_counts = {70.0}, .name = "density"};
  constexpr std::int64_t probes = 64;
  const ExtremeRun extreme = run(task, probes);
  const Communicator self = Communicator::self();
  const TaskGroup group(self);
  const GaussianMixture mixture(task.mixture, seed, hash_text(task.name), 0);
  const RandomStream noise(seed, hash_text(task.name), 0, "noise");
  const SlabLayout layout{.rows = mixture.classes(), .columns = mixture.dimension()};
  const DataSlab centroids = centroid_matrix(mixture, layout);
  const StoredSource source(group, centroids);
  const ProbeBlock block = draw_probes(group, mixture, noise, layout, 0, probes, [](std::int64_t p) { return p; });
  const ReductionPlan plan{.times = task.times,
                           .process = task.process,
                           .counts = {mixture.classes()},
                           .law = ComponentLaw::classes(mixture)};
  Reduction reduction(plan, mixture.dimension(), block);
  source.visit(group, block, mixture.classes(), reduction.consumer());
  reduction.merge_over(group);
  for (std::int64_t p = 0; p < probes; ++p) {
    for (std::size_t t = 0; t < task.times.size(); ++t) {
      EXPECT_NEAR(extreme.summaries[0][t][static_cast<std::size_t>(p)].log_evidence,
                  reduction.summary(0, p, t).log_evidence, 1e-9)
          << p << " " << task.times[t];
    }
  }
}

// log n over the dimension in what follows, and the closed form of the collapse.
constexpr double alpha = 0.3;

ExtremeTask beyond_counting(double log_count, const std::vector<double>& by_window, const std::string& name) {
  ExtremeTask task{.mixture = single_gaussian(std::lround(log_count / alpha)), .log_counts = {log_count}, .name = name};
  task.process = NoisingProcess(ProcessKind::variance_exploding);
  const double collapse = 1.0 / std::expm1(2.0 * alpha);
  const double window = Biroli2024(task.mixture).collapse_window(log_count);
  for (const double place : by_window) task.times.push_back(collapse * std::exp(place * window));
  return task;
}

// E w_parent = E Y and E[-log w_parent] = E H, exactly, for any n: the parent is a point like the others.
TEST(ExtremeReduction, ObeysTheBayesIdentitiesForAnyNumberOfPoints) {
  std::vector<ExtremeTask> tasks;
  for (const double log_count : {6.0, 30.0, 300.0, 2000.0})
    tasks.push_back(beyond_counting(log_count, {-1.0, -0.3, 0.0, 0.5, 2.0}, "Bayes"));
  tasks.push_back(
      {.mixture = two_uneven_classes(100), .times = {0.3, 0.7, 1.5}, .log_counts = {8.0, 40.0}, .name = "Bayes"});
  for (const ExtremeTask& task : tasks) {
    const ExtremeRun result = run(task, 200);
    const auto dimension = static_cast<double>(task.mixture.dimension);
    for (std::size_t n = 0; n < task.log_counts.size(); ++n) {
      for (std::size_t t = 0; t < task.times.size(); ++t) {
        const double noise = task.process.noise(task.times[t]);
        const double constant = task.log_counts[n] + 0.5 * dimension * std::log(2.0 * std::numbers::pi * noise * noise);
        std::vector<double> weights;
        std::vector<double> entropies;
        for (std::size_t p = 0; p < result.noise_norm2.size(); ++p) {
          const PosteriorSummary& s = result.summaries[n][t][p];
          weights.push_back(s.parent_weight - s.participation);
          entropies.push_back(s.log_evidence + constant + 0.5 * result.noise_norm2[p] - s.entropy);
        }
        SCOPED_TRACE(testing::Message() << "log n " << task.log_counts[n] << " time " << task.times[t]);
        EXPECT_TRUE(agrees(estimate(weights), {0.0, 0.0}, Tail{1.0, 1e4}));
        EXPECT_TRUE(agrees(estimate(entropies), {0.0, 0.0}, Tail{1.0, 1e4}));
      }
    }
  }
}

// The limit: log(Z_others/Z_parent) is normal with variance d_eff and mean zero where log n = (d/2) log(1 + 1/tau), so
// that the participation in units of the window 2/sqrt(d_eff) is Phi(-2 x/2): one step, ever steeper on log tau.
TEST(ExtremeReduction, CollapsesOnTheClosedFormInAWindowThatShrinks) {
  const std::vector<double> places = test::equally_spaced(-1.5, 1.5, 9);
  std::vector<double> worst;
  std::vector<double> widths;
  for (const double log_count : {20.0, 200.0, 2000.0}) {
    const ExtremeTask task = beyond_counting(log_count, places, "window");
    const ExtremeRun result = run(task, 400);
    std::vector<double> participation;
    std::vector<double> curve;
    for (std::size_t p = 0; p < 400; ++p) {
      for (std::size_t t = 0; t < places.size(); ++t) curve.push_back(result.summaries[0][t][p].participation);
    }
    double deviation = 0.0;
    for (std::size_t t = 0; t < places.size(); ++t) {
      std::vector<double> units;
      for (const PosteriorSummary& s : result.summaries[0][t]) units.push_back(s.participation);
      participation.push_back(estimate(units).mean);
      const double limit = 0.5 * std::erfc(places[t] * M_SQRT1_2);
      deviation = std::max(deviation, std::abs(participation.back() - limit) - 4.0 * estimate(units).error);
    }
    worst.push_back(deviation);
    const auto time_of = [&](double level) {
      return find_crossing(task.times, participation, level, task.process, /*falling=*/true).time;
    };
    const double window = Biroli2024(task.mixture).collapse_window(log_count);
    widths.push_back(std::log(time_of(0.25) / time_of(0.75)));
    const CriticalTime crossing = crossing_of_mean(task.times, curve, 400, 0.5, task.process, /*falling=*/true);
    const double collapse = Biroli2024(task.mixture).collapse_time(log_count, task.process);
    const double shift = std::log(crossing.time / collapse);
    const double error = crossing.standard_error / crossing.time;
    RecordProperty("log_n_" + std::to_string(std::lround(log_count)),
                   "shift/window " + std::to_string(shift / window) + " +- " + std::to_string(error / window) +
                       ", width/window " + std::to_string(widths.back() / window) + ", deviation " +
                       std::to_string(deviation));
    // 1.15/d_eff, d_eff = 4/window^2.
    EXPECT_LE(std::abs(shift), 0.4 * window * window + 4.0 * error) << log_count;
    EXPECT_NEAR(widths.back() / window, 1.349, 0.25) << log_count;
  }
  EXPECT_LE(worst.back(), 0.02);
  EXPECT_LT(widths[1], widths[0] / 2.5);
  EXPECT_LT(widths[2], widths[1] / 2.5);
}

TEST(ExtremeReduction, BadPlans) {
  const ProbeBlock block(1, 3);
  const RandomStream arrivals(1, hash_text("bad"), 0, "arrivals");
  const ExtremePlan good{.times = {1.0},
                         .process = NoisingProcess(),
                         .log_counts = {5.0},
                         .law = {.sigmas = {1.0}, .weights = {}},
                         .arrivals = arrivals};
  EXPECT_NO_THROW(ExtremeReduction(good, 3, block, 0));
  ExtremePlan plan = good;
  plan.law.sigmas = {0.0};
  EXPECT_THROW(ExtremeReduction(plan, 3, block, 0), std::invalid_argument);
  for (const double log_count : {-1.0, infinity, std::numeric_limits<double>::quiet_NaN()}) {
    plan = good;
    plan.log_counts = {log_count};
    EXPECT_THROW(ExtremeReduction(plan, 3, block, 0), std::invalid_argument);
  }
  plan = good;
  plan.energies = 0;
  EXPECT_THROW(ExtremeReduction(plan, 3, block, 0), std::invalid_argument);
}

}  // namespace
}  // namespace diffphase
