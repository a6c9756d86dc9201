#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "parallel/task_group.hpp"
#include "random/random_stream.hpp"
#include "spectrum/deflated_space.hpp"
#include "spectrum/gauss_quadrature.hpp"
#include "spectrum/probe_vectors.hpp"
#include "spectrum/symmetric_operator.hpp"

namespace diffphase {

struct DensitySettings {
  int probes = 32;
  int steps = 64;  ///< Lanczos steps per probe; at most the dimension that is left after deflation
  int block = 8;   ///< probes that advance together; the operator's bandwidth gains, the memory grows
  ProbeLaw law = ProbeLaw::gaussian;
};

/// Bytes of the Lanczos vectors on a rank with `local_size` components. Local.
[[nodiscard]] std::int64_t density_bytes(std::int64_t local_size, const DensitySettings& settings);

/// A number from a spectral density. The two errors are of different kinds: the statistical one falls with the number
/// of probes, the bias with the number of steps only.
struct DensityEstimate {
  double value = 0.0;
  double standard_error = 0.0;  ///< over probes; infinite for one probe
  double bias = 0.0;            ///< value minus the same from half the steps
};

/// A number of eigenvalues, with what the steps leave open by the theorem of Chebyshev, Markov and Stieltjes: the count
/// of these probes with infinitely many steps lies within value +- bound.
struct CountEstimate {
  double value = 0.0;
  double standard_error = 0.0;
  double bias = 0.0;
  double bound = 0.0;
};

/// A density on a grid, smoothed with a Gaussian kernel of standard deviation `width`: its integral over the real line
/// is the dimension of the operator.
struct SmoothedDensity {
  std::string kernel = "gaussian";
  double width = 0.0;
  std::vector<double> grid;
  std::vector<double> values;
  std::vector<double> standard_errors;  ///< over probes
  std::vector<double> biases;           ///< values minus those from half the steps
};

/// What one probe knows of the spectrum: quadratures of mass 1 from all of its steps and from half of them.
struct ProbeSpectrum {
  double weight = 1.0;  ///< mean 1 over probes
  LanczosRecurrence recurrence;
  LanczosRecurrence half_recurrence;
  Quadrature quadrature;
  Quadrature half_quadrature;
};

/// The density of the eigenvalues of a symmetric operator on R^d,
///
///   rho(x) = sum_i delta(x - theta_i) + (d - k)/P sum_p w_p sum_j tau_pj delta(x - x_pj),
///
/// from k eigenvalues theta_i that are known exactly and P probes in what is left (stochastic Lanczos quadrature). It
/// integrates to d exactly; moments of degree up to 2 steps - 1 have no bias. With Gaussian probes the directions are
/// uniform and every integral is unbiased but for the steps; Rademacher probes are weighted by the squared length that
/// deflation leaves them, with a bias of order 1/P there and none without deflation. All members are local; every rank
/// has the same numbers. Memory: O(probes steps).
class SpectralDensity {
 public:
  SpectralDensity(std::int64_t size, std::vector<double> peaks, std::vector<ProbeSpectrum> probes);

  /// sum_i f(lambda_i) over all eigenvalues.
  [[nodiscard]] DensityEstimate integral(const std::function<double(double)>& f) const;
  /// sum_i lambda_i^degree.
  [[nodiscard]] DensityEstimate moment(int degree) const;
  /// Eigenvalues in (lower, upper], either of which may be infinite: from the Gauss-Radau quadratures that have the
  /// ends as nodes. Place the ends where no single eigenvalue can be: half of the weight at an end counts.
  [[nodiscard]] CountEstimate count(double lower, double upper) const;
  /// Eigenvalues at or below x.
  [[nodiscard]] CountEstimate cumulative(double x) const;
  /// `width` must be positive (std::invalid_argument); width_of_steps() shows no single node.
  [[nodiscard]] SmoothedDensity smoothed(std::span<const double> grid, double width) const;
  /// Twice the mean distance between the nodes of a probe: the detail that the steps resolve. 0 where no probe has two,
  /// or all are exact: nodes are eigenvalues there.
  [[nodiscard]] double width_of_steps() const;

  [[nodiscard]] std::int64_t size() const { return size_; }
  [[nodiscard]] const std::vector<double>& peaks() const { return peaks_; }
  [[nodiscard]] const std::vector<ProbeSpectrum>& probes() const { return probes_; }
  /// Probes whose recurrence ended in an invariant subspace: their quadrature is exact for every function.
  [[nodiscard]] int exact_probes() const;

  std::int64_t products = 0;  ///< vectors to which the operator was applied

 private:
  [[nodiscard]] double remaining() const;
  [[nodiscard]] std::vector<double> weights() const;

  std::int64_t size_;
  std::vector<double> peaks_;
  std::vector<ProbeSpectrum> probes_;
};

/// The density of `op` by P = settings.probes recurrences. `stream` is for nothing else. Collective over the group,
/// with an agreement point at every step; throws Stopped, GroupError, std::runtime_error as BlockLanczos, on every
/// rank. Memory: density_bytes, beside the deflated vectors.
[[nodiscard]] SpectralDensity spectral_density(const TaskGroup& group, const SymmetricOperator& op,
                                               const RandomStream& stream, const DensitySettings& settings,
                                               const DeflatedSpace& deflated = {});

}  // namespace diffphase
