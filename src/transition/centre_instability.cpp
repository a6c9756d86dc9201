#include "transition/centre_instability.hpp"

#include <algorithm>
#include <boost/math/tools/minima.hpp>
#include <boost/math/tools/toms748_solve.hpp>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>

namespace diffphase {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

struct Point {
  double x = 0.0;
  double excess = nan;
};

double root_between(const std::function<double(double)>& excess, const Point& below, const Point& above) {
  std::uintmax_t iterations = 200;
  const auto bracket = boost::math::tools::toms748_solve(excess, below.x, above.x, below.excess, above.excess,
                                                         boost::math::tools::eps_tolerance<double>(50), iterations);
  return 0.5 * (bracket.first + bracket.second);
}

/// The highest excess between two points of which a third, between them, is higher.
Point highest_between(const std::function<double(double)>& excess, double below, double above) {
  constexpr int bits = 20;  // of a maximum, half of those of a root
  std::uintmax_t iterations = 200;
  const auto [x, minus] =
      boost::math::tools::brent_find_minima([&](double at) { return -excess(at); }, below, above, bits, iterations);
  return {x, -minus};
}

/// Largest x in [lower, upper] at which `excess` (negative above the instability) is zero, by a scan downwards in
/// factors of `ratio`, with a search where three values have the highest in the middle; NaN if there is none. lower = 0
/// stands for 1e-9 upper.
double last_root(const std::function<double(double)>& excess, double lower, double upper, double ratio = 1.05) {
  // No factor brings infinity down.
  if (!(upper > 0.0) || !std::isfinite(upper * (1.0 + 1e-9))) return nan;
  const auto at = [&](double x) { return Point{x, excess(x)}; };
  Point before;
  Point above = at(upper * (1.0 + 1e-9));
  const double end = lower > 0.0 ? lower : 1e-9 * upper;
  while (above.x > end) {
    const Point below = at(std::max(above.x / ratio, end));
    if (below.excess == 0.0) return below.x;
    if (below.excess > 0.0 && above.excess < 0.0) return root_between(excess, below, above);
    if (above.excess > before.excess && above.excess >= below.excess) {
      const Point top = highest_between(excess, below.x, before.x);
      if (top.excess > 0.0) return root_between(excess, top, before);
    }
    before = above;
    above = below;
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

double centre_instability(const TaskGroup& group, const CentreStability& centre, double offset) {
  // Rank 0's value, so that all ranks search in the same places.
  const auto excess = [&](double tau) {
    double value = 0.0;
    group.run_guarded([&] {
      if (group.comm().is_root()) value = centre.largest_jacobian_eigenvalue(tau) + offset;
    });
    group.comm().broadcast(std::span(&value, 1));
    return value;
  };
  return last_root(excess, 1e-13, centre.stable_from(), 1.28);
}

}  // namespace diffphase
