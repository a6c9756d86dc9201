#include "transition/centre_instability.hpp"

#include <algorithm>
#include <boost/math/tools/toms748_solve.hpp>
#include <cmath>
#include <cstdint>
#include <limits>

namespace diffphase {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

/// Largest x in [lower, upper] at which `excess` (negative above the instability) is zero, by a scan downwards in
/// factors of `ratio`; NaN if there is none. lower = 0 stands for 1e-9 upper.
double last_root(const std::function<double(double)>& excess, double lower, double upper, double ratio = 1.05) {
  double above = upper * (1.0 + 1e-9);
  double excess_above = excess(above);
  const double end = lower > 0.0 ? lower : 1e-9 * upper;
  while (above > end) {
    const double below = std::max(above / ratio, end);
    const double excess_below = excess(below);
    if (excess_below == 0.0) return below;
    if (excess_below > 0.0 && excess_above < 0.0) {
      std::uintmax_t iterations = 200;
      const auto bracket = boost::math::tools::toms748_solve(excess, below, above, excess_below, excess_above,
                                                             boost::math::tools::eps_tolerance<double>(50), iterations);
      return 0.5 * (bracket.first + bracket.second);
    }
    above = below;
    excess_above = excess_below;
  }
  return nan;
}

/// Root in s of the marginal drift for constant lambda.
double drift_root(double lambda, double sigma) {
  const double kappa = 1.0 - sigma * sigma;
  return lambda - kappa + std::hypot(lambda, kappa);
}

}  // namespace

double curvature_instability(const CentroidVariance& lambda, double bound, double sigma) {
  const double within = sigma * sigma;
  const auto excess = [&](double s) { return lambda(std::max(s - within, 0.0)) - s; };
  return last_root(excess, within, bound) - within;
}

double drift_instability(const CentroidVariance& lambda, double bound, double sigma) {
  const double within = sigma * sigma;
  const auto excess = [&](double s) { return drift_root(lambda(std::max(s - within, 0.0)), sigma) - s; };
  return last_root(excess, within, drift_root(bound, sigma)) - within;
}

double centre_instability(const CentreStability& centre, double offset) {
  const auto excess = [&](double tau) { return centre.largest_jacobian_eigenvalue(tau) + offset; };
  return last_root(excess, 1e-13, centre.stable_from(), 1.28);
}

}  // namespace diffphase
