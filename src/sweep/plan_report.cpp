#include "sweep/plan_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <utility>

#include "sweep/placement.hpp"
#include "sweep/shell_word.hpp"
#include "sweep/text_table.hpp"

namespace diffphase {
namespace {

constexpr std::size_t most_points = 60;  // longer grids are shortened in the middle
constexpr std::size_t first_points = 30;
constexpr std::size_t last_points = 20;
constexpr std::size_t most_misfits = 10;
constexpr double mebibyte = 1024.0 * 1024.0;

// Batch line: what is asked for beyond the prediction.
constexpr double time_margin = 1.5;
constexpr double least_batch_seconds = 300.0;
constexpr double memory_margin = 1.25;
constexpr double program_mebibytes = 512.0;  // of the libraries and the queue
constexpr double copies_of_results = 3.0;    // on rank 0: as read, as placed on the axes, as written
constexpr double small_results = 64.0 * mebibyte;
constexpr double memory_step_mebibytes = 256.0;
constexpr int cores_per_node = 64;

constexpr int most_ranks = 1000000;
// Rank 0, or one task, is what keeps more ranks from helping where it takes this share of the time.
constexpr double limiting_share = 0.5;

std::string plural(std::size_t count, const std::string& noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

std::vector<std::string> axis_headings(const Sweep& sweep) {
  std::vector<std::string> headings;
  for (const Axis& axis : sweep.axes) {
    for (const AxisColumn& column : axis.columns) headings.push_back(column.name);
  }
  return headings;
}

std::vector<std::string> axis_cells(const Sweep& sweep, const GridPoint& point) {
  std::vector<std::string> cells;
  for (std::size_t a = 0; a < sweep.axes.size(); ++a) {
    for (const AxisColumn& column : sweep.axes[a].columns) cells.push_back(column.text(point.index[a]));
  }
  return cells;
}

// Calls `row` for the selected points that are shown, and `skip` with the first and the last of those that are not.
template <typename Row, typename Skip>
void for_shown_points(const Sweep& sweep, const Row& row, const Skip& skip) {
  std::vector<std::size_t> selected;
  for (std::size_t p = 0; p < sweep.points.size(); ++p) {
    if (sweep.points[p].selected) selected.push_back(p);
  }
  if (selected.size() <= most_points) {
    for (const std::size_t p : selected) row(p);
    return;
  }
  const std::size_t behind = selected.size() - last_points;
  for (std::size_t i = 0; i < first_points; ++i) row(selected[i]);
  skip(selected[first_points], selected[behind - 1], behind - first_points);
  for (std::size_t i = behind; i < selected.size(); ++i) row(selected[i]);
}

std::string skipped_text(std::size_t first, std::size_t last, std::size_t count) {
  return fmt::format("... {} more points, {} to {} ...", count, first, last);
}

std::size_t selected_points(const Sweep& sweep) {
  return static_cast<std::size_t>(
      std::count_if(sweep.points.begin(), sweep.points.end(), [](const GridPoint& point) { return point.selected; }));
}

std::string grid_text(const Sweep& sweep) {
  std::string text = fmt::format("Grid: {}", plural(sweep.points.size(), "point"));
  const std::size_t selected = selected_points(sweep);
  if (selected < sweep.points.size()) text += fmt::format(", {} selected", selected);
  text += fmt::format(", {} each\n", plural(static_cast<std::size_t>(sweep.file.realizations), "realization"));
  std::vector<std::string> headings = axis_headings(sweep);
  headings.insert(headings.begin(), "point");
  TextTable table(headings);
  const auto row = [&](std::size_t p) {
    std::vector<std::string> cells = axis_cells(sweep, sweep.points[p]);
    cells.insert(cells.begin(), std::to_string(p));
    table.add_row(std::move(cells));
  };
  for_shown_points(sweep, row, [&](std::size_t first, std::size_t last, std::size_t count) {
    table.add_line(skipped_text(first, last, count));
  });
  return text + table.text();
}

std::string tasks_text(const Sweep& sweep, const RunPrediction& run) {
  std::string text = fmt::format("\nTasks: {}\n", run.tasks);
  TextTable by_measure({"measure", "tasks"});
  for (const MeasureRequest& request : sweep.file.measures) {
    const auto count = std::count_if(sweep.tasks.begin(), sweep.tasks.end(),
                                     [&](const SweepTask& task) { return task.request == &request; });
    by_measure.add_row({std::string(request.measure->name()), std::to_string(count)});
  }
  text += by_measure.text();
  if (run.levels.empty()) return text;

  TextTable by_level({"groups", "ranks\nin each", "tasks", "memory\nper rank", "time, one\nafter another"});
  for (const PlannedLevel& level : run.levels) {
    by_level.add_row({std::to_string(level.groups), std::to_string(level.ranks), std::to_string(level.tasks),
                      bytes_text(level.bytes_per_rank), rounded_duration(level.seconds)});
  }
  return text + "\n" + by_level.text();
}

// Cut into lines of at most max_width.
std::string wrapped(const std::string& text, const std::string& indent) {
  std::string out;
  std::string line = indent;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t end = std::min(text.find(' ', at), text.size());
    const std::string word = text.substr(at, end - at);
    if (line.size() + word.size() > TextTable::max_width && line.size() > indent.size() + 2) {
      line.erase(line.find_last_not_of(' ') + 1);
      out += line + "\n";
      line = indent + "  ";
    }
    line += word + " ";
    at = end + 1;
  }
  line.erase(line.find_last_not_of(' ') + 1);
  return out + line + "\n";
}

std::string misfits_text(const RunPrediction& run) {
  if (run.misfits.empty()) return {};
  std::string text =
      fmt::format("\n{} on no group of ranks and will fail:\n",
                  run.misfits.size() == 1 ? "1 task fits" : fmt::format("{} tasks fit", run.misfits.size()));
  for (std::size_t i = 0; i < std::min(run.misfits.size(), most_misfits); ++i) text += wrapped(run.misfits[i], "  ");
  if (run.misfits.size() > most_misfits) text += fmt::format("  ... and {} more\n", run.misfits.size() - most_misfits);
  return text;
}

std::string command_of(const SweepFile& file) {
  std::string command = "jobs/sweep.sbatch " + shell_word(file.path);
  for (const std::string& assignment : file.overrides) command += " --set " + shell_word(assignment);
  return command;
}

// What a batch job is to ask for.
struct BatchRequest {
  std::int64_t nodes = 1;
  int ranks = 1;
  std::int64_t threads = 1;
  double seconds = 0.0;
  double mebibytes_per_core = 0.0;

