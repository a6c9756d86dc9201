#include "sweep/grid.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <limits>
#include <map>
#include <set>

#include "files/bad_input.hpp"
#include "measure/number_range.hpp"
#include "sweep/point_parameters.hpp"

namespace diffphase {

namespace {

constexpr std::int64_t most_tasks = 10'000'000;

AxisColumn make_column(const std::string& key) {
  return {.name = axis_name(key), .key = key, .numbers = {}, .texts = {}};
}

/// Fills a column; nullptr for a value that a point does not have and that has no default.
void fill_column(AxisColumn& column, const std::vector<const SweepValue*>& values) {
  const KeySpec& spec = key_spec(column.key);
  column.vectors = spec.is_list();
  const bool with_words = std::ranges::any_of(
      values, [](const SweepValue* value) { return value != nullptr && std::holds_alternative<std::string>(*value); });
  column.integers = spec.type == KeySpec::Type::integer && !with_words;
  const bool numeric = column.integers || spec.type == KeySpec::Type::number;
  for (const SweepValue* value : values) {
    if (numeric) {
      const double missing = std::numeric_limits<double>::quiet_NaN();
      const auto* integer = value == nullptr ? nullptr : std::get_if<std::int64_t>(value);
      column.numbers.push_back(value == nullptr     ? missing
                               : integer != nullptr ? static_cast<double>(*integer)
                                                    : std::get<double>(*value));
    } else {
      const auto* text = value == nullptr ? nullptr : std::get_if<std::string>(value);
      column.texts.push_back(value == nullptr ? "" : text != nullptr ? *text : canonical_text(*value));
    }
  }
}

AxisColumn entry_column(const SweepEntry& entry) {
  AxisColumn column = make_column(entry.key);
  std::vector<const SweepValue*> values;
  for (const SweepValue& value : entry.values) values.push_back(&value);
  fill_column(column, values);
  return column;
}

/// An axis of the product grid with the entries that move along it.
struct ProductAxis {
  Axis axis;
  std::vector<const SweepEntry*> entries;
  std::int64_t position = 0;
};

std::vector<ProductAxis> product_axes(const SweepFile& file) {
  std::vector<ProductAxis> axes;
  for (const SweepEntry& entry : file.entries) {
    if (!entry.axis) continue;
    ProductAxis product{.axis = {}, .entries = {&entry}, .position = entry.position};
    product.axis = {.kind = Axis::Kind::list,
                    .name = axis_name(entry.key),
                    .size = static_cast<std::int64_t>(entry.values.size()),
                    .columns = {entry_column(entry)}};
    axes.push_back(std::move(product));
  }
  for (const SweepZip& zip : file.zips) {
    ProductAxis product{.axis = {}, .entries = {}, .position = zip.position};
    product.axis = {.kind = Axis::Kind::zip,
                    .name = zip.name,
                    .size = static_cast<std::int64_t>(zip.entries.front().values.size()),
                    .columns = {}};
    for (const SweepEntry& entry : zip.entries) {
      product.entries.push_back(&entry);
      product.axis.columns.push_back(entry_column(entry));
    }
    axes.push_back(std::move(product));
  }
  std::ranges::stable_sort(axes, {}, &ProductAxis::position);
  return axes;
}

/// A zip may not be called like anything that the results file already names.
void check_zip_names(const Sweep& sweep) {
  if (sweep.file.zips.empty()) return;
  std::set<std::string, std::less<>> taken{"time", "realization", "measure", "point", "log_samples", "provenance"};
  for (const KeySpec& spec : sweep_keys()) {
    if (!spec.axis) continue;
    taken.insert(axis_name(spec.key));
    taken.insert(axis_name(spec.key) + "_label");
  }
  for (const SweepTask& task : sweep.tasks) {
    if (task.realization != 0) continue;
    const TaskParameters parameters = sweep.parameters(task);
    for (const VariableSpec& variable : task.measure().variables(parameters)) taken.insert(variable.name);
    for (const DimensionSpec& dimension : task.measure().dimensions(parameters)) taken.insert(dimension.name);
  }
  for (const SweepZip& zip : sweep.file.zips) {
    if (!taken.contains(zip.name) && !zip.name.starts_with("task_")) continue;
    throw BadInput(fmt::format("{}: zip.name = \"{}\": the results have a dimension or variable of that name",
                               zip.where, zip.name));
  }
}

void check_size(const std::vector<ProductAxis>& axes, const SweepFile& file) {
  double size = static_cast<double>(file.realizations) * static_cast<double>(file.measures.size());
  double points = static_cast<double>(file.points.size());
  double product = 1.0;
  for (const ProductAxis& axis : axes) product *= static_cast<double>(axis.axis.size);
  size *= product + points;
  if (size > static_cast<double>(most_tasks)) {
    throw BadInput(
        fmt::format("{}: the grid has {:.3g} points times realizations times measures; at most {} are allowed",
                    file.path, size, most_tasks));
  }
}

PointValues single_values(const SweepFile& file) {
  PointValues values;
  for (const SweepEntry& entry : file.entries) {
    if (!entry.axis) values[entry.key] = {&entry.values.front(), &entry};
  }
  return values;
}

/// A point before it is checked: its place on the axes and its values.
struct RawPoint {
  std::vector<std::int64_t> index;
  PointValues values;
  std::string where;
};

/// Steps the index to the next point, the last axis fastest; false after the last.
bool next_index(std::vector<std::int64_t>& index, const std::vector<ProductAxis>& axes) {
  for (std::size_t axis = axes.size(); axis-- > 0;) {
    if (++index[axis] < axes[axis].axis.size) return true;
    index[axis] = 0;
  }
  return false;
}

std::vector<RawPoint> product_points(const std::vector<ProductAxis>& axes, const SweepFile& file) {
  std::vector<RawPoint> points;
  const PointValues fixed = single_values(file);
  std::vector<std::int64_t> index(axes.size(), 0);
  do {
    RawPoint point{.index = index, .values = fixed, .where = file.path};
    for (std::size_t axis = 0; axis < axes.size(); ++axis) {
      for (const SweepEntry* entry : axes[axis].entries) {
        point.values[entry->key] = {&entry->values[static_cast<std::size_t>(index[axis])], entry};
      }
    }
    points.push_back(std::move(point));
  } while (next_index(index, axes));
  return points;
}

/// The values of a [[point]]: the single values of the file, overridden by its own.
RawPoint extra_point(const SweepExtraPoint& extra, const std::vector<ProductAxis>& axes, const SweepFile& file) {
  RawPoint point{.index = {}, .values = single_values(file), .where = extra.where};
  for (const SweepEntry& entry : extra.entries) point.values[entry.key] = {&entry.values.front(), &entry};
  for (const ProductAxis& axis : axes) {
    for (const SweepEntry* entry : axis.entries) {
      if (point.values.contains(entry->key)) continue;
      throw BadInput(
          fmt::format("{}: the [[point]] must give {}, which is a list at {}", extra.where, entry->key, entry->where));
    }
  }
  return point;
}

/// The keys that vary, in order of their first appearance.
std::vector<std::string> varied_keys(const std::vector<ProductAxis>& axes, const SweepFile& file) {
  std::vector<std::string> keys;
  const auto add = [&](const std::string& key) {
    if (std::ranges::find(keys, key) == keys.end()) keys.push_back(key);
  };
  for (const ProductAxis& axis : axes) {
    for (const SweepEntry* entry : axis.entries) add(entry->key);
  }
  for (const SweepExtraPoint& point : file.points) {
    for (const SweepEntry& entry : point.entries) add(entry.key);
  }
  return keys;
}

const SweepValue* value_or_default(const PointValues& values, const std::string& key) {
  const auto found = values.find(key);
  if (found != values.end()) return found->second.value;
  const std::optional<SweepValue>& otherwise = key_spec(key).value;
  return otherwise ? &*otherwise : nullptr;
}

Axis point_axis(const std::vector<RawPoint>& points, const std::vector<std::string>& keys) {
  Axis axis{
      .kind = Axis::Kind::point, .name = "point", .size = static_cast<std::int64_t>(points.size()), .columns = {}};
  for (const std::string& key : keys) {
    AxisColumn column = make_column(key);
    std::vector<const SweepValue*> values;
    values.reserve(points.size());
    for (const RawPoint& point : points) values.push_back(value_or_default(point.values, key));
    fill_column(column, values);
    axis.columns.push_back(std::move(column));
  }
  return axis;
}

/// Puts all points on one axis: those of the product grid, if there is one, then the [[point]]s.
std::vector<RawPoint> all_on_one_axis(const std::vector<ProductAxis>& axes, const SweepFile& file) {
  std::vector<RawPoint> points;
  if (!axes.empty()) points = product_points(axes, file);
  for (const SweepExtraPoint& extra : file.points) points.push_back(extra_point(extra, axes, file));
  for (std::size_t i = 0; i < points.size(); ++i) points[i].index = {static_cast<std::int64_t>(i)};
  return points;
}

/// A key that no point uses is a mistake.
void check_unused(const std::vector<RawPoint>& points) {
  std::map<const SweepEntry*, std::string> unused;
  std::set<const SweepEntry*> used;
  for (const RawPoint& point : points) {
    for (const auto& [key, given] : point.values) {
      std::string reason = unused_reason(point.values, key);
      if (reason.empty()) {
        used.insert(given.entry);
      } else {
        unused.emplace(given.entry, std::move(reason));
      }
    }
  }
  for (const auto& [entry, reason] : unused) {
    if (!used.contains(entry)) throw BadInput(value_message(*entry, reason));
  }
}

/// Drawn data: samples at every point or at none.
void check_samples_everywhere(const std::vector<RawPoint>& points) {
  const auto has_samples = [](const RawPoint& point) { return point.values.contains(samples_key); };
  const auto without = std::ranges::find_if_not(points, has_samples);
  if (without == points.end() || std::ranges::none_of(points, has_samples)) return;
  throw BadInput(fmt::format("{}: the [[point]] must give {}, as other points do", without->where, samples_key));
}

std::string cell_label(const PointValues& values, const std::vector<std::string>& keys) {
  std::string label;
  for (const std::string& key : keys) {
    if (key == samples_key) continue;
    const SweepValue* value = value_or_default(values, key);
    if (value == nullptr) continue;
    const std::string& symbol = key_spec(key).symbol;
    const auto* word = std::get_if<std::string>(value);
    if (!label.empty()) label += ' ';
    label += (symbol.empty() ? axis_name(key) : symbol) + '=' + (word != nullptr ? *word : canonical_text(*value));
  }
  return label;
}

/// Builds points, cells and tasks of a sweep.
class GridBuilder {
 public:
  GridBuilder(Sweep& sweep, TaskIdentities identities) : sweep_(sweep), identities_(identities) {}

