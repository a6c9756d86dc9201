#include "sweep/folder_check.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <optional>
#include <system_error>
#include <type_traits>
#include <utility>
#include <variant>

#include "files/bad_input.hpp"
#include "files/bounded_archive.hpp"
#include "results/results_reader.hpp"
#include "sweep/aggregate.hpp"
#include "sweep/data_files.hpp"
#include "sweep/journal.hpp"
#include "sweep/live_journals.hpp"
#include "sweep/run_plan.hpp"
#include "sweep/shell_word.hpp"

namespace diffphase {

namespace {

namespace fs = std::filesystem;

std::string encode(const StoredResults& results) {
  ArchiveWriter archive;
  archive.text(results.sweep);
  archive.count(results.numbers.size());
  for (const auto& [name, values] : results.numbers) {
    archive.text(name);
    archive.reals(values);
  }
  const auto bytes = archive.bytes();
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

StoredResults decode(const std::string& bytes) {
  ArchiveReader archive(std::as_bytes(std::span(bytes)));
  StoredResults results;
  results.sweep = archive.text();
  for (std::size_t left = archive.count(16); left > 0; --left) {
    const std::string name = archive.text();
    results.numbers[name] = archive.reals();
  }
  return results;
}

void write_all(int pipe, const std::string& bytes) {
  for (std::size_t at = 0; at < bytes.size();) {
    const ssize_t written = ::write(pipe, bytes.data() + at, bytes.size() - at);
    if (written < 0 && errno != EINTR) _exit(2);
    if (written > 0) at += static_cast<std::size_t>(written);
  }
}

std::string read_all(int pipe) {
  std::string bytes;
  std::string piece(std::size_t{1} << 16U, '\0');
  for (ssize_t count = 1; count != 0;) {
    count = ::read(pipe, piece.data(), piece.size());
    if (count < 0 && errno != EINTR) break;
    if (count > 0) bytes.append(piece, 0, static_cast<std::size_t>(count));
  }
  return bytes;
}

// In a process of its own: what it says is an answer, or a message where it ends with 1.
[[noreturn]] void answer(int pipe, const fs::path& path) {
  try {
    write_all(pipe, encode(read_results(path)));
    _exit(0);
  } catch (const std::exception& error) {
    write_all(pipe, error.what());
    _exit(1);
  }
}

// The results, or what is wrong with the file.
std::optional<StoredResults> read_apart(const fs::path& path, std::string& problem) {
  std::array<int, 2> ends{};
  if (::pipe(ends.data()) != 0) throw std::system_error(errno, std::generic_category(), "pipe");
  const pid_t child = ::fork();
  if (child < 0) throw std::system_error(errno, std::generic_category(), "fork");
  if (child == 0) {
    ::close(ends[0]);
    answer(ends[1], path);
  }
  ::close(ends[1]);
  const std::string bytes = read_all(ends[0]);
  ::close(ends[0]);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return decode(bytes);
  problem = WIFEXITED(status) ? bytes : fmt::format("HDF5 crashes on it ({})", strsignal(WTERMSIG(status)));
  return std::nullopt;
}

bool same(const std::vector<double>& a, const std::vector<double>& b) {
  const auto equal = [](double x, double y) { return x == y || (std::isnan(x) && std::isnan(y)); };
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), equal);
}

std::vector<double> numbers_of(const ResultsVariable& variable) {
  return std::visit(
      [](const auto& values) {
        if constexpr (std::is_same_v<std::decay_t<decltype(values)>, std::vector<std::string>>) {
          return std::vector<double>{};
        } else {
          return std::vector<double>(values.begin(), values.end());
        }
      },
      variable.values);
}

class Checker {
 public:
  Checker(fs::path run, const std::vector<const Measure*>& measures, const LockEnvironment& environment)
      : run_(std::move(run)),
        measures_(measures),
        owners_(live_locks(run_, environment)),
        journals_(read_journals(run_)) {
    journals_.set_live(live_journals(run_, owners_));
  }

  FolderCheck check() {
    check_journals();
    check_locks();
    check_sweep();
    check_results();
    check_data();
    check_leftovers();
    return std::move(report_);
  }

 private:
  void good(std::string text) { report_.found.push_back(std::move(text)); }
  void bad(std::string text) { report_.problems.push_back(std::move(text)); }
  [[nodiscard]] std::string collect() const { return fmt::format("`diffphase collect {}`", shell_word(run_.string())); }

  void check_journals() {
    const std::vector<std::string> damage = journals_.warnings();
    good(fmt::format(
        "{} journal{} with a header, {} tasks known, {} of them finished or in part", journals_.journals(),
        journals_.journals() == 1 ? "" : "s", journals_.tasks().size(),
        std::ranges::count_if(journals_.tasks(), [](const auto& task) { return task.second.knows_values(); })));
    for (const std::string& text : damage) bad(text);
    if (journals_.journals() == 0) bad("no journal: nothing that was computed can be rebuilt");
  }

