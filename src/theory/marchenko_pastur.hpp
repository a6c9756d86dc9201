#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "ensemble/manifold_parameters.hpp"

namespace diffphase {

/// A connected part of the spectrum of the data covariance F F^T, in units of the data squared.
struct SpectralBulk {
  double lower = 0.0;
  double upper = 0.0;
  std::int64_t count = 0;             ///< eigenvalues in it
  std::vector<std::size_t> blocks{};  ///< positions of the blocks that merged in it, largest sigma first

  friend bool operator==(const SpectralBulk&, const SpectralBulk&) = default;
};

/// The limit law of the eigenvalues of F F^T, F a d x m matrix of independent N(0, sigma^2/Q) entries: with
/// alpha = m/d, density (per eigenvalue of d)
///
///   rho(gamma) = Q sqrt((gamma_+ - gamma)(gamma - gamma_-))/(2 pi sigma^2 d gamma),
///   gamma_pm   = sigma^2 (sqrt d pm sqrt m)^2/Q,
///
/// beside |d - m| zeros of weight 1 - alpha if m < d. (Of the m eigenvalues of F^T F, beside m - d zeros, it is
/// the law as well.) Marchenko, Pastur (1967).
class MarchenkoPastur {
 public:
  /// d, m >= 1, sigma > 0 and Q > 0, or std::invalid_argument.
  MarchenkoPastur(std::int64_t dimension, std::int64_t columns, double sigma, double scale);

  [[nodiscard]] double lower() const { return lower_; }
  [[nodiscard]] double upper() const { return upper_; }
  /// rho above, 0 outside of the edges; its integral is min(m, d)/d.
  [[nodiscard]] double density(double gamma) const;

 private:
  double lower_;
  double upper_;
  double factor_;  ///< Q/(2 pi sigma^2 d)
};

/// The bulks of F F^T, F a d x m matrix with several blocks of columns of independent N(0, sigma_k^2/Q) entries,
/// in the limit of large blocks at fixed m_k/d; ascending. F F^T is a free convolution of the laws of the
/// blocks, whose resolvent g solves
///
///   z(g) = 1/g + sum_k (m_k sigma_k^2/Q)/(1 - sigma_k^2 d g/Q);
///
/// z'(g) = 0 at real g gives the edges (Marchenko, Pastur 1967; Silverstein, Choi 1995). With u = 1/g and p_k =
/// sigma_k^2 d/Q the condition is sum_k (m_k/d) p_k^2/(u - p_k)^2 = 1, convex between poles: one root above the
/// largest p_k, one below the smallest, two or none between neighbours, and with none the two blocks merge. The
/// bulk of block k alone differs from Marchenko and Pastur's law of that block by the repulsion of the others.
///
/// Relative accuracy of the edges 1e-12, unless two bulks are about to merge. Zeros (sigma = 0, and d - m
/// dimensions outside of the span of F) are no bulk. If m > d, blocks that the larger ones leave no dimension
/// count none: then they have merged with one of those. At finite size edges fluctuate, and lie beside these by
/// about m^(-2/3) relative, m the smaller block. Throws std::invalid_argument for bad blocks, d < 1, or Q that
/// is not positive and finite.
[[nodiscard]] std::vector<SpectralBulk> gaussian_factor_bulks(std::int64_t dimension,
                                                              std::span<const FactorBlock> blocks, double scale);

/// The same for orthonormal columns, m <= d: each bulk is the point sigma_k^2, exactly; equal sigmas merge.
[[nodiscard]] std::vector<SpectralBulk> orthonormal_factor_bulks(std::int64_t dimension,
                                                                 std::span<const FactorBlock> blocks);

/// The bulks of one replica from its own eigenvalues of F F^T (squared singular values of F), any order: block
/// by block from the largest sigma, `size` eigenvalues each, whatever the distances between them; equal sigmas
/// merge, zero sigmas are left out. At least as many eigenvalues as columns of positive sigma, or as d for the
/// last block; the rest is ignored. Throws std::invalid_argument if there is a bulk without eigenvalues.
[[nodiscard]] std::vector<SpectralBulk> replica_bulks(std::span<const double> eigenvalues,
                                                      std::span<const FactorBlock> blocks);

/// Density of the limit law above, per eigenvalue of d, without the zeros, at gamma > 0: -Im g/pi, g the root
/// of z(g) = gamma in the lower half plane.
[[nodiscard]] double gaussian_factor_density(std::int64_t dimension, std::span<const FactorBlock> blocks, double scale,
                                             double gamma);

}  // namespace diffphase
