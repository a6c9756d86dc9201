#pragma once

#include <cstdint>
#include <span>

#include "ensemble/bessel_ratio.hpp"

namespace diffphase {

/// The law of D = |z + m|^2 for a vector z of k standard normal numbers and |m|^2 = lambda, noncentral chi-square, in
/// logarithms: probabilities of e^-2000 and far less are numbers like any others.
///
/// Tail probabilities are those of Lugannani and Rice (1980) with the next term of their expansion (Daniels 1987).
/// In terms of q in (0, inf), where the saddle point is at t = (1 - 1/q)/2, with r = 1 - q and h(r) = (-log q - r)/r^2
/// (1/2 at r = 0), everything is explicit and regular at the mean, q = 1:
///
///   x = k q + lambda q^2,     w = -r sqrt(S), S = k h + lambda,     u = -r sqrt(B), B = k/2 + lambda q,
///   P(D <= x) = Phi(w) + phi(w) (1/w - 1/u - second term),   1/w - 1/u = (S - B)/(r sqrt(S B) (sqrt S + sqrt B))
///
/// Error of the logarithm of the lower tail, however far down and for any lambda: below 3e-4 for k = 20, 5e-5 for
/// k = 60, 3e-6 from 400 on; 5e-3 for k = 5, 0.08 for k = 1. (With the first term alone: 8e-3, 3e-3, 4e-4.)
///
/// Immutable, local; a value that costs two numbers.
class NoncentralChiSquare {
 public:
  /// k >= 1 degrees, noncentrality lambda >= 0 and finite, or std::invalid_argument.
  NoncentralChiSquare(std::int64_t degrees, double noncentrality);

  [[nodiscard]] double noncentrality() const { return noncentrality_; }
  [[nodiscard]] double mean() const { return degrees_ + noncentrality_; }

  /// Logarithm of the density at x > 0, to 1e-9 absolute (beside the rounding of x itself); -inf at x <= 0. From
  /// B = 1e5 on that of the saddle point, phi(w)/(2 q sqrt(B)) (1 + rho_4/8 - 5 rho_3^2/24), for the exact terms are of
  /// the size of lambda and cancel.
  [[nodiscard]] double log_density(double x) const;
  /// log P(D <= x); -inf at x <= 0.
  [[nodiscard]] double log_cdf(double x) const;
  /// log P(D > x); 0 at x <= 0.
  [[nodiscard]] double log_survival(double x) const;

  /// The inverse of log_cdf, to 1e-5 of the logarithm, for log-probabilities below 0 (down to where x itself is no
  /// longer a number: 0). Fastest if they ascend. `out` is as long. Throws std::invalid_argument for others.
  void quantiles(std::span<const double> log_probabilities, std::span<double> out) const;
  [[nodiscard]] double quantile(double log_probability) const;

  /// log E e^(-s D) = -(k/2) log(1 + 2s) - lambda s/(1 + 2s), s > -1/2.
  [[nodiscard]] double log_average(double s) const;
  /// The law of (1 + 2s) D under the weight e^(-s D): the same with lambda/(1 + 2s), so that
  /// E[e^(-s D); D > x] = e^log_average(s) P(D' > (1 + 2s) x). s > -1/2.
  [[nodiscard]] NoncentralChiSquare tilted(double s) const;

  /// E[D | D > x] = k + lambda + 2 (x f_k(x) + lambda f_(k+2)(x))/P(D > x), f_k being the density of k degrees.
  [[nodiscard]] double mean_above(double x) const;

 private:
  struct Tilt {
    double q = 1.0;
    double r = 0.0;
    double remainder = 0.0;  // (h - 1/2)/r
    double root_w = 0.0;     // sqrt(S)
    double root_u = 0.0;     // sqrt(B)
  };
  struct Cumulants {  // standardised, at the saddle point
    double third = 0.0;
    double fourth = 0.0;
    [[nodiscard]] double of_density() const { return fourth / 8.0 - 5.0 * third * third / 24.0; }
  };
  struct SaddlePoint {
    double w = 0.0;
    double correction = 0.0;  // P = Phi(w) + phi(w) correction
    double root = 0.0;        // sqrt(B): dP/d log q = phi(w) sqrt(B) to leading order
  };
  struct LowerTail {
    double log_cdf = 0.0;
    double slope = 0.0;  // by log q
  };

  [[nodiscard]] SphereInField field(double x) const;
  [[nodiscard]] double log_exact_density(double x) const;
  [[nodiscard]] Tilt tilt(double log_q) const;
  [[nodiscard]] SaddlePoint saddle_point(double log_q) const;
  [[nodiscard]] Cumulants cumulants(const Tilt& tilt) const;
  [[nodiscard]] double second_term(const Tilt& tilt) const;
  [[nodiscard]] double second_term_near_mean(double r) const;
  [[nodiscard]] double log_q(double x) const;
  [[nodiscard]] LowerTail lower_tail(double log_q) const;
  [[nodiscard]] double log_q_below(double log_probability) const;

  double degrees_;
  double noncentrality_;
};

}  // namespace diffphase
