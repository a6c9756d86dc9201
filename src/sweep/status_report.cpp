#include "sweep/status_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <ostream>
#include <thread>
#include <utility>

#include "ensemble/dataset_file.hpp"
#include "files/bad_input.hpp"
#include "files/posix_file.hpp"
#include "sweep/cost_model.hpp"
#include "sweep/live_journals.hpp"
#include "sweep/plan_report.hpp"
#include "sweep/record_shapes.hpp"
#include "sweep/run_plan.hpp"
#include "sweep/shell_word.hpp"

namespace diffphase {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t recent_completions = 100;  // that the rate is taken from
constexpr std::size_t longest_message = 300;

fs::path sweep_path(const fs::path& run) { return run / "sweep.toml"; }

fs::path checked_folder(fs::path run) {
  std::error_code ignored;
  if (!fs::is_directory(run, ignored)) {
    throw BadInput(fmt::format("{}: no such folder; a run's folder is runs/NAME, or what -o said", run.string()));
  }
  if (!fs::exists(sweep_path(run), ignored)) {
    throw BadInput(fmt::format("{}: not the folder of a run: it holds no sweep.toml", run.string()));
  }
  return run;
}

// The first line of a message, not too long.
std::string short_message(const std::string& message) {
  std::string line = message.substr(0, message.find('\n'));
  if (line.size() > longest_message) line = line.substr(0, longest_message) + " ...";
  return line;
}

double ended(const Attempt& attempt) { return attempt.begun + attempt.seconds; }

const std::pair<const RecordOrigin, Attempt>* last_attempt(const TaskHistory& history) {
  const auto& attempts = history.attempts();
  const auto last = std::find_if(attempts.rbegin(), attempts.rend(),
                                 [](const auto& entry) { return entry.second.outcome != Attempt::Outcome::abandoned; });
  return last == attempts.rend() ? nullptr : &*last;
}

double percent(std::size_t part, std::size_t whole) {
  return whole == 0 ? 100.0 : 100.0 * static_cast<double>(part) / static_cast<double>(whole);
}

std::string ago(double seconds) { return rounded_duration(std::max(seconds, 0.0)) + " ago"; }

}  // namespace

StatusReport::StatusReport(fs::path run, std::span<const Measure* const> all_measures, LockEnvironment environment)
    : run_(checked_folder(std::move(run))),
      all_measures_(all_measures),
      environment_(std::move(environment)),
      journals_(run_) {
  refresh();
}

void StatusReport::read_sweep() {
  const fs::path path = sweep_path(run_);
  std::string text;
  try {
    text = read_text(path);
  } catch (const FileError& error) {
    throw BadInput(error.what());
  }
  if (sweep_ && text == sweep_text_) return;
  Sweep sweep = make_sweep(parse_sweep_text(text, path.string(), {}, all_measures_));
  data_problem_.clear();
  DatasetSummaries summaries = recorded_summaries(journals_);
  try {
    attach_dataset_summaries(sweep, inspect_unless_known(summaries));
  } catch (const std::exception& error) {
    // Without the data, sample counts that the sweep file does not give are unknown: the journals alone tell.
    data_problem_ = fmt::format("the data cannot be read, what follows is from the journals alone: {}", error.what());
    sweep = make_sweep(parse_sweep_text(text, path.string(), {}, all_measures_));
  }
  work_.clear();
  if (data_problem_.empty()) {
    for (const SweepTask& task : sweep.tasks) {
      const Cost cost = task.measure().cost(sweep.parameters(task), {.counts = task.counts, .count_free = true});
      work_[task.identity] = task_seconds(cost, MachineRates{});
    }
  }
  sweep_.emplace(std::move(sweep));
  sweep_text_ = std::move(text);
  if (!data_problem_.empty()) return;  // lengths are not known
  const auto shapes = std::make_shared<const RecordShapes>(*sweep_);
  journals_.require([shapes](const DoneRecord& record) { return shapes->problem(record); });
}

