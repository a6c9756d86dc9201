// What the collapse and clones measures find, against tabulated simulations, published data and exact identities.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <utility>

#include "measure/clones.hpp"
#include "measure/collapse.hpp"
#include "measure/probes.hpp"
#include "measure/speciation.hpp"
#include "posterior/inner_products.hpp"
#include "posterior/point_posterior.hpp"
#include "posterior/reduction.hpp"
#include "support/measure_runs.hpp"
#include "support/published.hpp"
#include "support/statistics.hpp"
#include "theory/achilli2025.hpp"

namespace diffphase {
namespace {

using test::agrees;
using test::equally_spaced;
using test::Estimate;
using test::Measured;
using test::mixture_task;
using test::realizations;
using test::ScoreFamily;
using test::Tail;
using test::values_of;

const CollapseMeasure measure;

MixtureParameters classes_of(CentroidKind kind, std::int64_t classes, std::int64_t dimension) {
  MixtureParameters mixture;
  mixture.dimension = dimension;
  mixture.classes = classes;
  mixture.centroids = kind;
  return mixture;
}

MixtureParameters single_gaussian(std::int64_t dimension) { return classes_of(CentroidKind::random, 1, dimension); }

TaskParameters task_of(const MixtureParameters& mixture, std::int64_t samples, std::vector<double> times, double probes,
                       const std::string& name) {
  TaskParameters task = mixture_task(measure, mixture, std::move(times), name);
  task.samples = {samples};
  task.options["probes"] = probes;
  return task;
}

// Averages over training sets of a single Gaussian, at tau/tau_C = 1/2, 1, 2, 4, with standard errors.
struct CollapseTable {
  std::int64_t samples;
  std::int64_t dimension;
  double tau;
  std::array<Estimate, 4> entropy;
  std::array<Estimate, 4> participation;
};

const CollapseTable small{.samples = 1000,
                          .dimension = 16,
                          .tau = 0.72919584,
                          .entropy = {{{.0270, 2e-4}, {.1710, 5e-4}, {.4285, 6e-4}, {.6634, 4e-4}}},
                          .participation = {{{.9140, 6e-4}, {.5739, 11e-4}, {.2057, 8e-4}, {.0492, 3e-4}}}};
const CollapseTable medium{.samples = 4096,
                           .dimension = 32,
                           .tau = 1.46672120,
                           .entropy = {{{.0143, 3e-4}, {.1631, 9e-4}, {.4550, 10e-4}, {.6990, 6e-4}}},
                           .participation = {{{.9483, 10e-4}, {.5656, 23e-4}, {.1496, 14e-4}, {.0216, 2e-4}}}};
const CollapseTable large{.samples = 20000,
                          .dimension = 64,
                          .tau = 2.75693421,
                          .entropy = {{{.0071, 4e-4}, {.1567, 24e-4}, {.4746, 30e-4}, {.7189, 7e-4}}},
                          .participation = {{{.9707, 16e-4}, {.5534, 59e-4}, {.1071, 42e-4}, {.0092, 3e-4}}}};
const CollapseTable wide{.samples = 20000,
                         .dimension = 256,
                         .tau = 12.43118677,
                         .entropy = {{{.0057, 5e-4}, {.1625, 31e-4}, {.5001, 14e-4}, {.7435, 7e-4}}},
                         .participation = {{{.9774, 21e-4}, {.5564, 76e-4}, {.0913, 17e-4}, {.0060, 2e-4}}}};

void expect_table(const CollapseTable& table, std::int64_t training_sets, double probes) {
  TaskParameters task = task_of(single_gaussian(table.dimension), table.samples,
                                {0.5 * table.tau, table.tau, 2.0 * table.tau, 4.0 * table.tau}, probes, "tables");
  task.process = NoisingProcess(ProcessKind::variance_exploding);
  const double predicted = values_of(measure.predict(task), "collapse_time_theory").at(0);
  EXPECT_NEAR(predicted, table.tau, 1e-8 * table.tau);
  const std::vector<Measured> runs = realizations(measure, task, training_sets);
  const Tail tail{1.0, probes * static_cast<double>(training_sets)};
  for (std::size_t t = 0; t < task.times.size(); ++t) {
    EXPECT_TRUE(agrees(test::over_realizations(runs, "weight_entropy", t), table.entropy[t], tail))
        << "entropy at " << task.times[t] << ", n = " << table.samples << ", d = " << table.dimension;
    EXPECT_TRUE(agrees(test::over_realizations(runs, "participation", t), table.participation[t], tail))
        << "participation at " << task.times[t] << ", n = " << table.samples << ", d = " << table.dimension;
  }
}

// Every probe with a training set of its own: the error follows from the probes.
void expect_streamed_table(const CollapseTable& table, double probes) {
  TaskParameters task = task_of(single_gaussian(table.dimension), table.samples,
                                {0.5 * table.tau, table.tau, 2.0 * table.tau, 4.0 * table.tau}, probes, "streamed");
  task.process = NoisingProcess(ProcessKind::variance_exploding);
  task.representation = Representation::streaming;
  const Measured streamed(measure, task);
  for (std::size_t t = 0; t < task.times.size(); ++t) {
    EXPECT_TRUE(agrees(streamed.estimate("weight_entropy", t), table.entropy[t], Tail{1.0, probes})) << t;
    EXPECT_TRUE(agrees(streamed.estimate("participation", t), table.participation[t], Tail{1.0, probes})) << t;
    EXPECT_TRUE(agrees(streamed.estimate("parent_weight", t), table.participation[t], Tail{1.0, probes})) << t;
  }
}

TEST(CollapseTable, IsThatOf1000StreamedPoints) { expect_streamed_table(small, 8192); }
TEST(FullCollapseTable, IsThatOf20000StreamedPoints) {
  expect_streamed_table(large, 8192);
  expect_streamed_table(wide, 8192);
}

TEST(CollapseTable, IsThatOf1000PointsIn16Dimensions) { expect_table(small, 100, 500); }
TEST(CollapseTable, IsThatOf4096PointsIn32Dimensions) { expect_table(medium, 40, 512); }
TEST(FullCollapseTable, IsThatOf20000PointsIn64Dimensions) { expect_table(large, 40, 512); }
TEST(FullCollapseTable, IsThatOf20000PointsIn256Dimensions) { expect_table(wide, 40, 512); }

// Noise and differences across the span of the data drop out of the posterior: the same table in a larger space.
TEST(CollapseTable, IsThatOfAnOrthonormalManifoldOf16Dimensions) {
  TaskParameters task = task_of(single_gaussian(16), small.samples, {0.5 * small.tau, small.tau, 2.0 * small.tau}, 250,
                                "orthonormal manifold");
  task.process = NoisingProcess(ProcessKind::variance_exploding);
  task.mixture.reset();
  task.manifold = ManifoldParameters{.dimension = 40, .blocks = {{.size = 16, .sigma = 1.0}}};
  const std::vector<Measured> runs = realizations(measure, task, 60);
  const Tail tail{1.0, 60.0 * 250.0};
  for (std::size_t t = 0; t < task.times.size(); ++t) {
    EXPECT_TRUE(agrees(test::over_realizations(runs, "weight_entropy", t), small.entropy[t], tail));
    EXPECT_TRUE(agrees(test::over_realizations(runs, "participation", t), small.participation[t], tail));
  }
}

// Two blocks of variance 1 and 0.01, 20 directions each, n = 1000, simulated before: 1 - E[Y] at tau_C and 3 tau_C.
TEST(CollapseTable, IsThatOfTwoVariances) {
  constexpr double tau = 1.0246140710;
  TaskParameters task = task_of(single_gaussian(40), 1000, {tau, 3.0 * tau}, 250, "two variances");
  task.process = NoisingProcess(ProcessKind::variance_exploding);
  task.mixture.reset();
  task.manifold =
      ManifoldParameters{.dimension = 40, .blocks = {{.size = 20, .sigma = 1.0}, {.size = 20, .sigma = 0.1}}};
  const std::vector<Measured> runs = realizations(measure, task, 60);
  const Tail tail{1.0, 60.0 * 250.0};
  constexpr double digits = 5e-3;  // one run of it, three digits
  EXPECT_TRUE(agrees(test::over_realizations(runs, "participation", 0), {1.0 - .433, digits}, tail));
  EXPECT_TRUE(agrees(test::over_realizations(runs, "participation", 1), {1.0 - .915, digits}, tail));
}

// Where E[Y] = 1/2 in earlier simulations (Ornstein-Uhlenbeck time, standard error), orthogonal classes of sigma 1.
struct CrossingCase {
  std::int64_t samples;
  std::int64_t dimension;
  std::int64_t classes;
  double root;
  Estimate crossing;
};

void expect_crossing(const CrossingCase& c, std::int64_t training_sets, double probes) {
  const TaskParameters task = task_of(classes_of(CentroidKind::orthogonal, c.classes, c.dimension), c.samples,
                                      equally_spaced(0.8 * c.root, 1.35 * c.root, 12), probes, "crossings");
  const std::vector<VariableValues> theory = measure.predict(task);
  const double root = values_of(theory, "collapse_time_theory").at(0);
  const double shift = values_of(theory, "collapse_time_shift").at(0);
  // The tabulated roots come from a simulated mutual information.
  EXPECT_NEAR(root, c.root, 1e-3);
  EXPECT_GT(shift, 0.0);
  const Estimate measured = test::over_realizations(realizations(measure, task, training_sets), "collapse_time");
  EXPECT_LE(std::abs(measured.mean - root - shift), 4.0 * measured.error + 0.5 * shift)
      << measured.mean << " +- " << measured.error << " for " << root << " + " << shift;
  EXPECT_TRUE(agrees(measured, c.crossing, Tail{0.0, 1.0})) << c.samples << " " << c.dimension << " " << c.classes;
}

// Of few points the entropy balance and its shift are off by more than half the shift, and the tolerance says by how
// much.
TEST(CollapseCrossing, OfFewPointsIsWithinItsTolerance) {
  std::int64_t beyond_the_shift = 0;
  for (const std::int64_t samples : {3, 4, 5, 7, 12, 30, 99}) {
    for (const std::int64_t classes : {1, 4}) {
      TaskParameters task =
          task_of(classes == 1 ? single_gaussian(16) : classes_of(CentroidKind::orthogonal, classes, 16), samples,
                  {1.0}, 6000, "few points");
      task.representation = Representation::streaming;  // a training set for every probe
      task.process = NoisingProcess(ProcessKind::variance_exploding);
      const std::vector<VariableValues> theory = measure.predict(task);
      const double root = values_of(theory, "collapse_time_theory").at(0);
      const double shift = values_of(theory, "collapse_time_shift").at(0);
      const double tolerance = values_of(theory, "collapse_time_tolerance").at(0);
      task.times = test::log_spaced(0.25 * root, 20.0 * root, 28);
      const Estimate measured = Measured(measure, task).estimate("collapse_time");
      EXPECT_NEAR(measured.mean, root + shift, tolerance + 4.0 * measured.error) << samples << " of " << classes;
      EXPECT_LT(tolerance, root + shift);
      beyond_the_shift += std::abs(measured.mean - root - shift) > 0.5 * shift + 4.0 * measured.error ? 1 : 0;
    }
  }
  EXPECT_GT(beyond_the_shift, 0);
}

// There it ends, where half the shift is as much; two points never collapse.
TEST(CollapseCrossing, HasNoToleranceOfItsOwnForManyPointsOrTwo) {
  for (const std::int64_t samples : {2, 100, 5000}) {
    TaskParameters task = task_of(single_gaussian(16), samples, {1.0}, 64, "many points");
    EXPECT_TRUE(std::isnan(values_of(measure.predict(task), "collapse_time_tolerance").at(0))) << samples;
    task.mixture.reset();
    task.manifold = ManifoldParameters{.dimension = 16, .blocks = {{.size = 8, .sigma = 1.0}}};
    EXPECT_TRUE(std::isnan(values_of(measure.predict(task), "collapse_time_tolerance").at(0))) << samples;
  }
}

// The crossing of E[Y] = 1/2 of data on a manifold, over draws of its factor and of training sets.
void expect_manifold_crossing(const ManifoldParameters& manifold, double tau) {
  TaskParameters task =
      task_of(single_gaussian(1), 1000, equally_spaced(0.6 * tau, 1.8 * tau, 12), 250, "manifold crossings");
  task.process = NoisingProcess(ProcessKind::variance_exploding);
  task.mixture.reset();
  task.manifold = manifold;
  const std::vector<VariableValues> theory = measure.predict(task);
  EXPECT_NEAR(values_of(theory, "collapse_time_theory").at(0), tau, 1e-9 * tau);
  const double shift = values_of(theory, "collapse_time_shift").at(0);
  EXPECT_GT(shift, 0.0);
  const Estimate measured = test::over_realizations(realizations(measure, task, 40), "collapse_time");
  EXPECT_LE(std::abs(measured.mean - tau - shift), 4.0 * measured.error + 0.5 * shift)
      << measured.mean << " +- " << measured.error << " for " << tau << " + " << shift;
}

TEST(CollapseTime, OfManifoldsIsTheRootAndItsShift) {
  expect_manifold_crossing({.dimension = 60, .blocks = {{.size = 20, .sigma = 1.0}, {.size = 20, .sigma = 0.1}}},
                           1.0246140710);
  const double unit = Achilli2025(std::log(1000.0) / 60.0, 0.25).collapse_tau();
  EXPECT_LT(unit, 3.0402269634);  // alpha = 0.1, tabulated; here it is 0.115
  EXPECT_GT(unit, 0.5576431833);  // alpha = 0.25
  expect_manifold_crossing({.dimension = 60, .blocks = {{.size = 15, .sigma = 2.0}}, .factor = FactorKind::gaussian},
                           4.0 * unit);
}

// Of Gaussian factors in the limit of large size, whose unit is that of the normalisation.
TEST(CollapseTime, OfManifoldsIsKnownWhereThereIsATheory) {
  const auto prediction = [](const ManifoldParameters& manifold, std::int64_t samples) {
    TaskParameters task = task_of(single_gaussian(1), samples, {1.0}, 250, "manifold theory");
    task.process = NoisingProcess(ProcessKind::variance_exploding);
    task.mixture.reset();
    task.manifold = manifold;
    return values_of(measure.predict(task), "collapse_time_theory").at(0);
  };
  ManifoldParameters manifold{.dimension = 60, .blocks = {{.size = 15, .sigma = 2.0}}, .factor = FactorKind::gaussian};
  const double tau = prediction(manifold, 1000);
  manifold.normalisation = FactorNormalisation::dimension;
  EXPECT_NEAR(prediction(manifold, 1000), 0.25 * tau, 1e-9);
  manifold.normalisation = FactorNormalisation::none;
  EXPECT_NEAR(prediction(manifold, 1000), 15.0 * tau, 1e-7);
  manifold.ambient_noise = 0.1;
  EXPECT_TRUE(std::isnan(prediction(manifold, 1000)));
  manifold.factor = FactorKind::orthonormal;
  EXPECT_GT(prediction(manifold, 1000), 0.0);
  EXPECT_TRUE(std::isnan(prediction(manifold, 1)));
  EXPECT_TRUE(std::isnan(prediction(manifold, 2)));
  manifold = {.dimension = 60, .blocks = {{.size = 5}, {.size = 5}}, .factor = FactorKind::gaussian};
  EXPECT_TRUE(std::isnan(prediction(manifold, 1000)));
}

TEST(CollapseTime, IsTheRootAndItsShift) {
  expect_crossing({2000, 16, 8, .3307, {.3597, .0027}}, 24, 256);
  expect_crossing({4000, 64, 2, .7763, {.8118, .0026}}, 24, 256);
  // The earlier errors of these two are not known.
  expect_crossing({4000, 64, 8, .8582, {.9022, .0030}}, 24, 256);
  expect_crossing({4000, 64, 32, .9338, {.9833, .0030}}, 24, 256);
}

TEST(FullCollapseTime, IsTheRootAndItsShiftInManyDimensions) {
  expect_crossing({4000, 256, 8, 1.5167, {1.5595, .0059}}, 24, 512);
  expect_crossing({4000, 1024, 64, 2.3224, {2.3931, .0066}}, 24, 512);
}

// The authors' excess entropy: two opposite classes, mu = sigma = 1.
TEST(PublishedExcessEntropy, AgreesWithTheMeasuredEntropyAtEveryTime) {
  const test::PublishedTable table("biroli2024_excess_entropy_d256_n20000.csv");
  if (!table.present()) GTEST_SKIP() << table.path() << " is not there";
  const std::vector<double> published = table.column("excess_entropy_over_alpha");
  const std::vector<double> error = table.column("standard_error");
  const TaskParameters task =
      task_of(classes_of(CentroidKind::opposite, 2, 256), 20000, table.column("t"), 128, "published entropy");
  ASSERT_EQ(task.times.size(), 20U);
  const std::vector<Measured> runs = realizations(measure, task, 20);
  double chi2 = 0.0;
  for (std::size_t t = 0; t < published.size(); ++t) {
    const Estimate measured = test::over_realizations(runs, "weight_entropy", t);
    const Estimate expected{published[t], error[t]};
    EXPECT_TRUE(agrees(measured, expected, Tail{0.0, 1.0}, 1e-3)) << "t = " << task.times[t];
    chi2 += std::pow(test::standard_score(measured, expected), 2);
  }
  RecordProperty("chi2_per_point", std::to_string(chi2 / 20.0));
}

// Every probe with a training set of its own; the errors are no larger than the published ones of 250000 probes.
TEST(FullPublishedExcessEntropy, AgreesWithThatOfStreamedTrainingSets) {
  const test::PublishedTable table("biroli2024_excess_entropy_d256_n20000.csv");
  if (!table.present()) GTEST_SKIP() << table.path() << " is not there";
  const std::vector<double> published = table.column("excess_entropy_over_alpha");
  const std::vector<double> error = table.column("standard_error");
  constexpr int probes = 4000;
  TaskParameters task =
      task_of(classes_of(CentroidKind::opposite, 2, 256), 20000, table.column("t"), probes, "streamed entropy");
  task.representation = Representation::streaming;
  const Measured streamed(measure, task);
  double chi2 = 0.0;
  for (std::size_t t = 0; t < published.size(); ++t) {
    const Estimate measured = streamed.estimate("weight_entropy", t);
    const Estimate expected{published[t], error[t]};
    EXPECT_LE(measured.error, error[t]) << "t = " << task.times[t];
    EXPECT_TRUE(agrees(measured, expected, Tail{1.0, probes})) << "t = " << task.times[t];
    chi2 += std::pow(test::standard_score(measured, expected), 2);
  }
  RecordProperty("chi2_per_point", std::to_string(chi2 / static_cast<double>(published.size())));
}

// The posterior of a training set at probes that start at each of its points equally often, probe by probe.
class TrainingSetProbes {
 public:
  TrainingSetProbes(const TaskParameters& task, std::int64_t rounds)
      : slab_(draw_training_set(GaussianMixture(task.mixture.value(), task.seed, task.ensemble, task.realization),
                                SlabLayout{.rows = task.samples.front(), .columns = task.dimension()})),
        source_(group_, slab_),
        task_(task) {
    const ProbeStarts starts(task);
    const ReductionPlan plan{.times = task.times, .process = task.process, .counts = task.samples, .law = {}};
    const std::int64_t probes = rounds * task.samples.front();
    for (std::int64_t first = 0; first < probes; first += ProbeBlock::size) {
      const std::int64_t size = std::min(ProbeBlock::size, probes - first);
      ProbeBlock block = fetch_probes(group_, slab_, starts.noise(), first, size,
                                      [&](std::int64_t p) { return starts.row(p, task.samples.front()); });
      Reduction reduction(plan, task.dimension(), block);
      source_.visit(group_, block, task.samples.front(), reduction.consumer());
      reduction.merge_over(group_);
      for (std::int64_t p = 0; p < size; ++p) {
        for (std::size_t t = 0; t < task.times.size(); ++t) summaries_.push_back(reduction.summary(0, p, t));
      }
      blocks_.push_back(std::move(block));
    }
  }

