#pragma once

#include <cstdint>
#include <string>

#include "process/noising_process.hpp"

namespace diffphase {

/// Eigenvalues of N = -b^2 J of the uniform law on a sphere S^(p-1) of R^p inside R^d.
struct HypersphereSpectrum {
  double tangential = 0.0;  ///< p - 1 times
  double radial = 0.0;      ///< once
  double normal = 1.0;      ///< d - p times
};

/// Closed forms for data uniform on the sphere of radius R in R^p, embedded in R^d. At x = a(t) x' with tau =
/// b^2/a^2, r the length of the component of x' in R^p and kappa = R r/tau, the posterior of x_0 is the law of
/// ensemble/bessel_ratio.hpp:
///
///   log p_tau(x') = log E exp(kappa u_1) - (r^2 + R^2)/(2 tau) - (p/2) log(2 pi tau)    in R^p
///   score         = (R A_p(kappa) - r)/tau along the radius
///   N             : 1 - (R^2/tau) A_p(kappa)/kappa across the radius, 1 - (R^2/tau) A_p'(kappa) along it
///
/// and the d - p normal directions add Gaussian noise: -|x_n|^2/(2 tau) - ((d - p)/2) log(2 pi tau), N = 1.
/// All lengths in the units of R at signal 1; tau > 0 and r >= 0, or NaN. Immutable, local.
class NoisedHypersphere {
 public:
  /// p >= 1 (p = 1: two points) and R > 0 finite, or std::invalid_argument. (`dimension` is p: the sphere itself
  /// has p - 1.)
  NoisedHypersphere(std::int64_t dimension, double radius);

  [[nodiscard]] double log_density(double r, double tau) const;
  [[nodiscard]] double radial_score(double r, double tau) const;
  [[nodiscard]] HypersphereSpectrum spectrum(double r, double tau) const;

  /// tau* = R^2/p: above, x = 0 is the maximum of the density; below, the sphere of fixed_radius() is, where the
  /// score vanishes (a latent state breaks the symmetry).
  [[nodiscard]] double symmetry_breaking_tau() const;
  [[nodiscard]] double symmetry_breaking_time(const NoisingProcess& process) const;
  /// r* = R A_p(R r*/tau), the positive solution below tau*, 0 from there on. N is 0 across the radius there.
  [[nodiscard]] double fixed_radius(double tau) const;
  /// sqrt(R^2 + p tau), the root mean square length of noised data, and the spectrum there. The relative
  /// spread of the length falls with p.
  [[nodiscard]] double typical_radius(double tau) const;
  [[nodiscard]] HypersphereSpectrum typical_spectrum(double tau) const { return spectrum(typical_radius(tau), tau); }

  /// The spectrum averaged over the law of r at tau, by quadrature to a relative accuracy of 1e-10.
  [[nodiscard]] HypersphereSpectrum mean_spectrum(double tau) const;

  /// The `source` attribute of these predictions.
  [[nodiscard]] static std::string source();

 private:
  std::int64_t dimension_;
  double radius_;
};

}  // namespace diffphase
