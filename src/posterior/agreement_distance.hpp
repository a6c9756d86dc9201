#pragma once

#include <algorithm>
#include <cstdint>

#include "ensemble/data_slab.hpp"

namespace diffphase {

/// Blocks of SlabLayout::block components that a rank takes between two agreement points, with so many multiply-adds,
/// or what takes as long, per (probe, component): well under two seconds on any core of today.
[[nodiscard]] inline std::int64_t blocks_between_agreements(std::int64_t probes, double work_per_product) {
  constexpr double work_between_agreements = 1e10;
  const double per_block = static_cast<double>(probes * SlabLayout::block) * work_per_product;
  return std::max<std::int64_t>(1, static_cast<std::int64_t>(work_between_agreements / std::max(1.0, per_block)));
}

}  // namespace diffphase
