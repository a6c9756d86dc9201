#pragma once

#include <cstdint>
#include <vector>

#include "parallel/task_group.hpp"

namespace diffphase {

/// Side of the largest matrix that LAPACK is given: its counts are ints.
inline constexpr std::int64_t largest_matrix = 30000;

struct DenseEigenpairs {
  std::vector<double> values;   ///< descending
  std::vector<double> vectors;  ///< [value][n], orthonormal
};

/// The `count` <= n largest eigenpairs of a symmetric n x n matrix given whole: LAPACK's dsyevr, dsyevd should it fail,
/// O(n^3). Local. Throws like dense_largest_eigenvalue. Memory: the matrix and count n + O(n) doubles.
[[nodiscard]] DenseEigenpairs dense_largest_eigenpairs(std::vector<double> matrix, std::int64_t count);

/// The same of a matrix that every rank of a group has, by its first rank: the same bits on every rank. Collective; the
/// group does not agree on anything else meanwhile.
[[nodiscard]] DenseEigenpairs dense_largest_eigenpairs(const TaskGroup& group, std::vector<double> matrix,
                                                       std::int64_t count);

/// Largest eigenvalue of a symmetric k x k matrix given whole, k >= 1: LAPACK's dsyev, O(k^3). Local. Throws
/// std::invalid_argument if the matrix is empty or not square, std::runtime_error if LAPACK fails.
[[nodiscard]] double dense_largest_eigenvalue(std::vector<double> matrix);

/// Number of eigenvalues below x, which may be infinite, of a symmetric n x n matrix given whole, n <= largest_matrix:
/// the negative ones of a factorisation of the matrix less x (Sylvester's law of inertia), LAPACK's dsytrf, n^3/3
/// multiply-adds. Eigenvalues within rounding of x count on either side. Local. Throws std::invalid_argument if the
/// matrix is empty or not square, std::runtime_error if LAPACK fails.
[[nodiscard]] std::int64_t eigenvalues_below(std::vector<double> matrix, double x);

/// The same as dense_largest_eigenvalue for a tridiagonal matrix, of which `off_diagonal` has one number fewer than
/// `diagonal`, or more that do not count: dsterf, O(k^2).
[[nodiscard]] double tridiagonal_largest_eigenvalue(std::vector<double> diagonal, std::vector<double> off_diagonal);

}  // namespace diffphase
