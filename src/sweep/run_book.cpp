#include "sweep/run_book.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <limits>
#include <utility>

#include "files/process_identity.hpp"
#include "results/provenance.hpp"
#include "sweep/console.hpp"
#include "sweep/cost_model.hpp"
#include "sweep/data_files.hpp"
#include "sweep/live_journals.hpp"
#include "sweep/placement.hpp"
#include "sweep/plan_report.hpp"
#include "sweep/record_shapes.hpp"
#include "sweep/result_size.hpp"
#include "sweep/shell_word.hpp"
#include "sweep/stop_marks.hpp"

namespace diffphase {

namespace {

// Results are replaced this often, and less often where writing them takes long.
constexpr std::chrono::seconds results_interval{60};
constexpr int results_share = 50;
constexpr std::chrono::seconds journal_look_interval{1};
constexpr double seconds_of_predictions_in_a_tick = 0.2;  // ranks wait meanwhile
constexpr double seconds_of_predictions_at_the_end = 2.0;

std::string outcome_name(Outcome outcome) {
  switch (outcome) {
    case Outcome::done:
      return "done";
    case Outcome::failed:
      return "failed";
    default:
      return "abandoned";
  }
}

// "rank 2 (process 4242 on node17)", "ranks 2 to 3 (...; ...)"; of a large group only the first.
std::string ranks_text(RankRange group, const std::vector<std::string>& processes) {
  constexpr int most = 8;
  const int shown = std::min(group.size, most);
  const auto first = processes.begin() + group.first;
  std::string text = group.size == 1 ? fmt::format("rank {}", group.first)
                                     : fmt::format("ranks {} to {}", group.first, group.first + group.size - 1);
  text += fmt::format(" ({}", fmt::join(first, first + shown, "; "));
  if (shown < group.size) text += fmt::format("; {} more", group.size - shown);
  return text + ")";
}

class FlagWhileAlive {
 public:
  explicit FlagWhileAlive(std::atomic<bool>& flag) : flag_(flag) { flag_ = true; }
  FlagWhileAlive(const FlagWhileAlive&) = delete;
  FlagWhileAlive& operator=(const FlagWhileAlive&) = delete;
  ~FlagWhileAlive() { flag_ = false; }