  [[nodiscard]] std::size_t probes() const { return summaries_.size() / task_.times.size(); }
  [[nodiscard]] const PosteriorSummary& summary(std::size_t probe, std::size_t time) const {
    return summaries_[probe * task_.times.size() + time];
  }

  // tr Cov[x_0|x] of one probe: the operator applied to every axis.
  [[nodiscard]] double covariance_trace(std::size_t probe, std::size_t time) const {
    const auto d = static_cast<std::size_t>(task_.dimension());
    const NoiseLevel level{.signal = task_.process.signal(task_.times[time]),
                           .noise = task_.process.noise(task_.times[time])};
    ProbeBlock block = blocks_[probe / ProbeBlock::size];
    const auto within = static_cast<std::int64_t>(probe % ProbeBlock::size);
    std::vector<double> x(d);
    for (std::size_t i = 0; i < d; ++i) {
      x[i] = level.signal * block.start(within)[i] + level.noise * block.noise(within)[i];
    }
    std::vector<double> axes(d * d);
    for (std::size_t i = 0; i < d; ++i) axes[i * d + i] = 1.0;
    std::vector<double> columns(d * d);
    const PointPosterior posterior(group_, slab_);
    PosteriorCovariance(posterior, level, x).apply(task_.dimension(), axes, columns);
    double trace = 0.0;
    for (std::size_t i = 0; i < d; ++i) trace += columns[i * d + i];
    return trace;
  }

