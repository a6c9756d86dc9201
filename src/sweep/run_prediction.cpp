#include "sweep/run_prediction.hpp"

#include <algorithm>
#include <map>
#include <numeric>
#include <stdexcept>
#include <tuple>
#include <utility>

#include "sweep/result_size.hpp"

namespace diffphase {

namespace {

constexpr double scaling_efficiency = 0.5;
constexpr int scaling_precision = 100;  // an interval of ranks is narrow enough at one part in as many

auto everything(const Cost& cost) {
  return std::tie(cost.flops, cost.exponentials, cost.normals, cost.divided_bytes, cost.rank_bytes);
}

}  // namespace

RunPredictor::RunPredictor(const Sweep& sweep, const MachineRates& rates, const QueueCosts& costs)
    : sweep_(sweep), rates_(rates), costs_(costs), rules_(placement_rules(sweep.file.resources)) {
  rates_.threads = static_cast<int>(sweep.file.resources.threads);
  if (!rates.valid()) throw std::invalid_argument("RunPredictor: rates must be above zero");
  // Realizations of one cell cost the same, and often cells do.
  std::map<std::pair<const MeasureRequest*, std::size_t>, std::uint32_t> known;
  std::vector<Alike> found;
  alike_of_task_.reserve(sweep.tasks.size());
  for (const SweepTask& task : sweep.tasks) {
    const auto [entry, is_new] = known.try_emplace({task.request, task.cell}, static_cast<std::uint32_t>(found.size()));
    if (is_new) {
      const TaskParameters parameters = sweep.parameters(task);
      const Cost cost = task.measure().cost(parameters, {.counts = task.counts, .count_free = true});
      found.push_back(
          {cost, result_bytes(task.measure(), parameters, task.counts.size()), 0, task_seconds(cost, rates_)});
    }
    ++found[entry->second].count;
    alike_of_task_.push_back(entry->second);
  }
  std::vector<std::uint32_t> order(found.size());
  std::iota(order.begin(), order.end(), 0U);
  const auto longer = [&](std::uint32_t a, std::uint32_t b) {
    if (found[a].seconds != found[b].seconds) return found[a].seconds > found[b].seconds;
    return std::tuple(everything(found[a].cost), found[a].result_bytes) <
           std::tuple(everything(found[b].cost), found[b].result_bytes);
  };
  std::ranges::stable_sort(order, longer);
  std::vector<std::uint32_t> new_place(found.size());
  for (const std::uint32_t place : order) {
    const Alike& next = found[place];
    const bool same = !alike_.empty() && everything(alike_.back().cost) == everything(next.cost) &&
                      alike_.back().result_bytes == next.result_bytes;
    if (same) {
      alike_.back().count += next.count;
    } else {
      alike_.push_back(next);
    }
    new_place[place] = static_cast<std::uint32_t>(alike_.size() - 1);
  }
  for (std::uint32_t& place : alike_of_task_) place = new_place[place];
}

RunPredictor::Placed RunPredictor::place_all(const TreeShape& shape) const {
  Placed placed;
  for (const Alike& tasks : alike_) {
    const Placement placement = place(task_load(tasks.cost, tasks.result_bytes), shape, rules_);
    placed.levels.push_back(placement.problem.empty() ? placement.level : no_level);
    if (!placement.problem.empty()) continue;
    placed.useful_seconds += static_cast<double>(tasks.count) * tasks.seconds;
    placed.longest_seconds =
        std::max(placed.longest_seconds, task_seconds(tasks.cost, rates_, shape.smallest_group(placement.level)));
    placed.queue.push_back({.level = placement.level,
                            .count = tasks.count,
                            .work_seconds = std::max(0.0, tasks.seconds - rates_.task_overhead),
                            .fixed_seconds = rates_.task_overhead,
                            .result_bytes = tasks.result_bytes});
  }
  return placed;
}

// Until the last result is there, or what the ranks together need when they slow each other down.
double RunPredictor::wall_seconds(const TreeShape& shape, const QueueForecast& forecast) const {
  const int ranks = shape.world_size();
  if (ranks == 1) return forecast.seconds + run_overhead_seconds;
  const int computing = shape.dedicated_root() ? ranks - 1 : ranks;
  return std::max(forecast.seconds, shared_machine_slowdown * forecast.busy_seconds / computing) + run_overhead_seconds;
}

void RunPredictor::add_misfits(const TreeShape& shape, const Placed& placed, RunPrediction& run) const {
  for (std::size_t i = 0; i < sweep_.tasks.size(); ++i) {
    const std::uint32_t kind = alike_of_task_[i];
    if (placed.levels[kind] != no_level) continue;
    run.misfits.push_back(sweep_.label(sweep_.tasks[i]) + ": " +
                          place(task_load(alike_[kind].cost, alike_[kind].result_bytes), shape, rules_).problem);
  }
}

void RunPredictor::add_levels(const TreeShape& shape, const Placed& placed, RunPrediction& run) const {
  std::map<int, PlannedLevel> levels;
  for (std::size_t i = 0; i < alike_.size(); ++i) {
    const int level = placed.levels[i];
    if (level == no_level) continue;
    const Cost& cost = alike_[i].cost;
    const auto count = static_cast<double>(alike_[i].count);
    const int size = shape.smallest_group(level);
    PlannedLevel& planned = levels[level];
    planned.level = level;
    planned.groups = shape.groups(level);
    planned.ranks = size;
    planned.tasks += alike_[i].count;
    planned.bytes_per_rank = std::max(planned.bytes_per_rank, cost.rank_bytes + cost.divided_bytes / size);
    planned.seconds += count * task_seconds(cost, rates_, size);
    run.flops += count * cost.flops;
    run.exponentials += count * cost.exponentials;
    run.normals += count * cost.normals;
  }
  for (const auto& [level, planned] : levels) {
    run.bytes_per_rank = std::max(run.bytes_per_rank, planned.bytes_per_rank);
    run.levels.push_back(planned);
  }
}

RunPrediction RunPredictor::predict(int ranks) const {
  const TreeShape shape(ranks);
  const Placed placed = place_all(shape);
  RunPrediction run;
  run.tasks = sweep_.tasks.size();
  add_misfits(shape, placed, run);
  add_levels(shape, placed, run);
  const QueueForecast forecast = simulate_queue(shape, placed.queue, costs_);
  run.wall_seconds = wall_seconds(shape, forecast);
  run.core_hours = run.wall_seconds * ranks * rates_.threads / 3600.0;
  run.efficiency = placed.useful_seconds / (ranks * run.wall_seconds);
  run.root_load = forecast.root_load();
  for (const Alike& alike : alike_) run.results_bytes += alike.result_bytes * static_cast<double>(alike.count);
  return run;
}

ScalingLimit RunPredictor::scaling_limit(int most_ranks) const {
  ScalingLimit limit;
  const auto look = [&](int ranks) {
    const TreeShape shape(ranks);
    const Placed placed = place_all(shape);
    const QueueForecast forecast = simulate_queue(shape, placed.queue, costs_);
    const double seconds = wall_seconds(shape, forecast);
    const bool none_fits = placed.queue.empty();  // more ranks have more memory
    limit.root_load = forecast.root_load();
    limit.longest_share = placed.longest_seconds / seconds;
    if (!none_fits && placed.useful_seconds < scaling_efficiency * ranks * seconds) return false;
    limit.ranks = ranks;
    limit.beyond = ranks == most_ranks;
    return true;
  };
  int too_many = std::min(2, most_ranks);
  while (look(too_many)) {
    if (limit.beyond) return limit;
    too_many = std::min(2 * too_many, most_ranks);
  }
  while (too_many - limit.ranks > 1 + limit.ranks / scaling_precision) {
    const int middle = limit.ranks + (too_many - limit.ranks) / 2;
    if (!look(middle)) too_many = middle;
  }
  return limit;
}

RunPrediction predict_run(const Sweep& sweep, int ranks, const MachineRates& rates, const QueueCosts& costs) {
  return RunPredictor(sweep, rates, costs).predict(ranks);
}

}  // namespace diffphase
