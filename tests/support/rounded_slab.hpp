#pragma once

#include <algorithm>

#include "ensemble/data_slab.hpp"

namespace diffphase::test {

/// The slab rounded to single precision.
inline SinglePrecisionSlab single_precision(const DataSlab& slab) {
  SinglePrecisionSlab out = zero_single_precision_slab(slab.layout);
  for (std::int64_t i = 0; i < slab.layout.local_rows(); ++i) {
    const std::span<const double> row = slab.row(i);
    std::transform(row.begin(), row.end(), out.values.begin() + i * out.stride(),
                   [](double value) { return static_cast<float>(value); });
  }
  return out;
}

}  // namespace diffphase::test
