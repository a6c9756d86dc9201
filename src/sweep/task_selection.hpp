#pragma once

#include <string_view>

#include "sweep/grid.hpp"

namespace diffphase {

/// --points "2:5,9": keeps the tasks and sample counts of these points, 0-based, ends included, in plan
/// order. The grid stays whole. Throws BadInput for another form or a point that is not there.
void select_points(Sweep& sweep, std::string_view selection);

/// --shard "I/M", 1 <= I <= M: keeps the tasks whose identity mod M is I - 1. Throws BadInput for another
/// form.
void select_shard(Sweep& sweep, std::string_view shard);

}  // namespace diffphase
