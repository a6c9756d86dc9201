#include "measure/declared_result.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "ensemble/sample_count.hpp"
#include "transition/critical_time.hpp"

namespace diffphase {

namespace {

struct Dimension {
  std::string name;
  std::size_t size = 0;
};

class DeclaredResult {
 public:
  DeclaredResult(const Measure& measure, const TaskParameters& task, const TaskRequest& request)
      : measure_(measure), task_(task), request_(request), specs_(measure.variables(task)) {
    for (const DimensionSpec& own : measure.dimensions(task)) own_.push_back({own.name, own.size()});
    own_.push_back({"time", task.times.size()});
  }

  void check(const MeasureResult& result) const {
    std::set<std::string> filled;
    for (const VariableValues& variable : result.variables) {
      const auto spec = std::ranges::find(specs_, variable.name, &VariableSpec::name);
      if (spec == specs_.end() || spec->prediction) program_error(variable.name, "is filled and not declared");
      if (!filled.insert(variable.name).second) program_error(variable.name, "is filled twice");
      check_variable(*spec, variable.values);
    }
    for (const VariableSpec& spec : specs_) {
      if (spec.prediction || filled.contains(spec.name) || length_of(spec) == 0) continue;
      program_error(spec.name, "is declared and not filled");
    }
  }

  [[nodiscard]] std::vector<DeclaredLength> lengths() const {
    std::vector<DeclaredLength> all;
    for (const VariableSpec& spec : specs_) {
      if (spec.prediction || entries_of(spec) == 0) continue;
      all.push_back({.name = spec.name, .per_sample = spec.per_sample, .values = entries_of(spec)});
    }
    return all;
  }

 private:
  [[noreturn]] void program_error(const std::string& name, const std::string& what) const {
    throw std::logic_error(fmt::format("error of the program: measure.{}: {} {}", measure_.name(), name, what));
  }

  [[nodiscard]] std::size_t size_of(const VariableSpec& spec, const std::string& dimension) const {
    const auto found = std::ranges::find(own_, dimension, &Dimension::name);
    if (found == own_.end())
      program_error(spec.name, fmt::format("has the dimension {}, which there is not", dimension));
    return found->size;
  }

  // Values per sample count, or in all.
  [[nodiscard]] std::size_t entries_of(const VariableSpec& spec) const {
    std::size_t entries = 1;
    for (const std::string& dimension : spec.dims) entries *= size_of(spec, dimension);
    return entries;
  }

  [[nodiscard]] std::size_t length_of(const VariableSpec& spec) const {
    const std::size_t copies = spec.per_sample ? request_.counts.size() : (request_.count_free ? 1 : 0);
    return copies * entries_of(spec);
  }

  void check_variable(const VariableSpec& spec, const std::vector<double>& values) const {
    if (values.size() != length_of(spec)) {
      program_error(spec.name, fmt::format("has {} values in place of {}", values.size(), length_of(spec)));
    }
    const auto bad = std::ranges::find_if_not(values, [&](double value) { return is_allowed(spec, value); });
    if (bad == values.end()) return;
    const std::string where = place_of(spec, static_cast<std::size_t>(bad - values.begin()));
    if (spec.kind != VariableSpec::Kind::number) program_error(spec.name, fmt::format("is {}{}", *bad, where));
    throw std::runtime_error(
        fmt::format("measure.{}: {} is {}{}, which is no result: numbers left the range of the precision they are "
                    "computed in",
                    measure_.name(), spec.name, *bad, where));
  }

  [[nodiscard]] static bool is_allowed(const VariableSpec& spec, double value) {
    if (std::isnan(value)) return spec.may_be_missing;
    if (spec.kind == VariableSpec::Kind::number) return std::isfinite(value);
    const std::string statuses = root_status_meanings();
    const auto words = spec.kind == VariableSpec::Kind::flags ? static_cast<std::ptrdiff_t>(spec.flag_meanings.size())
                                                              : 1 + std::ranges::count(statuses, ' ');
    return value >= 0.0 && value < static_cast<double>(words) && value == std::floor(value);
  }

  // " at n = 60, time 0.5" of an entry.
  [[nodiscard]] std::string place_of(const VariableSpec& spec, std::size_t entry) const {
    const std::size_t entries = entries_of(spec);
    std::vector<std::string> parts;
    if (spec.per_sample) parts.push_back(fmt::format("n = {}", samples_text(request_.counts[entry / entries])));
    std::size_t rest = entry % entries;
    std::size_t stride = entries;
    for (const std::string& dimension : spec.dims) {
      stride /= size_of(spec, dimension);
      const std::size_t at = rest / stride;
      rest %= stride;
      parts.push_back(dimension == "time" ? fmt::format("time {:.6g}", task_.times[at])
                                          : fmt::format("{} {}", dimension, at));
    }
    return parts.empty() ? "" : fmt::format(" at {}", fmt::join(parts, ", "));
  }

  const Measure& measure_;
  const TaskParameters& task_;
  const TaskRequest& request_;
  std::vector<VariableSpec> specs_;
  std::vector<Dimension> own_;
};

}  // namespace

void require_as_declared(const Measure& measure, const TaskParameters& task, const TaskRequest& request,
                         const MeasureResult& result) {
  DeclaredResult(measure, task, request).check(result);
}

std::vector<DeclaredLength> declared_lengths(const Measure& measure, const TaskParameters& task) {
  return DeclaredResult(measure, task, {}).lengths();
}

}  // namespace diffphase
