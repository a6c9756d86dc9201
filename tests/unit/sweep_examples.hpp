#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "files/bad_input.hpp"
#include "sweep/grid.hpp"
#include "sweep/sweep_file.hpp"

namespace diffphase {

/// A measure for tests of sweep files: options and the names of a variable and its dimension.
class FakeMeasure : public Measure {
 public:
  FakeMeasure(std::string name, std::vector<MeasureOption> options, bool needs_samples)
      : name_(std::move(name)), options_(std::move(options)), needs_samples_(needs_samples) {}

  [[nodiscard]] std::string_view name() const override { return name_; }
  [[nodiscard]] std::vector<MeasureOption> options() const override { return options_; }
  [[nodiscard]] std::string problem(const TaskParameters& task) const override {
    return needs_samples_ && task.samples.empty() ? "measure." + name_ + " needs [dataset] samples" : "";
  }
  [[nodiscard]] std::vector<VariableSpec> variables(const TaskParameters&) const override {
    VariableSpec time;
    time.name = name_ + "_time";
    time.dims = {name_ + "_part"};
    return {time};
  }
  [[nodiscard]] std::vector<DimensionSpec> dimensions(const TaskParameters&) const override {
    return {{.name = name_ + "_part", .coordinate = std::vector<double>{1.0}, .units = "1", .long_name = "part"}};
  }
  [[nodiscard]] Cost cost(const TaskParameters&, const TaskRequest&) const override { return {}; }
  [[nodiscard]] MeasureResult run(const TaskParameters&, const TaskRequest&, const TaskGroup&) const override {
    return {};
  }
  [[nodiscard]] std::vector<VariableValues> predict(const TaskParameters&) const override { return {}; }

 private:
  std::string name_;
  std::vector<MeasureOption> options_;
  bool needs_samples_;
};

inline MeasureOption number_option(std::string name, double value, double minimum, double maximum, bool is_integer) {
  MeasureOption option;
  option.name = std::move(name);
  option.value = value;
  option.minimum = minimum;
  option.maximum = maximum;
  option.integer = is_integer;
  option.meaning = "an option";
  return option;
}

inline MeasureOption word_option(std::string name, std::vector<std::string> words) {
  MeasureOption option;
  option.name = std::move(name);
  option.meaning = "a word";
  option.words = std::move(words);
  return option;
}

inline const std::vector<const Measure*>& fake_measures() {
  static const FakeMeasure speciation("speciation", {number_option("probes", 4096, 1, 1e9, true)}, false);
  static const FakeMeasure collapse(
      "collapse",
      {number_option("probes", 1024, 1, 1e9, true), number_option("tolerance", 0.5, 0, 1, false),
       word_option("method", {"exact", "sampled"})},
      true);
  static const std::vector<const Measure*> all{&speciation, &collapse};
  return all;
}

inline SweepFile parse(const std::string& text, const std::vector<std::string>& overrides = {},
                       const std::string& path = "jobs/x.toml") {
  return parse_sweep_text(text, path, overrides, fake_measures());
}

inline Sweep sweep_of(const std::string& text, const std::vector<std::string>& overrides = {}) {
  return make_sweep(parse(text, overrides));
}

/// The message of the BadInput that the text ends in; a failure if it is accepted.
inline std::string problem_of(const std::string& text, const std::vector<std::string>& overrides = {}) {
  try {
    (void)sweep_of(text, overrides);
  } catch (const BadInput& error) {
    return error.what();
  }
  ADD_FAILURE() << "accepted:\n" << text << testing::PrintToString(overrides);
  return "";
}

/// A sweep file with one line per key, so that tests know the line numbers.
inline const std::string& example() {
  static const std::string text = R"(name = "example"
seed = 7
realizations = 2
[process]
kind = "ornstein-uhlenbeck"
time = { from = 0.05, to = 6.0, count = 5 }
[ensemble]
kind = "gaussian-mixture"
dimension = [16, 64]
classes = [2, 4]
centroids = "orthogonal"
separation = 1.0
[dataset]
samples = [100, 1000]
[measure]
speciation = { probes = 64 }
collapse = { probes = 32, method = "sampled" }
)";
  return text;
}

/// A linear manifold with an axis of block lists, again one line per key.
inline const std::string& manifold_example() {
  static const std::string text = R"(name = "manifold"
seed = 7
[process]
kind = "variance-exploding"
time = [0.01, 1.0]
[ensemble]
kind = "linear-manifold"
dimension = 30
blocks = [[{ size = 5, sigma = 1.0 }], [{ size = 5, sigma = 1.0 }, { size = 10, sigma = 0.3 }]]
factor = "gaussian"
[dataset]
samples = [100, 1000]
[measure]
collapse = { probes = 32 }
speciation = {}
)";
  return text;
}

inline const std::string& sphere_example() {
  static const std::string text = R"(name = "sphere"
[process]
kind = "variance-exploding"
time = [0.01, 1.0]
[ensemble]
kind = "hypersphere"
dimension = [20, 40]
sphere_dimension = 10
radius = 3.3
[dataset]
samples = 100
[measure]
collapse = { probes = 32 }
)";
  return text;
}

/// `text` with the first `old_part` replaced.
inline std::string with(std::string text, std::string_view old_part, std::string_view new_part) {
  const std::size_t at = text.find(old_part);
  if (at == std::string::npos) {
    ADD_FAILURE() << "no \"" << old_part << "\" in the text";
    return text;
  }
  return text.replace(at, old_part.size(), new_part);
}

inline std::vector<std::string> identities(const Sweep& sweep) {
  std::vector<std::string> out;
  for (const SweepTask& task : sweep.tasks) out.push_back(task.identity.hex());
  return out;
}

}  // namespace diffphase
