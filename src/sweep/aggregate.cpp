#include "sweep/aggregate.hpp"

#include <algorithm>
#include <iterator>
#include <limits>
#include <set>
#include <sstream>

#include "transition/critical_time.hpp"

namespace diffphase {

namespace {

constexpr double missing = std::numeric_limits<double>::quiet_NaN();

enum class TaskStatus : std::int8_t { pending = 0, done = 1, failed = 2 };

std::vector<std::string> words(const std::string& text) {
  std::istringstream stream(text);
  return {std::istream_iterator<std::string>(stream), {}};
}

std::variant<std::vector<double>, std::vector<std::int64_t>, std::vector<std::string>> coordinate_of(
    const AxisColumn& column) {
  if (column.numbers.empty()) return column.texts;
  if (!column.integers) return column.numbers;
  return std::vector<std::int64_t>(column.numbers.begin(), column.numbers.end());
}

std::vector<std::int64_t> counting(std::int64_t size) {
  std::vector<std::int64_t> numbers(static_cast<std::size_t>(size));
  for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<std::int64_t>(i);
  return numbers;
}

std::vector<std::int8_t> as_statuses(const std::vector<double>& values) {
  std::vector<std::int8_t> statuses;
  statuses.reserve(values.size());
  for (const double v : values) {
    statuses.push_back(v == v ? static_cast<std::int8_t>(v) : static_cast<std::int8_t>(RootStatus::failed));
  }
  return statuses;
}

// A variable whose predictions have several sources, because centroids are an axis, names them all.
void merge(VariableSpec& spec, const VariableSpec& other) {
  if (spec.source.find(other.source) == std::string::npos) spec.source += " | " + other.source;
  spec.tolerance = std::max(spec.tolerance, other.tolerance);
}

}  // namespace

Aggregator::Aggregator(const Sweep& sweep) : sweep_(sweep) {
  for (const SweepTask& task : sweep.tasks) {
    auto& identities = identities_[{&task.measure(), task.cell}];
    identities.resize(static_cast<std::size_t>(sweep.file.realizations));
    identities[static_cast<std::size_t>(task.realization)] = task.identity;
  }
  for (const MeasureRequest& request : sweep.file.measures) measures_.push_back(request.measure);
  find_slots();
}

void Aggregator::find_slots() {
  std::map<std::string, std::size_t> known;
  for (const SweepTask& task : sweep_.tasks) {
    if (task.realization != 0) continue;
    for (VariableSpec& spec : task.measure().variables(sweep_.parameters(task))) {
      const auto [place, is_new] = known.try_emplace(spec.name, slots_.size());
      if (!is_new) {
        merge(slots_[place->second].spec, spec);
        continue;
      }
      Slot slot{.measure = &task.measure(), .spec = std::move(spec), .axes = {}, .inner = 1};
      for (std::size_t a = 0; a < sweep_.axes.size(); ++a) {
        if (slot.spec.per_sample || sweep_.samples_axis != a) slot.axes.push_back(a);
      }
      for (const std::string& dim : slot.spec.dims) {
        if (dim != "time") throw std::logic_error("aggregate: no axis for dimension " + dim);
        slot.inner *= sweep_.file.times.size();
      }
      slots_.push_back(std::move(slot));
    }
  }
}

const Hash128& Aggregator::identity(const Measure* measure, std::size_t cell, std::int64_t realization) const {
  return identities_.at({measure, cell})[static_cast<std::size_t>(realization)];
}

std::vector<std::string> Aggregator::dims_of(const Slot& slot) const {
  std::vector<std::string> dims;
  for (const std::size_t a : slot.axes) dims.push_back(sweep_.axes[a].name);
  if (!slot.spec.prediction) dims.emplace_back("realization");
  dims.insert(dims.end(), slot.spec.dims.begin(), slot.spec.dims.end());
  return dims;
}

std::size_t Aggregator::size_of(const Slot& slot) const {
  std::size_t size = slot.inner;
  for (const std::size_t a : slot.axes) size *= static_cast<std::size_t>(sweep_.axes[a].size);
  return slot.spec.prediction ? size : size * static_cast<std::size_t>(sweep_.file.realizations);
}

std::size_t Aggregator::position(const Slot& slot, const GridPoint& point) const {
  std::size_t at = 0;
  for (const std::size_t a : slot.axes) {
    at = at * static_cast<std::size_t>(sweep_.axes[a].size) + static_cast<std::size_t>(point.index[a]);
  }
  return at;
}

void Aggregator::fill_measured(const Slot& slot, const JournalState& journals, std::vector<double>& values) const {
  const auto realizations = static_cast<std::size_t>(sweep_.file.realizations);
  for (const GridPoint& point : sweep_.points) {
    for (std::size_t r = 0; r < realizations; ++r) {
      const TaskHistory& history = journals.task(identity(slot.measure, point.cell, static_cast<std::int64_t>(r)));
      const auto* found =
          slot.spec.per_sample ? history.value(point.samples, slot.spec.name) : history.value(slot.spec.name);
      if (found == nullptr || found->size() != slot.inner) continue;
      const std::size_t first = (position(slot, point) * realizations + r) * slot.inner;
      std::copy(found->begin(), found->end(), values.begin() + static_cast<std::ptrdiff_t>(first));
    }
  }
}

const std::vector<double>* Aggregator::prediction(const Slot& slot, std::size_t cell) {
  const auto [place, is_new] = predictions_.try_emplace({slot.measure, cell});
  if (is_new) {
    for (auto& [name, values] : slot.measure->predict(sweep_.cells[cell].parameters)) place->second[name] = values;
  }
  const auto found = place->second.find(slot.spec.name);
  return found == place->second.end() ? nullptr : &found->second;
}

void Aggregator::fill_predicted(const Slot& slot, std::vector<double>& values) {
  for (const GridPoint& point : sweep_.points) {
    const auto* predicted = prediction(slot, point.cell);
    if (predicted == nullptr) continue;
    std::size_t from = 0;
    if (slot.spec.per_sample) {
      const auto& counts = sweep_.cells[point.cell].parameters.samples;
      from = static_cast<std::size_t>(std::find(counts.begin(), counts.end(), point.samples) - counts.begin());
    }
    if ((from + 1) * slot.inner > predicted->size()) continue;
    std::copy_n(predicted->begin() + static_cast<std::ptrdiff_t>(from * slot.inner), slot.inner,
                values.begin() + static_cast<std::ptrdiff_t>(position(slot, point) * slot.inner));
  }
}

ResultsVariable Aggregator::variable(const Slot& slot, const JournalState& journals) {
  std::vector<double> values(size_of(slot), missing);
  if (slot.spec.prediction) {
    fill_predicted(slot, values);
  } else {
    fill_measured(slot, journals, values);
  }
  ResultsVariable variable;
  variable.name = slot.spec.name;
  variable.dims = dims_of(slot);
  variable.units = slot.spec.units == "time" ? std::string(sweep_.file.process.time_units()) : slot.spec.units;
  variable.long_name = slot.spec.long_name;
  variable.source = slot.spec.source;
  variable.tolerance = slot.spec.tolerance;
  if (slot.spec.kind == VariableSpec::Kind::status) {
    variable.values = as_statuses(values);
    variable.flag_meanings = words(root_status_meanings());
  } else {
    variable.values = std::move(values);
  }
  return variable;
}

void Aggregator::add_axis(ResultsFile& file, const Axis& axis) const {
  const AxisColumn& first = axis.columns.front();
  const bool counts = axis.kind != Axis::Kind::list || first.vectors;
  ResultsDimension dimension;
  dimension.name = axis.name;
  dimension.long_name = counts ? "position on the axis " + axis.name : first.key;
  dimension.units = counts || !first.numbers.empty() ? "1" : "";
  if (counts) {
    dimension.coordinate = counting(axis.size);
  } else {
    dimension.coordinate = coordinate_of(first);
  }
  file.dimensions.push_back(std::move(dimension));
  if (!counts) return;
  for (const AxisColumn& column : axis.columns) {
    ResultsVariable variable;
    variable.name = axis.kind == Axis::Kind::list ? axis.name + "_label" : column.name;
    variable.dims = {axis.name};
    variable.long_name = column.key;
    variable.auxiliary = true;
    if (column.numbers.empty()) {
      variable.values = column.texts;
    } else {
      variable.units = "1";
      variable.values = column.numbers;
      if (column.integers) {
        variable.values = std::vector<std::int64_t>(column.numbers.begin(), column.numbers.end());
      }
    }
    file.variables.push_back(std::move(variable));
  }
}

void Aggregator::add_axes(ResultsFile& file) const {
  for (const Axis& axis : sweep_.axes) add_axis(file, axis);
  file.dimensions.push_back({"realization", counting(sweep_.file.realizations), "1", "independent ensemble"});
  file.dimensions.push_back({"time", sweep_.file.times, std::string(sweep_.file.process.time_units()),
                             "time on the clock of the process " + sweep_.file.process.name()});
  std::vector<std::string> names;
  for (const Measure* measure : measures_) names.emplace_back(measure->name());
  file.dimensions.push_back({"measure", names, "", "measure"});
}

void Aggregator::add_attributes(ResultsFile& file) const {
  const SweepFile& sweep = sweep_.file;
  file.attributes["name"] = sweep.name;
  file.attributes["seed"] = static_cast<std::int64_t>(sweep.seed);
  file.attributes["process_kind"] = sweep.process.name();
  file.attributes["ensemble_kind"] = sweep.kind;
  std::set<std::string> varied;  // also by a [[point]], where the key's own value is that of the other points
  for (const Axis& axis : sweep_.axes) {
    for (const AxisColumn& column : axis.columns) varied.insert(column.key);
  }
  for (const SweepEntry& entry : sweep.entries) {
    if (entry.axis || varied.contains(entry.key)) continue;
    const std::string name = axis_name(entry.key);
    const SweepValue& value = entry.values.front();
    if (const auto* integer = std::get_if<std::int64_t>(&value)) {
      file.attributes[name] = *integer;
    } else if (const auto* number = std::get_if<double>(&value)) {
      file.attributes[name] = *number;
    } else if (const auto* text = std::get_if<std::string>(&value)) {
      file.attributes[name] = *text;
    } else {
      file.attributes[name] = canonical_text(value);
    }
  }
  for (const MeasureRequest& request : sweep.measures) {
    const std::string prefix = std::string(request.measure->name()) + "_";
    for (const MeasureOption& option : request.measure->options()) {
      ResultsAttribute& attribute = file.attributes[prefix + option.name];
      if (!option.words.empty()) {
        attribute = request.words.at(option.name);
      } else if (option.integer) {
        attribute = static_cast<std::int64_t>(request.options.at(option.name));
      } else {
        attribute = request.options.at(option.name);
      }
    }
  }
}

void Aggregator::add_task_tables(ResultsFile& file, const JournalState& journals) const {
  Slot slot;
  for (std::size_t a = 0; a < sweep_.axes.size(); ++a) {
    if (sweep_.samples_axis != a) slot.axes.push_back(a);
  }
  slot.inner = measures_.size();
  const std::size_t size = size_of(slot);
  std::vector<std::int8_t> status(size, static_cast<std::int8_t>(TaskStatus::pending));
  std::vector<double> seconds(size, missing);
  std::vector<std::int64_t> ranks(size, 0);
  std::vector<std::int64_t> attempts(size, 0);
  const auto realizations = static_cast<std::size_t>(sweep_.file.realizations);
  std::map<std::size_t, const GridPoint*> first_of_cell;
  for (const GridPoint& point : sweep_.points) first_of_cell.try_emplace(point.cell, &point);
  for (const SweepTask& task : sweep_.tasks) {
    const TaskHistory& history = journals.task(task.identity);
    const auto measure =
        static_cast<std::size_t>(std::find(measures_.begin(), measures_.end(), &task.measure()) - measures_.begin());
    for (const GridPoint& point : sweep_.points) {
      if (point.cell != task.cell) continue;
      const std::size_t at =
          (position(slot, point) * realizations + static_cast<std::size_t>(task.realization)) * slot.inner + measure;
      if (history.complete(task.counts)) {
        status[at] = static_cast<std::int8_t>(TaskStatus::done);
      } else if (history.exhausted(sweep_.file.resources.max_attempts) || history.failed_attempts() > 0) {
        status[at] = static_cast<std::int8_t>(TaskStatus::failed);
      }
      if (history.attempt_count() > 0) seconds[at] = history.seconds();
      ranks[at] = history.ranks();
      attempts[at] = history.attempt_count();
      if (sweep_.samples_axis) break;
    }
  }
  std::vector<std::string> dims = dims_of(slot);
  dims.emplace_back("measure");
  file.variables.push_back({"task_status", dims, status, "1", "state of the task", "", {"pending", "done", "failed"}});
  file.variables.push_back({"task_seconds", dims, seconds, "s", "wall time of all attempts"});
  file.variables.push_back({"task_ranks", dims, ranks, "1", "ranks of the last attempt"});
  file.variables.push_back({"task_attempts", dims, attempts, "1", "attempts"});
}

ResultsFile Aggregator::results(const JournalState& journals) {
  ResultsFile file;
  add_axes(file);
  add_attributes(file);
  for (const Slot& slot : slots_) file.variables.push_back(variable(slot, journals));
  add_task_tables(file, journals);
  return file;
}

}  // namespace diffphase
