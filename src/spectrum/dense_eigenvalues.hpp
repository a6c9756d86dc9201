#pragma once

#include <vector>

namespace diffphase {

/// Largest eigenvalue of a symmetric k x k matrix given whole, k >= 1: LAPACK's dsyev, O(k^3). Local. Throws
/// std::invalid_argument if the matrix is empty or not square, std::runtime_error if LAPACK fails.
[[nodiscard]] double dense_largest_eigenvalue(std::vector<double> matrix);

/// The same for a tridiagonal matrix, of which `off_diagonal` has one number fewer than `diagonal`, or more
/// that do not count: dsterf, O(k^2).
[[nodiscard]] double tridiagonal_largest_eigenvalue(std::vector<double> diagonal, std::vector<double> off_diagonal);

}  // namespace diffphase