  void build() {
    const std::vector<ProductAxis> axes = product_axes(sweep_.file);
    check_size(axes, sweep_.file);
    keys_ = varied_keys(axes, sweep_.file);
    std::vector<RawPoint> points;
    if (sweep_.file.points.empty()) {
      points = product_points(axes, sweep_.file);
      for (const ProductAxis& axis : axes) sweep_.axes.push_back(axis.axis);
      find_samples_axis();
    } else {
      points = all_on_one_axis(axes, sweep_.file);
      sweep_.axes.push_back(point_axis(points, keys_));
    }
    check_unused(points);
    if (sweep_.file.kind != "file") check_samples_everywhere(points);
    for (const RawPoint& point : points) add_point(point);
    add_tasks();
    check_zip_names(sweep_);
  }

 private:
  void find_samples_axis() {
    for (std::size_t i = 0; i < sweep_.axes.size(); ++i) {
      const Axis& axis = sweep_.axes[i];
      if (axis.kind == Axis::Kind::list && axis.columns.front().key == samples_key) sweep_.samples_axis = i;
    }
  }

  void add_point(const RawPoint& raw) {
    GridPoint point{.index = raw.index};
    point.samples = samples_at(raw.values, sweep_.file);
    point.cell = cell_of(raw);
    const auto [first, is_new] = first_points_.emplace(std::pair(point.cell, point.samples), sweep_.points.size());
    if (!is_new) {
      throw BadInput(fmt::format("{}: points {} and {} of the grid are the same ({})", raw.where, first->second,
                                 sweep_.points.size(), describe(raw)));
    }
    GridCell& cell = sweep_.cells[point.cell];
    if (point.samples > 0) cell.parameters.samples.push_back(point.samples);
    std::ranges::sort(cell.parameters.samples);
    sweep_.points.push_back(std::move(point));
  }

