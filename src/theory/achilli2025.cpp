#include "theory/achilli2025.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "theory/decreasing_root.hpp"

namespace diffphase {
namespace {

/// log((q + sqrt(q^2 + 4 c))/2), c > 0, without cancellation at any q.
double log_positive_root(double q, double c) {
  const double root = std::hypot(q, 2.0 * std::sqrt(c));
  return q >= 0.0 ? std::log(0.5 * (root + q)) : std::log(2.0 * c / (root - q));
}

/// With x = 1/tau, b = 1/alpha_D, P, M = 1 + x (1 +- sqrt b)^2 and F = (sqrt P - sqrt M)^2 the averages are
/// b log(1 + x - F/4) + log(1 + b x - F/4) - F/(4 x), F/(4 x) and F/(4 x sqrt(P M)). The two arguments are the
/// positive roots of A^2 - (1 + x - b x) A - b x and of A^2 - (1 - x + b x) A - x.
Achilli2025::Averages marchenko_pastur_averages(double x, double b) {
  const double plus = std::sqrt(1.0 + x * (1.0 + std::sqrt(b)) * (1.0 + std::sqrt(b)));
  const double minus = std::sqrt(1.0 + x * (1.0 - std::sqrt(b)) * (1.0 - std::sqrt(b)));
  const double sum = plus + minus;
  const double resolved = 4.0 * (x / sum) * (b / sum);
  double information = -resolved;
  if (x * std::max(1.0, b) < 0.1) {
    information += b * std::log1p(x - x * resolved) + std::log1p(b * x - x * resolved);
  } else {
    information += b * log_positive_root(1.0 + x * (1.0 - b), b * x) + log_positive_root(1.0 - x * (1.0 - b), x);
  }
  return {.information = information, .resolved = resolved, .marginal = resolved / plus / minus};
}

}  // namespace

Achilli2025::Achilli2025(double alpha, double manifold_fraction, ManifoldFactor factor)
    : alpha_(alpha), manifold_fraction_(manifold_fraction), factor_(factor) {
  if (!(alpha > 0.0) || std::isinf(alpha) || !(manifold_fraction > 0.0) || std::isinf(manifold_fraction) ||
      (factor == ManifoldFactor::orthonormal && manifold_fraction > 1.0)) {
    throw std::invalid_argument("a manifold needs alpha > 0 and alpha_D > 0 (at most 1 for orthonormal columns)");
  }
}

Achilli2025::Averages Achilli2025::averages(double tau) const {
  if (factor_ == ManifoldFactor::gaussian) return marchenko_pastur_averages(1.0 / tau, 1.0 / manifold_fraction_);
  return {
      .information = std::log1p(1.0 / tau), .resolved = 1.0 / (1.0 + tau), .marginal = tau / (1.0 + tau) / (1.0 + tau)};
}

double Achilli2025::collapse_tau() const {
  return decreasing_root([this](double tau) { return 0.5 * manifold_fraction_ * averages(tau).information - alpha_; },
                         1.0);
}

double Achilli2025::onset_tau() const {
  const auto excess = [this](double tau) {
    const Averages a = averages(tau);
    return 0.5 * manifold_fraction_ * (a.information + a.resolved) - alpha_;
  };
  return decreasing_root(excess, 1.0);
}

double Achilli2025::fresh_condensation_tau() const {
  const auto excess = [this](double tau) {
    const Averages a = averages(tau);
    return 0.5 * manifold_fraction_ * (a.information - a.marginal) - alpha_;
  };
  return decreasing_root(excess, 1.0);
}

double Achilli2025::optimal_tau() const {
  const double tau = fresh_condensation_tau();
  const Averages a = averages(tau);
  return tau * (a.resolved + a.marginal);
}

std::string Achilli2025::source() {
  return "transitions of Achilli et al. 2025 (arXiv:2502.09578) for a linear manifold, diffphase derivation";
}

}  // namespace diffphase
