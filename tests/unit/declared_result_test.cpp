// What a measure declares it fills, and what is not a number where none may be is no result.

#include "measure/declared_result.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "measure/probe_curves.hpp"

namespace diffphase {
namespace {

using testing::HasSubstr;

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

// A curve for each count, a critical time, flags in parts, and a prediction.
class DeclaringMeasure : public Measure {
 public:
  [[nodiscard]] std::string_view name() const override { return "declaring"; }
  [[nodiscard]] std::vector<MeasureOption> options() const override { return {}; }
  [[nodiscard]] std::string problem(const TaskParameters& /*task*/) const override { return {}; }
  [[nodiscard]] std::vector<VariableSpec> variables(const TaskParameters& /*task*/) const override {
    const VariableSpec time{.name = "moment", .units = "time", .long_name = "moment", .source = {}, .dims = {}};
    const VariableSpec kind{.name = "kind", .units = "1", .long_name = "kind", .source = {}, .dims = {"part"}};
    std::vector<VariableSpec> specs = root_specs(time);
    specs.push_back(per_sample_spec("curve", "1", "curve", "", {"time", "part"}));
    specs.push_back(flags_spec(kind, {"one", "other"}));
    specs.push_back(prediction_spec(time, "theory"));
    return specs;
  }
  [[nodiscard]] std::vector<DimensionSpec> dimensions(const TaskParameters& /*task*/) const override {
    return {{"part", counting_up(2), "1", "part"}};
  }
  [[nodiscard]] Cost cost(const TaskParameters& /*task*/, const TaskRequest& /*request*/) const override { return {}; }
  [[nodiscard]] MeasureResult run(const TaskParameters& /*task*/, const TaskRequest& /*request*/,
                                  const TaskGroup& /*group*/) const override {
    return {};
  }
  [[nodiscard]] std::vector<VariableValues> predict(const TaskParameters& /*task*/) const override { return {}; }
};

class DeclaredResultTest : public testing::Test {
 protected:
  DeclaredResultTest() {
    task_.times = {0.5, 1.5};
    task_.samples = {10, 60};
    result_.variables = {
        {"moment", {nan}}, {"moment_status", {5.0}}, {"curve", std::vector<double>(8, 0.5)}, {"kind", {0.0, 1.0}}};
  }

  std::vector<double>& values(const std::string& name) {
    for (VariableValues& variable : result_.variables) {
      if (variable.name == name) return variable.values;
    }
    throw std::logic_error("no variable " + name);
  }

  template <typename Error>
  [[nodiscard]] std::string refusal() const {
    try {
      require_as_declared(measure_, task_, request_, result_);
    } catch (const Error& error) {
      return error.what();
    }
    return "accepted";
  }
  [[nodiscard]] std::string program_error() const { return refusal<std::logic_error>(); }
  [[nodiscard]] std::string failure() const { return refusal<std::runtime_error>(); }

  DeclaringMeasure measure_;
  TaskParameters task_;
  TaskRequest request_{.counts = {10, 60}, .count_free = true};
  MeasureResult result_;
};

TEST_F(DeclaredResultTest, HasWhatWasAsked) {
  EXPECT_NO_THROW(require_as_declared(measure_, task_, request_, result_));
  values("moment") = {1.0};
  values("moment_status") = {0.0};
  EXPECT_NO_THROW(require_as_declared(measure_, task_, request_, result_));
}

TEST_F(DeclaredResultTest, OfMoreCountsHasNothingElse) {
  request_ = {.counts = {60}, .count_free = false};
  result_.variables = {{"curve", std::vector<double>(4, 0.5)}};
  EXPECT_NO_THROW(require_as_declared(measure_, task_, request_, result_));
  result_.variables.push_back({"kind", {0.0, 1.0}});
  EXPECT_THAT(program_error(), HasSubstr("kind has 2 values in place of 0"));
}

TEST_F(DeclaredResultTest, ThatLacksAVariableIsAnError) {
  result_.variables.erase(result_.variables.begin() + 2);
  EXPECT_THAT(program_error(), HasSubstr("measure.declaring: curve is declared and not filled"));
}

TEST_F(DeclaredResultTest, WithAnUndeclaredVariableIsAnError) {
  result_.variables.push_back({"other", {1.0}});
  EXPECT_THAT(program_error(), HasSubstr("other is filled and not declared"));
  result_.variables.back() = {"moment_theory", {1.0}};
  EXPECT_THAT(program_error(), HasSubstr("moment_theory is filled and not declared"));
  result_.variables.back() = {"kind", {0.0, 1.0}};
  EXPECT_THAT(program_error(), HasSubstr("kind is filled twice"));
}

TEST_F(DeclaredResultTest, OfAnotherLengthIsAnError) {
  values("curve").pop_back();
  EXPECT_THAT(program_error(), HasSubstr("curve has 7 values in place of 8"));
}

TEST_F(DeclaredResultTest, WithAWordThatIsNoneIsAnError) {
  values("kind")[1] = 2.0;
  EXPECT_THAT(program_error(), HasSubstr("kind is 2 at part 1"));
  values("kind")[1] = nan;
  EXPECT_THAT(program_error(), HasSubstr("kind is nan at part 1"));
  values("kind")[1] = 1.0;
  values("moment_status")[0] = 99.0;
  EXPECT_THAT(program_error(), HasSubstr("moment_status is 99"));
}

TEST_F(DeclaredResultTest, WithANumberThatIsNoneFails) {
  values("curve")[7] = nan;
  EXPECT_THAT(failure(), HasSubstr("measure.declaring: curve is nan at n = 60, time 1.5, part 1"));
  values("curve")[7] = 1.0;
  values("curve")[2] = -std::numeric_limits<double>::infinity();
  EXPECT_THAT(failure(), HasSubstr("curve is -inf at n = 10, time 1.5, part 0"));
}

// A time that is not there is NaN; infinite it is never.
TEST_F(DeclaredResultTest, WithAnInfiniteTimeFails) {
  values("moment")[0] = std::numeric_limits<double>::infinity();
  EXPECT_THAT(failure(), HasSubstr("moment is inf"));
}

}  // namespace
}  // namespace diffphase
