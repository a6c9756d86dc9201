#pragma once

#include <cstdint>
#include <vector>

namespace diffphase {

/// `count` times from `from` to `to`, both exact: equal ratios if `logarithmic`, else equal differences.
/// Needs 0 < from < to, count >= 2.
[[nodiscard]] std::vector<double> time_grid(double from, double to, std::int64_t count, bool logarithmic);

}  // namespace diffphase
