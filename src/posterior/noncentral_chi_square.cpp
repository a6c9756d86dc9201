#include "posterior/noncentral_chi_square.hpp"

#include <algorithm>
#include <array>
#include <boost/math/special_functions/gamma.hpp>
#include <cmath>
#include <cstddef>
#include <limits>
#include <stdexcept>

namespace diffphase {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double log_root_two_pi = 0.91893853320467274178;
constexpr double near_mean = 0.01;  // in standard deviations

/// (1 - Phi(a))/phi(a), a >= 0.
double mills_ratio(double a) {
  constexpr double far = 30.0;  // e^(a^2/2) is a number, and the asymptotic series is good to rounding
  if (a < far) return std::sqrt(0.5 * M_PI) * std::exp(0.5 * a * a) * std::erfc(a * M_SQRT1_2);
  const double v = 1.0 / (a * a);
  return (1.0 - v * (1.0 - v * (3.0 - v * (15.0 - v * (105.0 - v * 945.0))))) / a;
}

/// log(1 - e^l), l <= 0.
double log_complement(double l) { return l > -M_LN2 ? std::log(-std::expm1(l)) : std::log1p(-std::exp(l)); }

/// ((-log(1 - r) - r)/r^2 - 1/2)/r = 1/3 + r/4 + r^2/5 + ..., from r and log(1 - r).
double log_remainder(double r, double log_q) {
  constexpr double small = 0.1;
  constexpr int terms = 17;  // 0.1^17 is below rounding
  if (std::abs(r) > small) return ((-log_q - r) / (r * r) - 0.5) / r;
  double sum = 0.0;
  for (int j = terms; j > 0; --j) sum = sum * r + 1.0 / static_cast<double>(j + 2);
  return sum;
}

}  // namespace

NoncentralChiSquare::NoncentralChiSquare(std::int64_t degrees, double noncentrality)
    : degrees_(static_cast<double>(degrees)), noncentrality_(noncentrality) {
  if (degrees < 1 || !(noncentrality >= 0.0) || std::isinf(noncentrality)) {
    throw std::invalid_argument("noncentral chi-square needs degrees >= 1 and a finite noncentrality >= 0");
  }
}

double NoncentralChiSquare::log_exact_density(double x) const {
  const double half = 0.5 * degrees_;
  const double central = (half - 1.0) * std::log(0.5 * x) - 0.5 * x - M_LN2 - boost::math::lgamma(half);
  return central + (field(x).log_average - 0.5 * noncentrality_);
}

double NoncentralChiSquare::log_density(double x) const {
  constexpr double many = 1e5;  // here terms of B lose as many digits as the next order of the saddle point is away
  if (!(x > 0.0)) return -infinity;
  const double place = log_q(x);
  const Tilt at = tilt(place);
  if (at.root_u * at.root_u < many) return log_exact_density(x);
  const double w = at.r * at.root_w;
  return -0.5 * w * w - log_root_two_pi - (M_LN2 + place) - std::log(at.root_u) +
         std::log1p(cumulants(at).of_density());
}

// D is the squared length of a vector around m: at given length its direction is that of a sphere in a field.
SphereInField NoncentralChiSquare::field(double x) const {
  return sphere_in_field(static_cast<std::int64_t>(degrees_), std::sqrt(noncentrality_ * x));
}

double NoncentralChiSquare::log_q(double x) const {
  return std::log(2.0 * x / (degrees_ + std::sqrt(degrees_ * degrees_ + 4.0 * noncentrality_ * x)));
}

NoncentralChiSquare::Tilt NoncentralChiSquare::tilt(double log_q) const {
  constexpr double far_below = -0.7;  // where 1 - q keeps its digits
  Tilt tilt;
  tilt.r = log_q < far_below ? 1.0 - std::exp(log_q) : -std::expm1(log_q);
  tilt.q = log_q < far_below ? std::exp(log_q) : 1.0 - tilt.r;
  tilt.remainder = log_remainder(tilt.r, log_q);
  tilt.root_w = std::sqrt(degrees_ * (0.5 + tilt.r * tilt.remainder) + noncentrality_);
  tilt.root_u = std::sqrt(0.5 * degrees_ + noncentrality_ * tilt.q);
  return tilt;
}

// With the standardised cumulants rho_3, rho_4 at the saddle point
//   (rho_4/8 - 5 rho_3^2/24)/u - rho_3/(2 u^2) - 1/u^3 + 1/w^3.
double NoncentralChiSquare::second_term(const Tilt& tilt) const {
  const double by_w = -1.0 / (tilt.r * tilt.root_w);
  const double by_u = -1.0 / (tilt.r * tilt.root_u);
  const Cumulants rho = cumulants(tilt);
  return by_u * (rho.of_density() - by_u * (0.5 * rho.third + by_u)) + by_w * by_w * by_w;
}

NoncentralChiSquare::Cumulants NoncentralChiSquare::cumulants(const Tilt& tilt) const {
  const double inner = noncentrality_ * tilt.q;
  const double variance = 2.0 * degrees_ + 4.0 * inner;  // cumulants over powers of q
  return {.third = (8.0 * degrees_ + 24.0 * inner) / (variance * 2.0 * tilt.root_u),
          .fourth = (48.0 * degrees_ + 192.0 * inner) / (variance * variance)};
}

