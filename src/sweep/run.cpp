#include "sweep/run.hpp"

#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "files/bad_input.hpp"
#include "files/process_identity.hpp"
#include "measure/declared_result.hpp"
#include "parallel/kernel_threads.hpp"
#include "parallel/mpi_environment.hpp"
#include "parallel/root_wait.hpp"
#include "parallel/stop_request.hpp"
#include "results/provenance.hpp"
#include "sweep/aggregate.hpp"
#include "sweep/former_results.hpp"
#include "sweep/group_tree.hpp"
#include "sweep/job_time.hpp"
#include "sweep/journal.hpp"
#include "sweep/pending_task.hpp"
#include "sweep/record_shapes.hpp"
#include "sweep/run_book.hpp"
#include "sweep/run_plan.hpp"
#include "sweep/scheduler.hpp"
#include "sweep/task_payload.hpp"

namespace diffphase {

namespace {

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

// The same for work that may wait for another start of the program, while the other ranks sleep: a stop that any rank
// is asked for ends the wait.
template <typename Work>
int on_waiting_root(const Communicator& world, StopRequest& stop, Work&& work) {
  return work_of_root(
      world, [&] { return stop.wanted(); },
      [&](const std::function<bool()>& stop_wanted) {
        try {
          work(stop_wanted);
        } catch (const LockWaitStopped& e) {
          print_result("diffphase: stopped ({}) {}; run the same command again to go on.\n",
                       stop.reason().empty() ? "a signal to another rank" : stop.reason(), e.what());
          return exit_stopped;
        } catch (const std::exception& e) {
          show_error(e.what());
          return exit_bad_input;
        }
        return exit_complete;
      });
}

// The kernel threads of every rank; one warning where they share processors.
void use_threads(const Communicator& world, std::int64_t threads) {
  set_kernel_threads(static_cast<int>(threads));
  std::int64_t processors = usable_processors();
  world.minimum(std::span(&processors, 1));
  if (!world.is_root() || threads == 1 || processors >= threads) return;
  show_warning(
      fmt::format("resources.threads = {}, but a rank is bound to {} processor{}: they take turns. Give it "
                  "more: srun --cpus-per-task={}, or mpirun --map-by slot:PE={}",
                  threads, processors, processors == 1 ? "" : "s", threads, threads));
}

// More ranks for each task than there are, all together.
void warn_of_groups(const Communicator& world, const Resources& resources) {
  if (!world.is_root() || resources.ranks_per_task <= world.size()) return;
  show_warning(fmt::format("resources.ranks_per_task = {}, but the run has {} rank{}: all of them share every task",
                           resources.ranks_per_task, world.size(), world.size() == 1 ? "" : "s"));
}

// Distributes the pending tasks. `book` is null on ranks other than 0.
RunSummary schedule(const Communicator& world, const GroupTree& tree, const Sweep& sweep,
                    const std::vector<PendingTask>& pending, StopRequest& stop, RunBook* book) {
  SchedulerHooks hooks;
  hooks.stop_wanted = [&] { return stop.wanted() || (book != nullptr && book->lost()); };
  if (book != nullptr) {
    hooks.begin = [&](std::size_t task, RankRange group) { book->begin(task, group); };
    // So that nothing but the task that ends the program is blamed for it.
    hooks.may_wait = [&](std::size_t task) { return !pending[task].suspect; };
    hooks.may_begin = [&](std::size_t task, RankRange group, bool waits) {
      const auto left = stop.seconds_left();
      return !left || book->fits(task, group, waits, *left);
    };
    hooks.end = [&](std::size_t task, const TaskReport& report) { book->end(task, report); };
    hooks.commit = [&] { book->commit(); };
    hooks.tick = [&] { book->tick(); };
    hooks.stall = [&](const Stall& stall) { book->report_stall(stall); };
    hooks.give_up = [&](const RunSummary& summary) {
      const int code = book->conclude(summary, stop.reason());
      std::fflush(stdout);
      book->free_lock();
      MpiEnvironment::abort("some ranks did not answer for a minute after the stop: ended without them",
                            code == exit_bad_input ? code : exit_stopped);
    };
    hooks.held = [&] { book->end_held(); };
  }
  std::vector<int> levels;
  levels.reserve(pending.size());
  for (const PendingTask& task : pending) levels.push_back(task.level);
  const std::vector<std::size_t> order = book != nullptr ? hand_out_order(pending) : std::vector<std::size_t>{};
  Scheduler scheduler(tree, std::move(hooks), steady_seconds, sweep.file.resources.watchdog);
  RunSummary summary = scheduler.run(levels, order, [&](std::size_t i, const TaskGroup& group) {
    const SweepTask& task = sweep.tasks[pending[i].index];
    const TaskParameters parameters = sweep.parameters(task);
    const MeasureResult measured = task.measure().run(parameters, pending[i].request, group);
    if (!group.comm().is_root()) return std::string();
    require_as_declared(task.measure(), parameters, pending[i].request, measured);
    return encode_result(measured, task.measure().variables(parameters));
  });
  world.barrier();
  return summary;
}

// Where SLURM does not say when the job ends, its early signal has to do.
void stop_with_job(StopRequest& stop) {
  if (const auto left = job_seconds_left()) {
    stop.end_after(stop_before_end(*left));
  } else {
    show_warning(
        "--stop-after auto: squeue does not say how much time this job has left; tasks may be begun that will not be "
        "finished in it");
  }
}

}  // namespace

int run_sweep(const Communicator& world, const RunOptions& options, const std::vector<const Measure*>& measures) {
  open_console(options.verbosity, world.is_root());
  StopRequest stop({.after_seconds = world.is_root() ? options.stop_after : std::nullopt, .file = {}});
  std::string text;
  std::string summary_bytes;
  DatasetSummaries summaries;
  RunPlan plan;
  const int code = on_root(world, [&] {
    text = read_sweep_text(options.sweep_file);
    plan = make_plan(options, text, summaries, measures);
    summary_bytes = encode_summaries(summaries);
    // Before what takes long: what is touched from now on is meant for this start.
    stop.watch(RunBook::folder_of(options, *plan.whole) / "stop");
    if (options.stop_with_job) stop_with_job(stop);
  });
  if (code != exit_complete) return code;

  world.broadcast(text);
  world.broadcast(summary_bytes);
  // The others parse the sweep while rank 0 reads the journals.
  if (!world.is_root()) {
    summaries = decode_summaries(summary_bytes);
    plan = make_plan(options, text, summaries, measures, TaskIdentities::left_out);
  }
  use_threads(world, plan.selected->file.resources.threads);
  warn_of_groups(world, plan.selected->file.resources);
  const ProcessIdentity self = this_process();
  std::vector<std::string> processes = world.gather(fmt::format("process {} on {}", self.pid, self.host));
  std::unique_ptr<RunBook> book;
  const auto open_book = [&](const std::function<bool()>& stop_wanted) {
    book = std::make_unique<RunBook>(options, plan, summaries, measures, std::move(processes), stop_wanted);
  };
  const int book_code = on_waiting_root(world, stop, open_book);
  if (book_code != exit_complete) return book_code;
  std::string marks = book ? book->stop_marks().string() : std::string();
  world.broadcast(marks);
  mark_stop_signals(marks, world.rank());
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

  const RunSummary summary = schedule(world, tree, *plan.selected, pending, stop, book.get());
  std::int64_t result = exit_complete;
  const int end_code = on_root(world, [&] {
    result = book->conclude(summary, stop.reason());
    std::fflush(stdout);
  });
  world.broadcast(std::span(&result, 1));
  return end_code != exit_complete ? end_code : static_cast<int>(result);
}

namespace {

// Writes the results of one sweep of a run folder into `file` of it; prints how much of it is there.
void collect_sweep(const std::filesystem::path& folder, const std::string& text, const std::string& file,
                   const std::string& command_line, const std::vector<const Measure*>& measures) {
  const WallTime start = std::chrono::system_clock::now();
  RunOptions options;
  options.sweep_file = (folder / "sweep.toml").string();
  JournalState journals = read_journals(folder);
  DatasetSummaries summaries = recorded_summaries(journals);
  const RunPlan plan = make_plan(options, text, summaries, measures);
  journals = JournalState(folder, journal_header(*plan.whole));
  const RecordShapes shapes(*plan.whole);
  journals.require([&shapes](const DoneRecord& record) { return shapes.problem(record); });
  Aggregator aggregator(*plan.whole);
  aggregator.predict_all();
  journals.refresh();  // a run may have gone on meanwhile: its results are not replaced by older ones
  std::size_t done = 0;
  for (const SweepTask& task : plan.whole->tasks) done += journals.task(task.identity).complete(task.counts) ? 1 : 0;
  ResultsFile results = aggregator.results(journals);
  add_provenance(results, {.command_line = command_line,
                           .sweep = plan.whole->file.effective_text,
                           .mpi_size = 1,
                           .start = start,
                           .end = std::chrono::system_clock::now()});
  if (const auto former =
          file == "results.h5" ? former_results(folder, journals, *plan.whole, measures) : std::nullopt) {
    show_warning(former->warning);
    keep_former(folder, *former);
  }
  write_results(folder / file, std::move(results));
  fmt::print("diffphase: {} of {} tasks collected into {}/{}{}\n", done, plan.whole->tasks.size(), folder.string(),
             file, done < plan.whole->tasks.size() ? "; run the sweep again to compute the rest." : ".");
}

// The sweeps that were run in a folder, by text, with the time of the last start of each.
std::map<std::string, std::string> sweeps_of(const std::filesystem::path& folder) {
  std::map<std::string, std::string> last_start;
  const JournalState journals = read_journals(folder);
  for (const auto& [stem, header] : journals.headers()) {
    last_start[header.sweep] = stem.substr(0, stem.find('-'));
  }
  return last_start;
}

}  // namespace

int collect_results(const std::filesystem::path& folder, bool all_sweeps, const std::string& command_line,
                    const std::vector<const Measure*>& measures) {
  open_console(Verbosity::normal, true);
  try {
    for (const std::string& warning : read_journals(folder).warnings()) show_warning(warning);
    if (!all_sweeps) {
      collect_sweep(folder, read_sweep_text((folder / "sweep.toml").string()), "results.h5", command_line, measures);
      return exit_complete;
    }
    const auto sweeps = sweeps_of(folder);
    if (sweeps.empty()) throw BadInput(folder.string() + ": no journal that could be read");
    for (const auto& [text, start] : sweeps) {
      collect_sweep(folder, text, fmt::format("results-{}.h5", start), command_line, measures);
    }
    return exit_complete;
  } catch (const std::exception& e) {
    show_error(e.what());
    return exit_bad_input;
  }
}

}  // namespace diffphase
