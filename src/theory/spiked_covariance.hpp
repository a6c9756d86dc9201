#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ensemble/gaussian_mixture.hpp"
#include "process/noising_process.hpp"

namespace diffphase {

/// The law of the largest eigenvalue Lambda of the covariance about the mean, divided by n, of a training set
/// of n points drawn from a mixture whose classes have one sigma. It is sampled without making any data:
///
/// In a frame of F directions that holds the centroids, n times the covariance is the sum of
///  - sum_c n_c (y_c - y)(y_c - y)^T, n_c multinomial, y_c = mu_c + sigma z_c/sqrt(n_c), y their mean;
///  - sigma^2 times a Wishart matrix with n - K degrees of freedom (K: classes that are not empty).
/// Outside of the frame the data are isotropic noise, which reflections from both sides bring to a band: n
/// Lambda is the largest eigenvalue of T^T T, T upper triangular with F + 1 diagonals, its first F x F block
/// a root of the matrix above, every other entry sigma times
///  - chi with n - 1 - r degrees of freedom on the diagonal of row r (from 0),
///  - chi with d - F - r degrees on the F-th diagonal above,
///  - a standard normal number between them.
/// The leading eigenvector decays away from the corner, so that the corner is enough. The law is exact at any
/// d, K and n. Its limit for n, d -> infinity is the map l -> l (1 + gamma sigma^2/(l - sigma^2)), gamma =
/// d/n, of Baik, Ben Arous and Peche (2005) and Paul (2007), with K - 1 spikes l that the class frequencies
/// and the noise split; the band without classes is that of Dumitriu and Edelman (2002).
///
/// The numbers drawn do not depend on anything but the arguments. Local.
class SpikedCovariance {
 public:
  /// Directions of the frame up to which the law is sampled.
  static constexpr std::int64_t max_frame = 256;

  /// The parameters must be valid, samples >= 1. Draws `draws` times; 0: as often as an error of the mean
  /// well below that of ten training sets needs, less often (24 times at least) where that is much work.
  SpikedCovariance(const MixtureParameters& mixture, std::int64_t samples, std::int64_t draws = 0);

  /// Independent draws of Lambda; empty where classes differ in sigma or the frame is too large.
  [[nodiscard]] const std::vector<double>& eigenvalues() const { return eigenvalues_; }
  /// Mean of Lambda; NaN where there are no draws.
  [[nodiscard]] double mean_eigenvalue() const;
  /// Mean of the time at which Lambda a^2 = a^2 + b^2 over the draws that have one; NaN where fewer than half
  /// do.
  [[nodiscard]] double mean_time(const NoisingProcess& process) const;

  /// The `source` attribute of predictions.
  [[nodiscard]] static std::string source();

 private:
  std::vector<double> eigenvalues_;
};

}  // namespace diffphase
