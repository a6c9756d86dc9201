// Training sets beyond counting from the sweep file to the measures.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "ensemble/sample_count.hpp"
#include "files/bad_input.hpp"
#include "measure/collapse.hpp"
#include "measure/speciation.hpp"
#include "support/measure_runs.hpp"
#include "support/statistics.hpp"
#include "sweep/grid.hpp"
#include "sweep/sweep_file.hpp"
#include "theory/biroli2024.hpp"

namespace diffphase {
namespace {

using test::agrees;
using test::Measured;
using test::mixture_task;
using test::Tail;
using testing::ElementsAre;
using testing::HasSubstr;

const CollapseMeasure collapse;
const SpeciationMeasure speciation;

const char* const sweep_text = R"toml(name = "e"
[process]
kind = "ornstein-uhlenbeck"
time = [1.0, 2.0]
[ensemble]
kind = "gaussian-mixture"
dimension = [100, 1000]
[dataset]
samples = [1000, "exp( 0.3 * d )"]
[measure]
collapse = {}
)toml";

Sweep sweep_of(const std::vector<std::string>& overrides = {}) {
  return make_sweep(parse_sweep_text(sweep_text, "e.toml", overrides, measures()));
}

TEST(SamplesBeyondCounting, BecomeLogarithmsInTheGrid) {
  const Sweep sweep = sweep_of();
  ASSERT_EQ(sweep.cells.size(), 2U);
  EXPECT_THAT(sweep.cells[0].parameters.samples, ElementsAre(1000, samples_of_log(0.3 * 100)));
  EXPECT_THAT(sweep.cells[1].parameters.samples, ElementsAre(1000, samples_of_log(0.3 * 1000)));
  ASSERT_TRUE(sweep.samples_axis);
  EXPECT_THAT(sweep.axes[*sweep.samples_axis].columns.front().texts, ElementsAre("1000", "exp(0.3*d)"));
  EXPECT_EQ(sweep.points[3].samples, samples_of_log(300.0));
  // One spelling or another, alone or beside others: the same tasks, of which only the new counts are computed.
  const Sweep other = sweep_of({"dataset.samples=\"exp(0.30*d)\""});
  EXPECT_EQ(other.tasks.front().identity, sweep.tasks.front().identity);
  EXPECT_THAT(other.tasks.front().counts, ElementsAre(samples_of_log(0.3 * 100)));
}

TEST(SamplesBeyondCounting, AreRefusedWhereTheyMeanNothing) {
  const auto message = [](const std::string& override) -> std::string {
    try {
      (void)sweep_of({override});
    } catch (const BadInput& error) {
      return error.what();
    }
    ADD_FAILURE() << "accepted: " << override;
    return {};
  };
  EXPECT_THAT(message("dataset.samples=\"exp(0.3*n)\""), HasSubstr("or \"exp(ALPHA*d)\""));
  EXPECT_THAT(message("dataset.samples=\"exp(0.001*d)\""), HasSubstr("must be at least 1"));
  EXPECT_THAT(message("measure.clones.trajectories=10"),
              HasSubstr("measure.clones needs a training set that can be drawn"));
  EXPECT_THAT(message("ensemble.representation=explicit"), HasSubstr("\"extreme\" or \"auto\""));
  EXPECT_THAT(message("ensemble.representation=streaming"), HasSubstr("\"extreme\" or \"auto\""));
  EXPECT_THAT(message("ensemble.dimension=9"), HasSubstr("at least 10 dimensions"));
  EXPECT_THAT(message("ensemble.dimension=12"), HasSubstr("at least 100 samples"));
  EXPECT_THAT(message("resources.precision=mixed"), HasSubstr("precision"));
}

TaskParameters collapse_task(std::int64_t dimension, std::vector<std::int64_t> samples, std::vector<double> times,
                             double probes) {
  TaskParameters task = mixture_task(collapse, {.dimension = dimension}, std::move(times), "extreme sweep");
  task.samples = std::move(samples);
  task.options["probes"] = probes;
  return task;
}

TEST(ExtremeCollapse, IsTakenWhereNothingCanBeDrawnAndRecorded) {
  TaskParameters task =
      collapse_task(60, {200, 20'000'000'000, samples_of_log(40.0)}, test::log_spaced(0.1, 2.5, 16), 128);
  const Measured measured(collapse, task);
  EXPECT_THAT(measured.values("collapse_representation"), ElementsAre(0.0, 2.0, 2.0));
  EXPECT_THAT(measured.result().notes,
              ElementsAre(HasSubstr("training set: explicit"), HasSubstr("n = 20000000000: extreme: too many"),
                          HasSubstr("n = e^40: extreme: too many")));
  // The crossing, its prediction and the fitted shift of small sizes.
  const Biroli2024 theory(*task.mixture);
  const double expected = theory.collapse_time(40.0, task.process) + theory.collapse_time_shift(40.0, task.process);
  EXPECT_TRUE(agrees(measured.estimate("collapse_time", 2), {expected, 0.0}, Tail{0.0, 1.0}, 0.02));
  EXPECT_EQ(test::values_of(collapse.predict(task), "collapse_time_theory").at(2),
            theory.collapse_time(40.0, task.process));
  // A count's numbers do not depend on which others are asked for.
  task.samples = {samples_of_log(40.0)};
  const Measured alone(collapse, task);
  for (std::size_t t = 0; t < 16; ++t)
    EXPECT_EQ(alone.value("participation", t), measured.value("participation", 32 + t));
  task.samples = {500};
  task.representation = Representation::extreme;
  EXPECT_EQ(Measured(collapse, task).value("collapse_representation"), 2.0);
}

TEST(ExtremeCollapse, CostsTheSameForAnyNumberOfPointsAndDimensions) {
  const auto cost = [](std::int64_t dimension, double log_n) {
    const std::int64_t samples = samples_of_log(log_n);
    return collapse.cost(collapse_task(dimension, {samples}, {1.0, 2.0}, 64), {.counts = {samples}});
  };
  EXPECT_EQ(cost(100, 30.0).operations(), cost(1'000'000, 3000.0).operations());
  EXPECT_EQ(cost(100, 30.0).rank_bytes, cost(1'000'000, 3000.0).rank_bytes);
  EXPECT_EQ(cost(1'000'000, 3000.0).divided_bytes, 0.0);
}

TEST(ExtremeSpeciation, TakesATrainingSetThatNobodyDrawsForItsLaw) {
  TaskParameters task = mixture_task(speciation, {.dimension = 64, .classes = 2, .centroids = CentroidKind::opposite},
                                     {0.5, 2.0, 4.0}, "extreme sweep");
  task.options["probes"] = 64;
  const Measured without(speciation, task);
  for (const std::int64_t samples : {most_drawn_samples + 1, samples_of_log(50.0)}) {
    task.samples = {samples};
    const Measured beyond(speciation, task);
    EXPECT_EQ(beyond.values("covariance_eigenvalue"), without.values("covariance_eigenvalue"));
    EXPECT_EQ(beyond.values("speciation_time_spectral"), without.values("speciation_time_spectral"));
    EXPECT_LT(speciation.cost(task, {.counts = task.samples}).divided_bytes, 1e6);
  }
  // Stored, where that is asked for and there is room for it.
  task.samples = {most_drawn_samples + 1};
  task.representation = Representation::full;
  EXPECT_GT(speciation.cost(task, {.counts = task.samples}).divided_bytes, 8.0 * 64.0 * 1e10);
}

// Both paths over the same task: probes share nothing but their law.
void expect_streaming_law(const MixtureParameters& mixture, std::int64_t samples, std::vector<double> times,
                          double probes) {
  TaskParameters task = mixture_task(collapse, mixture, std::move(times), "extreme against streaming");
  task.samples = {samples};
  task.options["probes"] = probes;
  task.representation = Representation::streaming;
  const Measured streamed(collapse, task);
  task.representation = Representation::extreme;
  task.realization = 1;
  const Measured extreme(collapse, task);
  for (const char* name : {"participation", "weight_entropy", "parent_weight", "largest_weight"}) {
    for (std::size_t t = 0; t < task.times.size(); ++t) {
      EXPECT_TRUE(agrees(extreme.estimate(name, t), streamed.estimate(name, t), Tail{1.0, 100.0 * probes}))
          << name << " at " << task.times[t];
    }
  }
}

TEST(ExtremeCollapse, AgreesWithStreamedTrainingSets) {
  expect_streaming_law({.dimension = 1000}, 2000, test::log_spaced(1.5, 4.0, 6), 256);
  expect_streaming_law(
      {.dimension = 40, .classes = 2, .centroids = CentroidKind::opposite, .separation = 0.3, .weights = {0.8, 0.2}},
      2000, test::log_spaced(0.3, 1.5, 6), 256);
}

TEST(FullExtremeCollapse, AgreesWithLargeStreamedTrainingSets) {
  expect_streaming_law({.dimension = 60}, 100'000, test::log_spaced(0.3, 2.0, 8), 2000);
  expect_streaming_law({.dimension = 60}, 10'000'000, test::log_spaced(0.3, 1.5, 6), 48);
  expect_streaming_law({.dimension = 60}, 100'000'000, test::log_spaced(0.3, 1.2, 4), 16);
  expect_streaming_law({.dimension = 100'000, .classes = 4, .centroids = CentroidKind::orthogonal, .separation = 0.01},
                       1'000'000, test::log_spaced(3.5, 6.0, 6), 256);
}

}  // namespace
}  // namespace diffphase
