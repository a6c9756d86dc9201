#include "queue_bench.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string_view>
#include <thread>
#include <vector>

#include "files/posix_file.hpp"
#include "machine_rates.hpp"
#include "measure/measure.hpp"
#include "parallel/clock.hpp"
#include "parallel/mailbox.hpp"
#include "parallel/task_group.hpp"
#include "results/results_file.hpp"
#include "sweep/aggregate.hpp"
#include "sweep/group_tree.hpp"
#include "sweep/journal.hpp"
#include "sweep/queue_simulation.hpp"
#include "sweep/record_costs.hpp"
#include "sweep/run.hpp"
#include "sweep/run_files.hpp"
#include "sweep/run_plan.hpp"

namespace diffphase::bench {

namespace {

namespace fs = std::filesystem;

constexpr double between_agreements = 0.01;

// A measure of nothing: every task sleeps as long as it is told and returns zeros, one for each time of the grid.
class EmptyMeasure : public Measure {
 public:
  explicit EmptyMeasure(double seconds) : seconds_(seconds) {}

  [[nodiscard]] std::string_view name() const override { return "empty"; }
  [[nodiscard]] std::vector<MeasureOption> options() const override { return {}; }
  [[nodiscard]] std::string problem(const TaskParameters& /*task*/) const override { return {}; }
  [[nodiscard]] std::vector<VariableSpec> variables(const TaskParameters& /*task*/) const override {
    return {{.name = "nothing",
             .units = "1",
             .long_name = "nothing",
             .source = {},
             .per_sample = false,
             .prediction = false,
             .dims = {"time"}}};
  }
  [[nodiscard]] Cost cost(const TaskParameters& /*task*/, const TaskRequest& /*request*/) const override { return {}; }
  [[nodiscard]] MeasureResult run(const TaskParameters& task, const TaskRequest& /*request*/,
                                  const TaskGroup& group) const override {
    if (seconds_ > 0.0) sleep(group);
    MeasureResult result;
    if (group.comm().is_root()) result.variables = {{"nothing", std::vector<double>(task.times.size(), 0.0)}};
    return result;
  }
  [[nodiscard]] std::vector<VariableValues> predict(const TaskParameters& /*task*/) const override { return {}; }

 private:
  void sleep(const TaskGroup& group) const {
    const double end = steady_seconds() + seconds_;
    double left = seconds_;
    while (left > 0.0) {
      std::this_thread::sleep_for(std::chrono::duration<double>(std::min(left, between_agreements)));
      group.agree();
      left = end - steady_seconds();
    }
  }

  double seconds_;
};

std::string sweep_text(const QueueOptions& options) {
  std::string dimensions;
  for (std::int64_t i = 1; i <= options.points; ++i) dimensions += fmt::format("{}{}", i == 1 ? "" : ", ", i);
  return fmt::format(R"(name = "queue"
realizations = {}
[process]
kind = "variance-exploding"
time = {{ from = 1.0, to = {}.0, count = {}, spacing = "linear" }}
[ensemble]
kind = "gaussian-mixture"
dimension = [{}]
[measure]
empty = {{}}
)",
                     options.realizations, options.values, options.values, dimensions);
}

// A folder that every rank knows; rank 0 creates it and removes it at the end.
class ScratchFolder {
 public:
  ScratchFolder(const Communicator& world, const std::string& wanted) : world_(world), removed_(wanted.empty()) {
    std::string path = wanted;
    TaskGroup(world).run_guarded([&] {
      if (!world.is_root()) return;
      if (removed_) {
        path = (fs::temp_directory_path() / "diffphase-queue-XXXXXX").string();
        if (::mkdtemp(path.data()) == nullptr) throw std::runtime_error("no temporary folder could be made");
      }
      ensure_directory(path);
    });
    world.broadcast(path);
    path_ = path;
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  ~ScratchFolder() {
    std::error_code ignored;
    if (removed_ && world_.is_root()) fs::remove_all(path_, ignored);
  }

  [[nodiscard]] const fs::path& path() const { return path_; }

 private:
  const Communicator& world_;
  bool removed_;
  fs::path path_;
};

// Processor seconds of rank 0 for one letter: half of them came from the last rank, half go there.
double measure_messages(const Communicator& world) {
  Mailbox mailbox(world.duplicate());
  const std::string letter(100, 'x');
  const int last = world.size() - 1;
  double seconds = 0.0;
  constexpr int rounds = 100;
  constexpr int at_once = 200;
  for (int round = 0; round < rounds; ++round) {
    if (world.rank() == last) {
      for (int i = 0; i < at_once; ++i) mailbox.post(0, letter);
      if (last > 0) mailbox.flush();
    }
    world.barrier();
    int left = world.is_root() ? at_once : 0;
    const double start = processor_seconds();
    while (left > 0) left -= mailbox.collect() ? 1 : 0;
    for (int i = 0; world.is_root() && i < at_once; ++i) mailbox.post(last, letter);
    if (world.is_root()) seconds += processor_seconds() - start;
    left = world.rank() == last ? at_once : 0;
    while (left > 0) left -= mailbox.collect() ? 1 : 0;
    mailbox.flush();
  }
  return seconds / (2.0 * rounds * at_once);
}

// Only rank 0's return value counts.
QueueCosts measure_queue_costs(const Communicator& world, const fs::path& folder, ReportLine& line) {
  QueueCosts costs;
  const double message_seconds = measure_messages(world);
  constexpr int batches = 100;
  TaskGroup(world).run_guarded([&] {
    if (world.is_root()) costs = measure_record_costs(folder, batches);
  });
  costs.message_seconds = message_seconds;
  line.add("message_seconds", costs.message_seconds);
  line.add("begin_seconds", costs.begin_seconds);
  line.add("result_seconds", costs.result_seconds);
  line.add("result_byte_seconds", costs.result_byte_seconds);
  line.add("write_seconds", costs.write_seconds);
  return costs;
}

double file_bytes(const fs::path& folder) {
  double bytes = 0.0;
  for (const auto& entry : fs::directory_iterator(folder)) bytes += static_cast<double>(entry.file_size());
  return bytes;
}

// On a machine that does other things too, a process's own seconds tell more than the clock.
struct Spent {
  double seconds = 0.0;
  double processor_seconds = 0.0;
};

class Stopwatch {
 public:
  [[nodiscard]] Spent spent() const {
    return {steady_seconds() - start_.seconds, processor_seconds() - start_.processor_seconds};
  }

