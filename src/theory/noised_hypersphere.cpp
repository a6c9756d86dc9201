#include "theory/noised_hypersphere.hpp"

#include <algorithm>
#include <boost/math/quadrature/gauss.hpp>
#include <boost/math/tools/toms748_solve.hpp>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "ensemble/bessel_ratio.hpp"

namespace diffphase {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

bool valid(double r, double tau) { return r >= 0.0 && tau > 0.0 && std::isfinite(r) && std::isfinite(tau); }

}  // namespace

NoisedHypersphere::NoisedHypersphere(std::int64_t dimension, double radius) : dimension_(dimension), radius_(radius) {
  if (dimension < 1 || !(radius > 0.0) || std::isinf(radius)) {
    throw std::invalid_argument("a hypersphere needs dimension >= 1 and a positive finite radius");
  }
}

double NoisedHypersphere::log_density(double r, double tau) const {
  if (!valid(r, tau)) return nan;
  const double field = sphere_in_field(dimension_, radius_ * r / tau).log_average;
  // log E exp(kappa (u_1 - 1)) of the nearest point, whose distance is r - R.
  const double distance = r - radius_;
  return (field - radius_ * r / tau) - 0.5 * distance * distance / tau -
         0.5 * static_cast<double>(dimension_) * std::log(2.0 * M_PI * tau);
}

double NoisedHypersphere::radial_score(double r, double tau) const {
  if (!valid(r, tau)) return nan;
  return (radius_ * bessel_ratio(dimension_, radius_ * r / tau) - r) / tau;
}

HypersphereSpectrum NoisedHypersphere::spectrum(double r, double tau) const {
  if (!valid(r, tau)) return {.tangential = nan, .radial = nan, .normal = nan};
  const SphereInField law = sphere_in_field(dimension_, radius_ * r / tau);
  const double scale = radius_ * (radius_ / tau);
  return {.tangential = dimension_ > 1 ? 1.0 - scale * law.transverse_variance : nan,
          .radial = 1.0 - scale * law.variance,
          .normal = 1.0};
}

double NoisedHypersphere::symmetry_breaking_tau() const { return radius_ * radius_ / static_cast<double>(dimension_); }

double NoisedHypersphere::symmetry_breaking_time(const NoisingProcess& process) const {
  return process.time_at(symmetry_breaking_tau());
}

// In kappa = R r/tau the equation is A_p(kappa)/kappa = tau/R^2, whose left side falls from 1/p and lies between
// 1/(p + kappa) and 1/kappa.
double NoisedHypersphere::fixed_radius(double tau) const {
  if (!valid(0.0, tau)) return nan;
  if (tau >= symmetry_breaking_tau()) return 0.0;
  const double strength = radius_ * (radius_ / tau);
  const auto excess = [&](double kappa) {
    return 1.0 - strength * sphere_in_field(dimension_, kappa).transverse_variance;
  };
  const double low = std::max(0.0, strength - static_cast<double>(dimension_));
  const double high = strength;
  const double f_low = excess(low);
  const double f_high = excess(high);
  if (f_low >= 0.0 || f_high <= 0.0) return f_low >= 0.0 ? low * tau / radius_ : high * tau / radius_;
  std::uintmax_t iterations = 200;
  const auto bracket = boost::math::tools::toms748_solve(excess, low, high, f_low, f_high,
                                                         boost::math::tools::eps_tolerance<double>(52), iterations);
  return 0.5 * (bracket.first + bracket.second) * tau / radius_;
}

double NoisedHypersphere::typical_radius(double tau) const {
  return valid(0.0, tau) ? std::sqrt(radius_ * radius_ + static_cast<double>(dimension_) * tau) : nan;
}

// The density of r is smooth and falls off like a Gaussian of width sqrt(tau) at least: Gauss-Legendre points, more
// than 10 to a width. (The trapezoidal rule is as good only where the density is smooth across r = 0, for odd p.)
HypersphereSpectrum NoisedHypersphere::mean_spectrum(double tau) const {
  if (!valid(0.0, tau)) return {.tangential = nan, .radial = nan, .normal = nan};
  using Points = boost::math::quadrature::gauss<double, 20>;
  constexpr int panels = 16;
  constexpr double widths = 12.0;
  const double middle = typical_radius(tau);
  const double from = std::max(0.0, middle - widths * std::sqrt(tau));
  const double half_panel = 0.5 * (middle + widths * std::sqrt(tau) - from) / panels;
  const auto log_weight = [&](double r) {
    return static_cast<double>(dimension_ - 1) * std::log(r) + log_density(r, tau);
  };
  const double reference = log_weight(middle);
  HypersphereSpectrum mean{.tangential = 0.0, .radial = 0.0, .normal = 1.0};
  double total = 0.0;
  const auto add = [&](double r, double quadrature_weight) {
    const double weight = quadrature_weight * std::exp(log_weight(r) - reference);
    const HypersphereSpectrum at = spectrum(r, tau);
    mean.tangential += weight * at.tangential;
    mean.radial += weight * at.radial;
    total += weight;
  };
  for (int panel = 0; panel < panels; ++panel) {
    const double centre = from + (2 * panel + 1) * half_panel;
    for (std::size_t i = 0; i < Points::abscissa().size(); ++i) {
      const double offset = half_panel * Points::abscissa()[i];
      add(centre - offset, Points::weights()[i]);
      add(centre + offset, Points::weights()[i]);
    }
  }
  mean.tangential /= total;
  mean.radial /= total;
  return mean;
}

std::string NoisedHypersphere::source() {
  return "uniform hypersphere (von Mises-Fisher posterior), closed form, diffphase derivation; stable latent set as in "
         "Ventura et al. 2025 (arXiv:2410.05898)";
}

}  // namespace diffphase
