#include "sweep/aggregate.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <limits>
#include <set>
#include <sstream>

#include "ensemble/sample_count.hpp"
#include "parallel/clock.hpp"
#include "sweep/console.hpp"
#include "sweep/point_parameters.hpp"
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

// What is none of the flags 0 to `last`, because it is missing or because somebody changed the journal, becomes
// `missing_flag`.
std::vector<std::int8_t> as_flags(const std::vector<double>& values, std::size_t last, std::int8_t missing_flag) {
  std::vector<std::int8_t> flags;
  flags.reserve(values.size());
  for (const double v : values) {
    flags.push_back(v >= 0.0 && v <= static_cast<double>(last) ? static_cast<std::int8_t>(v) : missing_flag);
  }
  return flags;
}

std::size_t product(std::span<const std::size_t> shape) {
  std::size_t size = 1;
  for (const std::size_t length : shape) size *= length;
  return size;
}

// Copies a row-major array into the corner of another that is as long or longer in every dimension.
void place(std::span<const double> values, std::span<const std::size_t> shape, std::span<const std::size_t> whole,
           std::span<double> out) {
  if (shape.empty()) {
    out[0] = values[0];
    return;
  }
  const std::size_t step = product(shape.subspan(1));
  const std::size_t out_step = product(whole.subspan(1));
  for (std::size_t i = 0; i < shape[0]; ++i) {
    place(values.subspan(i * step, step), shape.subspan(1), whole.subspan(1), out.subspan(i * out_step, out_step));
  }
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
  for (const SweepTask& task : sweep_.tasks) {
    if (task.realization != 0) continue;
    first_tasks_[{&task.measure(), task.cell}] = &task;
    find_dimensions(task);
  }
  for (const SweepTask& task : sweep_.tasks) {
    if (task.realization != 0) continue;
    for (VariableSpec& spec : task.measure().variables(sweep_.parameters(task))) add_slot(task, std::move(spec));
  }
}

void Aggregator::find_dimensions(const SweepTask& task) {
  for (DimensionSpec& dimension : task.measure().dimensions(sweep_.parameters(task))) {
    lengths_[{&task.measure(), task.cell}][dimension.name] = dimension.size();
    const auto known = std::ranges::find(dimensions_, dimension.name, &DimensionSpec::name);
    if (known == dimensions_.end()) {
      dimensions_.push_back(std::move(dimension));
    } else if (dimension.size() > known->size()) {
      *known = std::move(dimension);
    }
  }
}

std::size_t Aggregator::length(const std::string& dim) const {
  if (dim == "time") return sweep_.file.times.size();
  const auto known = std::ranges::find(dimensions_, dim, &DimensionSpec::name);
  if (known == dimensions_.end()) throw std::logic_error("aggregate: no axis for dimension " + dim);
  return known->size();
}

// Lengths of the slot's own dimensions for the tasks of one cell.
std::vector<std::size_t> Aggregator::shape_of(const Slot& slot, std::size_t cell) const {
  std::vector<std::size_t> shape;
  const auto own = lengths_.find({slot.measure, cell});
  for (const std::string& dim : slot.spec.dims) {
    if (dim == "time") {
      shape.push_back(length(dim));
    } else {
      const bool known = own != lengths_.end() && own->second.contains(dim);
      shape.push_back(known ? own->second.at(dim) : 0);
    }
  }
  return shape;
}

