#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "parallel/task_group.hpp"
#include "spectrum/symmetric_operator.hpp"
#include "spectrum/verified_krylov.hpp"

namespace diffphase {

/// How eigenpairs are computed:
///  - krylov: SLEPc's Krylov-Schur method, for any size; nothing but products
///  - block_krylov: the same from a block of vectors, which share a pass over the data; in fewer than 16 blocks of
///    dimensions as krylov
///  - gram: exact, through the Gram matrix of the rows of which the operator is made (op.factor)
///  - dense: exact, the whole matrix
///  - automatic: the one with the least work, as far as the sizes tell
enum class SpectrumMethod { automatic, krylov, block_krylov, gram, dense };

[[nodiscard]] const char* name(SpectrumMethod method);

struct SpectrumOptions {
  std::int64_t count = 1;  ///< how many; no more than the operator's size are returned
  SpectrumMethod method = SpectrumMethod::automatic;
  double tolerance = 1e-8;  ///< see residual_bound
  bool verify = true;       ///< both krylov methods: search orthogonally to what was found for copies that were missed
  bool keep_vectors = false;  ///< return the eigenvectors
};

struct PartialSpectrum {
  std::vector<double> eigenvalues;  ///< descending; NaN where none was found
  std::vector<double> residuals;    ///< |A v - lambda v| for the unit vector v, computed from the product A v
  std::vector<bool> converged;      ///< the residual is within residual_bound
  std::vector<double> vectors;      ///< [eigenvalue][local size], orthonormal, where kept
  SpectrumMethod method = SpectrumMethod::automatic;
  std::string reason;  ///< for the choice of the method, a sentence
  int iterations = 0;  ///< restarts
  std::int64_t products = 0;
  double tolerance = 0.0;
  std::string stop_reason;
  Verification verification;

  [[nodiscard]] bool all_converged() const;
};

/// A method and why.
struct MethodChoice {
  SpectrumMethod method = SpectrumMethod::krylov;
  std::string reason;
};

/// Rows up to which Gram matrices are made, and dimensions up to which whole ones are, unless asked for by name.
inline constexpr std::int64_t largest_gram = 4096;
inline constexpr std::int64_t largest_dense = 4096;

/// By how much multiply-adds of a method's products take longer than those of matrix products, about: memory is read
/// for each vector (krylov), or for each block of which some do little (block-krylov). Local.
[[nodiscard]] double product_penalty(SpectrumMethod method);

/// What `automatic` takes for `count` eigenvalues: the method of least estimated work. Local, the same on every rank.
[[nodiscard]] MethodChoice choose_method(const SymmetricOperator& op, std::int64_t count);

/// The largest eigenvalues of a symmetric operator. Collective over the group; GroupError on every rank for options
/// that make no sense, Stopped where the run is asked to stop. Memory: that of the method (verified_krylov,
/// gram_eigenpairs, dense_eigenpairs) and a product of up to 32 vectors, together not above 64 MiB.
[[nodiscard]] PartialSpectrum largest_eigenpairs(const TaskGroup& group, const SymmetricOperator& op,
                                                 const SpectrumOptions& options);

}  // namespace diffphase
