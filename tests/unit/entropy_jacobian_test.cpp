// Entropy and score Jacobian of a training set, which are computed apart: by the reduction over inner products and by
// the operator. dE[H]/dtau = E[tr Cov]/(2 tau^2) ties them (the I-MMSE relation).

#include <gtest/gtest.h>

#include <boost/math/quadrature/gauss.hpp>
#include <cmath>
#include <functional>
#include <vector>

#include "measure/collapse.hpp"
#include "measure/probes.hpp"
#include "posterior/inner_products.hpp"
#include "posterior/point_posterior.hpp"
#include "posterior/reduction.hpp"
#include "spectrum/score_jacobian.hpp"
#include "support/measure_runs.hpp"

namespace diffphase {
namespace {

constexpr std::int64_t samples = 500;
constexpr std::int64_t probes = 64;

// The integral over log tau from log `first` to log `last`.
double integral(double first, double last, const std::function<double(double tau)>& f) {
  using Points = boost::math::quadrature::gauss<double, 20>;
  const double centre = 0.5 * std::log(first * last);
  const double half = 0.5 * std::log(last / first);
  double sum = 0.0;
  for (std::size_t i = 0; i < Points::abscissa().size(); ++i) {
    for (const double sign : {-1.0, 1.0}) {
      sum += half * Points::weights()[i] * f(std::exp(centre + sign * half * Points::abscissa()[i]));
    }
  }
  return sum;
}

struct Differences {
  std::vector<double> entropy;  // H(last) - H(first) of each probe
  std::vector<double> paired;   // the same less the integral of tr C / 2 over log tau
};

void add_training_set(const TaskParameters& task, Differences& differences) {
  const Communicator self = Communicator::self();
  const TaskGroup group(self);
  const DataSlab slab = make_nonzero_training_set(group, task, Partition::component, samples);
  // What follows sees no rows but these.
  DataSlab prefix = slab;
  prefix.layout.rows = samples;
  prefix.values.resize(static_cast<std::size_t>(samples * slab.layout.columns));
  const ProbeStarts starts(task);
  ProbeBlock block =
      fetch_probes(group, slab, starts.noise(), 0, probes, [&](std::int64_t p) { return starts.row(p, samples); });
  const ReductionPlan plan{.times = task.times, .process = task.process, .counts = {samples}, .law = {}};
  Reduction reduction(plan, slab.layout.columns, block);
  StoredSource(group, slab).visit(group, block, samples, reduction.consumer());
  reduction.merge_over(group);

  const PointPosterior posterior(group, prefix);
  for (std::int64_t p = 0; p < probes; ++p) {
    const double entropy = reduction.summary(0, p, 1).entropy - reduction.summary(0, p, 0).entropy;
    const auto half_trace = [&](double tau) {
      std::vector<double> x(block.start(p).begin(), block.start(p).end());
      for (std::size_t j = 0; j < x.size(); ++j) x[j] += std::sqrt(tau) * block.noise(p)[j];
      return 0.5 * ScoreJacobian::at(group, posterior, NoiseLevel::at_tau(tau), x).trace();
    };
    const double tau_first = task.process.noise_to_signal(task.times[0]);
    const double tau_last = task.process.noise_to_signal(task.times[1]);
    differences.entropy.push_back(entropy);
    differences.paired.push_back(entropy - integral(tau_first, tau_last, half_trace));
  }
}

void expect_identity(TaskParameters task, double first, double last) {
  task.times = {task.process.time_at(first), task.process.time_at(last)};
  Differences differences;
  for (task.realization = 0; task.realization < 6; ++task.realization) add_training_set(task, differences);
  const test::Estimate entropy = test::estimate(differences.entropy);
  const test::Estimate paired = test::estimate(differences.paired);
  EXPECT_LE(std::abs(paired.mean), 4.0 * paired.error);
  EXPECT_LT(paired.error, 0.05 * entropy.mean) << "too few probes to show anything";
}

TEST(EntropyAndJacobian, DifferOnlyByTheIntegralOfTheTrace) {
  MixtureParameters mixture;
  mixture.dimension = 12;
  TaskParameters task = test::mixture_task(CollapseMeasure(), mixture, {}, "entropy and trace");
  task.process = NoisingProcess(ProcessKind::variance_exploding);
  expect_identity(task, 0.3, 1.0);
  expect_identity(task, 1.0, 6.0);
  mixture.classes = 3;
  mixture.centroids = CentroidKind::orthogonal;
  task = test::mixture_task(CollapseMeasure(), mixture, {}, "entropy and trace of classes");
  task.process = NoisingProcess(ProcessKind::ornstein_uhlenbeck);
  expect_identity(task, 2.0, 30.0);
}

TEST(EntropyAndJacobian, DifferOnlyByTheIntegralOfTheTraceOnAManifold) {
  TaskParameters task = test::default_task(CollapseMeasure(), {}, "entropy and trace on a manifold");
  task.process = NoisingProcess(ProcessKind::variance_exploding);
  task.manifold = ManifoldParameters{.dimension = 40, .blocks = {{.size = 8, .sigma = 1.0}, {.size = 6, .sigma = 0.1}}};
  expect_identity(task, 0.1, 2.0);
}

}  // namespace
}  // namespace diffphase
