#pragma once

// Runs a measure as the sweep would, on one rank.

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "measure/declared_result.hpp"
#include "measure/measure.hpp"
#include "support/statistics.hpp"

namespace diffphase::test {

/// A task of the measure with every option at its default and no data yet; `name` separates its random numbers from
/// those of others.
inline TaskParameters default_task(const Measure& measure, std::vector<double> times, const std::string& name) {
  TaskParameters task;
  task.times = std::move(times);
  task.ensemble = hash_text(name);
  set_default_options(measure, task);
  return task;
}

/// The same for data of a mixture.
inline TaskParameters mixture_task(const Measure& measure, const MixtureParameters& mixture, std::vector<double> times,
                                   const std::string& name) {
  TaskParameters task = default_task(measure, std::move(times), name);
  task.mixture = mixture;
  return task;
}

inline const std::vector<double>& values_of(const std::vector<VariableValues>& variables, const std::string& name) {
  static const std::vector<double> none;
  for (const VariableValues& variable : variables) {
    if (variable.name == name) return variable.values;
  }
  ADD_FAILURE() << "no variable " << name;
  return none;
}

/// What one task measured.
class Measured {
 public:
  Measured(const Measure& measure, const TaskParameters& task, bool count_free = true)
      : result_(run(measure, task, count_free)) {}
  explicit Measured(MeasureResult result) : result_(std::move(result)) {}

  [[nodiscard]] const std::vector<double>& values(const std::string& name) const {
    return values_of(result_.variables, name);
  }
  [[nodiscard]] double value(const std::string& name, std::size_t i = 0) const { return values(name).at(i); }
  [[nodiscard]] const MeasureResult& result() const { return result_; }
  /// Entry i of the variable with its standard error over probes.
  [[nodiscard]] Estimate estimate(const std::string& name, std::size_t i = 0) const {
    return {.mean = value(name, i), .error = value(name + "_stderr", i)};
  }

 private:
  static MeasureResult run(const Measure& measure, const TaskParameters& task, bool count_free) {
    EXPECT_EQ(measure.problem(task), "");
    const Communicator self = Communicator::self();
    const TaskRequest request{.counts = task.samples, .count_free = count_free};
    MeasureResult result = measure.run(task, request, TaskGroup(self));
    require_as_declared(measure, task, request, result);
    return result;
  }

  MeasureResult result_;
};

/// Entry i of a variable over independent realizations: mean, and standard error from their spread.
inline Estimate over_realizations(std::span<const Measured> runs, const std::string& name, std::size_t i = 0) {
  std::vector<double> units;
  for (const Measured& run : runs) units.push_back(run.value(name, i));
  return estimate(units);
}

/// Realizations 0 .. count - 1 of a task.
inline std::vector<Measured> realizations(const Measure& measure, TaskParameters task, std::int64_t count) {
  std::vector<Measured> runs;
  for (task.realization = 0; task.realization < count; ++task.realization) runs.emplace_back(measure, task);
  return runs;
}

/// `count` numbers from `first` to `last`, equally spaced.
inline std::vector<double> equally_spaced(double first, double last, int count) {
  std::vector<double> values;
  for (int i = 0; i < count; ++i) values.push_back(first + (last - first) * i / (count - 1));
  return values;
}

/// `count` numbers from `first` to `last`, equally spaced in their logarithms.
inline std::vector<double> log_spaced(double first, double last, int count) {
  std::vector<double> values = equally_spaced(std::log(first), std::log(last), count);
  for (double& value : values) value = std::exp(value);
  return values;
}

}  // namespace diffphase::test