 private:
  Spent start_{steady_seconds(), processor_seconds()};
};

void add(ReportLine& line, const std::string& name, const Spent& spent) {
  line.add(name + "_seconds", spent.seconds);
  line.add(name + "_processor_seconds", spent.processor_seconds);
}

// The whole program but for its start.
Spent timed_run(const Communicator& world, const RunOptions& options, const std::vector<const Measure*>& measures) {
  world.barrier();
  const Stopwatch watch;
  if (run_sweep(world, options, measures) != exit_complete) throw std::runtime_error("the run did not complete");
  world.barrier();
  return watch.spent();
}

// The parts of a start over a complete journal, one after the other, on rank 0.
void measure_parts(const RunOptions& options, const std::vector<const Measure*>& measures, ReportLine& line) {
  const Stopwatch grid;
  DatasetSummaries summaries;
  const RunPlan plan = make_plan(options, read_sweep_text(options.sweep_file), summaries, measures);
  add(line, "grid", grid.spent());
  const Stopwatch reading;
  const JournalState journals = read_journals(options.folder, journal_header(*plan.whole));
  add(line, "journal_read", reading.spent());
  const Stopwatch writing;
  Aggregator aggregator(*plan.whole);
  write_results(options.folder / "again.h5", aggregator.results(journals));
  add(line, "results", writing.spent());
}

// What `diffphase plan` says of these tasks, from the first hand-out to the last result.
void predict(const Communicator& world, const QueueOptions& options, QueueCosts costs, double bytes, ReportLine& line) {
  const TreeShape shape(world.size());
  const std::vector<AlikeTasks> tasks{{.level = shape.levels() - 1,
                                       .count = static_cast<std::size_t>(options.points * options.realizations),
                                       .work_seconds = 0.0,
                                       .fixed_seconds = options.task_seconds,
                                       .result_bytes = bytes}};
  costs.agreement_seconds = between_agreements;
  const QueueForecast forecast = simulate_queue(shape, tasks, costs);
  line.add("predicted_seconds", forecast.seconds);
  line.add("predicted_root_load", forecast.root_load());
}

}  // namespace

void measure_queue(const Communicator& world, const QueueOptions& options, ReportLine& line) {
  const EmptyMeasure empty(options.task_seconds);
  const std::vector<const Measure*> measures{&empty};
  const ScratchFolder scratch(world, options.folder);
  RunOptions run;
  run.sweep_file = (scratch.path() / "queue.toml").string();
  run.folder = scratch.path() / "run";
  run.verbosity = Verbosity::quiet;
  run.command_line = "diffphase_bench queue";
  TaskGroup(world).run_guarded([&] {
    if (world.is_root()) replace_file(run.sweep_file, sweep_text(options));
  });
  const auto tasks = static_cast<double>(options.points * options.realizations);
  const double before = peak_memory();
  const Spent first = timed_run(world, run, measures);
  const double after = peak_memory();
  const Spent again = timed_run(world, run, measures);
  line.add("points", options.points);
  line.add("realizations", options.realizations);
  line.add("values", options.values);
  line.add("task_seconds", options.task_seconds);
  add(line, "run", first);
  line.add("tasks_per_second", tasks / first.seconds);
  add(line, "resume", again);
  line.add("scheduled_seconds", first.seconds - again.seconds);
  const QueueCosts costs = measure_queue_costs(world, scratch.path(), line);
  TaskGroup(world).run_guarded([&] {
    if (!world.is_root()) return;
    measure_parts(run, measures, line);
    const double bytes = file_bytes(journal_folder(run.folder)) / tasks;
    line.add("journal_bytes_per_task", bytes);
    predict(world, options, costs, bytes, line);
  });
  constexpr double mebibyte = 1048576.0;
  line.add("memory_before_mib", before / mebibyte);
  line.add("memory_after_mib", after / mebibyte);
  line.add("memory_bytes_per_task", (after - before) / tasks);
}

}  // namespace diffphase::bench
