// The posterior pass in single precision beside that in double, from the sweep file to the curves.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "ensemble/dataset_file.hpp"
#include "files/bad_input.hpp"
#include "measure/collapse.hpp"
#include "measure/speciation.hpp"
#include "measure/spectrum.hpp"
#include "posterior/reduction.hpp"
#include "support/array_files.hpp"
#include "support/measure_runs.hpp"
#include "sweep/grid.hpp"
#include "sweep/sweep_file.hpp"

namespace diffphase {
namespace {

using test::default_task;
using test::log_spaced;
using test::Measured;
using testing::HasSubstr;

const CollapseMeasure collapse;

TaskParameters collapse_task(std::vector<std::int64_t> samples, std::vector<double> times) {
  TaskParameters task = default_task(collapse, std::move(times), "single precision");
  task.samples = std::move(samples);
  task.options["probes"] = 256;
  task.representation = Representation::full;
  return task;
}

// All curves within 1e-4, at every count and time, and not the same numbers.
void expect_close_to_double(TaskParameters task, const std::string& what) {
  const Measured exact(collapse, task);
  task.single_precision = true;
  const Measured single(collapse, task);
  double worst = 0.0;
  for (const char* name : {"participation", "weight_entropy", "parent_weight", "largest_weight"}) {
    const std::vector<double>& expected = exact.values(name);
    const std::vector<double>& found = single.values(name);
    ASSERT_EQ(found.size(), task.samples.size() * task.times.size());
    for (std::size_t i = 0; i < found.size(); ++i) {
      EXPECT_NEAR(found[i], expected[i], 1e-4) << what << ": " << name << " " << i;
      worst = std::max(worst, std::abs(found[i] - expected[i]));
    }
  }
  EXPECT_GT(worst, 0.0) << what;
  ::testing::Test::RecordProperty("largest_difference_" + what, fmt::format("{:.1e}", worst));
  for (std::size_t c = 0; c < task.samples.size(); ++c) {
    EXPECT_NEAR(single.value("collapse_time", c), exact.value("collapse_time", c), 1e-4) << what;
  }
}

TEST(SinglePrecision, IsWithin1e4OfDoubleForMixtures) {
  for (const std::int64_t dimension : {16, 100, 700}) {
    for (const std::int64_t classes : {1, 4}) {
      TaskParameters task = collapse_task({700, 2500}, log_spaced(0.05, 5.0, 24));
      task.mixture = MixtureParameters{.dimension = dimension, .classes = classes};
      expect_close_to_double(task, "d_" + std::to_string(dimension) + "_K_" + std::to_string(classes));
    }
  }
}

TEST(SinglePrecision, IsWithin1e4OfDoubleForManifoldsAndSpheres) {
  TaskParameters task = collapse_task({700, 2500}, log_spaced(0.02, 5.0, 24));
  task.manifold = ManifoldParameters{.dimension = 60, .blocks = {{20, 1.0}, {20, 0.1}}};
  expect_close_to_double(task, "manifold");
  task.manifold.reset();
  task.sphere = SphereParameters{.dimension = 80, .sphere_dimension = 10, .radius = 3.3};
  expect_close_to_double(task, "sphere");
}

// A file of standard normal numbers, all of them moved by `offset`, and its collapse.
class MovedFile {
 public:
  explicit MovedFile(double offset) : folder_("moved-rows") {
    std::vector<double> values(static_cast<std::size_t>(rows * columns));
    const RandomStream stream(1, hash_text("offset"), 0, "test");
    stream.normals(0, 0, values);
    // Of few binary digits, so that the sum has no rounding of its own.
    for (double& value : values) value = std::round(value * 256.0) / 256.0 + offset;
    const std::string path = folder_ / "moved.npy";
    test::write_file(path, test::npy_header("<f8", "(1200, 30)") + test::packed<double>(values));
    task = collapse_task({400, rows}, log_spaced(0.1, 3.0, 16));
    task.file.emplace();
    task.file->path = path;
    task.file_summary = inspect_dataset(*task.file);
  }

  TaskParameters task;