// The terms cancel to order r^-3 around the mean: there, on a line between two points where enough is left.
double NoncentralChiSquare::second_term_near_mean(double r) const {
  const double away = near_mean / std::sqrt(0.5 * degrees_ + noncentrality_);
  const double below = second_term(tilt(std::log1p(-away)));
  const double above = second_term(tilt(std::log1p(away)));
  return 0.5 * (above + below) + 0.5 * (below - above) * r / away;
}

NoncentralChiSquare::SaddlePoint NoncentralChiSquare::saddle_point(double log_q) const {
  const Tilt at = tilt(log_q);
  const double first_term =
      (noncentrality_ + degrees_ * at.remainder) / (at.root_w * at.root_u * (at.root_w + at.root_u));
  const double w = -at.r * at.root_w;
  const double second = std::abs(w) < near_mean ? second_term_near_mean(at.r) : second_term(at);
  return {.w = w, .correction = first_term - second, .root = at.root_u};
}

NoncentralChiSquare::LowerTail NoncentralChiSquare::lower_tail(double log_q) const {
  const SaddlePoint at = saddle_point(log_q);
  const double log_phi = -0.5 * at.w * at.w - log_root_two_pi;
  if (at.w <= 0.0) {
    const double scaled = mills_ratio(-at.w) + at.correction;
    return {.log_cdf = log_phi + std::log(scaled), .slope = at.root / scaled};
  }
  const double log_cdf = log_complement(log_phi + std::log(mills_ratio(at.w) - at.correction));
  return {.log_cdf = log_cdf, .slope = at.root * std::exp(log_phi - log_cdf)};
}

double NoncentralChiSquare::log_cdf(double x) const { return x > 0.0 ? lower_tail(log_q(x)).log_cdf : -infinity; }

double NoncentralChiSquare::log_survival(double x) const {
  if (!(x > 0.0)) return 0.0;
  const SaddlePoint at = saddle_point(log_q(x));
  const double log_phi = -0.5 * at.w * at.w - log_root_two_pi;
  if (at.w > 0.0) return log_phi + std::log(mills_ratio(at.w) - at.correction);
  return log_complement(log_phi + std::log(mills_ratio(-at.w) + at.correction));
}

// P(D <= x) <= e^(-w^2/2), and w^2/2 is larger than its central part and than its lowest order.
double NoncentralChiSquare::log_q_below(double log_probability) const {
  const double central = 2.0 * log_probability / degrees_ - 1.0;
  const double r = std::sqrt(-2.0 * log_probability / (0.5 * degrees_ + noncentrality_));
  return r < 1.0 ? std::max(central, std::log1p(-r)) : central;
}

// Newton's method: log P is concave in log q, so that with the true slope it would never go too far from below.
void NoncentralChiSquare::quantiles(std::span<const double> log_probabilities, std::span<double> out) const {
  constexpr int most_steps = 200;
  constexpr double nearly = 1e-4;  // the step after this leaves what a wrong slope makes of it
  if (log_probabilities.size() != out.size()) throw std::logic_error("quantiles: as many results as probabilities");
  if (out.empty()) return;
  if (!std::ranges::all_of(log_probabilities, [](double level) { return level < 0.0 && level > -infinity; })) {
    throw std::invalid_argument("quantiles need finite log-probabilities below 0");
  }
  double place = log_q_below(log_probabilities.front());
  LowerTail at = lower_tail(place);
  for (std::size_t i = 0; i < out.size(); ++i) {
    const double target = log_probabilities[i];
    const double lowest = log_q_below(target);
    const auto step = [&](double missing) {
      place = std::clamp(place + missing / at.slope, lowest, std::max(0.0, place + 1.0));
    };
    step(target - at.log_cdf);
    for (int steps = 0; steps < most_steps; ++steps) {
      at = lower_tail(place);
      const double missing = target - at.log_cdf;
      step(missing);
      if (std::abs(missing) <= nearly * std::min(1.0, -target)) break;
    }
    at.log_cdf = target;
    const double q = std::exp(place);
    out[i] = q * (degrees_ + noncentrality_ * q);
  }
}

double NoncentralChiSquare::quantile(double log_probability) const {
  double result = 0.0;
  quantiles({&log_probability, 1}, {&result, 1});
  return result;
}

double NoncentralChiSquare::log_average(double s) const {
  return -0.5 * degrees_ * std::log1p(2.0 * s) - noncentrality_ * s / (1.0 + 2.0 * s);
}

NoncentralChiSquare NoncentralChiSquare::tilted(double s) const {
  return {static_cast<std::int64_t>(degrees_), noncentrality_ / (1.0 + 2.0 * s)};
}

// x f_k = k f_(k+2) + lambda f_(k+4) and P_(k+2)(D > x) = P_k(D > x) + 2 f_(k+2).
double NoncentralChiSquare::mean_above(double x) const {
  constexpr double negligible = -50.0;
  if (!(x > 0.0) || log_cdf(x) < negligible) return mean();
  const double hazard = std::exp(log_density(x) - log_survival(x));
  const double next = std::sqrt(noncentrality_ * x) * field(x).mean;  // lambda f_(k+2)/f_k
  return std::max(x, mean() + 2.0 * hazard * (x + next));
}

}  // namespace diffphase
