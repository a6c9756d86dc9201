// Which representation a measure takes, what it records of it, and what it refuses.

#include "measure/representation.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>

#include "files/bad_input.hpp"
#include "measure/clones.hpp"
#include "measure/collapse.hpp"
#include "support/measure_runs.hpp"
#include "sweep/grid.hpp"
#include "sweep/sweep_file.hpp"

namespace diffphase {
namespace {

using test::Measured;
using test::mixture_task;
using testing::HasSubstr;

const CollapseMeasure collapse;

TaskParameters collapse_task(std::int64_t dimension, std::vector<std::int64_t> samples, std::size_t times) {
  TaskParameters task =
      mixture_task(collapse, {.dimension = dimension, .classes = 2, .centroids = CentroidKind::opposite},
                   test::log_spaced(0.05, 6.0, static_cast<int>(times)), "representation");
  task.samples = std::move(samples);
  task.options["probes"] = 64;
  return task;
}

TEST(Representation, AutomaticIsReducedWhereThatIsFourTimesLessWork) {
  const auto chosen = [](double full, double reduced) {
    return choose_representation(Representation::automatic, full, Representation::streaming, reduced);
  };
  EXPECT_EQ(chosen(4.01, 1.0).representation, Representation::streaming);
  EXPECT_EQ(chosen(3.99, 1.0).representation, Representation::full);
  EXPECT_THAT(chosen(80.0, 10.0).explanation, HasSubstr("8.0 times less work than explicit"));
  EXPECT_THAT(chosen(20.0, 10.0).explanation, HasSubstr("2.00 times"));
  const auto asked = choose_representation(Representation::full, 1e9, Representation::streaming, 1.0);
  EXPECT_EQ(asked.representation, Representation::full);
  EXPECT_EQ(asked.explanation, "explicit: asked for");
  for (const char* name : {"auto", "explicit", "projected", "streaming", "extreme"}) {
    EXPECT_EQ(representation_name(representation_of(name)), name);
  }
  EXPECT_THROW((void)representation_of("annealed"), std::invalid_argument);
}

// Sizes of everyday sweeps stay with the explicit path and its numbers.
TEST(Representation, OfTheCollapseFollowsFromTheDimension) {
  const auto recorded = [](const TaskParameters& task) {
    return Measured(collapse, task).value("collapse_representation");
  };
  EXPECT_EQ(recorded(collapse_task(256, {200}, 16)), 0.0);
  EXPECT_EQ(recorded(collapse_task(8192, {200}, 16)), 1.0);
  TaskParameters task = collapse_task(8192, {200}, 16);
  task.representation = Representation::full;
  EXPECT_EQ(recorded(task), 0.0);
  const Measured measured(collapse, collapse_task(8192, {200, 500}, 16));
  EXPECT_THAT(measured.result().notes, testing::ElementsAre(HasSubstr("training set: streaming")));
  // The number of points does not matter: one task, one representation.
  EXPECT_EQ(recorded(collapse_task(256, {2}, 16)), 0.0);
  task = collapse_task(1024, {4000}, 64);
  task.options["probes"] = 512;
  const double full_flops = 4.0 * 512 * 4000 * 1024;
  EXPECT_GE(collapse.cost(task, {.counts = {4000}}).flops, full_flops);
  task.mixture->dimension = 16384;
  EXPECT_LT(collapse.cost(task, {.counts = {4000}}).flops, 0.01 * full_flops);
}

TEST(Representation, StreamedNumbersOfACountDoNotDependOnOtherCounts) {
  const Measured alone(collapse, collapse_task(8192, {200}, 16));
  const Measured nested(collapse, collapse_task(8192, {200, 1500}, 16));
  for (std::size_t t = 0; t < 16; ++t) {
    EXPECT_EQ(alone.value("participation", t), nested.value("participation", t));
    EXPECT_EQ(alone.value("weight_entropy", t), nested.value("weight_entropy", t));
  }
}

// What streaming costs does not depend on the dimension, and there is no array as long as n or d.
TEST(Representation, StreamedCostIsThatOfPointsAndTimes) {
  const auto cost = [](std::int64_t dimension, std::int64_t samples) {
    return collapse.cost(collapse_task(dimension, {samples}, 16), {.counts = {samples}});
  };
  const Cost small = cost(1000000, 1000000);
  const Cost large = cost(1000000000000, 1000000000);
  EXPECT_EQ(small.rank_bytes, large.rank_bytes);
  EXPECT_LT(large.rank_bytes + large.divided_bytes, 1e8);
  EXPECT_NEAR(large.operations() / small.operations(), 1000.0, 0.1);
}

TEST(Representation, MeasuresOfOneTrainingSetRefuseWhatIsNotExplicit) {
  for (const Measure* measure : measures()) {
    TaskParameters task = mixture_task(*measure, {.dimension = 64, .classes = 2}, {1.0}, "refusals");
    for (const Representation each : {Representation::automatic, Representation::full}) {
      task.representation = each;
      EXPECT_EQ(measure->representation_problem(task), "") << measure->name();
    }
    for (const Representation each : {Representation::projected, Representation::streaming, Representation::extreme}) {
      task.representation = each;
      const bool known =
          measure->name() == "speciation" || (measure->name() == "collapse" && each != Representation::projected);
      const std::string problem = measure->representation_problem(task);
      EXPECT_EQ(problem.empty(), known) << measure->name() << ": " << problem;
      if (known) continue;
      EXPECT_THAT(problem, testing::StartsWith("measure." + std::string(measure->name())));
      EXPECT_THAT(problem, HasSubstr("\"explicit\""));
    }
  }
}

TEST(Representation, StreamingNeedsThreeDimensions) {
  TaskParameters task = collapse_task(2, {200}, 4);
  EXPECT_EQ(collapse.problem(task), "");
  task.representation = Representation::streaming;
  EXPECT_THAT(collapse.problem(task), HasSubstr("at least 3 dimensions"));
  task.mixture->dimension = 3;
  EXPECT_EQ(collapse.problem(task), "");
}

// What is not stored is not divided: the partition changes neither the choice nor the numbers.
TEST(Representation, StreamedNumbersDoNotDependOnThePartition) {
  TaskParameters task = collapse_task(8192, {200}, 4);
  const Measured by_component(collapse, task);
  task.words["partition"] = "dimension";
  const Measured by_dimension(collapse, task);
  EXPECT_EQ(by_dimension.value("collapse_representation"), 1.0);
  EXPECT_EQ(by_component.values("participation"), by_dimension.values("participation"));
}

const char* const sweep_text = R"(name = "r"
[process]
kind = "ornstein-uhlenbeck"
time = [1.0, 2.0]
[ensemble]
kind = "gaussian-mixture"
dimension = 1000
representation = "streaming"
[dataset]
samples = [100, 1000]
[measure]
collapse = {}
)";

TEST(Representation, OfTheSweepFileReachesTheTask) {
  const auto sweep = [](const std::vector<std::string>& overrides) {
    return make_sweep(parse_sweep_text(sweep_text, "r.toml", overrides, measures()));
  };
  EXPECT_EQ(sweep({}).cells.front().parameters.representation, Representation::streaming);
  EXPECT_EQ(sweep({"ensemble.representation=auto"}).cells.front().parameters.representation, Representation::automatic);
  const Sweep axis = sweep({"ensemble.representation=[\"explicit\", \"streaming\"]"});
  ASSERT_EQ(axis.cells.size(), 2U);
  EXPECT_EQ(axis.cells[1].parameters.representation, Representation::streaming);
  EXPECT_EQ(axis.cells[0].parameters.ensemble, axis.cells[1].parameters.ensemble);
  try {
    (void)sweep({"measure.clones.trajectories=10"});
    ADD_FAILURE() << "accepted";
  } catch (const BadInput& error) {
    EXPECT_THAT(error.what(), HasSubstr("line 8"));
    EXPECT_THAT(error.what(), HasSubstr("measure.clones cannot be taken"));
  }
}

}  // namespace
}  // namespace diffphase
