#include "ensemble/bessel_ratio.hpp"

#include <algorithm>
#include <array>
#include <boost/math/special_functions/gamma.hpp>
#include <cmath>
#include <cstddef>
#include <stdexcept>

namespace diffphase {
namespace {

constexpr std::size_t terms = 5;                 // of Debye's expansions, with the first, which is 1
constexpr std::size_t degree = 3 * (terms - 1);  // of the last one
// The expansions run in powers of 1/hypot(n, x): from there on they are good to rounding, from the smallest order on
// after a few steps of the continued fraction.
constexpr double strong_field = 1024.0;
constexpr double smallest_order = 256.0;
constexpr double fewest_steps = 24.0;

using Polynomial = std::array<double, degree + 1>;

/// U_k(p) and V_k(p) of I_n(n z) and I'_n(n z), DLMF 10.41.9.
struct DebyePolynomials {
  std::array<Polynomial, terms> u{};
  std::array<Polynomial, terms> v{};
};

constexpr DebyePolynomials make_polynomials() {
  DebyePolynomials result;
  result.u[0][0] = 1.0;
  result.v[0][0] = 1.0;
  for (std::size_t k = 0; k + 1 < terms; ++k) {
    for (std::size_t j = 0; j <= 3 * k; ++j) {
      const double a = result.u[k][j];
      const auto power = static_cast<double>(j);
      const double low = a * (0.5 * power + 0.125 / (power + 1.0));
      const double high = -a * (0.5 * power + 0.625 / (power + 3.0));
      result.u[k + 1][j + 1] += low;
      result.u[k + 1][j + 3] += high;
      result.v[k + 1][j + 1] += low - a * (0.5 + power);
      result.v[k + 1][j + 3] += high + a * (0.5 + power);
    }
  }
  return result;
}

constexpr DebyePolynomials polynomials = make_polynomials();

struct ValueAndSlope {
  double value = 0.0;
  double slope = 0.0;
};

/// sum_k f_k(p)/n^k and its derivative by p.
ValueAndSlope debye_sum(const std::array<Polynomial, terms>& f, double order, double p) {
  ValueAndSlope sum;
  for (std::size_t k = terms; k-- > 0;) {
    ValueAndSlope term;
    for (std::size_t j = degree + 1; j-- > 0;) {
      term.slope = term.slope * p + term.value;
      term.value = term.value * p + f[k][j];
    }
    sum.value = sum.value / order + term.value;
    sum.slope = sum.slope / order + term.slope;
  }
  return sum;
}

/// Of the order nu = n - 1: r = I_n/I_(n-1), r/x, dr/dx and log(Gamma(nu + 1) (2/x)^nu I_nu(x)).
struct OneOrder {
  double ratio = 0.0;
  double ratio_by_x = 0.0;
  double slope = 0.0;
  double log_average = 0.0;
};

/// log n! - (n + 1/2) log n + n - log(2 pi)/2.
double stirling_remainder(double n) {
  if (n < smallest_order) {
    return boost::math::lgamma(n + 1.0) - (n + 0.5) * std::log(n) + n - 0.5 * std::log(2.0 * M_PI);
  }
  return (1.0 / 12.0 - (1.0 / 360.0 - 1.0 / (1260.0 * n * n)) / (n * n)) / n;
}

/// From I_(n-1)/I_n = I'_n/I_n + n/x, both terms positive.
OneOrder uniform_expansion(double n, double x) {
  const double z = x / n;
  const double root = std::hypot(1.0, z);
  const double p = 1.0 / root;
  const ValueAndSlope u = debye_sum(polynomials.u, n, p);
  const ValueAndSlope v = debye_sum(polynomials.v, n, p);
  const double q = v.value / u.value;
  const double q_slope = (v.slope - q * u.slope) / u.value;
  OneOrder result;
  result.ratio_by_x = 1.0 / (n * (1.0 + root * q));
  result.ratio = x * result.ratio_by_x;
  result.slope = n * result.ratio_by_x * result.ratio_by_x * (1.0 + p * q + (1.0 - p) * (1.0 + p) * q_slope);
  const double root_excess = z * (z / (1.0 + root));  // root - 1
  const double log_average_above = n * (root_excess - std::log1p(0.5 * root_excess)) - 0.5 * std::log(root) +
                                   std::log(u.value) + stirling_remainder(n);
  result.log_average = log_average_above - std::log(2.0 * n * result.ratio_by_x);
  return result;
}

OneOrder one_order_down(const OneOrder& above, double n, double x) {
  OneOrder result;
  result.ratio_by_x = 1.0 / (2.0 * n + x * above.ratio);
  result.ratio = x * result.ratio_by_x;
  result.slope = 2.0 * n * result.ratio_by_x * result.ratio_by_x - result.ratio * result.ratio * above.slope;
  result.log_average = above.log_average + std::log1p(x * above.ratio / (2.0 * n));
  return result;
}

}  // namespace

SphereInField sphere_in_field(std::int64_t dimension, double kappa) {
  if (dimension < 1 || !(kappa >= 0.0)) {
    throw std::invalid_argument("a sphere in a field needs dimension >= 1 and kappa >= 0");
  }
  if (std::isinf(kappa)) return {.log_average = kappa, .mean = 1.0, .variance = 0.0, .transverse_variance = 0.0};
  const double order = 0.5 * static_cast<double>(dimension);
  double n = order;
  if (order < 8.0 * smallest_order && kappa < strong_field)
    n += std::max(fewest_steps, std::ceil(smallest_order - order));
  OneOrder current = uniform_expansion(n, kappa);
  while (n > order) {
    n -= 1.0;
    current = one_order_down(current, n, kappa);
  }
  return {.log_average = current.log_average,
          .mean = current.ratio,
          .variance = current.slope,
          .transverse_variance = current.ratio_by_x};
}

double bessel_ratio(std::int64_t dimension, double kappa) { return sphere_in_field(dimension, kappa).mean; }

}  // namespace diffphase