 private:
  static constexpr std::int64_t rows = 1200;
  static constexpr std::int64_t columns = 30;
  test::TemporaryFolder folder_;
};

TEST(SinglePrecision, IsWithin1e4OfDoubleForRowsFarFromTheOrigin) {
  const MovedFile file(1000.0);
  expect_close_to_double(file.task, "offset");
}

// In double, too, an offset of ten million standard deviations costs no digits.
TEST(TrainingSet, OfAFileIsTheSameWhereverItLies) {
  const MovedFile near(0.0);
  const MovedFile far(1e7);
  const Measured expected(collapse, near.task);
  TaskParameters task = far.task;
  task.ensemble = near.task.ensemble;  // the same noise
  const Measured found(collapse, task);
  for (const char* name : {"participation", "weight_entropy", "parent_weight", "largest_weight"}) {
    for (std::size_t i = 0; i < found.values(name).size(); ++i) {
      EXPECT_NEAR(found.values(name)[i], expected.values(name)[i], 1e-10) << name << " " << i;
    }
  }
}

// Rows of a file as they are given, each of 30 numbers.
class RowsFile {
 public:
  RowsFile(const std::string& name, const std::vector<double>& values) : folder_(name) {
    const std::string path = folder_ / "rows.npy";
    const std::string shape = fmt::format("({}, {})", values.size() / columns, columns);
    test::write_file(path, test::npy_header("<f8", shape) + test::packed<double>(values));
    task = collapse_task({static_cast<std::int64_t>(values.size() / columns)}, log_spaced(0.1, 3.0, 16));
    task.file.emplace();
    task.file->path = path;
    task.file_summary = inspect_dataset(*task.file);
  }

  static constexpr std::size_t columns = 30;
  TaskParameters task;

 private:
  test::TemporaryFolder folder_;
};

std::vector<double> normal_rows(std::size_t rows) {
  std::vector<double> values(rows * RowsFile::columns);
  RandomStream(1, hash_text("rows"), 0, "test").normals(0, 0, values);
  return values;
}

// The numbers of double precision, and a warning that says why.
void expect_fallback(TaskParameters task, const std::string& what) {
  const Measured exact(collapse, task);
  task.single_precision = true;
  const Measured single(collapse, task);
  EXPECT_EQ(single.values("participation"), exact.values("participation")) << what;
  EXPECT_EQ(single.value("collapse_time"), exact.value("collapse_time")) << what;
  ASSERT_FALSE(single.result().warnings.empty()) << what;
  EXPECT_THAT(single.result().warnings.front(),
              testing::AllOf(HasSubstr("collapse was computed in double precision"), HasSubstr("single precision")))
      << what;
}

// A broken first row moves nothing but the middle, and that by its share.
TEST(SinglePrecision, IsWithin1e4OfDoubleWhereTheFirstRowIsFarFromTheOthers) {
  std::vector<double> values = normal_rows(2000);
  std::fill_n(values.begin(), RowsFile::columns, 1e3);
  const RowsFile file("first-row", values);
  expect_close_to_double(file.task, "first_row");
}

TEST(SinglePrecision, IsDoubleWhereTheMiddleIsFarFromAllPoints) {
  std::vector<double> values = normal_rows(60);
  std::fill_n(values.begin(), RowsFile::columns, 1e4);
  expect_fallback(RowsFile("far-middle", values).task, "far middle");
  // Two clusters: wherever norms are taken from, one of them is far away.
  values = normal_rows(400);
  for (std::size_t i = 0; i < values.size() / 2; ++i) values[i] += 1e4;
  expect_fallback(RowsFile("clusters", values).task, "clusters");
}

TEST(SinglePrecision, IsDoubleForDrawnClustersThatAreFarApart) {
  TaskParameters task = collapse_task({300}, log_spaced(0.1, 3.0, 16));
  task.mixture = MixtureParameters{
      .dimension = 16, .classes = 2, .centroids = CentroidKind::opposite, .separation = 1e4, .sigma = 1.0};
  expect_fallback(task, "drawn clusters");
}

TEST(TrainingSet, WhoseClassesAreLostInDoublesFails) {
  std::vector<double> values = normal_rows(300);
  std::fill_n(values.begin(), RowsFile::columns, 1e30);
  const RowsFile file("fill-value-of-classes", values);
  const SpeciationMeasure speciation;
  TaskParameters task = default_task(speciation, {0.3, 1.0, 2.0}, "classes");
  task.samples = file.task.samples;
  task.file = file.task.file;
  task.file->labels = task.file->path + ".labels";
  std::vector<double> labels(300, 0.0);
  std::fill_n(labels.begin(), 150, 1.0);
  test::write_file(task.file->labels, test::npy_header("<i8", "(300,)") + test::packed<std::int64_t>(labels));
  task.file_summary = inspect_dataset(*task.file);
  EXPECT_THROW(Measured(speciation, task), GroupError);
}

// Where doubles have too few digits, too, there is no answer: one row of 1e30, a fill value, and norms are taken from
// it.
TEST(TrainingSet, WhoseDistancesAreLostInDoublesFails) {
  std::vector<double> values = normal_rows(300);
  std::fill_n(values.begin(), RowsFile::columns, 1e30);
  const RowsFile file("fill-value", values);
  try {
    const Measured measured(collapse, file.task);
    ADD_FAILURE() << "participation " << measured.value("participation");
  } catch (const GroupError& error) {
    EXPECT_THAT(error.what(), testing::AllOf(HasSubstr("measure.collapse"), HasSubstr("double precision"),
                                             HasSubstr("1e+30, in row 0, column 0")));
  }
}

const SpectrumMeasure spectrum;

// Eigenvalues of the score's Jacobian of the rows of a file with floats, and with doubles.
struct MixedSpectra {
  explicit MixedSpectra(const RowsFile& file)
      : exact(spectrum, task_of(file, false)), mixed(spectrum, task_of(file, true)) {}