  [[nodiscard]] std::string memory() const { return fmt::format("{:.0f}M", mebibytes_per_core); }
};

BatchRequest batch_request(const SweepFile& file, int ranks, const RunPrediction& run) {
  const std::int64_t threads = file.resources.threads;
  const std::int64_t on_node = std::max<std::int64_t>(1, cores_per_node / threads);
  // The ranks of a node share what is asked for all of them.
  const double of_results =
      copies_of_results * run.results_bytes / static_cast<double>(std::min<std::int64_t>(ranks, on_node));
  const double of_rank = (memory_margin * run.bytes_per_rank + of_results) / mebibyte + program_mebibytes;
  return {
      .nodes = (ranks + on_node - 1) / on_node,
      .ranks = ranks,
      .threads = threads,
      .seconds = std::max(std::ceil(time_margin * run.wall_seconds / 60.0) * 60.0, least_batch_seconds),
      .mebibytes_per_core =
          std::ceil(of_rank / (memory_step_mebibytes * static_cast<double>(threads))) * memory_step_mebibytes,
  };
}

std::string batch_line(const SweepFile& file, const BatchRequest& batch) {
  const std::string cpus = batch.threads > 1 ? fmt::format(" --cpus-per-task={}", batch.threads) : "";
  return fmt::format("sbatch --nodes={} --ntasks={}{} --time={} --mem-per-cpu={} {}", batch.nodes, batch.ranks, cpus,
                     clock_text(batch.seconds), batch.memory(), command_of(file));
}

std::string scaling_text(const ScalingLimit& limit) {
  if (limit.beyond) return fmt::format("on {} ranks and more", limit.ranks);
  const std::string reason = limit.root_load > limiting_share       ? "then rank 0 is busy with the queue"
                             : limit.longest_share > limiting_share ? "then all wait for the longest task"
                                                                    : "then there are too few tasks";
  return fmt::format("up to {} rank{}; {}", limit.ranks, limit.ranks == 1 ? "" : "s", reason);
}

constexpr std::size_t stacked_width = 12;

// A name over several lines, none longer than a number's column where its words allow.
std::string stacked(const std::string& name) {
  std::string out;
  std::size_t line = 0;
  std::size_t at = 0;
  while (at < name.size()) {
    const std::size_t end = std::min(name.find('_', at), name.size() - 1) + 1;  // keeps the underscore
    if (line > 0 && line + end - at > stacked_width) {
      out += '\n';
      line = 0;
    }
    out += name.substr(at, end - at);
    line += end - at;
    at = end;
  }
  return out;
}

// A prediction that is one number for each point, or for each place on dimensions of the measure's own (a block, a kind
// of probe), in the order of the results.
struct PredictedNumber {
  VariableSpec spec;
  std::vector<std::string> labels;  ///< one for each place, row-major; one empty one without dims
};

TaskParameters parameters_of(const Sweep& sweep, std::size_t cell, const MeasureRequest& request) {
  TaskParameters parameters = sweep.cells[cell].parameters;
  parameters.options = request.options;
  parameters.words = request.words;
  parameters.lists = request.lists;
  return parameters;
}

std::vector<std::string> coordinate_texts(const DimensionSpec& dimension) {
  std::vector<std::string> texts;
  std::visit(
      [&](const auto& values) {
        for (const auto& value : values) texts.push_back(fmt::format("{}", value));
      },
      dimension.coordinate);
  return texts;
}

// Curves and spectra are not shown: of the measure's own dimensions those without a unit of time whose lengths are few.
std::vector<PredictedNumber> predicted_numbers(const Measure& measure, const TaskParameters& parameters) {
  constexpr std::size_t most_places = 24;
  const std::vector<DimensionSpec> dimensions = measure.dimensions(parameters);
  std::vector<PredictedNumber> numbers;
  for (const VariableSpec& spec : measure.variables(parameters)) {
    if (!spec.prediction) continue;
    PredictedNumber number{.spec = spec, .labels = {""}};
    for (const std::string& dim : spec.dims) {
      const auto found = std::ranges::find(dimensions, dim, &DimensionSpec::name);
      if (found == dimensions.end() || found->units == "time") {
        number.labels.clear();
        break;
      }
      std::vector<std::string> longer;
      for (const std::string& begin : number.labels) {
        for (const std::string& text : coordinate_texts(*found)) {
          longer.push_back(begin.empty() ? text : fmt::format("{},{}", begin, text));
        }
      }
      number.labels = std::move(longer);
    }
    if (!number.labels.empty() && number.labels.size() <= most_places) numbers.push_back(std::move(number));
  }
  return numbers;
}

// A column of the tables: a variable, and a place on the measure's dimensions.
struct PredictionColumn {
  std::string name;
  std::string label;

