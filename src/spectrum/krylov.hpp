#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "parallel/task_group.hpp"
#include "spectrum/symmetric_operator.hpp"

namespace diffphase {

/// When an eigenpair counts as found: |A v - lambda v| <= tolerance max(|lambda|, 1e-4 of the largest |lambda|).
/// Relative for what matters, absolute for eigenvalues near zero, which no method resolves relatively.
[[nodiscard]] double residual_bound(double tolerance, double eigenvalue, double largest);

struct KrylovRequest {
  std::int64_t count = 1;
  double tolerance = 1e-8;
  /// Orthonormal vectors, [vector][local size]: the solution is sought orthogonal to them.
  std::span<const double> deflated{};
  std::int64_t deflated_count = 0;
  double largest = 0.0;    ///< largest |eigenvalue| already known
  std::int64_t basis = 0;  ///< vectors of the Krylov basis; 0: max(2 count, count + 15)
  std::int64_t start = 0;  ///< number of the random vector to start with
  /// If set, nothing is asked but whether there is an eigenvalue above this one: an eigenvalue that is surely below
  /// need not converge to `tolerance`.
  std::optional<double> above{};
  /// Vectors that the basis must have had before an answer counts: the first random ones are nearly eigenvectors of a
  /// spectrum that falls off fast, and have seen nothing. krylov_schur fills its whole basis in any case.
  std::int64_t least = 0;
};

/// What a residual must not exceed for the request.
[[nodiscard]] double allowed_residual(const KrylovRequest& request, double eigenvalue, double largest);

/// Vectors of the basis for the request.
[[nodiscard]] std::int64_t basis_size(std::int64_t size, const KrylovRequest& request);

struct KrylovResult {
  std::vector<double> eigenvalues;  ///< converged ones, descending: kept_pairs of them
  std::vector<double> vectors;      ///< [eigenvalue][local size], orthonormal
  int iterations = 0;               ///< restarts
  std::int64_t products = 0;
  std::string stop_reason;  ///< SLEPc's words
};

/// How many of `converged` pairs are a result: those asked for, since others would take as much memory as the whole
/// basis; all of them in spaces hardly larger than that, where a search beside those asked for has no room. Local.
[[nodiscard]] std::int64_t kept_pairs(std::int64_t size, const KrylovRequest& request, std::int64_t converged);

/// Vectors that krylov_schur keeps besides the result: the basis, SLEPc's copies of what is deflated, a few more.
[[nodiscard]] std::int64_t krylov_vectors(std::int64_t size, const KrylovRequest& request);

/// The largest eigenpairs by SLEPc's Krylov-Schur method from one random vector, which is the same on any number of
/// ranks. Restarted from one vector, the method loses copies of degenerate eigenvalues silently unless the tolerance is
/// tight: see largest_eigenpairs. Collective over the group, with an agreement point at every restart besides those of
/// the operator; throws Stopped or GroupError on every rank. Memory: krylov_vectors and the result.
[[nodiscard]] KrylovResult krylov_schur(const TaskGroup& group, const SymmetricOperator& op,
                                        const KrylovRequest& request);

}  // namespace diffphase