  static TaskParameters task_of(const RowsFile& file, bool mixed) {
    TaskParameters task = default_task(spectrum, {0.01, 0.1, 0.5}, "mixed precision");
    task.process = NoisingProcess(ProcessKind::variance_exploding);
    task.samples = file.task.samples;
    task.file = file.task.file;
    task.file_summary = file.task.file_summary;
    task.options["largest"] = 4;
    task.mixed_precision = mixed;
    return task;
  }

  Measured exact;
  Measured mixed;
};

// Directions in which the rows are close enough for several of them to count at these times.
std::vector<double> rows_of_a_line(std::size_t rows) {
  std::vector<double> values(rows * RowsFile::columns);
  const RandomStream stream(1, hash_text("line"), 0, "test");
  std::vector<double> along(rows);
  stream.normals(0, 0, along);
  for (std::size_t i = 0; i < rows; ++i) values[i * RowsFile::columns + 3] = along[i];
  return values;
}

TEST(MixedPrecision, SpectraAreThoseOfDoublesWhereTheFirstRowIsFarFromTheOthers) {
  std::vector<double> values = rows_of_a_line(2000);
  std::fill_n(values.begin(), RowsFile::columns, 1e3);
  const MixedSpectra spectra(RowsFile("mixed-first-row", values));
  EXPECT_TRUE(spectra.mixed.result().warnings.empty());
  const std::vector<double>& expected = spectra.exact.values("jacobian_eigenvalue");
  const std::vector<double>& found = spectra.mixed.values("jacobian_eigenvalue");
  EXPECT_GT(expected.front(), 0.1);
  for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(found[i], expected[i], 1e-4) << i;
  EXPECT_NE(found, expected);
}

TEST(MixedPrecision, IsDoubleWhereTheMiddleIsFarFromAllPoints) {
  std::vector<double> values = rows_of_a_line(200);
  for (std::size_t i = 0; i < values.size() / 2; ++i) values[i] += 1e4;
  const MixedSpectra spectra(RowsFile("mixed-clusters", values));
  EXPECT_EQ(spectra.mixed.values("jacobian_eigenvalue"), spectra.exact.values("jacobian_eigenvalue"));
  EXPECT_THAT(spectra.mixed.result().warnings, testing::Contains(HasSubstr("data in double precision")));
}

TEST(Spectra, OfRowsWhoseDistancesAreLostInDoublesFail) {
  std::vector<double> values = rows_of_a_line(200);
  for (const double fill : {1e12, 1e30}) {
    std::fill_n(values.begin(), RowsFile::columns, fill);
    const RowsFile file("spectra-fill-value", values);
    try {
      const Measured measured(spectrum, MixedSpectra::task_of(file, false));
      ADD_FAILURE() << "measured at " << fill;
    } catch (const std::runtime_error& error) {
      EXPECT_THAT(error.what(), HasSubstr("too few digits in double precision")) << fill;
    }
  }
}

TEST(SinglePrecision, TakesHalfTheMemoryAndTimeOfTheProducts) {
  TaskParameters task = collapse_task({2000}, {1.0});
  task.mixture = MixtureParameters{.dimension = 5000};
  const Cost exact = collapse.cost(task, {.counts = task.samples});
  task.single_precision = true;
  const Cost single = collapse.cost(task, {.counts = task.samples});
  EXPECT_EQ(single.divided_bytes, 0.5 * exact.divided_bytes);
  EXPECT_EQ(single.flops, 0.5 * exact.flops);
}

TEST(SinglePrecision, NeedsOneLawAndNoLabels) {
  ProbeBlock probes(1, 1);
  ReductionPlan plan{.times = {1.0}, .process = NoisingProcess(), .counts = {2}, .law = {}, .single = true};
  EXPECT_NO_THROW(Reduction(plan, 1, probes));
  plan.label_groups = 2;
  EXPECT_THROW(Reduction(plan, 1, probes), std::logic_error);
  plan.label_groups = 0;
  plan.law.sigmas = {0.1, 0.2};
  EXPECT_THROW(Reduction(plan, 1, probes), std::logic_error);
}

Sweep sweep_of(const std::string& measures_text, const std::vector<std::string>& overrides = {}) {
  const std::string text =
      "name = \"s\"\n[process]\nkind = \"ornstein-uhlenbeck\"\ntime = [1.0, 2.0]\n[ensemble]\nkind = "
      "\"gaussian-mixture\"\n"
      "dimension = 20\nclasses = 2\n[dataset]\nsamples = 500\n[measure]\n" +
      measures_text + "\n";
  return make_sweep(parse_sweep_text(text, "s.toml", overrides, measures()));
}

std::string refusal(const std::string& measures_text, const std::vector<std::string>& overrides) {
  try {
    (void)sweep_of(measures_text, overrides);
  } catch (const BadInput& error) {
    return error.what();
  }
  ADD_FAILURE() << "accepted: " << measures_text;
  return {};
}

TEST(SinglePrecision, IsPartOfTheIdentityAndReachesTheTask) {
  const Sweep sweep = sweep_of("collapse = {}", {"resources.precision=single"});
  EXPECT_TRUE(sweep.parameters(sweep.tasks.front()).single_precision);
  EXPECT_FALSE(sweep.parameters(sweep.tasks.front()).mixed_precision);
  EXPECT_NE(sweep.tasks.front().identity, sweep_of("collapse = {}").tasks.front().identity);
}

TEST(SinglePrecision, IsRefusedWhereItWouldMeanNothing) {
  EXPECT_THAT(refusal("collapse = {}\nspeciation = {}", {"resources.precision=single"}),
              HasSubstr("resources.precision = \"single\": measure.speciation needs \"double\""));
  EXPECT_THAT(refusal("spectrum = {}", {"resources.precision=single"}), HasSubstr("needs \"double\" or \"mixed\""));
  EXPECT_THAT(refusal("collapse = {}", {"resources.precision=mixed"}), HasSubstr("needs \"double\" or \"single\""));
  for (const char* representation : {"streaming", "extreme"}) {
    EXPECT_THAT(refusal("collapse = {}",
                        {"resources.precision=single", std::string("ensemble.representation=") + representation}),
                HasSubstr("double precision"));
  }
}

}  // namespace
}  // namespace diffphase
