#include "sweep/run.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <map>
#include <memory>
#include <numeric>
#include <set>

#include "files/bad_input.hpp"
#include "files/bounded_archive.hpp"
#include "files/posix_file.hpp"
#include "parallel/stop_request.hpp"
#include "results/provenance.hpp"
#include "sweep/aggregate.hpp"
#include "sweep/attempt_log.hpp"
#include "sweep/cost_model.hpp"
#include "sweep/grid.hpp"
#include "sweep/group_tree.hpp"
#include "sweep/journal.hpp"
#include "sweep/placement.hpp"
#include "sweep/progress.hpp"
#include "sweep/run_lock.hpp"
#include "sweep/scheduler.hpp"
#include "sweep/task_payload.hpp"

namespace diffphase {

namespace {

// A sweep parsed twice: whole, for the results, and with what this start was told to do.
struct Plan {
  Sweep whole;
  Sweep selected;
};

using Summaries = std::map<std::string, DatasetSummary>;

// Key of a data file among the summaries: everything that changes what inspect_dataset sees.
std::string summary_key(const DatasetFile& file) {
  std::string key = fmt::format("{}\n{}\n{}\n{}", file.path, file.labels, file.pad, static_cast<int>(file.scaling));
  for (const std::int64_t label : file.select_classes) key += "," + std::to_string(label);
  return key;
}

Plan make_plan(const RunOptions& options, const std::string& text, Summaries& summaries,
               const std::vector<const Measure*>& measures) {
  const auto inspect = [&](const DatasetFile& file) {
    const auto [place, is_new] = summaries.try_emplace(summary_key(file));
    if (is_new) place->second = inspect_dataset(file);
    return place->second;
  };
  const auto parse = [&] {
    Sweep sweep = make_sweep(parse_sweep_text(text, options.sweep_file, options.overrides, measures));
    attach_dataset_summaries(sweep, inspect);
    return sweep;
  };
  Plan plan{parse(), parse()};
  if (!options.points.empty()) select_points(plan.selected, options.points);
  if (!options.shard.empty()) select_shard(plan.selected, options.shard);
  return plan;
}

Shard shard_of(const RunOptions& options) {
  Shard shard;
  if (!options.shard.empty() && std::sscanf(options.shard.c_str(), "%d/%d", &shard.index, &shard.count) != 2) {
    throw BadInput("--shard " + options.shard + ": expected I/M");
  }
  return shard;
}

std::string encode_summaries(const Summaries& summaries) {
  ArchiveWriter archive;
  archive.count(summaries.size());
  for (const auto& [key, s] : summaries) {
    archive.text(key);
    archive.integer(s.rows);
    archive.integer(s.dimension);
    archive.integers(s.class_sizes);
    archive.real(s.mean);
    archive.real(s.standard_deviation);
  }
  const auto bytes = archive.bytes();
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

Summaries decode_summaries(const std::string& bytes) {
  ArchiveReader archive(std::as_bytes(std::span(bytes)));
  Summaries summaries;
  for (std::size_t left = archive.count(8); left > 0; --left) {
    const std::string key = archive.text();
    DatasetSummary& s = summaries[key];
    s.rows = archive.integer();
    s.dimension = archive.integer();
    s.class_sizes = archive.integers();
    s.mean = archive.real();
    s.standard_deviation = archive.real();
  }
  return summaries;
}

// One task that this start computes.
struct PendingTask {
  std::size_t index = 0;  // in Plan::selected.tasks
  TaskRequest request;
  int level = 0;
  double operations = 0.0;
  std::int64_t attempt = 1;
};

std::string encode_pending(const std::vector<PendingTask>& tasks) {
  ArchiveWriter archive;
  archive.count(tasks.size());
  for (const PendingTask& task : tasks) {
    archive.word(task.index);
    archive.integers(task.request.counts);
    archive.boolean(task.request.count_free);
    archive.integer(task.level);
  }
  const auto bytes = archive.bytes();
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::vector<PendingTask> decode_pending(const std::string& bytes) {
  ArchiveReader archive(std::as_bytes(std::span(bytes)));
  std::vector<PendingTask> tasks;
  for (std::size_t left = archive.count(8); left > 0; --left) {
    PendingTask task;
    task.index = archive.word();
    task.request.counts = archive.integers();
    task.request.count_free = archive.boolean();
    task.level = static_cast<int>(archive.integer());
    tasks.push_back(std::move(task));
  }
  return tasks;
}

// Runs `work` on rank 0; what it throws becomes an exit code on every rank, with one message.
template <typename Work>
int on_root(const Communicator& world, Work&& work) {
  std::int64_t code = exit_complete;
  if (world.is_root()) {
    try {
      work();
    } catch (const std::exception& e) {
      show_error(e.what());
      code = exit_bad_input;
    }
  }
  world.broadcast(std::span(&code, 1));
  return static_cast<int>(code);
}

// What rank 0 does between the first look at the journals and the last line of output.
class RunBook {
 public:
  RunBook(const RunOptions& options, Plan plan, std::int64_t ranks)
      : options_(options),
        plan_(std::move(plan)),
        ranks_(ranks),
        folder_(options.folder.empty() ? std::filesystem::path("runs") / plan_.whole.file.name : options.folder),
        shard_(shard_of(options)),
        start_(std::chrono::system_clock::now()) {
    ensure_directory(folder_);
    lock_ = std::make_unique<RunLock>(folder_, shard_);
    const JournalHeader header{.seed = plan_.whole.file.seed,
                               .numerics_version = numerics_version,
                               .program_version = program_version(),
                               .sweep = plan_.whole.file.effective_text};
    journals_ = std::make_unique<JournalState>(folder_, header);
    journals_->refresh();
    for (const std::string& warning : journals_->warnings()) show_warning(warning);
    replace_file(folder_ / "sweep.toml", plan_.whole.file.effective_text);
    const std::string stem = start_stem(start_, shard_, this_process());
    journal_ = std::make_unique<Journal>(folder_, stem, header);
    log_ = std::make_unique<AttemptLog>(folder_, stem);
    aggregator_ = std::make_unique<Aggregator>(plan_.whole);
  }

  [[nodiscard]] const std::filesystem::path& folder() const { return folder_; }

  // Decides what is left to do and where; tasks that fit nowhere are recorded as failed.
  std::vector<PendingTask> find_pending(const TreeShape& shape) {
    const Resources& resources = plan_.selected.file.resources;
    const PlacementRules rules{.memory_per_rank = static_cast<double>(resources.memory_per_rank),
                               .ranks_per_task = static_cast<int>(resources.ranks_per_task)};
    for (std::size_t i = 0; i < plan_.selected.tasks.size(); ++i) {
      const SweepTask& task = plan_.selected.tasks[i];
      const TaskHistory& history = journals_->task(task.identity);
      if (history.complete(task.counts)) {
        ++already_done_;
        continue;
      }
      if (history.exhausted(resources.max_attempts) && !options_.retry_failed) {
        failed_.insert(i);
        continue;
      }
      PendingTask next{.index = i, .request = history.missing(task.counts), .attempt = history.attempt_count() + 1};
      const Cost cost = task.measure().cost(plan_.selected.parameters(task), next.request);
      const Placement placement = place(task_load(cost), shape, rules);
      if (!placement.problem.empty()) {
        record_failure(i, placement.problem);
        continue;
      }
      next.level = placement.level;
      next.operations = task_load(cost).operations;
      pending_.push_back(std::move(next));
    }
    double work = 0.0;
    for (const PendingTask& task : pending_) work += task.operations;
    const bool terminal = isatty(STDERR_FILENO) != 0 && options_.verbosity != Verbosity::quiet;
    Progress::Sink sink{.terminal = terminal, .write = {}};
    if (options_.verbosity != Verbosity::quiet) {
      sink.write = [terminal](const std::string& text) {
        if (terminal) {
          std::fputs(text.c_str(), stderr);
        } else {
          show_info(text.substr(0, text.size() - 1));
        }
      };
    }
    progress_ = std::make_unique<Progress>(pending_.size(), work, std::move(sink));
    show_info(fmt::format("{}: {} tasks, {} done before, {} to do on {} ranks, {} failed before; folder {}",
                          plan_.whole.file.name, plan_.selected.tasks.size(), already_done_, pending_.size(), ranks_,
                          failed_.size(), folder_.string()));
    return pending_;
  }

  [[nodiscard]] std::vector<std::size_t> order() const {
    std::vector<std::size_t> order(pending_.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return pending_[a].operations > pending_[b].operations; });
    return order;
  }

  void begin(std::size_t i, int ranks) {
    journal_->begin({.identity = task(i).identity,
                     .attempt = pending_[i].attempt,
                     .ranks = ranks,
                     .time = unix_seconds(std::chrono::system_clock::now())});
    show_detail("begin " + plan_.selected.label(task(i)));
  }

  void end(std::size_t i, const TaskReport& report) {
    TaskReport told = report;
    std::vector<std::string> warnings;
    if (told.outcome == Outcome::done) {
      try {
        const MeasureResult result = decode_result(report.payload);
        warnings = result.warnings;
        journal_->done(done_record(i, result, report));
      } catch (const ArchiveError& e) {
        told.outcome = Outcome::failed;
        told.message = std::string("the result could not be read: ") + e.what();
      }
    }
    if (told.outcome == Outcome::failed) {
      journal_->failed(
          {.identity = task(i).identity, .message = told.message, .seconds = told.seconds, .ranks = told.ranks});
      failed_.insert(pending_[i].index);
      show_warning(fmt::format("{} failed: {}", plan_.selected.label(task(i)), told.message));
    }
    if (told.outcome == Outcome::abandoned) journal_->abandoned({.identity = task(i).identity});
    for (const std::string& warning : warnings) {
      if (warned_.insert(warning).second) show_warning(plan_.selected.label(task(i)) + ": " + warning);
    }
    if (told.outcome != Outcome::abandoned) {
      progress_->task_ended(told.outcome == Outcome::failed, pending_[i].operations);
    }
    log_->write({.label = plan_.selected.label(task(i)),
                 .identity = task(i).identity,
                 .measure = std::string(task(i).measure().name()),
                 .outcome = outcome_name(told.outcome),
                 .seconds = told.seconds,
                 .ranks = told.ranks,
                 .attempt = pending_[i].attempt,
                 .message = told.message,
                 .warnings = warnings});
  }

  void tick() {
    progress_->tick();
    journal_->poll();
    if (!lock_->beat()) lock_lost_ = true;
    const auto now = std::chrono::steady_clock::now();
    if (shard_.count == 1 && now >= next_results_) {
      const auto before = std::chrono::steady_clock::now();
      write_results_file();
      const auto took = std::chrono::steady_clock::now() - before;
      next_results_ = std::chrono::steady_clock::now() +
                      std::max<std::chrono::steady_clock::duration>(std::chrono::seconds(60), 50 * took);
    }
  }

  [[nodiscard]] bool lock_lost() const { return lock_lost_; }

  void write_results_file() {
    journal_->sync();
    journals_->refresh();
    ResultsFile results = aggregator_->results(*journals_);
    add_provenance(results, {.command_line = options_.command_line,
                             .sweep = plan_.whole.file.effective_text,
                             .mpi_size = ranks_,
                             .start = start_,
                             .end = std::chrono::system_clock::now()});
    write_results(folder_ / "results.h5", results);
  }

  // Prints what happened and what to do next; returns the exit code.
  int conclude(const RunSummary& summary, const std::string& stop_reason) {
    progress_->finish();
    const bool whole = shard_.count == 1;
    if (whole) write_results_file();
    journal_->close();
    const std::string folder = folder_.string();
    if (!summary.error.empty()) {
      fmt::print("diffphase: {}\nEverything finished so far is in {}; mend the cause and run the same command again.\n",
                 summary.error, folder);
      return exit_bad_input;
    }
    if (summary.stopped()) {
      fmt::print("diffphase: stopped ({}) with {} of {} tasks left; run the same command again to go on.\n",
                 stop_reason.empty() ? "asked to" : stop_reason, summary.abandoned + summary.not_begun,
                 pending_.size());
      return exit_stopped;
    }
    if (!failed_.empty()) {
      for (const std::size_t i : failed_) fmt::print("failed: {}\n", failure_text(plan_.selected.tasks[i]));
      fmt::print("diffphase: {} tasks failed, the rest is in {}; `--retry-failed` tries them again.\n", failed_.size(),
                 folder);
      return exit_failed_tasks;
    }
    if (!whole) {
      fmt::print("diffphase: shard {} is complete; when all are, run `diffphase collect {}`.\n", shard_.name(), folder);
    } else {
      fmt::print("diffphase: complete; {}/results.h5 holds everything, `python3 -m analysis report {}` draws it.\n",
                 folder, folder);
    }
    return exit_complete;
  }

 private:
  [[nodiscard]] const SweepTask& task(std::size_t i) const { return plan_.selected.tasks[pending_[i].index]; }

  static std::string outcome_name(Outcome outcome) {
    return outcome == Outcome::done ? "done" : outcome == Outcome::failed ? "failed" : "abandoned";
  }

  DoneRecord done_record(std::size_t i, const MeasureResult& result, const TaskReport& report) {
    std::set<std::string> per_sample;
    for (const VariableSpec& spec : task(i).measure().variables(plan_.selected.parameters(task(i)))) {
      if (spec.per_sample) per_sample.insert(spec.name);
    }
    DoneRecord record{.identity = task(i).identity,
                      .counts = pending_[i].request.counts,
                      .count_free = pending_[i].request.count_free,
                      .variables = {},
                      .warnings = result.warnings,
                      .seconds = report.seconds,
                      .ranks = report.ranks};
    for (const VariableValues& variable : result.variables) {
      record.variables.push_back({variable.name, per_sample.count(variable.name) > 0, variable.values});
    }
    return record;
  }

  void record_failure(std::size_t index, const std::string& message) {
    const SweepTask& failing = plan_.selected.tasks[index];
    journal_->begin({.identity = failing.identity,
                     .attempt = 1,
                     .ranks = ranks_,
                     .time = unix_seconds(std::chrono::system_clock::now())});
    journal_->failed({.identity = failing.identity, .message = message, .seconds = 0.0, .ranks = ranks_});
    failed_.insert(index);
    show_warning(plan_.selected.label(failing) + ": " + message);
  }

  std::string failure_text(const SweepTask& failing) {
    journals_->refresh();
    const auto failures = journals_->task(failing.identity).failures();
    return plan_.selected.label(failing) + ": " + (failures.empty() ? "no message" : failures.back());
  }

  const RunOptions& options_;
  Plan plan_;
  std::int64_t ranks_;
  std::filesystem::path folder_;
  Shard shard_;
  WallTime start_;
  std::unique_ptr<RunLock> lock_;
  std::unique_ptr<JournalState> journals_;
  std::unique_ptr<Journal> journal_;
  std::unique_ptr<AttemptLog> log_;
  std::unique_ptr<Aggregator> aggregator_;
  std::unique_ptr<Progress> progress_;
  std::vector<PendingTask> pending_;
  std::set<std::size_t> failed_;
  std::set<std::string> warned_;
  std::size_t already_done_ = 0;
  bool lock_lost_ = false;
  std::chrono::steady_clock::time_point next_results_ = std::chrono::steady_clock::now() + std::chrono::seconds(60);
};

// Distributes the pending tasks. `book` is null on ranks other than 0.
RunSummary schedule(const Communicator& world, const GroupTree& tree, const RunOptions& options, const Sweep& sweep,
                    const std::vector<PendingTask>& pending, RunBook* book, std::string& stop_reason) {
  StopRequest::Settings settings;
  if (book != nullptr) {
    settings.after_seconds = options.stop_after;
    settings.file = book->folder() / "stop";
  }
  StopRequest stop(std::move(settings));
  SchedulerHooks hooks;
  hooks.stop_wanted = [&] { return stop.wanted() || (book != nullptr && book->lock_lost()); };
  if (book != nullptr) {
    hooks.begin = [&](std::size_t task, int ranks) { book->begin(task, ranks); };
    hooks.end = [&](std::size_t task, const TaskReport& report) { book->end(task, report); };
    hooks.tick = [&] { book->tick(); };
  }
  std::vector<int> levels;
  for (const PendingTask& task : pending) levels.push_back(task.level);
  const std::vector<std::size_t> order = book != nullptr ? book->order() : std::vector<std::size_t>{};
  Scheduler scheduler(tree, std::move(hooks));
  const RunSummary summary = scheduler.run(levels, order, [&](std::size_t i, const TaskGroup& group) {
    const SweepTask& task = sweep.tasks[pending[i].index];
    return encode_result(task.measure().run(sweep.parameters(task), pending[i].request, group));
  });
  world.barrier();
  stop_reason = book != nullptr && book->lock_lost() ? "the lock of the folder was taken over" : stop.reason();
  return summary;
}

}  // namespace

int run_sweep(const Communicator& world, const RunOptions& options, const std::vector<const Measure*>& measures) {
  open_console(options.verbosity, world.is_root());
  std::string text;
  std::string summary_bytes;
  std::unique_ptr<RunBook> book;
  Summaries summaries;
  const int code = on_root(world, [&] {
    text = read_sweep_text(options.sweep_file);
    Plan plan = make_plan(options, text, summaries, measures);
    summary_bytes = encode_summaries(summaries);
    book = std::make_unique<RunBook>(options, std::move(plan), world.size());
  });
  if (code != exit_complete) return code;

  world.broadcast(text);
  world.broadcast(summary_bytes);
  summaries = decode_summaries(summary_bytes);
  const Plan plan = make_plan(options, text, summaries, measures);
  const GroupTree tree(world);
  std::vector<PendingTask> pending;
  std::string pending_bytes;
  const int pending_code = on_root(world, [&] {
    pending = book->find_pending(tree.shape());
    pending_bytes = encode_pending(pending);
  });
  if (pending_code != exit_complete) return pending_code;
  world.broadcast(pending_bytes);
  if (!world.is_root()) pending = decode_pending(pending_bytes);

  std::string stop_reason;
  const RunSummary summary = schedule(world, tree, options, plan.selected, pending, book.get(), stop_reason);
  std::int64_t result = exit_complete;
  const int end_code = on_root(world, [&] {
    result = book->conclude(summary, stop_reason);
    std::fflush(stdout);
  });
  world.broadcast(std::span(&result, 1));
  return end_code != exit_complete ? end_code : static_cast<int>(result);
}

int collect_results(const std::filesystem::path& folder, const std::string& command_line,
                    const std::vector<const Measure*>& measures) {
  open_console(Verbosity::normal, true);
  try {
    const WallTime start = std::chrono::system_clock::now();
    const std::string path = (folder / "sweep.toml").string();
    RunOptions options;
    options.sweep_file = path;
    Summaries summaries;
    const Plan plan = make_plan(options, read_sweep_text(path), summaries, measures);
    const JournalHeader header{.seed = plan.whole.file.seed,
                               .numerics_version = numerics_version,
                               .program_version = program_version(),
                               .sweep = plan.whole.file.effective_text};
    const JournalState journals = read_journals(folder, header);
    for (const std::string& warning : journals.warnings()) show_warning(warning);
    std::size_t done = 0;
    for (const SweepTask& task : plan.whole.tasks) done += journals.task(task.identity).complete(task.counts) ? 1 : 0;
    ResultsFile results = Aggregator(plan.whole).results(journals);
    add_provenance(results, {.command_line = command_line,
                             .sweep = plan.whole.file.effective_text,
                             .mpi_size = 1,
                             .start = start,
                             .end = std::chrono::system_clock::now()});
    write_results(folder / "results.h5", results);
    fmt::print("diffphase: {} of {} tasks collected into {}/results.h5{}\n", done, plan.whole.tasks.size(),
               folder.string(), done < plan.whole.tasks.size() ? "; run the sweep again to compute the rest." : ".");
    return exit_complete;
  } catch (const std::exception& e) {
    show_error(e.what());
    return exit_bad_input;
  }
}

}  // namespace diffphase
