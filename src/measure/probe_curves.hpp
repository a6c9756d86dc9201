#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "measure/measure.hpp"
#include "transition/critical_time.hpp"

namespace diffphase {

/// Values of one per-probe quantity for every probe and time: [probe][time]. Memory: 8 probes times bytes.
struct ProbeCurves {
  std::int64_t probes = 0;
  std::int64_t times = 0;
  std::vector<double> values;

  ProbeCurves(std::int64_t probe_count, std::int64_t time_count);
  [[nodiscard]] double& at(std::int64_t probe, std::size_t time);
};

/// Collects the values of a task's variables; one call per sample count appends to per-sample variables.
class VariableCollector {
 public:
  /// Appends to the variable `name`, which appears at its first use.
  void append(const std::string& name, std::span<const double> values);
  void append(const std::string& name, double value) { append(name, std::span(&value, 1)); }

  /// `name` and `name`_stderr: mean over probes and its standard error.
  void append_curve(const std::string& name, const ProbeCurves& curves);

  /// `name`, `name`_stderr, `name`_status and `name`_interpolation_error (CriticalTime::coarse_grid_shift; NaN where no
  /// time was found).
  void append_found(const std::string& name, const CriticalTime& time);
  /// The same, and a warning where the grid does not contain the crossing, which names
  /// the critical time and, if positive, the sample count.
  void append_time(const std::string& name, const CriticalTime& time, const std::vector<double>& grid,
                   std::int64_t count = 0);

  /// The same for a curve that never comes down to its level; `reason` is a warning, if not empty.
  void append_no_time(const std::string& name, RootStatus status, const std::string& reason);

  /// `name` and `name`_status for a critical time that is a root of a known function: found if finite, `otherwise` if
  /// NaN.
  void append_root(const std::string& name, double time, RootStatus otherwise);

  /// How something was computed, for the log.
  void note(std::string text) { result_.notes.push_back(std::move(text)); }
  void warn(std::string warning) { result_.warnings.push_back(std::move(warning)); }

  [[nodiscard]] MeasureResult take() { return std::move(result_); }

 private:
  MeasureResult result_;
};

/// A measured variable that depends on the sample count.
[[nodiscard]] VariableSpec per_sample_spec(std::string name, std::string units, std::string long_name,
                                           std::string source, std::vector<std::string> dims);
/// A variable whose numbers stand for words: 0 for the first. It has no source.
[[nodiscard]] VariableSpec flags_spec(VariableSpec spec, std::vector<std::string> meanings);
/// The same variable, of which NaN is an answer.
[[nodiscard]] VariableSpec possibly_missing(VariableSpec spec);
/// The four variables that append_found fills.
[[nodiscard]] std::vector<VariableSpec> critical_time_specs(const VariableSpec& time);
/// The two variables that append_root fills.
[[nodiscard]] std::vector<VariableSpec> root_specs(const VariableSpec& time);
/// The two variables that append_curve fills.
[[nodiscard]] std::vector<VariableSpec> curve_specs(const VariableSpec& curve);
/// The prediction `<name>_theory` of a variable, with its own source.
[[nodiscard]] VariableSpec prediction_spec(const VariableSpec& measured, const std::string& source,
                                           const std::string& suffix = "_theory");

}  // namespace diffphase