void StatusReport::refresh() {
  (void)checked_folder(run_);
  owners_ = live_locks(run_, environment_);
  journals_.refresh();
  live_stems_ = live_journals(run_, owners_);
  journals_.set_live(live_stems_);
  read_sweep();
  count_tasks();
  estimate();
}

void StatusReport::count_tasks() {
  counts_ = {};
  failures_.clear();
  work_left_ = 0.0;
  for (const SweepTask& task : sweep_->tasks) {
    const TaskHistory& history = journals_.task(task.identity);
    ++counts_.total;
    if (history.complete(task.counts)) {
      ++counts_.done;
      continue;
    }
    const auto* last = last_attempt(history);
    const bool running = last != nullptr && last->second.outcome == Attempt::Outcome::running;
    const bool failed =
        last != nullptr && !running &&
        (last->second.outcome == Attempt::Outcome::failed || history.exhausted(sweep_->file.resources.max_attempts));
    if (failed) {
      ++counts_.failed;
      const std::vector<std::string> messages = history.failures();
      failures_.push_back(
          {sweep_->label(task), short_message(messages.empty() ? "" : messages.back()), ended(last->second)});
      continue;
    }
    ++(running ? counts_.running : counts_.waiting);
    if (!work_.empty()) work_left_ += work_.at(task.identity);
  }
  std::stable_sort(failures_.begin(), failures_.end(),
                   [](const TaskFailure& a, const TaskFailure& b) { return a.ended > b.ended; });
  if (failures_.size() > most_failures) failures_.resize(most_failures);
}

void StatusReport::estimate() {
  struct Completion {
    double ended;
    double begun;
    double work;
  };
  tasks_per_hour_.reset();
  seconds_left_.reset();
  // Of the starts that run now; if none does, of the latest one that finished something.
  std::string latest;
  for (const auto& [identity, history] : journals_.tasks()) {
    for (const auto& [origin, attempt] : history.attempts()) {
      if (attempt.outcome == Attempt::Outcome::done) latest = std::max(latest, origin.first);
    }
  }
  std::vector<Completion> recent;
  for (const auto& [identity, history] : journals_.tasks()) {
    const auto work = work_.find(identity);
    for (const auto& [origin, attempt] : history.attempts()) {
      const bool counts = owners_.empty() ? origin.first == latest : live_stems_.contains(origin.first);
      if (attempt.outcome != Attempt::Outcome::done || !counts || attempt.begun <= 0.0) continue;
      recent.push_back({ended(attempt), attempt.begun, work == work_.end() ? 0.0 : work->second});
    }
  }
  if (recent.empty()) return;
  std::sort(recent.begin(), recent.end(), [](const Completion& a, const Completion& b) { return a.ended > b.ended; });
  if (recent.size() > recent_completions) recent.resize(recent_completions);

  double start = recent.front().begun;
  double work = 0.0;
  for (const Completion& completion : recent) {
    start = std::min(start, completion.begun);
    work += completion.work;
  }
  double end = recent.front().ended;
  if (!owners_.empty()) end = std::max(end, unix_seconds(environment_.clock()));
  const double elapsed = std::max(end - start, 1e-3);
  const double tasks_per_second = static_cast<double>(recent.size()) / elapsed;
  tasks_per_hour_ = 3600.0 * tasks_per_second;
  seconds_left_ = work > 0.0 && !work_.empty() ? work_left_ * elapsed / work
                                               : static_cast<double>(counts_.left()) / tasks_per_second;
}

std::vector<std::string> StatusReport::warnings() const {
  std::vector<std::string> all = journals_.warnings();
  if (!data_problem_.empty()) all.insert(all.begin(), data_problem_);
  return all;
}

