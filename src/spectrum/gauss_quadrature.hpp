#pragma once

#include <vector>

namespace diffphase {

/// The recurrence that m Lanczos steps leave: the symmetric tridiagonal matrix T of a measure of mass 1, and the
/// length of the remainder.
struct LanczosRecurrence {
  std::vector<double> diagonal;      ///< m numbers
  std::vector<double> off_diagonal;  ///< m numbers: the last couples T to the step that was not made
  bool exact = false;                ///< an invariant subspace was found: T has all that the measure has
};

/// Nodes in ascending order with their weights.
struct Quadrature {
  std::vector<double> nodes;
  std::vector<double> weights;  ///< they sum to 1
};

/// A distribution function at a point: the mass at or below x lies within `value` +- `bound`.
struct DistributionValue {
  double value = 0.0;
  double bound = 0.0;
};

/// The first `steps` steps of a recurrence; all of it where it has no more. Local.
[[nodiscard]] LanczosRecurrence first_steps(const LanczosRecurrence& recurrence, int steps);

/// Gauss quadrature of the recurrence (Golub, Welsch 1969): nodes are the eigenvalues of T, weights the squared first
/// components of its eigenvectors; exact for polynomials of degree 2 m - 1. O(m^2). Local. Throws std::invalid_argument
/// if the recurrence is empty, std::runtime_error if the iteration does not converge.
[[nodiscard]] Quadrature gauss_quadrature(const LanczosRecurrence& recurrence);

/// The mass at or below x from the Gauss-Radau quadrature that has x as a node: by the theorem of Chebyshev, Markov and
/// Stieltjes it lies between the weights below x and the same with the weight of x, half of which is the bound. A
/// recurrence that is `exact` is a sum of peaks, counted without a bound. O(m^2). Local; throws as gauss_quadrature.
[[nodiscard]] DistributionValue distribution_function(const LanczosRecurrence& recurrence, double x);

}  // namespace diffphase