 private:
  std::atomic<bool>& flag_;
};

// What readers of a run folder need: the mean of every column is as long as a row.
DatasetSummaries without_columns(DatasetSummaries summaries) {
  for (auto& [file, summary] : summaries) summary.column_means.reset();
  return summaries;
}

double now_seconds() { return unix_seconds(std::chrono::system_clock::now()); }

}  // namespace

std::filesystem::path RunBook::folder_of(const RunOptions& options, const Sweep& whole) {
  return options.folder.empty() ? std::filesystem::path("runs") / whole.file.name : options.folder;
}

RunBook::RunBook(const RunOptions& options, RunPlan plan, const DatasetSummaries& summaries,
                 const std::vector<const Measure*>& measures, std::vector<std::string> processes,
                 std::function<bool()> stop_wanted)
    : options_(options),
      plan_(std::move(plan)),
      processes_(std::move(processes)),
      ranks_(static_cast<std::int64_t>(processes_.size())),
      folder_(folder_of(options, *plan_.whole)),
      shard_(shard_of(options)),
      start_(std::chrono::system_clock::now()),
      next_look_(std::chrono::steady_clock::now()),
      next_results_(std::chrono::steady_clock::now() + results_interval) {
  ensure_directory(folder_);
  folder_state_ = look_at_file(folder_);
  LockEnvironment environment;
  environment.stop_wanted = std::move(stop_wanted);
  environment.beats_alone = true;
  lock_ = std::make_unique<RunLock>(folder_, shard_, std::move(environment));
  start_ = std::chrono::system_clock::now();  // not before a wait for the lock
  header_ = journal_header(*plan_.whole);
  header_.data = data_files(*plan_.whole);
  header_.summaries = encode_summaries(without_columns(summaries));
  journals_ = std::make_unique<JournalState>(folder_, header_);
  const auto shapes = std::make_shared<const RecordShapes>(*plan_.whole);
  journals_->require([shapes](const DoneRecord& record) { return shapes->problem(record); });
  journals_->set_live(live_journals(folder_, live_locks(folder_)));
  if (!options_.accept_changed_data) {
    for (const std::string& warning : check_data_files(*journals_, header_.data)) show_warning(warning);
  }
  for (const std::string& warning : journals_->warnings()) show_warning(warning);
  if (whole()) former_ = former_results(folder_, *journals_, *plan_.whole, measures);
  if (former_) show_warning(former_->warning);
  replace_file(folder_ / "sweep.toml", plan_.whole->file.effective_text);
  begin_journal();
  log_ = std::make_unique<AttemptLog>(folder_, journal_->stem());
  stop_marks_ = std::filesystem::absolute(stop_marks_path(folder_, journal_->stem()));
  create_stop_marks(stop_marks_, ranks_);
  aggregator_ = std::make_unique<Aggregator>(*plan_.whole);
}

// Marks are of use where tasks have no end in the journal.
RunBook::~RunBook() {
  std::error_code ignored;
  if (stop_marks_.empty() || (begun_ && !all_recorded_)) return;
  std::filesystem::remove(stop_marks_, ignored);
  for (const std::filesystem::path& marks : more_stop_marks_) std::filesystem::remove(marks, ignored);
}

void RunBook::begin_journal() {
  WallTime time = journal_ ? std::chrono::system_clock::now() : start_;
  std::string stem = start_stem(time, shard_, this_process());
  while (journal_ && stem <= journal_->stem()) {  // within the same millisecond, or a clock that was set back
    time += std::chrono::milliseconds(1);
    stem = start_stem(time, shard_, this_process());
  }
  journal_ = std::make_unique<Journal>(folder_, stem, header_);
  journals_->begin_own(stem, header_);
  if (stop_marks_.empty()) return;
  // Ranks go on to mark the file that they know. Without hard links a later end counts as one that cannot be told.
  std::error_code ignored;
  more_stop_marks_.push_back(stop_marks_path(folder_, stem));
  std::filesystem::create_hard_link(stop_marks_, more_stop_marks_.back(), ignored);
}

void RunBook::record(JournalRecord record) {
  const std::uint64_t bytes = journal_->add(record);
  journals_->learn(std::move(record), bytes);
}

bool RunBook::folder_is_there() const {
  const std::optional<FileState> now = look_at_file(folder_);
  return now && now->identity == folder_state_->identity;
}

// What somebody removes or damages while this start works is written again; `whole`: every byte is looked at.
void RunBook::look_after_journals(bool whole) {
  if (!folder_is_there()) {
    folder_lost_ = true;
    return;
  }
  const LostBytes lost = journals_->lost(whole);
  if (!lost.empty()) write_again(lost);
}

void RunBook::write_again(const LostBytes& lost) {
  const std::vector<JournalRecord> records = journals_->records(lost);
  std::vector<std::string> names;
  for (const auto& [stem, from] : lost) names.push_back(stem + ".journal");
  if (lost.contains(journal_->stem())) begin_journal();
  std::uint64_t bytes = 0;
  for (const JournalRecord& record : records) bytes += journal_->add(record);
  journals_->written_again(lost, bytes);
  journal_->sync();
  show_warning(
      fmt::format("{}: removed, replaced or damaged while this start works; what was known from it, {} records, "
                  "is written again to {}",
                  fmt::join(names, ", "), records.size(), journal_->path().string()));
}

const std::vector<PendingTask>& RunBook::find_pending(const TreeShape& shape) {
  for (std::size_t index = 0; index < plan_.selected->tasks.size(); ++index) look_at(index, shape);
  start_progress();
  show_info(fmt::format("{}: {} tasks, {} done before, {} to do on {} rank{}, {} failed before; folder {}",
                        plan_.whole->file.name, plan_.selected->tasks.size(), already_done_, pending_.size(), ranks_,
                        ranks_ == 1 ? "" : "s", failed_.size(), folder_.string()));
  return pending_;
}

void RunBook::look_at(std::size_t index, const TreeShape& shape) {
  const SweepTask& task = plan_.selected->tasks[index];
  const Resources& resources = plan_.selected->file.resources;
  const TaskHistory& history = journals_->task(task.identity);
  if (history.complete(task.counts)) {
    ++already_done_;
    if (options_.stop_after || options_.stop_with_job) learn_duration(task, history);
    return;
  }
  PendingTask next{.index = index,
                   .request = history.missing(task.counts),
                   .attempt = history.attempt_count() + 1,
                   .suspect = history.suspect()};
  const TaskParameters parameters = plan_.selected->parameters(task);
  const Cost cost = task.measure().cost(parameters, next.request);
  const TaskLoad load = task_load(cost, result_bytes(task.measure(), parameters, next.request.counts.size()));
  const Placement placement = place(load, shape,
                                    {.memory_per_rank = static_cast<double>(resources.memory_per_rank),
                                     .ranks_per_task = static_cast<int>(resources.ranks_per_task)});
  if (!placement.problem.empty()) {
    refuse(index, placement.problem);
  } else if (history.exhausted(resources.max_attempts) && !options_.retry_failed) {
    failed_.insert(index);
  } else {
    next.level = placement.level;
    next.operations = load.operations;
    next.nominal_seconds = task_seconds(cost, MachineRates{}, shape.smallest_group(placement.level));
    pending_.push_back(std::move(next));
  }
}

// Of a task that was computed at once: the time of one count among several is not that of all.
void RunBook::learn_duration(const SweepTask& done, const TaskHistory& history) {
  if (history.attempts().size() != 1) return;
  const Attempt& attempt = history.attempts().begin()->second;
  if (attempt.outcome != Attempt::Outcome::done || attempt.ranks < 1) return;
  const Cost cost = done.measure().cost(plan_.selected->parameters(done), {.counts = done.counts, .count_free = true});
  timetable_.learn({.measure = std::string(done.measure().name()),
                    .nominal_seconds = task_seconds(cost, MachineRates{}, static_cast<int>(attempt.ranks))},
                   attempt.seconds);
}

PredictedWork RunBook::work(std::size_t i) const {
  return {.measure = std::string(task(i).measure().name()), .nominal_seconds = pending_[i].nominal_seconds};
}

bool RunBook::fits(std::size_t i, RankRange group, bool waits, double within) {
  if (timetable_.fits(work(i), group.first, waits, within)) return true;
  if (!waits) {
    const double predicted = timetable_.seconds(work(i)).value_or(0.0);
    shortest_left_out_ = std::min(predicted, shortest_left_out_.value_or(predicted));
  }
  return false;
}

void RunBook::refuse(std::size_t index, const std::string& problem) {
  const SweepTask& task = plan_.selected->tasks[index];
  failed_.insert(index);
  const auto known = journals_->task(task.identity).failures();
  if (known.empty() || known.back() != problem) {
    record(FailedRecord{.identity = task.identity, .message = problem, .seconds = 0.0, .ranks = never_handed_out});
    journal_->commit();
  }
  show_warning(plan_.selected->label(task) + ": " + problem);
}

void RunBook::start_progress() {
  double work = 0.0;
  for (const PendingTask& task : pending_) work += task.operations;
  const bool shown = options_.verbosity != Verbosity::quiet;
  Progress::Sink sink{.terminal = shown && isatty(STDERR_FILENO) != 0, .write = {}};
  if (shown) {
    sink.write = [terminal = sink.terminal](const std::string& text) {
      if (terminal) {
        std::fputs(text.c_str(), stderr);
      } else {
        show_info(text.substr(0, text.size() - 1));
      }
    };
  }
  progress_ = std::make_unique<Progress>(pending_.size(), work, std::move(sink));
}

void RunBook::begin(std::size_t i, RankRange group) {
  begun_ = true;
  record(BeginRecord{.identity = task(i).identity,
                     .attempt = pending_[i].attempt,
                     .ranks = group.size,
                     .leader = group.first,
                     .time = now_seconds()});
  timetable_.begin(i, group.first, work(i));
  if (options_.verbosity == Verbosity::verbose) show_detail("begin " + plan_.selected->label(task(i)));
}

void RunBook::end(std::size_t i, const TaskReport& report) {
  timetable_.end(i, report.outcome == Outcome::done ? std::optional(report.seconds) : std::nullopt);
  TaskReport told = report;
  std::vector<std::string> warnings;
  std::vector<std::string> notes;
  if (told.outcome == Outcome::done) {
    try {
      TaskResult result = decode_result(report.payload);
      warnings = result.warnings;
      notes = std::move(result.notes);
      record_done(i, std::move(result), report);
    } catch (const std::exception& e) {  // no result, or one that the journal does not take
      told.outcome = Outcome::failed;
      told.message = std::string("the result could not be kept: ") + e.what();
    }
  }
  const std::string label = plan_.selected->label(task(i));
  if (told.outcome == Outcome::failed) {
    record(FailedRecord{
        .identity = task(i).identity, .message = told.message, .seconds = told.seconds, .ranks = told.ranks});
    failed_.insert(pending_[i].index);
    show_warning(fmt::format("{} failed: {}", label, told.message));
  }
  if (told.outcome == Outcome::abandoned) record(AbandonedRecord{.identity = task(i).identity});
  for (const std::string& warning : warnings) {
    if (warned_.insert(warning).second) show_warning(fmt::format("{}: {}", label, warning));
  }
  if (told.outcome != Outcome::abandoned) {
    progress_->task_ended(told.outcome == Outcome::failed, pending_[i].operations);
  }
  log_->add({.label = label,
             .identity = task(i).identity,
             .measure = std::string(task(i).measure().name()),
             .outcome = outcome_name(told.outcome),
             .seconds = told.seconds,
             .ranks = told.ranks,
             .attempt = pending_[i].attempt,
             .message = told.message,
             .warnings = warnings,
             .notes = notes});
}

void RunBook::record_done(std::size_t i, TaskResult result, const TaskReport& report) {
  record(DoneRecord{.identity = task(i).identity,
                    .counts = pending_[i].request.counts,
                    .count_free = pending_[i].request.count_free,
                    .variables = std::move(result.variables),
                    .warnings = std::move(result.warnings),
                    .seconds = report.seconds,
                    .ranks = report.ranks});
}

void RunBook::commit() {
  journal_->commit();
  log_->commit();
}

void RunBook::tick() {
  progress_->tick();
  journal_->poll();
  if (!lock_->beat()) lock_lost_ = true;
  const auto now = std::chrono::steady_clock::now();
  if (now >= next_look_) {
    next_look_ = now + journal_look_interval;
    if (!journal_->is_there()) look_after_journals(/*whole=*/false);
  }
  if (folder_lost_ || !whole() || now < next_results_) return;
  write_results_file(seconds_of_predictions_in_a_tick);
  const auto after = std::chrono::steady_clock::now();
  next_results_ =
      after + std::max<std::chrono::steady_clock::duration>(results_interval, results_share * (after - now));
}

void RunBook::report_stall(const Stall& stall) noexcept {
  try {
    AttemptLine line;
    line.outcome = "stalled";
    line.seconds = stall.since_begin;
    line.ranks = stall.group.size;
    line.attempt = 0;
    const std::string ranks = ranks_text(stall.group, processes_);
    if (stall.task) {
      const SweepTask& stalled = task(*stall.task);
      line.label = plan_.selected->label(stalled);
      line.identity = stalled.identity;
      line.measure = stalled.measure().name();
      line.attempt = pending_[*stall.task].attempt;
      line.message = fmt::format("no sign of life for {:.0f} s from {}, which began it {:.0f} s ago", stall.silent,
                                 ranks, stall.since_begin);
    } else {
      line.label = "between tasks";
      line.message = fmt::format("no sign of life for {:.0f} s from {}: files, messages or the end of the run",
                                 stall.silent, ranks);
    }
    show_warning(fmt::format("{}: {} (resources.watchdog = {})", line.label, line.message,
                             plan_.selected->file.resources.watchdog));
    log_->write(line);
  } catch (...) {  // NOLINT(bugprone-empty-catch): a run does not end because nothing could be said of it
  }
}

void RunBook::write_results_file(double seconds_of_predictions) {
  journal_->sync();
  journals_->refresh();
  look_after_journals(/*whole=*/false);
  ResultsFile results = aggregator_->results(*journals_, seconds_of_predictions);
  add_provenance(results, {.command_line = options_.command_line,
                           .sweep = plan_.whole->file.effective_text,
                           .mpi_size = ranks_,
                           .start = start_,
                           .end = std::chrono::system_clock::now()});
  const FlagWhileAlive writing(writing_results_);
  if (former_) keep_former(folder_, *former_);
  former_.reset();
  write_results(folder_ / "results.h5", std::move(results));
}

// Brings all to disk; returns the first error, that of the run if there was one. What was measured comes first; all
// predictions are waited for only where the run was not told to end.
std::string RunBook::save_all(const RunSummary& summary) {
  std::string error = summary.error;
  try {
    if (!folder_lost_) journal_->sync();
    if (!folder_lost_) look_after_journals(/*whole=*/true);
    if (!folder_lost_ && whole()) {
      write_results_file(seconds_of_predictions_at_the_end);
      if (aggregator_->left_out() && !summary.stopped()) write_results_file(std::numeric_limits<double>::infinity());
    }
    if (folder_lost_) {
      if (error.empty()) error = folder_.string() + " was removed or renamed while the run worked in it";
    } else {
      journal_->close();
    }
  } catch (const std::exception& e) {
    if (error.empty()) error = e.what();
  }
  return error;
}

// Tasks of the whole sweep that no start has finished, for all of their counts.
std::size_t RunBook::unfinished(const Sweep& sweep) {
  return static_cast<std::size_t>(std::ranges::count_if(
      sweep.tasks, [&](const SweepTask& task) { return !journals_->task(task.identity).complete(task.counts); }));
}

// After an error: never more than is true.
std::string RunBook::where_results_are() const {
  const std::string folder = shell_word(folder_.string());
  if (folder_lost_) {
    return fmt::format(
        "What was finished is where the folder is now, if it still is: nothing was written to {} any more.", folder);
  }
  if (journal_->has_uncommitted()) {
    return fmt::format(
        "Everything finished before is in {}; what could not be written is computed again: mend the cause and run the "
        "same command again.",
        folder);
  }
  return fmt::format("Everything finished so far is in {}; mend the cause and run the same command again.", folder);
}

int RunBook::conclude(const RunSummary& summary, const std::string& stop_reason) {
  progress_->finish();
  const std::string error = save_all(summary);
  all_recorded_ = error.empty();
  // An end in order blames nobody, also where no record can be written any more.
  if (!all_recorded_) static_cast<void>(mark_all_ranks(stop_marks_, ranks_));
  const std::string folder = shell_word(folder_.string());
  if (!error.empty()) {
    show_error(error);
    print_result("diffphase: {}\n{}\n", error, where_results_are());
    return exit_bad_input;
  }
  if (summary.stopped()) return conclude_stopped(summary, stop_reason);
  if (!failed_.empty()) return conclude_failed();
  if (const std::size_t left = unfinished(*plan_.selected); left > 0) {
    print_result("diffphase: {} task{} not complete although all were computed; run the same command again.\n", left,
                 left == 1 ? " is" : "s are");
    return exit_stopped;
  }
  if (!whole()) {
    print_result("diffphase: shard {} is complete; when all are, run `diffphase collect {}`.\n", shard_.name(), folder);
  } else if (const std::size_t left = unfinished(*plan_.whole); left > 0) {
    print_result(
        "diffphase: points {} are complete, in {}/results.h5; the sweep has {} more task{}: run without --points.\n",
        options_.points, folder, left, left == 1 ? "" : "s");
  } else {
    print_result("diffphase: complete; {}/results.h5 holds everything, `python3 -m analysis report {}` draws it.\n",
                 folder, folder);
  }
  return exit_complete;
}

void RunBook::end_held() {
  if (writing_results_) return;
  static_cast<void>(mark_all_ranks(stop_marks_, ranks_));
  try {
    journal_->sync_written();
    lock_->release();
  } catch (...) {  // NOLINT(bugprone-empty-catch): the end comes all the same
  }
  const std::string folder = shell_word(folder_.string());
  std::fprintf(stdout,
               "diffphase: stopped, but a rank does not answer: ended without it. What was finished is in %s; "
               "`diffphase collect %s` writes results.h5, and the same command goes on.\n",
               folder.c_str(), folder.c_str());
  std::fflush(stdout);
  _exit(exit_stopped);
}

// Why nothing was handed out any more, if the deadline alone is to blame.
std::string RunBook::deadline_reason(const RunSummary& summary) const {
  if (summary.abandoned + summary.not_begun > 0) return {};
  std::string reason = "no task that is left can be finished before the time limit";
  if (summary.done + summary.failed == 0 && shortest_left_out_) {
    reason += fmt::format(": the shortest is predicted to take {}, so give it more time or more ranks",
                          rounded_duration(*shortest_left_out_));
  }
  return reason;
}

int RunBook::conclude_stopped(const RunSummary& summary, const std::string& stop_reason) const {
  std::string reason = stop_reason.empty() ? deadline_reason(summary) : stop_reason;
  if (reason.empty()) reason = "a signal to another rank";
  if (lock_lost_) reason = "another start took the folder over, or its lock was removed";
  print_result("diffphase: stopped ({}) with {} of {} tasks left; run the same command again to go on.\n", reason,
               summary.left(), pending_.size());
  return exit_stopped;
}

int RunBook::conclude_failed() {
  for (const std::size_t index : failed_) print_result("failed: {}\n", failure_text(index));
  print_result("diffphase: {} task{} failed, the rest is in {}; `--retry-failed` tries {} again.\n", failed_.size(),
               failed_.size() == 1 ? "" : "s", folder_.string(), failed_.size() == 1 ? "it" : "them");
  return exit_failed_tasks;
}

std::string RunBook::failure_text(std::size_t index) {
  const SweepTask& failing = plan_.selected->tasks[index];
  const auto failures = journals_->task(failing.identity).failures();
  return plan_.selected->label(failing) + ": " + (failures.empty() ? "no message" : failures.back());
}

}  // namespace diffphase