void Aggregator::add_slot(const SweepTask& task, VariableSpec spec) {
  const auto known = std::ranges::find_if(slots_, [&](const Slot& slot) { return slot.spec.name == spec.name; });
  if (known != slots_.end()) {
    merge(known->spec, spec);
    return;
  }
  Slot slot{.measure = &task.measure(), .spec = std::move(spec), .axes = {}, .shape = {}, .inner = 1};
  for (std::size_t a = 0; a < sweep_.axes.size(); ++a) {
    if (slot.spec.per_sample || sweep_.samples_axis != a) slot.axes.push_back(a);
  }
  for (const std::string& dim : slot.spec.dims) slot.shape.push_back(length(dim));
  for (const std::size_t size : slot.shape) slot.inner *= size;
  slots_.push_back(std::move(slot));
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

void Aggregator::fill_measured(const Slot& slot, const Histories& histories, std::vector<double>& values) const {
  const auto realizations = static_cast<std::size_t>(sweep_.file.realizations);
  for (const GridPoint& point : sweep_.points) {
    const std::vector<std::size_t> shape = shape_of(slot, point.cell);
    const std::vector<const TaskHistory*>& tasks = histories.at({slot.measure, point.cell});
    for (std::size_t r = 0; r < realizations; ++r) {
      const auto* found =
          slot.spec.per_sample ? tasks[r]->value(point.samples, slot.spec.name) : tasks[r]->value(slot.spec.name);
      const std::size_t first = (position(slot, point) * realizations + r) * slot.inner;
      const std::size_t counts = sweep_.cells[point.cell].parameters.samples.empty() ? 0 : 1;
      if (slot.spec.kind == VariableSpec::Kind::status && tasks[r]->complete({&point.samples, counts})) {
        std::fill_n(values.begin() + static_cast<std::ptrdiff_t>(first), slot.inner,
                    static_cast<double>(RootStatus::not_measured));
      }
      if (found == nullptr || found->size() != product(shape)) continue;
      place(*found, shape, slot.shape, std::span(values).subspan(first, slot.inner));
    }
  }
}

std::map<std::string, std::vector<double>> Aggregator::predict(const Slot& slot, std::size_t cell) const {
  const SweepTask& task = *first_tasks_.at({slot.measure, cell});
  std::map<std::string, std::vector<double>> predictions;
  try {
    for (auto& [name, values] : slot.measure->predict(sweep_.parameters(task))) predictions[name] = std::move(values);
  } catch (const std::exception& error) {  // what was measured is not lost for it
    show_warning(
        fmt::format("no predictions for {} {}: {}", slot.measure->name(), sweep_.cells[cell].label, error.what()));
  }
  return predictions;
}

const std::vector<double>* Aggregator::prediction(const Slot& slot, std::size_t cell) {
  auto place = predictions_.find({slot.measure, cell});
  if (place == predictions_.end()) {
    if (steady_seconds() > end_of_predictions_) {
      left_out_ = true;
      return nullptr;
    }
    place = predictions_.emplace(MeasureCell{slot.measure, cell}, predict(slot, cell)).first;
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
    const std::vector<std::size_t> shape = shape_of(slot, point.cell);
    const std::size_t size = product(shape);
    if (size == 0 || (from + 1) * size > predicted->size()) continue;
    place(std::span(*predicted).subspan(from * size, size), shape, slot.shape,
          std::span(values).subspan(position(slot, point) * slot.inner, slot.inner));
  }
}

ResultsVariable Aggregator::variable(const Slot& slot, const Histories& histories) {
  std::vector<double> values(size_of(slot), missing);
  if (slot.spec.prediction) {
    fill_predicted(slot, values);
  } else {
    fill_measured(slot, histories, values);
  }
  ResultsVariable variable;
  variable.name = slot.spec.name;
  variable.dims = dims_of(slot);
  variable.units = slot.spec.units == "time" ? std::string(sweep_.file.process.time_units()) : slot.spec.units;
  variable.long_name = slot.spec.long_name;
  variable.source = slot.spec.source;
  variable.tolerance = slot.spec.tolerance;
  if (slot.spec.kind == VariableSpec::Kind::status) {
    variable.flag_meanings = words(root_status_meanings());
    variable.values = as_flags(values, variable.flag_meanings.size() - 1, static_cast<std::int8_t>(RootStatus::failed));
  } else if (slot.spec.kind == VariableSpec::Kind::flags) {
    variable.flag_meanings = slot.spec.flag_meanings;
    variable.flag_meanings.emplace_back("missing");
    const std::size_t last = variable.flag_meanings.size() - 1;
    variable.values = as_flags(values, last, static_cast<std::int8_t>(last));
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
  for (const DimensionSpec& own : dimensions_) {
    const bool on_clock = own.units == "time";
    file.dimensions.push_back({own.name, own.coordinate,
                               on_clock ? std::string(sweep_.file.process.time_units()) : own.units, own.long_name});
  }
  std::vector<std::string> names;
  for (const Measure* measure : measures_) names.emplace_back(measure->name());
  file.dimensions.push_back({"measure", names, "", "measure"});
}

// log n where a number of samples is given by its logarithm, on the axes that it depends on.
void Aggregator::add_log_samples(ResultsFile& file) const {
  if (std::ranges::all_of(sweep_.points, [](const GridPoint& point) { return is_countable(point.samples); })) return;
  Slot slot;
  for (std::size_t a = 0; a < sweep_.axes.size(); ++a) {
    const auto counts = [](const AxisColumn& column) {
      return column.key == samples_key || column.key == "ensemble.dimension";
    };
    if (std::ranges::any_of(sweep_.axes[a].columns, counts)) slot.axes.push_back(a);
  }
  slot.spec.prediction = true;  // the same in every realization
  std::vector<double> values(size_of(slot), missing);
  for (const GridPoint& point : sweep_.points) values[position(slot, point)] = log_samples(point.samples);
  ResultsVariable variable;
  variable.name = "log_samples";
  variable.dims = dims_of(slot);
  variable.values = std::move(values);
  variable.units = "1";
  variable.long_name = "logarithm of the number of samples";
  variable.auxiliary = true;
  file.variables.push_back(std::move(variable));
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
      if (option.list) {
        const auto given = request.lists.find(option.name);
        if (given == request.lists.end()) {
          file.attributes.erase(prefix + option.name);
        } else {
          attribute = canonical_text(SweepValue(given->second));
        }
      } else if (!option.words.empty()) {
        attribute = request.words.at(option.name);
      } else if (option.integer) {
        attribute = static_cast<std::int64_t>(request.options.at(option.name));
      } else {
        attribute = request.options.at(option.name);
      }
    }
  }
}

