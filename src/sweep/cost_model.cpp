#include "sweep/cost_model.hpp"

namespace diffphase {

TaskLoad task_load(const Cost& cost) {
  return {
      .divided_bytes = cost.divided_bytes,
      .rank_bytes = cost.rank_bytes,
      .operations = cost.flops + operations_per_exponential * cost.exponentials + operations_per_normal * cost.normals};
}

}  // namespace diffphase
