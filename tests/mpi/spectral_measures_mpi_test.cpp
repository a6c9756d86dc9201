// measure.spectrum, gap, dimension and lost_directions on several ranks: as on one, and as whole matrices have it.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "measure/dimension.hpp"
#include "measure/gap.hpp"
#include "measure/lost_directions.hpp"
#include "measure/spectrum.hpp"
#include "spectrum/factor_variances.hpp"
#include "support/dense_score.hpp"
#include "support/measure_runs.hpp"

namespace diffphase {
namespace {

using test::default_task;
using test::Measured;

const SpectrumMeasure spectrum;
const GapMeasure gap;
const DimensionMeasure dimension;
const LostDirectionsMeasure lost_directions;

Measured run_on(const Communicator& comm, const Measure& measure, const TaskParameters& task) {
  EXPECT_EQ(measure.problem(task), "");
  return Measured(measure.run(task, {.counts = task.samples, .count_free = true}, TaskGroup(comm)));
}

// Names that say how, not what: they may depend on the group.
bool is_effort(const std::string& name) {
  return name == "spectrum_products" || name == "spectrum_iterations" || name.ends_with("_residual") ||
         name.starts_with("jacobian_asymmetry");
}

double largest_magnitude(const std::vector<double>& values) {
  double largest = 0.0;
  for (const double value : values) largest = std::max(largest, std::isnan(value) ? 0.0 : std::abs(value));
  return largest;
}

// The scale of an error or a bias, which may be rounding alone, is that of what it belongs to.
double scale_of(const Measured& found, const std::string& name) {
  for (const std::string ending : {"_stderr", "_bias", "_bound"}) {
    if (name.ends_with(ending)) return largest_magnitude(found.values(name.substr(0, name.size() - ending.size())));
  }
  return largest_magnitude(found.values(name));
}

// On the world and on an uneven split of it as on one rank, to 1e-10 of the largest magnitude (1e-8 for times).
void expect_same_as_alone(const Measure& measure, const TaskParameters& task) {
  const Communicator world = Communicator::world();
  const Communicator part = world.split(world.rank() == 0 ? 0 : 1);
  const Communicator self = Communicator::self();
  const Measured alone = run_on(self, measure, task);
  for (const Communicator* comm : {&world, &part}) {
    const Measured together = run_on(*comm, measure, task);
    if (!comm->is_root()) {
      EXPECT_TRUE(together.result().variables.empty());
      continue;
    }
    ASSERT_EQ(together.result().variables.size(), alone.result().variables.size());
    for (const VariableValues& variable : alone.result().variables) {
      const std::vector<double>& others = together.values(variable.name);
      ASSERT_EQ(others.size(), variable.values.size()) << variable.name;
      if (is_effort(variable.name)) continue;
      const double tolerance =
          (variable.name.find("_time") == std::string::npos ? 1e-10 : 1e-8) * scale_of(alone, variable.name) + 1e-300;
      for (std::size_t i = 0; i < others.size(); ++i) {
        if (std::isnan(variable.values[i])) {
          EXPECT_TRUE(std::isnan(others[i])) << variable.name << " " << i;
        } else {
          EXPECT_NEAR(others[i], variable.values[i], tolerance) << variable.name << " " << i;
        }
      }
    }
  }
}

TaskParameters manifold_task(const Measure& measure, FactorKind factor, const std::string& name) {
  TaskParameters task = default_task(measure, test::log_spaced(0.02, 8.0, 6), name);
  task.process = NoisingProcess(ProcessKind::variance_exploding);
  task.manifold = ManifoldParameters{
      .dimension = 13, .blocks = {{.size = 4, .sigma = 1.0}, {.size = 3, .sigma = 0.2}}, .factor = factor};
  task.options["probes"] = 2.0;
  return task;
}

MixtureParameters three_classes() {
  MixtureParameters mixture;
  mixture.dimension = 17;
  mixture.classes = 3;
  mixture.centroids = CentroidKind::orthogonal;
  return mixture;
}

TaskParameters mixture_task() {
  TaskParameters task = test::mixture_task(spectrum, three_classes(), {0.01, 3.0, 60.0}, "mixture on ranks");
  task.process = NoisingProcess(ProcessKind::variance_exploding);
  task.options["largest"] = 8.0;
  task.options["probes"] = 2.0;
  return task;
}

// Fewer rows than a block, so that some ranks have none, and more than all ranks have one of.
TEST(SpectralMeasuresMpi, SpectraOfTrainingSetsAreThoseOfDenseMatrices) {
  const Communicator world = Communicator::world();
  for (const bool mixed : {false, true}) {
    for (const char* partition : {"component", "dimension"}) {
      for (const char* method : {"automatic", "krylov"}) {
        TaskParameters task = mixture_task();
        task.samples = {9, 2100};
        task.words["partition"] = partition;
        task.words["method"] = method;
        task.mixed_precision = mixed;
        const Measured found = run_on(world, spectrum, task);
        if (!world.is_root()) continue;
        for (std::size_t k = 0; k < 2; ++k) {
          test::DenseComponents points = test::training_points(task, task.samples[k]);
          if (mixed) {
            for (double& value : points.rows) value = static_cast<double>(static_cast<float>(value));
          }
          for (std::size_t t = 0; t < 3; ++t) {
            for (std::size_t probe = 0; probe < 2; ++probe) {
              const double tau = task.times[t];
              const std::vector<double> x = test::noised_point(task, points, static_cast<std::int64_t>(probe), tau);
              const std::vector<double> c = test::descending_eigenvalues(test::dense_covariance(points, x, tau));
              const std::size_t entry = (k * 3 + t) * 2 + probe;
              double trace = 0.0;
              for (const double value : c) trace += value;
              EXPECT_NEAR(found.value("jacobian_trace", entry), 17.0 - trace, 1e-11 * (17.0 + trace));
              EXPECT_EQ(found.value("spectrum_status", entry), 0.0);
              for (std::size_t i = 0; i < 8; ++i) {
                EXPECT_NEAR(found.value("jacobian_eigenvalue", entry * 8 + i), c[i], 1e-10 * c[0] + 1e-28)
                    << partition << ", " << method << ", n = " << task.samples[k] << ", tau = " << tau;
              }
            }
          }
        }
      }
    }
  }
}

TEST(SpectralMeasuresMpi, SpectraDoNotDependOnTheRanks) {
  for (const char* partition : {"component", "dimension"}) {
    TaskParameters task = mixture_task();
    task.words["partition"] = partition;
    task.options["density_probes"] = 4.0;
    task.options["hutchinson_probes"] = 4.0;
    task.options["count_below"] = 0.5;
    expect_same_as_alone(spectrum, task);  // the exact score
    task.samples = {20, 1100};
    expect_same_as_alone(spectrum, task);
    task.mixed_precision = true;
    expect_same_as_alone(spectrum, task);
  }
}

TEST(SpectralMeasuresMpi, KnownSpectraDoNotDependOnTheRanks) {
  for (const FactorKind factor : {FactorKind::orthonormal, FactorKind::gaussian}) {
    TaskParameters task = manifold_task(spectrum, factor, "known on ranks");
    task.options["density_probes"] = 4.0;
    task.options["hutchinson_probes"] = 4.0;
    expect_same_as_alone(spectrum, task);
  }
  TaskParameters task = default_task(spectrum, {0.1, 2.0}, "sphere on ranks");
  task.sphere = SphereParameters{.dimension = 9, .sphere_dimension = 4, .radius = 2.0};
  expect_same_as_alone(spectrum, task);
}

TEST(SpectralMeasuresMpi, GapsDoNotDependOnTheRanks) {
  for (const FactorKind factor : {FactorKind::orthonormal, FactorKind::gaussian}) {
    TaskParameters task = manifold_task(gap, factor, "gaps on ranks");
    expect_same_as_alone(gap, task);
    task.samples = {30, 1100};
    expect_same_as_alone(gap, task);
  }
}

TEST(SpectralMeasuresMpi, DimensionsDoNotDependOnTheRanks) {
  for (const FactorKind factor : {FactorKind::orthonormal, FactorKind::gaussian}) {
    for (const char* rows : {"centred", "antithetic"}) {
      TaskParameters task = manifold_task(dimension, factor, "dimensions on ranks");
      task.words["score_matrix"] = rows;
      expect_same_as_alone(dimension, task);
      task.samples = {30, 1100};
      expect_same_as_alone(dimension, task);
    }
  }
  TaskParameters task = default_task(dimension, {0.1, 2.0}, "dimension of a sphere on ranks");
  task.sphere = SphereParameters{.dimension = 9, .sphere_dimension = 4, .radius = 2.0};
  expect_same_as_alone(dimension, task);
}

TEST(SpectralMeasuresMpi, LostDirectionsDoNotDependOnTheRanks) {
  TaskParameters task = manifold_task(lost_directions, FactorKind::orthonormal, "lost on ranks");
  task.options["sets"] = 4.0;
  task.samples = {30, 1100};
  expect_same_as_alone(lost_directions, task);
}

// Ranks without columns of their own take part in the density and the count.
TEST(SpectralMeasuresMpi, DensityOfFewerColumnsThanRanks) {
  TaskParameters task = mixture_task();
  task.mixture->dimension = 2;
  task.mixture->classes = 2;
  task.mixture->centroids = CentroidKind::opposite;
  task.options["largest"] = 1.0;
  task.options["density_probes"] = 2.0;
  task.options["count_below"] = 0.5;
  for (const char* partition : {"component", "dimension"}) {
    task.words["partition"] = partition;
    expect_same_as_alone(spectrum, task);
  }
}

// More ranks than columns or coordinates for some.
TEST(SpectralMeasuresMpi, FactorVariancesDoNotDependOnTheRanks) {
  const Communicator world = Communicator::world();
  const Communicator self = Communicator::self();
  for (const std::int64_t coordinates : {3, 50}) {
    const ManifoldParameters parameters{.dimension = coordinates,
                                        .blocks = {{.size = 2, .sigma = 1.0}, {.size = 1, .sigma = 0.01}},
                                        .factor = FactorKind::gaussian};
    const LinearManifold manifold(parameters, 3, hash_text("factor on ranks"), 0);
    const std::vector<double> together = factor_variances(TaskGroup(world), manifold);
    const std::vector<double> alone = factor_variances(TaskGroup(self), manifold);
    ASSERT_EQ(together.size(), 3U);
    for (std::size_t i = 0; i < 3; ++i) EXPECT_NEAR(together[i], alone[i], 1e-10 * alone[i]);
  }
}

// Asked to stop at any agreement point: Stopped on every rank, no deadlock.
TEST(SpectralMeasuresMpi, AStopEndsThemEverywhere) {
  const Communicator world = Communicator::world();
  for (const std::int64_t last_poll : {1, 4, 9}) {
    for (const Measure* measure :
         {static_cast<const Measure*>(&spectrum), static_cast<const Measure*>(&gap),
          static_cast<const Measure*>(&dimension), static_cast<const Measure*>(&lost_directions)}) {
      TaskParameters task = manifold_task(*measure, FactorKind::orthonormal, "stopped");
      task.samples = {30, 100};
      std::int64_t polls = 0;
      const TaskGroup group(world, [&] { return world.rank() == 0 && ++polls == last_poll; });
      EXPECT_THROW((void)measure->run(task, {.counts = task.samples, .count_free = true}, group), Stopped)
          << measure->name() << " " << last_poll;
    }
  }
}

}  // namespace
}  // namespace diffphase
