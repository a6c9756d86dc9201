#pragma once

#include <cstdint>

#include "bench_case.hpp"
#include "report_line.hpp"

namespace diffphase::bench {

struct OperatorOptions {
  std::int64_t vectors = 32;  ///< of a block
  int runs = 7;               ///< of which the fastest counts
};

/// Times of applying C to one vector and to a block, beside those of reading the slab once and of the block's two
/// matrix products (doubles only). Collective.
void measure_operator(const TaskGroup& group, const BenchCase& data, const OperatorOptions& options, ReportLine& line);

}  // namespace diffphase::bench