std::string StatusReport::next_step() const {
  const std::string run = shell_word(run_.string());
  const std::string again =
      fmt::format("mpirun -n N diffphase run {} -o {}", shell_word(sweep_path(run_).string()), run);
  if (!owners_.empty()) {
    return complete()
               ? "Nothing is left: the run is about to end."
               : fmt::format("The run goes on; to end it cleanly: touch {}", shell_word((run_ / "stop").string()));
  }
  if (counts_.left() > 0) return "Nobody works on it; to go on: " + again;
  if (counts_.failed > 0) return fmt::format("To try the failed tasks again: {} --retry-failed", again);
  if (std::error_code ignored; !fs::exists(run_ / "results.h5", ignored)) {
    return fmt::format("Complete. To write the results: diffphase collect {}", run);
  }
  return fmt::format("Complete. Results: {}; figures: python3 -m analysis report {}", (run_ / "results.h5").string(),
                     run);
}

std::string StatusReport::text() const {
  const double now = unix_seconds(environment_.clock());
  std::string text = fmt::format("Sweep {} in {}\n", sweep_->file.name, run_.string());
  for (const std::string& warning : warnings()) text += fmt::format("  warning: {}\n", warning);
  text += fmt::format("  done     {:>8} of {} tasks ({:.0f} %)\n", counts_.done, counts_.total,
                      percent(counts_.done, counts_.total));
  text += fmt::format("  failed   {:>8}\n", counts_.failed);
  text += fmt::format("  running  {:>8}\n", counts_.running);
  text += fmt::format("  left     {:>8}{}\n", counts_.left(), counts_.running > 0 ? ", the running ones included" : "");
  if (tasks_per_hour_) {
    text += fmt::format("  rate     {:>8.{}f} tasks per hour{}\n", *tasks_per_hour_, *tasks_per_hour_ < 100.0 ? 1 : 0,
                        owners_.empty() ? ", when it last ran" : "");
  }
  if (seconds_left_ && counts_.left() > 0) {
    text += fmt::format("  time left   about {}{}\n", rounded_duration(*seconds_left_),
                        owners_.empty() ? ", at that rate" : "");
  }
  for (const LockOwner& owner : owners_) {
    text += fmt::format("  at work: {}, since {}, heartbeat {} by the clock of this host\n", owner.name(),
                        iso8601(owner.since), ago(now - unix_seconds(owner.heartbeat)));
  }
  if (!failures_.empty()) text += "  last failures:\n";
  for (const TaskFailure& failure : failures_) text += fmt::format("    {}: {}\n", failure.task, failure.message);
  if (counts_.failed > failures_.size())
    text += fmt::format("    ... and {} more\n", counts_.failed - failures_.size());
  return text + next_step() + "\n";
}

namespace {

// In slices, so that an interrupt is noticed soon.
void wait_in_slices(std::chrono::milliseconds interval, const std::function<bool()>& interrupted) {
  constexpr std::chrono::milliseconds slice{100};
  for (auto waited = slice; waited <= interval && !interrupted(); waited += slice) std::this_thread::sleep_for(slice);
}

}  // namespace

void wait_for_begin(const fs::path& run, std::ostream& out, const std::function<bool()>& interrupted,
                    const std::function<void(std::chrono::milliseconds)>& pause) {
  constexpr std::chrono::milliseconds interval{1000};
  std::error_code ignored;
  const auto has_begun = [&] { return fs::exists(sweep_path(run), ignored) || !fs::is_directory(run, ignored); };
  if (has_begun()) return;
  out << fmt::format("Nothing has begun in {} yet: waiting\n", run.string()) << std::flush;
  while (!has_begun() && !interrupted()) pause ? pause(interval) : wait_in_slices(interval, interrupted);
}

void watch_status(StatusReport& report, std::ostream& out, const std::function<bool()>& interrupted, bool terminal,
                  std::chrono::milliseconds interval, const std::function<void(std::chrono::milliseconds)>& pause) {
  constexpr const char* clear_screen = "\033[H\033[2J";
  while (true) {
    out << (terminal ? clear_screen : "") << report.text() << std::flush;
    if (report.complete() || interrupted()) return;
    if (pause) {
      pause(interval);
    } else {
      wait_in_slices(interval, interrupted);
    }
    if (interrupted()) return;
    report.refresh();
  }
}

}  // namespace diffphase
