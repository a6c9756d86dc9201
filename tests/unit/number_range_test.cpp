// Finite numbers whose squares are not are refused before anything is computed.

#include "measure/number_range.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "ensemble/dataset_file.hpp"
#include "files/bad_input.hpp"
#include "measure/speciation.hpp"
#include "random/random_stream.hpp"
#include "support/array_files.hpp"
#include "support/measure_runs.hpp"
#include "sweep/grid.hpp"
#include "sweep/sweep_file.hpp"
#include "transition/critical_time.hpp"

namespace diffphase {
namespace {

using testing::AllOf;
using testing::HasSubstr;

TaskParameters mixture_of(double separation, double sigma) {
  TaskParameters task;
  task.times = {0.1, 1.0};
  task.mixture =
      MixtureParameters{.dimension = 16, .classes = 2, .centroids = CentroidKind::opposite, .separation = separation};
  task.mixture->sigma = sigma;
  return task;
}

std::string text_of(const TaskParameters& task) { return number_range_problem(task).text; }

TEST(NumberRange, OrdinaryTasksHaveNoProblem) {
  EXPECT_EQ(text_of(mixture_of(1.0, 1.0)), "");
  EXPECT_EQ(text_of(mixture_of(1e100, 1e-160)), "");
  TaskParameters single = mixture_of(1e6, 1.0);
  single.single_precision = true;
  EXPECT_EQ(text_of(single), "");
}

TEST(NumberRange, EndsBeforeSquaresOverflow) {
  const RangeProblem far = number_range_problem(mixture_of(1e155, 1.0));
  EXPECT_EQ(far.key, "ensemble.separation");
  EXPECT_THAT(far.text,
              AllOf(HasSubstr("ensemble.separation = 1e+155"), HasSubstr("double precision"), HasSubstr("1e+140")));
  EXPECT_EQ(number_range_problem(mixture_of(1.0, 1e155)).key, "ensemble.sigma");
  TaskParameters task = mixture_of(1.0, 1.0);
  task.mixture->class_sigma = {1.0, 1e160};
  EXPECT_THAT(text_of(task), HasSubstr("sigma = 1e+160"));
  task = mixture_of(1e19, 1.0);
  EXPECT_EQ(text_of(task), "");
  for (bool TaskParameters::*precision : {&TaskParameters::single_precision, &TaskParameters::mixed_precision}) {
    TaskParameters rounded = task;
    rounded.*precision = true;
    EXPECT_THAT(text_of(rounded), AllOf(HasSubstr("single precision"), HasSubstr("resources.precision = \"double\"")));
  }
}

TEST(NumberRange, HoldsForEveryLaw) {
  TaskParameters task;
  task.times = {1.0};
  task.sphere = SphereParameters{.dimension = 5, .sphere_dimension = 2, .radius = 1e200};
  EXPECT_THAT(text_of(task), HasSubstr("ensemble.radius = 1e+200"));
  task.sphere.reset();
  task.manifold = ManifoldParameters{.dimension = 5, .blocks = {{2, 1e200}}};
  EXPECT_THAT(text_of(task), HasSubstr("sigma = 1e+200"));
  task.manifold = ManifoldParameters{.dimension = 5, .blocks = {{2, 1.0}}, .ambient_noise = 1e150};
  EXPECT_EQ(number_range_problem(task).key, "ensemble.ambient_noise");
}

TEST(NumberRange, HoldsForTimes) {
  TaskParameters task = mixture_of(1.0, 1.0);
  task.times = {1e-300, 1.0};
  EXPECT_EQ(number_range_problem(task).key, "process.time");
  EXPECT_THAT(text_of(task), AllOf(HasSubstr("process.time holds 1e-300"), HasSubstr("1e-280")));
  task.times = {1.0, 1000.0};
  EXPECT_THAT(text_of(task), HasSubstr("process.time holds 1000"));
  task.times = {1e-40, 1.0};
  EXPECT_EQ(text_of(task), "");
  task.single_precision = true;
  EXPECT_THAT(text_of(task), HasSubstr("process.time holds 1e-40"));
  task = mixture_of(1.0, 1.0);
  task.lists["times"] = {0.5, 1e4};
  EXPECT_EQ(number_range_problem(task).key, "measure.spectrum.times");
}

TEST(NumberRange, NamesTheLargestNumberOfAFile) {
  const test::TemporaryFolder folder("number-range");
  std::vector<double> values(60, 0.5);
  values[3 * 4 + 2] = -1e200;
  TaskParameters task;
  task.times = {1.0};
  task.file.emplace();
  task.file->path = folder / "x.npy";
  test::write_file(task.file->path, test::npy_header("<f8", "(15, 4)") + test::packed<double>(values));
  task.file_summary = inspect_dataset(*task.file);
  EXPECT_EQ(number_range_problem(task).key, "dataset.file");
  EXPECT_THAT(text_of(task), AllOf(HasSubstr("x.npy, -1e+200 in row 3, column 2 (from 0)")));
  // Scaled to their own width, even these are ordinary.
  values[3 * 4 + 2] = -1e130;
  test::write_file(task.file->path, test::npy_header("<f8", "(15, 4)") + test::packed<double>(values));
  task.file->scaling = Scaling::standardised;
  task.file_summary = inspect_dataset(*task.file);
  EXPECT_LT(task.file_summary.largest_entry, 10.0);
  EXPECT_EQ(text_of(task), "");
}

// Squares of tiny numbers have few digits or none, beside noise of width 1 they count for nothing, and nothing is lost
// with them: rows cannot be told from one another, and their covariance is what it is.
TEST(NumberRange, TinyNumbersAreMeasured) {
  const test::TemporaryFolder folder("tiny");
  std::vector<double> values(60 * 4);
  RandomStream(1, hash_text("tiny"), 0, "test").normals(0, 0, values);
  for (double& value : values) value *= 1e-155;
  std::vector<double> labels(60, 0.0);
  std::fill_n(labels.begin(), 30, 1.0);
  const SpeciationMeasure speciation;
  TaskParameters task = test::default_task(speciation, {0.1, 1.0}, "tiny");
  task.options["probes"] = 32;
  task.samples = {60};
  task.file.emplace();
  task.file->path = folder / "x.npy";
  task.file->labels = folder / "labels.npy";
  test::write_file(task.file->path, test::npy_header("<f8", "(60, 4)") + test::packed<double>(values));
  test::write_file(task.file->labels, test::npy_header("<i8", "(60,)") + test::packed<std::int64_t>(labels));
  task.file_summary = inspect_dataset(*task.file);
  EXPECT_EQ(text_of(task), "");
  const test::Measured measured(speciation, task);
  EXPECT_NEAR(measured.value("class_agreement"), 0.5, 1e-12);
  EXPECT_GT(measured.value("covariance_eigenvalue"), 1e-311);
  EXPECT_LT(measured.value("covariance_eigenvalue"), 1e-308);
  EXPECT_EQ(measured.value("speciation_time_spectral_status"), static_cast<double>(RootStatus::never));
}

std::string refusal(const std::vector<std::string>& overrides) {
  try {
    (void)make_sweep(
        parse_sweep_text("name = \"r\"\n[process]\nkind = \"ornstein-uhlenbeck\"\ntime = [0.1, 1.0]\n"
                         "[ensemble]\nkind = \"gaussian-mixture\"\ndimension = 16\nclasses = 2\n"
                         "separation = [1.0, 1e155]\n[measure]\nspeciation = {}\n",
                         "r.toml", overrides, measures()));
  } catch (const BadInput& error) {
    return error.what();
  }
  return "accepted";
}

TEST(NumberRange, IsAskedOfEveryPointOfASweep) {
  EXPECT_THAT(refusal({}),
              AllOf(HasSubstr("r.toml, line 9: ensemble.separation = 1e+155"), HasSubstr("separation=1e+155")));
  EXPECT_EQ(refusal({"ensemble.separation=[1.0, 2.0]"}), "accepted");
  EXPECT_THAT(refusal({"ensemble.separation=1.0", "process.time=[1e-300]"}), HasSubstr("process.time"));
}

}  // namespace
}  // namespace diffphase
