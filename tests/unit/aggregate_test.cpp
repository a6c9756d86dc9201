#include "sweep/aggregate.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <stdexcept>
#include <variant>
#include <vector>

#include "measure/speciation.hpp"
#include "sweep_examples.hpp"
#include "temporary_folder.hpp"

namespace diffphase {
namespace {

using testing::Each;
using testing::ElementsAre;

// One task, of speciation, at two times.
Sweep small_sweep(std::span<const Measure* const> list = measures()) {
  return make_sweep(parse_sweep_text(R"(name = "small"
[process]
kind = "ornstein-uhlenbeck"
time = [0.5, 1.0]
[ensemble]
kind = "gaussian-mixture"
dimension = 16
classes = 2
[measure]
speciation = {}
)",
                                     "jobs/x.toml", {}, list));
}

// The results of a journal that holds these variables for the task.
ResultsFile results_of(const Sweep& sweep, std::vector<JournalVariable> variables) {
  const TemporaryFolder run;
  DoneRecord record;
  record.identity = sweep.tasks.front().identity;
  record.variables = std::move(variables);
  Journal(run.path(), "j", {}).write(record);
  return Aggregator(sweep).results(read_journals(run.path()));
}

const ResultsVariable& variable(const ResultsFile& file, const std::string& name) {
  return *std::ranges::find(file.variables, name, &ResultsVariable::name);
}

TEST(Aggregator, PlacesWhatATaskFound) {
  const ResultsFile file =
      results_of(small_sweep(), {{"class_agreement", false, {0.9, 0.6}}, {"speciation_time_status", false, {2.0}}});
  EXPECT_THAT(std::get<std::vector<double>>(variable(file, "class_agreement").values), ElementsAre(0.9, 0.6));
  EXPECT_THAT(std::get<std::vector<std::int8_t>>(variable(file, "speciation_time_status").values), ElementsAre(2));
}

// A measure whose predictions cannot be computed.
class Unpredictable : public SpeciationMeasure {
 public:
  [[nodiscard]] std::vector<VariableValues> predict(const TaskParameters& /*task*/) const override {
    throw std::runtime_error("no convergence");
  }
};

TEST(Aggregator, PredictionsThatFailLeaveWhatWasMeasured) {
  const Unpredictable measure;
  const std::vector<const Measure*> list{&measure};
  const Sweep sweep = small_sweep(list);
  const ResultsFile file = results_of(sweep, {{"class_agreement", false, {0.9, 0.6}}});
  EXPECT_THAT(std::get<std::vector<double>>(variable(file, "class_agreement").values), ElementsAre(0.9, 0.6));
  EXPECT_THAT(std::get<std::vector<double>>(variable(file, "class_agreement_theory").values), Each(testing::IsNan()));
}

TEST(Aggregator, PredictionsAreLeftOutWhereThereIsNoTimeForThem) {
  const Sweep sweep = small_sweep();
  Aggregator aggregator(sweep);
  const TemporaryFolder run;
  const ResultsFile first = aggregator.results(read_journals(run.path()), -1.0);
  EXPECT_TRUE(aggregator.left_out());
  EXPECT_THAT(std::get<std::vector<double>>(variable(first, "covariance_eigenvalue_theory").values),
              Each(testing::IsNan()));
  const ResultsFile second = aggregator.results(read_journals(run.path()));
  EXPECT_FALSE(aggregator.left_out());
  EXPECT_THAT(std::get<std::vector<double>>(variable(second, "covariance_eigenvalue_theory").values),
              Each(testing::Not(testing::IsNan())));
}

TEST(Aggregator, StatusesOfWhatATaskDoesNotMeasureSaySo) {
  const ResultsFile file = results_of(small_sweep(), {{"class_agreement", false, {0.9, 0.6}}});
  EXPECT_THAT(std::get<std::vector<std::int8_t>>(variable(file, "speciation_time_status").values), ElementsAre(6));
}

TEST(Aggregator, AStatusThatIsNoneIsThatOfAFailure) {
  for (const double value : {-1.0, 8.0, 300.0, 1e300, std::numeric_limits<double>::infinity(), std::nan("")}) {
    const ResultsFile file = results_of(small_sweep(), {{"speciation_time_status", false, {value}}});
    EXPECT_THAT(std::get<std::vector<std::int8_t>>(variable(file, "speciation_time_status").values), ElementsAre(4))
        << value;
  }
}

TEST(Aggregator, ValuesOfAnotherShapeAreMissing) {
  for (const std::size_t size : {0U, 1U, 3U, 1000U}) {
    const ResultsFile file =
        results_of(small_sweep(), {{"class_agreement", false, std::vector<double>(size, 0.5)},
                                   {"speciation_time", false, std::vector<double>(size + 2, 0.5)}});
    EXPECT_THAT(std::get<std::vector<double>>(variable(file, "class_agreement").values), Each(testing::IsNan()));
    EXPECT_THAT(std::get<std::vector<double>>(variable(file, "speciation_time").values), Each(testing::IsNan()));
  }
}

}  // namespace
}  // namespace diffphase