  void check_locks() {
    for (const LockOwner& owner : owners_) {
      good(fmt::format("at work: process {} on {}", owner.process.pid, owner.process.host));
    }
    std::error_code ignored;
    std::size_t locks = 0;
    for (fs::directory_iterator entry(run_, ignored), end; !ignored && entry != end; entry.increment(ignored)) {
      if (entry->path().filename().string().starts_with("lock-")) ++locks;
    }
    if (locks > owners_.size())
      good(fmt::format("{} lock of a start that is dead: the next start removes it", locks - owners_.size()));
  }

  // The sweep that a text says, without the data files where the journals know them.
  Sweep sweep_of(const std::string& text) {
    Sweep sweep = make_sweep(parse_sweep_text(text, (run_ / "sweep.toml").string(), {}, measures_));
    DatasetSummaries summaries = recorded_summaries(journals_);
    attach_dataset_summaries(sweep, inspect_unless_known(summaries));
    return sweep;
  }

  void check_sweep() {
    try {
      const Sweep sweep = sweep_of(read_sweep_text((run_ / "sweep.toml").string()));
      const auto done = std::ranges::count_if(
          sweep.tasks, [&](const SweepTask& task) { return journals_.task(task.identity).complete(task.counts); });
      good(fmt::format("sweep.toml: {} of its {} tasks are in the journals", done, sweep.tasks.size()));
    } catch (const std::exception& error) {
      bad(fmt::format(
          "sweep.toml: {}; the journals have the texts of all sweeps that were run: `diffphase collect --all {}`",
          error.what(), shell_word(run_.string())));
    }
  }

  void check_results() {
    const fs::path path = run_ / "results.h5";
    std::error_code ignored;
    if (!fs::exists(path, ignored)) {
      if (!owners_.empty()) return good("no results.h5 yet");
      return bad(fmt::format("there is no results.h5: {} writes it", collect()));
    }
    std::string problem;
    const std::optional<StoredResults> stored = read_apart(path, problem);
    if (!stored) return bad(fmt::format("results.h5: {}; {} writes it again", problem, collect()));
    try {
      compare(*stored);
    } catch (const std::exception& error) {
      bad(fmt::format("results.h5: the sweep that it is of: {}", error.what()));
    }
  }

  // With what the journals make of the same sweep; predictions are computed from its text and are not compared.
  void compare(const StoredResults& stored) {
    const Sweep sweep = sweep_of(stored.sweep);
    Aggregator aggregator(sweep);
    std::vector<std::string> differ;
    std::size_t compared = 0;
    for (const ResultsVariable& variable : aggregator.results(journals_, 0.0).variables) {
      const bool measured = std::ranges::find(variable.dims, "realization") != variable.dims.end();
      if (!measured || std::holds_alternative<std::vector<std::string>>(variable.values)) continue;
      const auto found = stored.numbers.find(variable.name);
      ++compared;
      if (found == stored.numbers.end() || !same(found->second, numbers_of(variable))) differ.push_back(variable.name);
    }
    if (differ.empty())
      return good(fmt::format("results.h5: its {} measured variables are those of the journals", compared));
    const std::string names = fmt::format("{}", fmt::join(differ, ", "));
    if (!owners_.empty()) return good("results.h5 is behind the journals, as a run is at work: " + names);
    bad(fmt::format("results.h5 and the journals do not agree in {}: {} writes what the journals have", names,
                    collect()));
  }

  void check_data() {
    if (journals_.latest() == nullptr) return;
    for (const DataFileRecord& file : journals_.latest()->data) {
      try {
        const bool unchanged = data_file(file.path).hash == file.hash;
        unchanged ? good(file.path + ": as the last start read it")
                  : bad(file.path + ": has changed since the last start read it; the next one will refuse it");
      } catch (const std::exception& error) {
        good(fmt::format("{}: cannot be read now ({}); only a run needs it", file.path, error.what()));
      }
    }
  }

  void check_leftovers() {
    std::error_code ignored;
    for (fs::directory_iterator entry(run_, ignored), end; !ignored && entry != end; entry.increment(ignored)) {
      const std::string name = entry->path().filename().string();
      if (name.ends_with(".tmp")) good(name + ": half of a file, of a start that ended in the middle; may be removed");
    }
  }

  fs::path run_;
  const std::vector<const Measure*>& measures_;
  std::vector<LockOwner> owners_;
  JournalState journals_;
  FolderCheck report_;
};

}  // namespace

std::string FolderCheck::text() const {
  std::string text;
  for (const std::string& line : found) text += line + "\n";
  for (const std::string& line : problems) text += "problem: " + line + "\n";
  return text + (problems.empty() ? "All is well.\n"
                                  : fmt::format("{} problem{}.\n", problems.size(), problems.size() == 1 ? "" : "s"));
}

FolderCheck check_folder(const fs::path& run, const std::vector<const Measure*>& measures,
                         const LockEnvironment& environment) {
  std::error_code ignored;
  if (!fs::is_directory(run, ignored)) {
    throw BadInput(fmt::format("{}: no such folder; a run's folder is runs/NAME, or what -o said", run.string()));
  }
  if (!fs::exists(run / "sweep.toml", ignored) && !fs::exists(run / "journal", ignored)) {
    throw BadInput(fmt::format("{}: not the folder of a run: it holds neither sweep.toml nor journals", run.string()));
  }
  return Checker(run, measures, environment).check();
}

}  // namespace diffphase
