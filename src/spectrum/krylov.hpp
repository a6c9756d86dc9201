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
  /// If set, nothing is asked but whether there is an eigenvalue above this one: where that is improbable
  /// (allowed_residual), what was found need not converge to `tolerance`. For positive semidefinite operators.
  std::optional<double> above{};
};

/// How far a search has come: unrestarted steps from a block of random vectors in so many dimensions.
struct KrylovSearch {
  std::int64_t dimensions = 0;
  std::int64_t block = 1;
  std::int64_t steps = 0;
};

/// What the residual of a Ritz value must not exceed for the request. If that asks for what is above a value u, a Ritz
/// value theta below may also count because nothing is above, but for a probability of about 1e-6, for either reason
/// (of a positive semidefinite operator; for u < 0 neither is taken):
///  - any residual: the largest Ritz value of k steps in n dimensions is within a share e of the largest eigenvalue but
///    for a probability of 1.648 sqrt(n) exp(-(2k - 1) sqrt(e)) of each vector of the block (Kuczynski and Wozniakowski
///    1992), and theta <= (1 - e) u;
///  - the residual is below 1e-6^(1/block) (u - theta)/sqrt(n): an eigenvector of an eigenvalue above u is a share of
///    about 1/sqrt(n) of what was started from, and no less of the Ritz vector, whose residual it makes u - theta times
///    that share or more, unless it is smaller by that factor in all vectors of the block.
[[nodiscard]] double allowed_residual(const KrylovRequest& request, const KrylovSearch& search, double eigenvalue,
                                      double largest);

/// Steps after which the first of these is so for e = 1/4.
[[nodiscard]] std::int64_t steps_to_see(std::int64_t dimensions, std::int64_t block);

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
