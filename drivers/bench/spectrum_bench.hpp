#pragma once

#include "bench_case.hpp"
#include "report_line.hpp"
#include "spectrum/partial_spectrum.hpp"

namespace diffphase::bench {

/// Times of making the operator and of its largest eigenpairs, residuals, products, and the peak memory of the ranks
/// beside what it may be: slab, Krylov basis and 512 MiB. Collective.
void measure_spectrum(const TaskGroup& group, const BenchCase& data, const SpectrumOptions& options, int runs,
                      ReportLine& line);

}  // namespace diffphase::bench