  [[nodiscard]] std::string describe(const RawPoint& raw) const {
    std::string label = cell_label(raw.values, keys_);
    const auto samples = raw.values.find(samples_key);
    if (samples == raw.values.end()) return label;
    return fmt::format("{}{}n={}", label, label.empty() ? "" : " ", canonical_text(*samples->second.value));
  }

  std::size_t cell_of(const RawPoint& raw) {
    IdentityKeys identity = point_identity(raw.values, sweep_.file);
    const auto [known, is_new] = cell_of_text_.emplace(identity_text(identity), sweep_.cells.size());
    if (is_new) add_cell(raw, std::move(identity));
    return known->second;
  }

  void add_cell(const RawPoint& raw, IdentityKeys identity) {
    const SweepFile& file = sweep_.file;
    GridCell cell;
    cell.index = raw.index;
    if (sweep_.samples_axis) cell.index.erase(cell.index.begin() + static_cast<std::ptrdiff_t>(*sweep_.samples_axis));
    cell.label = cell_label(raw.values, keys_);
    TaskParameters& parameters = cell.parameters;
    parameters.process = file.process;
    parameters.times = file.times;
    parameters.seed = file.seed;
    parameters.mixed_precision = file.resources.precision == "mixed";
    parameters.single_precision = file.resources.precision == "single";
    parameters.ensemble = ensemble_identity(identity);
    if (file.kind == "file") {
      parameters.file = make_dataset_file(raw.values, file);
      cell.where = where_of(raw.values, "dataset.file", file.path);
    } else {
      if (file.kind == "linear-manifold") {
        parameters.manifold = make_manifold(raw.values, file);
      } else if (file.kind == "hypersphere") {
        parameters.sphere = make_sphere(raw.values, file);
      } else {
        parameters.mixture = make_mixture(raw.values, file);
        parameters.representation = representation_of(get<std::string>(raw.values, "ensemble.representation", "auto"));
      }
      cell.where = where_of(raw.values, samples_key, file.path);
    }
    cell.identity = std::move(identity);
    sweep_.cells.push_back(std::move(cell));
  }

