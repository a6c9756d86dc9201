#include "spectrum_bench.hpp"

#include <algorithm>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "machine_rates.hpp"
#include "parallel/clock.hpp"
#include "spectrum/row_kernels.hpp"
#include "spectrum/verified_krylov.hpp"

namespace diffphase::bench {

namespace {

constexpr double mebibyte = 1048576.0;

struct Solution {
  PartialSpectrum spectrum;
  double set_up_seconds = std::numeric_limits<double>::infinity();
  double solve_seconds = std::numeric_limits<double>::infinity();
};

void solve(const TaskGroup& group, const BenchCase& data, const SpectrumOptions& options, Solution& best) {
  group.comm().barrier();
  const double start = steady_seconds();
  const ScoreJacobian jacobian = data.jacobian();
  group.comm().barrier();
  const double made = steady_seconds();
  best.spectrum = largest_eigenpairs(group, jacobian.covariance(), options);
  group.comm().barrier();
  best.set_up_seconds = std::min(best.set_up_seconds, made - start);
  best.solve_seconds = std::min(best.solve_seconds, steady_seconds() - made);
}

// |C v - lambda v| / |lambda|, the largest.
double worst_residual(const PartialSpectrum& spectrum) {
  double worst = 0.0;
  for (std::size_t i = 0; i < spectrum.residuals.size(); ++i) {
    worst = std::max(worst, spectrum.residuals[i] / std::abs(spectrum.eigenvalues[i]));
  }
  return worst;
}

void add_memory(const TaskGroup& group, const BenchCase& data, const SpectrumOptions& options, double before,
                ReportLine& line) {
  const RowView rows = data.rows();
  const std::int64_t columns = rows.layout().columns;
  auto slab = static_cast<double>(rows.stored() * (rows.is_single() ? sizeof(float) : sizeof(double)));
  // As `diffphase plan` counts it, for a rank.
  const auto vectors =
      static_cast<double>(verified_krylov_vectors(columns, std::min(options.count, columns), most_row_vectors));
  const double basis = 8.0 * vectors * static_cast<double>(columns) / group.comm().size();
  std::vector<double> peaks{peak_memory(), slab, before};
  group.comm().maximum(peaks);
  line.add("peak_mib", peaks[0] / mebibyte);
  line.add("slab_mib", peaks[1] / mebibyte);
  line.add("peak_before_solving_mib", peaks[2] / mebibyte);
  line.add("basis_mib", basis / mebibyte);
  line.add("allowed_mib", (peaks[1] + basis) / mebibyte + 512.0);
}

}  // namespace

void measure_spectrum(const TaskGroup& group, const BenchCase& data, const SpectrumOptions& options, int runs,
                      ReportLine& line) {
  const double before = peak_memory();
  Solution solution;
  for (int run = 0; run < runs; ++run) solve(group, data, options, solution);
  const PartialSpectrum& spectrum = solution.spectrum;
  line.add("method", name(spectrum.method));
  line.add("reason", std::string_view(spectrum.reason));
  line.add("count", static_cast<std::int64_t>(spectrum.eigenvalues.size()));
  line.add("tolerance", spectrum.tolerance);
  line.add("set_up_seconds", solution.set_up_seconds);
  line.add("solve_seconds", solution.solve_seconds);
  line.add("products", spectrum.products);
  line.add("iterations", spectrum.iterations);
  line.add("verified", spectrum.verification.performed);
  line.add("verification_products", spectrum.verification.products);
  line.add("copies_added", spectrum.verification.copies_added);
  line.add("converged", spectrum.all_converged());
  line.add("worst_relative_residual", worst_residual(spectrum));
  line.add_list("eigenvalues", spectrum.eigenvalues);
  add_memory(group, data, options, before, line);
}

}  // namespace diffphase::bench
