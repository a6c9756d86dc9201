#include "sweep/placement.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "files/checksummed_record.hpp"

namespace diffphase {

namespace {

void check(const TaskLoad& load, const PlacementRules& rules) {
  // Negated, so that NaN fails too.
  if (!(load.divided_bytes >= 0.0 && load.rank_bytes >= 0.0 && load.operations >= 0.0 && load.result_bytes >= 0.0)) {
    throw std::invalid_argument("place: the predicted load of a task is negative or not a number");
  }
  if (!(rules.memory_per_rank > 0.0 && rules.operations_per_rank > 0.0 && rules.ranks_per_task >= 0)) {
    throw std::invalid_argument("place: memory_per_rank and operations_per_rank must be positive");
  }
}

double bytes_on(int ranks, const TaskLoad& load) { return load.rank_bytes + load.divided_bytes / ranks; }

bool has_memory(int ranks, const TaskLoad& load, const PlacementRules& rules) {
  return bytes_on(ranks, load) <= rules.memory_per_rank;
}

bool is_large_enough(int ranks, const TaskLoad& load, const PlacementRules& rules) {
  if (rules.ranks_per_task > 0) return ranks >= rules.ranks_per_task;
  return load.operations / ranks <= rules.operations_per_rank;
}

std::string memory_problem(int ranks, const TaskLoad& load, const PlacementRules& rules) {
  std::string text =
      fmt::format("needs {} on each of {} rank{}, memory_per_rank is {}: ", bytes_text(bytes_on(ranks, load)), ranks,
                  ranks == 1 ? "" : "s", bytes_text(rules.memory_per_rank));
  const double spare = rules.memory_per_rank - load.rank_bytes;
  if (spare <= 0.0) {
    return text +
           fmt::format("raise it above {}, which every rank needs however many there are", bytes_text(load.rank_bytes));
  }
  return text + fmt::format("raise it, or use at least {:.0f} ranks", std::ceil(load.divided_bytes / spare));
}

std::string result_problem(const TaskLoad& load) {
  constexpr double mebibyte = 1024.0 * 1024.0;
  return fmt::format(
      "its result of {:.0f} MiB is too long for the journal, which takes {:.0f} MiB: fewer times, probes, eigenvalues "
      "or sample counts",
      load.result_bytes / mebibyte, static_cast<double>(max_record_bytes) / mebibyte);
}

}  // namespace

std::string bytes_text(double bytes) {
  constexpr double mebibyte = 1024.0 * 1024.0;
  constexpr double gibibyte = 1024.0 * mebibyte;
  return bytes < gibibyte ? fmt::format("{:.3g} MiB", bytes / mebibyte) : fmt::format("{:.3g} GiB", bytes / gibibyte);
}

Placement place(const TaskLoad& load, const TreeShape& shape, const PlacementRules& rules) {
  check(load, rules);
  if (load.result_bytes > static_cast<double>(max_record_bytes)) return {0, result_problem(load)};
  for (int level = shape.levels() - 1; level >= 0; --level) {
    const int ranks = shape.smallest_group(level);
    if (has_memory(ranks, load, rules) && is_large_enough(ranks, load, rules)) return {level, {}};
  }
  const int world = shape.world_size();
  if (has_memory(world, load, rules)) return {0, {}};
  return {0, memory_problem(world, load, rules)};
}

}  // namespace diffphase
