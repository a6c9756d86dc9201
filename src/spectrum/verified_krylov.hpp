#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "parallel/task_group.hpp"
#include "spectrum/symmetric_operator.hpp"

namespace diffphase {

/// What a search orthogonal to everything found has shown.
struct Verification {
  bool performed = false;     ///< or not needed, because the whole space was found
  bool passed = false;        ///< nothing larger than the smallest wanted eigenvalue is left
  std::int64_t products = 0;  ///< spent on it
  /// Largest eigenvalue seen orthogonal to the found space, to the accuracy that the answer needs; NaN if none.
  double largest_outside = 0.0;
  std::int64_t copies_added = 0;  ///< eigenvalues that the first solution had missed
};

struct VerifiedPairs {
  std::vector<double> eigenvalues;  ///< descending; more than wanted, or fewer if some did not converge
  std::vector<double> vectors;      ///< [eigenvalue][local size], orthonormal
  int iterations = 0;
  std::int64_t products = 0;  ///< all, those of the verification included
  std::string stop_reason;
  Verification verification;
};

/// One vector at a time (krylov_schur), or blocks of them (block_krylov_schur).
enum class KrylovKind { single, block };

/// Whether an operator has a size of blocks and 16 times as many dimensions: all others are searched with one vector at
/// a time, whatever is asked for. Local.
[[nodiscard]] bool takes_blocks(const SymmetricOperator& op);

/// Vectors that verified_krylov keeps at most, the result included: of one vector at a time, and within a block of
/// blocks of up to `block`. Local.
[[nodiscard]] std::int64_t verified_krylov_vectors(std::int64_t size, std::int64_t count, std::int64_t block);

/// The `count` largest eigenpairs in a basis with room for more; then, if `verify`, fresh random starts orthogonal to
/// all that was found, until one finds nothing above the smallest wanted eigenvalue: what it finds is added. Of a
/// positive semidefinite operator it is improbable that one is overlooked (allowed_residual) that is larger by more
/// than the tolerance tells apart. Of an eigenvalue of multiplicity 31 a solution from one vector loses copies at 1e-8
/// too. Blocks are for operators that take them; otherwise it is one vector. Collective. Memory:
/// verified_krylov_vectors and two blocks.
[[nodiscard]] VerifiedPairs verified_krylov(const TaskGroup& group, const SymmetricOperator& op, std::int64_t count,
                                            double tolerance, bool verify, KrylovKind kind = KrylovKind::single);

}  // namespace diffphase
