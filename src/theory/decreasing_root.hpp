#pragma once

#include <algorithm>
#include <boost/math/tools/toms748_solve.hpp>
#include <cmath>
#include <cstdint>
#include <limits>

namespace diffphase {

/// The tau > 0 at which f, falling with tau, crosses zero, to rounding in log tau: searched from `start` > 0 in both
/// directions over e^-600 to e^600; NaN if f does not change sign or start is not positive and finite.
template <typename Function>
[[nodiscard]] double decreasing_root(const Function& f, double start) {
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  if (!(start > 0.0) || std::isinf(start)) return nan;
  const auto g = [&f](double log_tau) { return f(std::exp(log_tau)); };
  constexpr double limit = 600.0;
  double near = std::log(start);
  double g_near = g(near);
  if (std::isnan(g_near)) return nan;
  const double direction = g_near > 0.0 ? 1.0 : -1.0;
  for (double step = 0.5; std::abs(near) < limit; step *= 2.0) {
    const double far = std::clamp(near + direction * step, -limit, limit);
    const double g_far = g(far);
    if (std::isnan(g_far)) return nan;
    if ((g_far > 0.0) != (g_near > 0.0)) {
      std::uintmax_t iterations = 200;
      const auto tolerance = boost::math::tools::eps_tolerance<double>(52);
      const auto bracket = direction > 0.0
                               ? boost::math::tools::toms748_solve(g, near, far, g_near, g_far, tolerance, iterations)
                               : boost::math::tools::toms748_solve(g, far, near, g_far, g_near, tolerance, iterations);
      return std::exp(0.5 * (bracket.first + bracket.second));
    }
    near = far;
    g_near = g_far;
  }
  return nan;
}

}  // namespace diffphase
