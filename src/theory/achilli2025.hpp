#pragma once

#include <string>

namespace diffphase {

/// Columns of the factor of a manifold: independent N(0, 1/D), or orthonormal.
enum class ManifoldFactor { gaussian, orthonormal };

/// Memorisation of n = e^(alpha N) points on a linear manifold of D = alpha_D N dimensions in R^N, N -> infinity:
/// y = F z, z ~ N(0, I_D). The transitions are those of Achilli, Ambrogioni, Lucibello, Mezard, Ventura,
/// "Memorization and generalization in generative diffusion under the manifold hypothesis", arXiv:2502.09578;
/// the formulas are derived here. With <.> the average over the D variances l of the data on the manifold
/// (Marchenko and Pastur's law on [(1 - alpha_D^(-1/2))^2, (1 + alpha_D^(-1/2))^2], or l = 1):
///
///   collapse tau_c:     alpha = (alpha_D/2) <log(1 + l/tau)>                       noised training point
///   onset tau_o:        alpha = (alpha_D/2) <log(1 + l/tau) + l/(l + tau)>         at a training point itself
///   fresh point tau_G:  alpha = (alpha_D/2) <log(1 + l/tau) - l tau/(l + tau)^2>   at a new point of the law
///   optimum tau_g = tau_G <l/(l + tau_G) + l tau_G/(l + tau_G)^2>, the squared distance of a new point from
///   its nearest training point, per D: the divergence between the law and the noised training set is least.
///
/// tau_g < tau_G < tau_c < tau_o. All in tau = b^2/a^2; NaN where the time is beyond the range of doubles.
/// Immutable, local.
class Achilli2025 {
 public:
  /// alpha = (log n)/N > 0, alpha_D = D/N > 0, at most 1 for orthonormal columns; or std::invalid_argument.
  Achilli2025(double alpha, double manifold_fraction, ManifoldFactor factor = ManifoldFactor::gaussian);

  [[nodiscard]] double collapse_tau() const;
  [[nodiscard]] double onset_tau() const;
  [[nodiscard]] double fresh_condensation_tau() const;
  [[nodiscard]] double optimal_tau() const;

  /// Averages over the law of l at tau > 0, in closed form for the Gaussian factor (Shannon transform; Tulino,
  /// Verdu 2004, and its derivatives).
  struct Averages {
    double information = 0.0;  ///< <log(1 + l/tau)>
    double resolved = 0.0;     ///< <l/(l + tau)>
    double marginal = 0.0;     ///< <l tau/(l + tau)^2>
  };
  [[nodiscard]] Averages averages(double tau) const;

  /// The `source` attribute of these predictions.
  [[nodiscard]] static std::string source();

 private:
  double alpha_;
  double manifold_fraction_;
  ManifoldFactor factor_;
};

}  // namespace diffphase
