#pragma once

#include <cstdint>

#include "parallel/communicator.hpp"
#include "report_line.hpp"

namespace diffphase::bench {

struct NormalsOptions {
  std::int64_t columns = 4096;  ///< of a row, which is what one call draws
  std::int64_t rows = 128;      ///< of a run
  int runs = 40;                ///< of which the fastest counts
};

/// Random numbers per second, summed over the ranks, that go to one row's memory over and over: normal and uniform ones
/// of the stream's kernel for each instruction set of this processor, and of peers: the same normals from Random123's
/// Philox and the logarithm, cosine and sine of the C library; std::normal_distribution over std::mt19937_64; and
/// Random123's words alone. Collective.
void measure_normals(const Communicator& comm, const NormalsOptions& options, ReportLine& line);

}  // namespace diffphase::bench
