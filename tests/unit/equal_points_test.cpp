// What is said of training sets with points that are equal: participation and class agreement do not rise to 1, and no
// earlier time would show a crossing that does not exist.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "measure/collapse.hpp"
#include "measure/speciation.hpp"
#include "support/array_files.hpp"
#include "support/measure_runs.hpp"

namespace diffphase {
namespace {

using test::default_task;
using test::log_spaced;
using test::Measured;

const CollapseMeasure collapse;
const SpeciationMeasure speciation;

constexpr double never = 5.0;
constexpr double before_grid = 1.0;

// `different` normal points in four dimensions, each of them `copies` times, and alternating labels if any.
class RepeatedRows {
 public:
  RepeatedRows(std::int64_t different, std::int64_t copies, std::vector<std::int64_t> labels = {})
      : folder_("equal-points") {
    std::vector<double> values(static_cast<std::size_t>(different * columns));
    RandomStream(1, hash_text("equal points"), 0, "test").normals(0, 0, values);
    std::vector<double> rows;
    std::vector<double> of_rows;
    for (std::int64_t i = 0; i < different * copies; ++i) {
      const auto from = values.begin() + i / copies * columns;
      rows.insert(rows.end(), from, from + columns);
      if (!labels.empty()) of_rows.push_back(static_cast<double>(labels[static_cast<std::size_t>(i) % labels.size()]));
    }
    const std::string shape = std::to_string(different * copies);
    file_.path = folder_ / "rows.npy";
    test::write_file(file_.path, test::npy_header("<f8", "(" + shape + ", 4)") + test::packed<double>(rows));
    if (labels.empty()) return;
    file_.labels = folder_ / "labels.npy";
    test::write_file(file_.labels, test::npy_header("<i8", "(" + shape + ",)") + test::packed<std::int64_t>(of_rows));
  }

  [[nodiscard]] TaskParameters task(const Measure& measure, std::vector<double> times) const {
    TaskParameters task = default_task(measure, std::move(times), "equal points");
    task.process = NoisingProcess(ProcessKind::variance_exploding);
    task.options["probes"] = 48.0;
    task.file = file_;
    task.file_summary = inspect_dataset(file_);
    task.samples = {task.file_summary.rows};
    return task;
  }

 private:
  static constexpr std::int64_t columns = 4;
  test::TemporaryFolder folder_;
  DatasetFile file_;
};

TEST(EqualPoints, ParticipationBelowOneHalfIsNoReasonForAnEarlierGrid) {
  for (const std::int64_t copies : {2, 3, 20}) {
    for (const double first : {1e-6, 0.3}) {  // at the plateau, and before it
      const RepeatedRows data(20, copies);
      TaskParameters task = data.task(collapse, log_spaced(first, 30.0, 8));
      for (const bool single : {false, true}) {
        task.single_precision = single;
        const Measured found(collapse, task);
        if (first < 1e-3 && !single) {
          EXPECT_NEAR(found.value("participation"), 1.0 / static_cast<double>(copies), 1e-6);
        }
        EXPECT_EQ(found.value("collapse_time_status"), never) << copies;
        EXPECT_TRUE(std::isnan(found.value("collapse_time")));
        // In single precision also that digits were lost, where they were.
        const std::vector<std::string>& warnings = found.result().warnings;
        EXPECT_LE(warnings.size(), single ? 2U : 1U);
        EXPECT_THAT(warnings, testing::Contains(testing::HasSubstr("points of the training set are equal")));
        EXPECT_THAT(warnings, testing::Each(testing::Not(testing::HasSubstr("earlier"))));
      }
    }
  }
}

TEST(EqualPoints, OfDifferentRowsTheGridIsToBlame) {
  const RepeatedRows data(20, 1);
  const Measured found(collapse, data.task(collapse, log_spaced(50.0, 300.0, 4)));
  EXPECT_EQ(found.value("collapse_time_status"), before_grid);
  EXPECT_THAT(found.result().warnings.at(0), testing::HasSubstr("start the grid earlier"));
}

// Two copies of each row with two labels, then one: where the agreement stays at 1/2, and where it does not.
TEST(EqualPoints, WithDifferentLabelsHaveNoSpeciation) {
  const auto status = [](std::vector<std::int64_t> labels, const char* warning) {
    const RepeatedRows data(40, 2, std::move(labels));
    const Measured found(speciation, data.task(speciation, log_spaced(1.0, 9.0, 6)));
    EXPECT_THAT(found.result().warnings, testing::Contains(testing::HasSubstr(warning)));
    return found.value("speciation_time_status");
  };
  EXPECT_EQ(status({0, 1}, "equal points have different labels"), never);
  EXPECT_EQ(status({0, 0, 1, 1}, "start the grid earlier"), before_grid);
}

// Classes of a mixture that overlap without noise: no advice that cannot help.
TEST(EqualPoints, OverlappingClassesAreNotFoundEarlier) {
  MixtureParameters mixture;
  mixture.dimension = 16;
  mixture.classes = 2;
  mixture.centroids = CentroidKind::opposite;
  const auto warning = [&](double sigma) {
    mixture.sigma = sigma;
    TaskParameters task = test::mixture_task(speciation, mixture, log_spaced(100.0, 900.0, 4), "overlap");
    task.process = NoisingProcess(ProcessKind::variance_exploding);
    task.options["probes"] = 64.0;
    const Measured found(speciation, task);
    EXPECT_EQ(found.value("speciation_time_status"), before_grid);
    return found.result().warnings.at(0);
  };
  EXPECT_THAT(warning(20.0), testing::HasSubstr("classes overlap"));
  EXPECT_THAT(warning(1.0), testing::HasSubstr("start the grid earlier"));
}

}  // namespace
}  // namespace diffphase
