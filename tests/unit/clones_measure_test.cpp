#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "measure/clones.hpp"

namespace diffphase {
namespace {

TaskParameters task_of(std::int64_t dimension, std::int64_t classes, std::vector<std::int64_t> samples) {
  const ClonesMeasure measure;
  TaskParameters task;
  task.times = {0.5, 1.0, std::log(4.0), 2.5};
  task.mixture.emplace();
  task.mixture->dimension = dimension;
  task.mixture->classes = classes;
  if (classes == 2) task.mixture->centroids = CentroidKind::opposite;
  task.samples = std::move(samples);
  task.ensemble = hash_text("clones measure");
  set_default_options(measure, task);
  task.options["trajectories"] = 500;
  task.options["steps"] = 40;
  return task;
}

const std::vector<double>& values_of(const MeasureResult& result, const std::string& name) {
  static const std::vector<double> none;
  for (const VariableValues& variable : result.variables) {
    if (variable.name == name) return variable.values;
  }
  ADD_FAILURE() << "no variable " << name;
  return none;
}

class ClonesMeasureTest : public testing::Test {
 protected:
  ClonesMeasure measure_;
  Communicator self_ = Communicator::self();
  TaskGroup group_{self_};
};

TEST_F(ClonesMeasureTest, FillsExactlyWhatItDeclares) {
  for (const std::int64_t classes : {1, 2}) {
    for (const bool drawn : {false, true}) {
      const TaskParameters task =
          task_of(8, classes, drawn ? std::vector<std::int64_t>{10, 30} : std::vector<std::int64_t>{});
      const bool possible = classes > 1 || drawn;
      EXPECT_EQ(measure_.problem(task).empty(), possible);
      if (!possible) continue;
      const MeasureResult result = measure_.run(task, {.counts = task.samples, .count_free = true}, group_);
      const std::vector<VariableSpec> specs = measure_.variables(task);
      ASSERT_EQ(result.variables.size(), specs.size());
      for (const VariableSpec& spec : specs) {
        EXPECT_EQ(values_of(result, spec.name).size(), task.times.size() * (spec.per_sample ? task.samples.size() : 1));
        EXPECT_EQ(spec.units, "1");
        EXPECT_FALSE(spec.prediction);
      }
      EXPECT_TRUE(measure_.predict(task).empty());
    }
  }
}

TEST_F(ClonesMeasureTest, OppositeClassesAgreeAsTheClosedFormSays) {
  for (const char* sampler : {"euler", "exact"}) {
    TaskParameters task = task_of(16, 2, {});
    task.options["trajectories"] = 2000;
    task.options["steps"] = 100;
    task.words["sampler"] = sampler;
    const MeasureResult result = measure_.run(task, {}, group_);
    // c = 4 e^-t: c = 1 at t = log 4.
    EXPECT_NEAR(values_of(result, "clone_class_agreement")[2], 0.7752002454,
                4.0 * values_of(result, "clone_class_agreement_stderr")[2] + 4.0 / 2000.0);
  }
}

TEST_F(ClonesMeasureTest, ACountDoesNotDependOnTheOthers) {
  const TaskParameters task = task_of(6, 2, {20, 35, 50});
  const MeasureResult all = measure_.run(task, {.counts = {20, 35, 50}, .count_free = true}, group_);
  const MeasureResult one = measure_.run(task, {.counts = {35}, .count_free = false}, group_);
  ASSERT_EQ(one.variables.size(), 2U);
  const std::vector<double>& whole = values_of(all, "clone_participation");
  const std::vector<double>& part = values_of(one, "clone_participation");
  ASSERT_EQ(part.size(), task.times.size());
  EXPECT_TRUE(std::equal(part.begin(), part.end(), whole.begin() + static_cast<std::ptrdiff_t>(part.size())));
}

TEST_F(ClonesMeasureTest, ParticipationFallsWithTimeAndCount) {
  const TaskParameters task = task_of(6, 2, {5, 400});
  const MeasureResult result = measure_.run(task, {.counts = {5, 400}, .count_free = false}, group_);
  const std::vector<double>& share = values_of(result, "clone_participation");
  const std::size_t times = task.times.size();
  for (std::size_t t = 0; t < times; ++t) EXPECT_GT(share[t], share[times + t]);
  EXPECT_GT(share[times], share[2 * times - 1]);
}

TEST_F(ClonesMeasureTest, CostGrowsWithWhatIsAsked) {
  const TaskParameters task = task_of(16, 2, {100, 200});
  const Cost classes = measure_.cost(task, {.counts = {}, .count_free = true});
  const Cost points = measure_.cost(task, {.counts = {100}, .count_free = false});
  const Cost all = measure_.cost(task, {.counts = {100, 200}, .count_free = true});
  EXPECT_GT(classes.flops, 0.0);
  EXPECT_DOUBLE_EQ(points.flops, 50.0 * classes.flops);
  EXPECT_DOUBLE_EQ(all.flops, 151.0 * classes.flops);
  EXPECT_DOUBLE_EQ(all.normals, 3.0 * classes.normals);
  EXPECT_GE(all.rank_bytes, points.rank_bytes);
  EXPECT_EQ(all.divided_bytes, 0.0);
}

}  // namespace
}  // namespace diffphase
