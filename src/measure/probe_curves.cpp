#include "measure/probe_curves.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "ensemble/sample_count.hpp"

namespace diffphase {

namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr const char* interpolation_ending = "_interpolation_error";

}  // namespace

ProbeCurves::ProbeCurves(std::int64_t probe_count, std::int64_t time_count)
    : probes(probe_count), times(time_count), values(static_cast<std::size_t>(probe_count * time_count)) {}

double& ProbeCurves::at(std::int64_t probe, std::size_t time) {
  return values[static_cast<std::size_t>(probe * times) + time];
}

void VariableCollector::append(const std::string& name, std::span<const double> values) {
  auto& variables = result_.variables;
  auto found = std::find_if(variables.begin(), variables.end(), [&](const auto& v) { return v.name == name; });
  if (found == variables.end()) found = variables.insert(variables.end(), {name, {}});
  found->values.insert(found->values.end(), values.begin(), values.end());
}

void VariableCollector::append_curve(const std::string& name, const ProbeCurves& curves) {
  const MeasuredCurve curve = average_curve(curves.values, curves.probes, curves.times);
  append(name, curve.mean);
  append(name + "_stderr", curve.standard_error);
}

void VariableCollector::append_found(const std::string& name, const CriticalTime& time) {
  append(name, time.time);
  append(name + "_stderr", time.standard_error);
  append(name + "_status", static_cast<double>(time.status));
  append(name + interpolation_ending, time.status == RootStatus::found ? time.coarse_grid_shift : nan);
}

void VariableCollector::append_time(const std::string& name, const CriticalTime& time, const std::vector<double>& grid,
                                    std::int64_t count) {
  append_found(name, time);
  const std::string warning =
      grid_warning(count > 0 ? fmt::format("{} of n = {}", name, samples_text(count)) : name, time, grid);
  if (!warning.empty()) warn(warning);
}

void VariableCollector::append_no_time(const std::string& name, RootStatus status, const std::string& reason) {
  append_found(name, {.time = nan, .standard_error = nan, .status = status});
  if (!reason.empty()) warn(reason);
}

void VariableCollector::append_root(const std::string& name, double time, RootStatus otherwise) {
  append(name, time);
  append(name + "_status", static_cast<double>(std::isfinite(time) ? RootStatus::found : otherwise));
}

namespace {

VariableSpec interpolation_spec(const VariableSpec& time) {
  VariableSpec error = time;
  error.name += interpolation_ending;
  error.long_name =
      "bound on the interpolation error of the " + time.long_name + ": how far it moves with half of the time grid";
  error.source.clear();
  return error;
}

VariableSpec status_spec(const VariableSpec& time) {
  VariableSpec status = time;
  status.name += "_status";
  status.units = "1";
  status.long_name = "whether the " + time.long_name + " was found";
  status.source.clear();
  status.kind = VariableSpec::Kind::status;
  status.may_be_missing = false;
  return status;
}

}  // namespace

VariableSpec per_sample_spec(std::string name, std::string units, std::string long_name, std::string source,
                             std::vector<std::string> dims) {
  return {.name = std::move(name),
          .units = std::move(units),
          .long_name = std::move(long_name),
          .source = std::move(source),
          .per_sample = true,
          .dims = std::move(dims)};
}

VariableSpec possibly_missing(VariableSpec spec) {
  spec.may_be_missing = true;
  return spec;
}

std::vector<VariableSpec> critical_time_specs(const VariableSpec& declared) {
  const VariableSpec time = possibly_missing(declared);
  VariableSpec error = time;
  error.name += "_stderr";
  error.long_name = "standard error of the " + time.long_name + ", jackknife over probes";
  error.source.clear();
  return {time, error, status_spec(time), interpolation_spec(time)};
}

std::vector<VariableSpec> root_specs(const VariableSpec& declared) {
  const VariableSpec time = possibly_missing(declared);
  return {time, status_spec(time)};
}

std::vector<VariableSpec> curve_specs(const VariableSpec& curve) {
  VariableSpec error = curve;
  error.name += "_stderr";
  error.long_name = "standard error over probes of the " + curve.long_name;
  error.source.clear();
  return {curve, error};
}

VariableSpec flags_spec(VariableSpec spec, std::vector<std::string> meanings) {
  spec.kind = VariableSpec::Kind::flags;
  spec.source.clear();
  spec.flag_meanings = std::move(meanings);
  return spec;
}

VariableSpec prediction_spec(const VariableSpec& measured, const std::string& source, const std::string& suffix) {
  VariableSpec prediction = measured;
  prediction.name += suffix;
  prediction.long_name = "predicted " + measured.long_name;
  prediction.source = source;
  prediction.prediction = true;
  return prediction;
}

}  // namespace diffphase
