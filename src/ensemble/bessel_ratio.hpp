#pragma once

#include <cstdint>

namespace diffphase {

/// The law of the component u_1 of a unit vector u of R^p along a field of strength kappa: density
/// proportional to exp(kappa u_1) on the sphere S^(p-1) (von Mises and Fisher). With nu = p/2 - 1:
///
///   log E exp(kappa u_1) = log(Gamma(nu + 1) (2/kappa)^nu I_nu(kappa))   average over the uniform law
///   mean                 = A_p(kappa) = I_(nu+1)(kappa)/I_nu(kappa)      its first derivative by kappa
///   variance             = A_p'(kappa) = 1 - A_p^2 - (p - 1) A_p/kappa   its second derivative
///   transverse variance  = A_p/kappa, of every component of u across the field; 1/p at kappa = 0
struct SphereInField {
  double log_average = 0.0;
  double mean = 0.0;
  double variance = 0.0;
  double transverse_variance = 0.0;
};

/// Mean and transverse variance to a relative error of 1e-14, the variance of 1e-12 (p = 1, where it is sech^2
/// kappa: to 1e-15), log_average to 1e-14 absolute or relative, whichever is larger; dimension p from 1 to 1e12,
/// any kappa >= 0, the limits at kappa = infinity. Debye's uniform expansions (DLMF 10.41) at large order or
/// field, and from there down to small orders the continued fraction A_p = 1/(p/kappa + A_(p+2)) with its
/// derivative, which forgets errors; at most 256 steps. Throws std::invalid_argument for other arguments. Local.
[[nodiscard]] SphereInField sphere_in_field(std::int64_t dimension, double kappa);

/// A_p(kappa) = I_(p/2)(kappa)/I_(p/2-1)(kappa), the mean above.
[[nodiscard]] double bessel_ratio(std::int64_t dimension, double kappa);

}  // namespace diffphase
