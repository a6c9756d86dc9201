#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace diffphase {

/// `count` m_k directions in which the data have the variance s_k.
struct VarianceBlock {
  std::int64_t count = 1;
  double variance = 1.0;
};

/// What n independent points y ~ N(0, diag s) weigh at a point x that does not depend on them.
struct FixedPointWeights {
  double participation = 1.0;        ///< E sum w^2
  std::vector<double> covariance{};  ///< E of the variance under w of a direction of block k, averaged over the block
};

/// The weights w_i proportional to exp(-|x - y_i|^2/(2 tau)) at finite n and any number of directions, averaged over
/// training sets. The points are independent, so that with a = v - E/tau, E = |y|^2/2 - x.y and psi(v) = E[exp(-e^a)]
///
///   E sum w f     = n int dv E[f e^a e^(-e^a)] psi^(n-1),       E sum w^2 f = n int dv E[f e^(2a) e^(-e^a)] psi^(n-1),
///   E sum_(i != j) w_i w_j f_i f_j = n (n - 1) int dv E[f e^a e^(-e^a)]^2 psi^(n-2):
///
/// all follow from the density of E and the mean of f given E, here in the saddle-point approximation with its first
/// correction, whose cumulant function Phi(z) = log E e^(-z E) is known in closed form. For log n large (n may be
/// beyond counting) this is the random energy model: E sum w^2 = 1 - tau/t_c below t_c and 0 above; at n = 1000 the
/// limit is 0.1 off around t_c, and this 0.02, if no fewer than some five directions matter.
///
/// x = 0, or of squared length `square` along a direction of block `along`. Counts >= 1, variances >= 0 and finite, one
/// of them positive, log_samples = log n > 0, tau > 0 and finite, square >= 0, or std::invalid_argument. NaN where the
/// energies that count span too many tau to be summed: tau far below t_c, or very few directions. Takes milliseconds,
/// up to a second as tau falls far below t_c. Local.
[[nodiscard]] FixedPointWeights fixed_point_weights(const std::vector<VarianceBlock>& blocks, double log_samples,
                                                    double tau, std::optional<std::size_t> along = std::nullopt,
                                                    double square = 0.0);

}  // namespace diffphase