 private:
  Communicator self_ = Communicator::self();
  TaskGroup group_{self_};
  DataSlab slab_;
  StoredSource source_;
  TaskParameters task_;
  std::vector<ProbeBlock> blocks_;
  std::vector<PosteriorSummary> summaries_;
};

// Laws of the data for the identities, which hold for any training set.
std::vector<std::pair<std::string, MixtureParameters>> laws() {
  MixtureParameters narrow = classes_of(CentroidKind::orthogonal, 3, 12);
  narrow.sigma = 0.5;
  MixtureParameters uneven = classes_of(CentroidKind::random, 4, 12);
  uneven.class_sigma = {0.3, 0.6, 1.0, 1.5};
  uneven.weights = {0.4, 0.3, 0.2, 0.1};
  return {{"gaussian", single_gaussian(12)}, {"narrow", narrow}, {"uneven", uneven}};
}

// A per-probe difference of expectation zero: its mean over the probes of each of several training sets.
using ProbeDifference = std::function<double(const TrainingSetProbes&, std::size_t)>;

void expect_zero_mean(const std::string& name, const TaskParameters& task, std::int64_t rounds,
                      const std::vector<ProbeDifference>& differences) {
  std::vector<ScoreFamily> families(differences.size());
  std::vector<std::vector<double>> all(differences.size());
  TaskParameters one = task;
  for (one.realization = 0; one.realization < 48; ++one.realization) {
    const TrainingSetProbes probes(one, rounds);
    for (std::size_t i = 0; i < differences.size(); ++i) {
      std::vector<double> units;
      for (std::size_t p = 0; p < probes.probes(); ++p) units.push_back(differences[i](probes, p));
      families[i].add(test::estimate(units), {0.0, 0.0});
      all[i].push_back(test::estimate(units).mean);
    }
  }
  for (std::size_t i = 0; i < differences.size(); ++i) {
    families[i].expect_standard(name + "_" + std::to_string(i));
    EXPECT_LE(std::abs(test::estimate(all[i]).mean), 4.0 * test::estimate(all[i]).error) << name << " " << i;
  }
}

TEST(BayesIdentities, ParentWeightIsParticipationAndItsLogarithmIsEntropy) {
  for (const auto& [name, law] : laws()) {
    const TaskParameters task = task_of(law, 256, {0.3, 0.5, 1.0, 2.0}, 2, "Bayes identities");
    std::vector<ProbeDifference> differences;
    for (std::size_t t = 0; t < task.times.size(); ++t) {
      differences.emplace_back([t](const TrainingSetProbes& probes, std::size_t p) {
        const PosteriorSummary& s = probes.summary(p, t);
        return s.parent_weight - s.participation;
      });
      differences.emplace_back([t](const TrainingSetProbes& probes, std::size_t p) {
        const PosteriorSummary& s = probes.summary(p, t);
        return -std::log(s.parent_weight) - s.entropy;
      });
    }
    expect_zero_mean(name, task, 8, differences);
  }
}

TEST(BayesIdentities, ParentWeightIsParticipationAsMeasured) {
  const TaskParameters task = task_of(single_gaussian(16), 1000, equally_spaced(0.1, 0.8, 8), 1000, "parent weight");
  const std::vector<Measured> runs = realizations(measure, task, 24);
  for (std::size_t t = 0; t < task.times.size(); ++t) {
    std::vector<double> differences;
    for (const Measured& run : runs)
      differences.push_back(run.value("parent_weight", t) - run.value("participation", t));
    EXPECT_TRUE(agrees(test::estimate(differences), {0.0, 0.0}, Tail{1.0, 24000.0})) << task.times[t];
  }
}

// dE[H]/dtau = E[tr Cov_w]/(2 tau^2), the derivative by differences with the same x_0 and xi on both sides.
TEST(EntropyDerivative, IsTheTraceOfThePosteriorCovariance) {
  constexpr double step = 0.01;
  for (const auto& [name, law] : laws()) {
    for (const double tau : {0.3, 1.0, 3.0}) {
      TaskParameters task = task_of(law, 128, {tau * (1.0 - step), tau, tau * (1.0 + step)}, 2, "entropy derivative");
      task.process = NoisingProcess(ProcessKind::variance_exploding);
      expect_zero_mean(name + "_tau_" + std::to_string(tau), task, 2,
                       {[tau](const TrainingSetProbes& probes, std::size_t p) {
                         const double derivative =
                             (probes.summary(p, 2).entropy - probes.summary(p, 0).entropy) / (2.0 * step * tau);
                         return derivative - probes.covariance_trace(p, 1) / (2.0 * tau * tau);
                       }});
    }
  }
}

TEST(EntropyDerivative, Of500PointsIn12DimensionsIsTheTabulatedOne) {
  TaskParameters task = task_of(single_gaussian(12), 500, {0.99, 1.0, 1.01}, 2, "tabulated derivative");
  task.process = NoisingProcess(ProcessKind::variance_exploding);
  std::vector<double> derivatives;
  std::vector<double> traces;
  for (task.realization = 0; task.realization < 24; ++task.realization) {
    const TrainingSetProbes probes(task, 1);
    double derivative = 0.0;
    double trace = 0.0;
    for (std::size_t p = 0; p < probes.probes(); ++p) {
      derivative += (probes.summary(p, 2).entropy - probes.summary(p, 0).entropy) / 0.02;
      trace += 0.5 * probes.covariance_trace(p, 1);
    }
    derivatives.push_back(derivative / static_cast<double>(probes.probes()));
    traces.push_back(trace / static_cast<double>(probes.probes()));
  }
  EXPECT_TRUE(agrees(test::estimate(derivatives), {2.2764, 0.0044}, Tail{0.0, 1.0}));
  EXPECT_TRUE(agrees(test::estimate(traces), {2.2762, 0.0036}, Tail{0.0, 1.0}));
}

// Steps after which the bias of the Euler method is well below the errors here; the exact transition has none.
constexpr std::array<std::pair<const char*, double>, 2> samplers{{{"euler", 80.0}, {"exact", 12.0}}};

// The same task for the clone simulator: the same training set or classes, other random numbers.
TaskParameters clones_task(const TaskParameters& task, double trajectories, double steps, const std::string& sampler) {
  TaskParameters clones = mixture_task(ClonesMeasure(), *task.mixture, task.times, "");
  clones.samples = task.samples;
  clones.ensemble = task.ensemble;
  clones.realization = task.realization;
  clones.options["trajectories"] = trajectories;
  clones.options["steps"] = steps;
  clones.words["sampler"] = sampler;
  return clones;
}

void expect_clones_agree(const Measured& clones, const std::string& share, const Measured& posterior,
                         const std::string& identity, std::size_t times, double trajectories) {
  for (std::size_t t = 0; t < times; ++t) {
    EXPECT_TRUE(agrees(clones.estimate(share, t), posterior.estimate(identity, t), Tail{1.0, trajectories}))
        << share << " at time " << t;
  }
}

TEST(Clones, EndOnOneTrainingPointAsOftenAsParticipationSays) {
  for (const auto& [sampler, steps] : samplers) {
    const TaskParameters task = task_of(single_gaussian(16), 200, {0.1, 0.25, 0.4, 0.55, 0.8, 1.2}, 4000, "I2");
    const ClonesMeasure simulator;
    const Measured clones(simulator, clones_task(task, 2000, steps, sampler), /*count_free=*/false);
    expect_clones_agree(clones, "clone_participation", Measured(measure, task), "participation", 6, 2000);
  }
}

TEST(Clones, EndInOneClassAsOftenAsAgreementSays) {
  const SpeciationMeasure speciation;
  MixtureParameters uneven = classes_of(CentroidKind::orthogonal, 3, 12);
  uneven.class_sigma = {0.6, 1.0, 1.4};
  uneven.weights = {0.5, 0.3, 0.2};
  for (const MixtureParameters& law : {uneven, classes_of(CentroidKind::simplex, 4, 16)}) {
    for (const auto& [sampler, steps] : samplers) {
      TaskParameters task = mixture_task(speciation, law, {0.2, 0.5, 0.8, 1.1, 1.5, 2.5}, "I5");
      task.options["probes"] = 20000;
      const ClonesMeasure simulator;
      const Measured clones(simulator, clones_task(task, 4000, steps, sampler));
      expect_clones_agree(clones, "clone_class_agreement", Measured(speciation, task), "class_agreement", 6, 4000);
    }
  }
}

TEST(Clones, FullDeviateFromTheIdentitiesByOneStandardErrorOnAverage) {
  const SpeciationMeasure speciation;
  const ClonesMeasure simulator;
  ScoreFamily points;
  ScoreFamily classes;
  for (const auto& [sampler, steps] : samplers) {
    TaskParameters task = task_of(classes_of(CentroidKind::opposite, 2, 8), 100, {0.5, 1.0}, 1000, "clone family");
    TaskParameters probes = mixture_task(speciation, *task.mixture, task.times, "clone family");
    for (task.realization = 0; task.realization < 16; ++task.realization) {
      probes.realization = task.realization;
      const Measured clones(simulator, clones_task(task, 500, steps, sampler));
      points.add(clones.estimate("clone_participation"), Measured(measure, task).estimate("participation"));
      classes.add(clones.estimate("clone_class_agreement", 1),
                  Measured(speciation, probes).estimate("class_agreement", 1));
    }
  }
  points.expect_standard("clone_participation");
  classes.expect_standard("clone_class_agreement");
}

}  // namespace
}  // namespace diffphase