  void add_tasks() {
    for (std::size_t cell = 0; cell < sweep_.cells.size(); ++cell) {
      for (std::int64_t realization = 0; realization < sweep_.file.realizations; ++realization) {
        for (const MeasureRequest& request : sweep_.file.measures) {
          SweepTask task{.request = &request, .cell = cell, .realization = realization, .identity = {}, .counts = {}};
          if (identities_ == TaskIdentities::computed) {
            task.identity = task_identity(sweep_.cells[cell].identity, request.identity, realization);
          }
          task.counts = sweep_.cells[cell].parameters.samples;
          sweep_.tasks.push_back(std::move(task));
        }
      }
    }
  }

  Sweep& sweep_;
  TaskIdentities identities_;
  std::vector<std::string> keys_;
  std::map<std::string, std::size_t> cell_of_text_;
  std::map<std::pair<std::size_t, std::int64_t>, std::size_t> first_points_;
};

void check_precision(const SweepFile& file) {
  const std::string& precision = file.resources.precision;
  if (precision == "double") return;
  for (const MeasureRequest& request : file.measures) {
    const Measure& measure = *request.measure;
    if (precision == "mixed" ? measure.knows_mixed_precision() : measure.knows_single_precision()) continue;
    const bool other = precision == "mixed" ? measure.knows_single_precision() : measure.knows_mixed_precision();
    throw BadInput(fmt::format("{}: resources.precision = \"{}\": measure.{} needs \"double\"{}", file.path, precision,
                               measure.name(),
                               other ? (precision == "mixed" ? " or \"single\"" : " or \"mixed\"") : ""));
  }
}

TaskParameters parameters_of(const Sweep& sweep, std::size_t cell, const MeasureRequest& request,
                             std::int64_t realization) {
  TaskParameters parameters = sweep.cells[cell].parameters;
  parameters.realization = realization;
  parameters.options = request.options;
  parameters.words = request.words;
  parameters.lists = request.lists;
  return parameters;
}

/// The line of the key in the file, if it is not that of a [[point]].
std::string where_given(const SweepFile& file, std::string_view key, const std::string& otherwise) {
  const auto entry = std::ranges::find(file.entries, key, &SweepEntry::key);
  return entry == file.entries.end() ? otherwise : entry->where;
}

/// Asks every measure about every cell.
void check_measures(const Sweep& sweep) {
  for (std::size_t cell = 0; cell < sweep.cells.size(); ++cell) {
    for (const MeasureRequest& request : sweep.file.measures) {
      const TaskParameters parameters = parameters_of(sweep, cell, request, 0);
      const std::string& label = sweep.cells[cell].label;
      const std::string at = label.empty() ? "" : fmt::format(" (at {})", label);
      if (const RangeProblem problem = number_range_problem(parameters); problem.any()) {
        const std::string where = problem.key.starts_with("measure.")
                                      ? request.where_of(problem.text)
                                      : where_given(sweep.file, problem.key, sweep.file.path);
        throw BadInput(fmt::format("{}: {}{}", where, problem.text, at));
      }
      if (const std::string problem = request.measure->representation_problem(parameters); !problem.empty()) {
        throw BadInput(
            fmt::format("{}: {}{}", where_given(sweep.file, "ensemble.representation", request.where), problem, at));
      }
      const std::string problem = request.measure->problem(parameters);
      if (!problem.empty()) throw BadInput(fmt::format("{}: {}{}", request.where_of(problem), problem, at));
    }
  }
}

/// Everything that tells two data files apart.
std::string dataset_key(const DatasetFile& data) {
  std::string classes;
  for (const std::int64_t label : data.select_classes) classes += fmt::format("{},", label);
  const int transpose = !data.transpose ? -1 : *data.transpose ? 1 : 0;
  return fmt::format("{}\n{}\n{}\n{}\n{}\n{}\n{}\n{}", data.path, data.labels, classes, data.pad, data.shuffle,
                     static_cast<int>(data.scaling), data.seed, transpose);
}

DatasetSummary inspected(const GridCell& cell, const std::function<DatasetSummary(const DatasetFile&)>& inspect) {
  try {
    return inspect(*cell.parameters.file);
  } catch (const DatasetError& error) {
    throw BadInput(fmt::format("{}: {}", cell.where, error.what()));
  }
}

/// A point of a file without samples takes all rows.
void settle_samples(Sweep& sweep, GridPoint& point) {
  const std::int64_t rows = sweep.cells[point.cell].parameters.file_summary.rows;
  if (point.samples > 0) return;
  point.samples = rows;
  std::vector<std::int64_t>& samples = sweep.cells[point.cell].parameters.samples;
  const auto place = std::ranges::lower_bound(samples, rows);
  if (place == samples.end() || *place != rows) samples.insert(place, rows);
}

void check_samples(const GridCell& cell) {
  const DatasetFile& data = *cell.parameters.file;
  const std::int64_t rows = cell.parameters.file_summary.rows;
  const std::int64_t largest = cell.parameters.samples.back();
  if (largest <= rows) return;
  throw BadInput(fmt::format("{}: dataset.samples = {}: {} has {} rows{}", cell.where, largest, data.path, rows,
                             data.select_classes.empty() ? "" : " of the selected classes"));
}

/// The integer that a text is, none if it is not one.
}  // namespace

std::string AxisColumn::text(std::int64_t position) const {
  const auto i = static_cast<std::size_t>(position);
  if (!texts.empty()) return texts.at(i);
  return integers ? fmt::format("{:.0f}", numbers.at(i)) : canonical_text(SweepValue(numbers.at(i)));
}

TaskParameters Sweep::parameters(const SweepTask& task) const {
  return parameters_of(*this, task.cell, *task.request, task.realization);
}

std::string Sweep::label(const SweepTask& task) const {
  const std::string& varied = cells[task.cell].label;
  return fmt::format("{}{}{} realization {}", task.measure().name(), varied.empty() ? "" : " ", varied,
                     task.realization);
}

Sweep make_sweep(SweepFile file, TaskIdentities identities) {
  Sweep sweep(std::move(file));
  GridBuilder(sweep, identities).build();
  check_precision(sweep.file);
  if (sweep.file.kind != "file") check_measures(sweep);
  return sweep;
}

void attach_dataset_summaries(Sweep& sweep, const std::function<DatasetSummary(const DatasetFile&)>& inspect) {
  if (sweep.file.kind != "file") return;
  std::map<std::string, DatasetSummary> summaries;
  for (GridCell& cell : sweep.cells) {
    const std::string key = dataset_key(*cell.parameters.file);
    auto known = summaries.find(key);
    if (known == summaries.end()) known = summaries.emplace(key, inspected(cell, inspect)).first;
    cell.parameters.file_summary = known->second;
  }
  for (GridPoint& point : sweep.points) settle_samples(sweep, point);
  for (const GridCell& cell : sweep.cells) check_samples(cell);
  for (SweepTask& task : sweep.tasks) task.counts = sweep.cells[task.cell].parameters.samples;
  check_measures(sweep);
}

}  // namespace diffphase