  friend auto operator<=>(const PredictionColumn&,
                          const PredictionColumn&) = default;  // NOLINT(modernize-use-nullptr): its false alarm
};

// Of all cells: a column that only some have is there.
std::vector<PredictionColumn> prediction_columns(const Sweep& sweep) {
  std::vector<std::string> names;
  std::map<std::string, std::vector<std::string>> labels;
  for (std::size_t cell = 0; cell < sweep.cells.size(); ++cell) {
    for (const MeasureRequest& request : sweep.file.measures) {
      for (const PredictedNumber& number : predicted_numbers(*request.measure, parameters_of(sweep, cell, request))) {
        if (std::ranges::find(names, number.spec.name) == names.end()) names.push_back(number.spec.name);
        std::vector<std::string>& known = labels[number.spec.name];
        if (number.labels.size() > known.size()) known = number.labels;
      }
    }
  }
  std::vector<PredictionColumn> columns;
  for (const std::string& name : names) {
    for (const std::string& label : labels[name]) columns.push_back({name, label});
  }
  return columns;
}

// The numbers of one cell: for each of its sample counts, by column; one entry where nothing depends on the count.
class CellPredictions {
 public:
  CellPredictions(const Sweep& sweep, std::size_t cell) : counts_(sweep.cells[cell].parameters.samples) {
    for (const MeasureRequest& request : sweep.file.measures) {
      TaskParameters parameters = parameters_of(sweep, cell, request);
      const std::vector<PredictedNumber> numbers = predicted_numbers(*request.measure, parameters);
      if (numbers.empty()) continue;
      parameters.times.resize(1);  // curves are not shown
      for (const VariableValues& variable : request.measure->predict(parameters)) {
        const auto number =
            std::ranges::find_if(numbers, [&](const PredictedNumber& n) { return n.spec.name == variable.name; });
        if (number != numbers.end()) keep(*number, variable.values);
      }
    }
  }

