#include "sweep/cost_model.hpp"

#include <cmath>
#include <stdexcept>

namespace diffphase {

TaskLoad task_load(const Cost& cost, double result_bytes) {
  return {.divided_bytes = cost.divided_bytes,
          .rank_bytes = cost.rank_bytes,
          .operations = cost.operations(),
          .result_bytes = result_bytes};
}

PlacementRules placement_rules(const Resources& resources) {
  PlacementRules rules;
  rules.memory_per_rank = static_cast<double>(resources.memory_per_rank);
  rules.ranks_per_task = static_cast<int>(resources.ranks_per_task);
  return rules;
}

bool MachineRates::valid() const {
  const auto positive = [](double rate) { return std::isfinite(rate) && rate > 0.0; };
  return positive(flops) && positive(exponentials) && positive(normals) && std::isfinite(task_overhead) &&
         task_overhead >= 0.0 && threads >= 1;
}

double task_seconds(const Cost& cost, const MachineRates& rates, int ranks) {
  if (ranks < 1) throw std::invalid_argument("task_seconds: a group has at least one rank");
  const double of_pass = cost.threaded == Cost::Threaded::nothing ? 1.0 : rates.threads;
  const double of_normals = cost.threaded == Cost::Threaded::everything ? rates.threads : 1.0;
  const double work = (cost.flops / rates.flops + cost.exponentials / rates.exponentials) / of_pass +
                      cost.normals / rates.normals / of_normals;
  return work / ranks + rates.task_overhead;
}

}  // namespace diffphase