// Of each cell, where its points lie in a slot without samples: one place where samples are an axis.
std::vector<std::vector<std::size_t>> Aggregator::task_positions(const Slot& slot) const {
  std::vector<std::vector<std::size_t>> positions(sweep_.cells.size());
  for (const GridPoint& point : sweep_.points) {
    std::vector<std::size_t>& of_cell = positions[point.cell];
    if (of_cell.empty() || !sweep_.samples_axis) of_cell.push_back(position(slot, point));
  }
  return positions;
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
  const std::vector<std::vector<std::size_t>> positions = task_positions(slot);
  for (const SweepTask& task : sweep_.tasks) {
    const TaskHistory& history = journals.task(task.identity);
    const auto measure =
        static_cast<std::size_t>(std::find(measures_.begin(), measures_.end(), &task.measure()) - measures_.begin());
    for (const std::size_t position : positions[task.cell]) {
      const std::size_t at =
          (position * realizations + static_cast<std::size_t>(task.realization)) * slot.inner + measure;
      if (history.complete(task.counts)) {
        status[at] = static_cast<std::int8_t>(TaskStatus::done);
      } else if (history.exhausted(sweep_.file.resources.max_attempts) || history.failed_attempts() > 0) {
        status[at] = static_cast<std::int8_t>(TaskStatus::failed);
      }
      if (history.attempt_count() > 0) seconds[at] = history.seconds();
      ranks[at] = history.ranks();
      attempts[at] = history.attempt_count();
    }
  }
  std::vector<std::string> dims = dims_of(slot);
  dims.emplace_back("measure");
  file.variables.push_back({"task_status", dims, status, "1", "state of the task", "", {"pending", "done", "failed"}});
  file.variables.push_back({"task_seconds", dims, seconds, "s", "wall time of all attempts"});
  file.variables.push_back({"task_ranks", dims, ranks, "1", "ranks of the last attempt"});
  file.variables.push_back({"task_attempts", dims, attempts, "1", "attempts"});
}

// Looked up once, for all variables.
Aggregator::Histories Aggregator::find_histories(const JournalState& journals) const {
  Histories histories;
  for (const auto& [cell, identities] : identities_) {
    std::vector<const TaskHistory*>& of_cell = histories[cell];
    of_cell.reserve(identities.size());
    for (const Hash128& identity : identities) of_cell.push_back(&journals.task(identity));
  }
  return histories;
}

void Aggregator::predict_all() {
  end_of_predictions_ = std::numeric_limits<double>::infinity();
  for (const Slot& slot : slots_) {
    if (!slot.spec.prediction) continue;
    for (const GridPoint& point : sweep_.points) (void)prediction(slot, point.cell);
  }
}

ResultsFile Aggregator::results(const JournalState& journals, double seconds) {
  end_of_predictions_ = steady_seconds() + seconds;
  left_out_ = false;
  ResultsFile file;
  add_axes(file);
  add_log_samples(file);
  add_attributes(file);
  const Histories histories = find_histories(journals);
  for (const Slot& slot : slots_) file.variables.push_back(variable(slot, histories));
  add_task_tables(file, journals);
  return file;
}

}  // namespace diffphase
