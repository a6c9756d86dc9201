#include "sweep/task_selection.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>
#include <set>
#include <vector>

#include "files/bad_input.hpp"

namespace diffphase {

namespace {

std::optional<std::int64_t> parse_integer(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

struct PointRange {
  std::int64_t first;
  std::int64_t last;
};

/// "5" or "2:5".
PointRange parse_range(std::string_view text, std::string_view selection, std::int64_t points) {
  const std::size_t colon = text.find(':');
  const std::optional<std::int64_t> first = parse_integer(text.substr(0, colon));
  const std::optional<std::int64_t> last =
      colon == std::string_view::npos ? first : parse_integer(text.substr(colon + 1));
  if (!first || !last) {
    throw BadInput(
        fmt::format("--points {}: \"{}\" is not a point or a range; write for example 2:5,9", selection, text));
  }
  if (*first < 0 || *last < *first || *last >= points) {
    throw BadInput(fmt::format("--points {}: \"{}\" is not within the points 0:{} that diffphase plan lists", selection,
                               text, points - 1));
  }
  return {*first, *last};
}

std::vector<PointRange> parse_selection(std::string_view selection, std::int64_t points) {
  std::vector<PointRange> ranges;
  std::size_t start = 0;
  while (start <= selection.size()) {
    const std::size_t comma = std::min(selection.find(',', start), selection.size());
    ranges.push_back(parse_range(selection.substr(start, comma - start), selection, points));
    start = comma + 1;
  }
  return ranges;
}

}  // namespace

void select_points(Sweep& sweep, std::string_view selection) {
  const auto ranges = parse_selection(selection, static_cast<std::int64_t>(sweep.points.size()));
  for (GridPoint& point : sweep.points) point.selected = false;
  for (const PointRange& range : ranges) {
    for (std::int64_t i = range.first; i <= range.last; ++i) sweep.points[static_cast<std::size_t>(i)].selected = true;
  }
  std::map<std::size_t, std::set<std::int64_t>> counts;
  for (const GridPoint& point : sweep.points) {
    if (point.selected) counts[point.cell].insert(point.samples);
  }
  std::erase_if(sweep.tasks, [&](const SweepTask& task) { return !counts.contains(task.cell); });
  for (SweepTask& task : sweep.tasks) {
    std::erase_if(task.counts, [&](std::int64_t count) { return !counts[task.cell].contains(count); });
  }
}

void select_shard(Sweep& sweep, std::string_view shard) {
  const std::size_t slash = shard.find('/');
  const std::optional<std::int64_t> number = parse_integer(shard.substr(0, slash));
  const std::optional<std::int64_t> shards =
      slash == std::string_view::npos ? std::nullopt : parse_integer(shard.substr(slash + 1));
  constexpr std::int64_t most = std::int64_t{1} << 31;
  if (!number || !shards || *number < 1 || *number > *shards || *shards > most) {
    throw BadInput(fmt::format("--shard {}: must be I/M with 1 <= I <= M, for example 2/4", shard));
  }
  std::erase_if(sweep.tasks, [&](const SweepTask& task) { return !shard_holds(task.identity, *number, *shards); });
}

}  // namespace diffphase
