#include "journal_reading.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstring>
#include <vector>

#include "files/bad_input.hpp"
#include "fuzz_input.hpp"
#include "memory_file.hpp"
#include "sweep/journal.hpp"

namespace diffphase {
namespace {

struct Run {
  Run() {
    folder.link("journal/1.journal", first);
    folder.link("journal/2.journal", second);
  }
  MemoryFile first;
  MemoryFile second;
  MemoryFolder folder;
};

std::string bits_of(const std::vector<double>* values) {
  if (values == nullptr) return "none";
  std::string text;
  for (const double value : *values) {
    std::uint64_t bits = 0;
    std::memcpy(&bits, &value, sizeof bits);
    text += fmt::format("{:x},", bits);
  }
  return text;
}

std::string print(const TaskHistory& task) {
  std::string text =
      fmt::format("{} attempts, {} failed, {} not ended, suspect {}, exhausted {}, ranks {}, {} | {}\n",
                  task.attempt_count(), task.failed_attempts(), task.unended_attempts(), task.suspect(),
                  task.exhausted(2), task.ranks(), fmt::join(task.failures(), ";"), fmt::join(task.warnings(), ";"));
  for (const auto& [origin, attempt] : task.attempts()) {
    text += fmt::format("  {} {} {}\n", origin.first, origin.second, static_cast<int>(attempt.outcome));
  }
  for (const char* name : {"a", "b", ""}) {
    text += fmt::format("  {}: {}", name, bits_of(task.value(name)));
    for (const std::int64_t count : {0, 1, 2, 1000}) text += " " + bits_of(task.value(count, name));
  }
  for (const std::int64_t count : {0, 1, 2, 1000}) text += task.complete(std::vector{count}) ? 'c' : '.';
  return text + '\n';
}

std::string print(const JournalState& state) {
  std::string text = fmt::format("{} journals, {}\n", state.journals(), fmt::join(state.warnings(), "\n"));
  if (const JournalHeader* header = state.latest()) {
    text +=
        fmt::format("{} {} {} {}\n", header->seed, header->numerics_version, header->program_version, header->sweep);
  }
  for (const auto& [identity, task] : state.tasks()) text += identity.hex() + ' ' + print(task);
  return text;
}

constexpr const char* refused = "refused";  // which of two headers the message names depends on the order

// What a look at the journals gives.
std::string look(JournalState& state) {
  try {
    state.refresh();
  } catch (const BadInput&) {
    return refused;
  }
  return print(state);
}

std::span<const std::byte> front(std::span<const std::byte> bytes, double part) {
  return bytes.first(static_cast<std::size_t>(part * static_cast<double>(bytes.size())));
}

}  // namespace

void check_journals(std::span<const std::byte> first, std::span<const std::byte> second, double part) {
  static const Run run;
  run.first.put(front(first, part));
  run.second.put(front(second, part));
  JournalState growing(run.folder.path());
  const bool refused_at_first = look(growing) == refused;
  run.first.put(first);
  run.second.put(second);
  JournalState whole(run.folder.path());
  const std::string at_once = look(whole);
  if (!refused_at_first)
    require(look(growing) == at_once, "journals read while they grow tell the same as read at once");
  constexpr std::size_t least_record_bytes = 32;  // its frame, kind and identity
  require(whole.tasks().size() <= (first.size() + second.size()) / least_record_bytes,
          "no more tasks are known than there are records");
}

}  // namespace diffphase