  [[nodiscard]] double at(const PredictionColumn& column, std::int64_t samples) const {
    const auto found = values_.find(column);
    if (found == values_.end()) return std::numeric_limits<double>::quiet_NaN();
    const std::vector<double>& of_counts = found->second;
    const auto place = std::ranges::find(counts_, samples) - counts_.begin();
    return of_counts.size() == 1 ? of_counts.front() : of_counts.at(static_cast<std::size_t>(place));
  }

 private:
  void keep(const PredictedNumber& number, const std::vector<double>& values) {
    for (std::size_t i = 0; i < values.size(); ++i) {
      values_[{number.spec.name, number.labels[i % number.labels.size()]}].push_back(values[i]);
    }
  }

  std::vector<std::int64_t> counts_;
  std::map<PredictionColumn, std::vector<double>> values_;
};

std::string heading(const PredictionColumn& column) {
  return stacked(column.name) + (column.label.empty() ? "" : '\n' + column.label);
}

std::string number_text(double value) { return std::isnan(value) ? "-" : fmt::format("{:.5g}", value); }

}  // namespace

std::string clock_text(double seconds) {
  const auto whole = static_cast<std::int64_t>(std::ceil(seconds));
  return fmt::format("{:02}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
}

std::string rounded_duration(double seconds) {
  if (seconds < 1.0) return fmt::format("{:.0f} ms", seconds * 1e3);
  if (seconds < 120.0) return fmt::format("{:.{}f} s", seconds, seconds < 10.0 ? 1 : 0);
  if (seconds < 2.0 * 3600.0) return fmt::format("{:.0f} min", seconds / 60.0);
  if (seconds < 48.0 * 3600.0) return fmt::format("{:.1f} h", seconds / 3600.0);
  return fmt::format("{:.1f} days", seconds / 86400.0);
}

std::string plan_text(const Sweep& sweep, int ranks, const Calibration& machine) {
  const RunPredictor predictor(sweep, machine.rates, machine.queue);
  const RunPrediction run = predictor.predict(ranks);
  std::string text = fmt::format("Sweep {} ({})\n\n", sweep.file.name, sweep.file.path);
  text += grid_text(sweep);
  text += tasks_text(sweep, run);
  text += misfits_text(run);
  text += fmt::format("\nPredicted for {} {}:\n", ranks, ranks == 1 ? "rank" : "ranks");
  text += fmt::format("  floating-point work   {:.3g} in matrix products\n", run.flops);
  text += fmt::format("  exponentials          {:.3g}\n", run.exponentials);
  text += fmt::format("  random numbers        {:.3g}\n", run.normals);
  text += fmt::format("  memory per rank       {}, allowed: {}\n", bytes_text(run.bytes_per_rank),
                      bytes_text(static_cast<double>(sweep.file.resources.memory_per_rank)));
  if (run.results_bytes > small_results) {
    text += fmt::format("  results               {}, of which rank 0 holds {:.0f} copies\n",
                        bytes_text(run.results_bytes), copies_of_results);
  }
  text += fmt::format("  wall time             {}\n", rounded_duration(run.wall_seconds));
  text += fmt::format("  core-hours            {:.3g}\n", run.core_hours);
  text += fmt::format("  efficiency            {:.0f} %, rank 0 spends {:.3g} % of the time on the queue\n",
                      100.0 * run.efficiency, 100.0 * run.root_load);
  text += fmt::format("  efficiency over 1/2   {}\n", scaling_text(predictor.scaling_limit(most_ranks)));
  const std::int64_t threads = sweep.file.resources.threads;
  text += fmt::format("One {} of this machine does, in a second: {:.3g} floating-point operations,\n",
                      threads == 1 ? "rank" : "thread", machine.rates.flops);
  text += fmt::format("{:.3g} exponentials, {:.3g} random numbers; {:.3g} ms go into every task,\n",
                      machine.rates.exponentials, machine.rates.normals, 1e3 * machine.rates.task_overhead);
  text += fmt::format("{:.1f} us of rank 0 into the record of its result.\n", 1e6 * machine.queue.result_seconds);
  text += fmt::format("\nOn a cluster ({} cores on a node at most, {:g} times the predicted time):\n", cores_per_node,
                      time_margin);
  return text + "  " + batch_line(sweep.file, batch_request(sweep.file, ranks, run)) + "\n";
}

std::string plan_lines(const Sweep& sweep, int ranks, const Calibration& machine) {
  const RunPrediction run = RunPredictor(sweep, machine.rates, machine.queue).predict(ranks);
  const BatchRequest batch = batch_request(sweep.file, ranks, run);
  std::string text = fmt::format("points={}\ntasks={}\ntasks_that_do_not_fit={}\n", sweep.points.size(), run.tasks,
                                 run.misfits.size());
  text += fmt::format("ranks={}\nthreads={}\nnodes={}\n", batch.ranks, batch.threads, batch.nodes);
  text += fmt::format("bytes_per_rank={:.0f}\nwall_seconds={:.3f}\ncore_hours={:.6g}\n", run.bytes_per_rank,
                      run.wall_seconds, run.core_hours);
  text += fmt::format("batch_time={}\nbatch_memory_per_core={}\n", clock_text(batch.seconds), batch.memory());
  return text + fmt::format("folder=runs/{}\n", sweep.file.name);
}

std::string theory_text(const Sweep& sweep) {
  const std::vector<PredictionColumn> columns = prediction_columns(sweep);
  if (columns.empty()) return "No critical times are predicted for the measures of this sweep.\n";

  struct Row {
    std::vector<std::string> cells;
    std::vector<std::string> numbers;
    std::string line;
  };
  std::vector<Row> rows;
  std::map<std::size_t, CellPredictions> known;
  for_shown_points(
      sweep,
      [&](std::size_t p) {
        const GridPoint& point = sweep.points[p];
        auto found = known.find(point.cell);
        if (found == known.end()) found = known.try_emplace(point.cell, sweep, point.cell).first;
        Row row;
        row.cells = axis_cells(sweep, point);
        row.cells.insert(row.cells.begin(), std::to_string(p));
        for (const PredictionColumn& column : columns) {
          row.numbers.push_back(number_text(found->second.at(column, point.samples)));
        }
        rows.push_back(std::move(row));
      },
      [&](std::size_t first, std::size_t last, std::size_t count) {
        rows.push_back({{}, {}, skipped_text(first, last, count)});
      });

  const std::string units(sweep.file.process.time_units());
  std::string text = fmt::format("Sweep {}: predictions, times on the clock of {}{}\n", sweep.file.name,
                                 sweep.file.process.name(), units == "1" ? "" : fmt::format(" ({})", units));
  // As many numbers beside the point's values as fit, then the next table.
  std::vector<std::string> point_headings = axis_headings(sweep);
  point_headings.insert(point_headings.begin(), "point");
  std::size_t left = 0;
  for (std::size_t c = 0; c < point_headings.size(); ++c) {
    std::size_t width = point_headings[c].size();
    for (const Row& row : rows) width = std::max(width, c < row.cells.size() ? row.cells[c].size() : 0);
    left += TextTable::gap + width;
  }
  constexpr std::size_t column_width = TextTable::gap + stacked_width;
  const std::size_t together =
      left + column_width < TextTable::max_width ? (TextTable::max_width - left) / column_width : 2;
  for (std::size_t first = 0; first < columns.size(); first += together) {
    const std::size_t end = std::min(first + together, columns.size());
    std::vector<std::string> headings = point_headings;
    for (std::size_t s = first; s < end; ++s) headings.push_back(heading(columns[s]));
    TextTable table(headings);
    for (const Row& row : rows) {
      if (!row.line.empty()) {
        table.add_line(row.line);
        continue;
      }
      std::vector<std::string> cells = row.cells;
      for (std::size_t s = first; s < end; ++s) cells.push_back(row.numbers[s]);
      table.add_row(std::move(cells));
    }
    text += "\n" + table.text();
  }
  return text + "\n\"-\": no prediction is known, or the transition does not exist there.\n";
}

}  // namespace diffphase
