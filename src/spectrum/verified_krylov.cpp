#include "spectrum/verified_krylov.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <utility>

#include "spectrum/block_krylov.hpp"
#include "spectrum/krylov.hpp"

namespace diffphase {

namespace {

// Room for more eigenvalues than are wanted. They need not converge: in a dense spectrum that costs several times more.
std::int64_t basis_for(std::int64_t count) {
  const std::int64_t more = count + std::clamp<std::int64_t>(count / 4, 2, 16);
  return std::max(2 * more, more + 15);
}

// Of a search for what was missed, however loosely the others were to be found: an eigenvalue that is larger by less
// than about 1e-8 sqrt(n) may look like its neighbours.
constexpr double loosest_tolerance = 1e-8;

// At least what shows that nothing is left but what is smaller by a quarter.
std::int64_t verification_basis(std::int64_t size, std::int64_t count, std::int64_t block) {
  return std::max(16 + count / 2, block * steps_to_see(size, block));
}

bool has_room_for_blocks(const SymmetricOperator& op, std::int64_t deflated) {
  return op.block > 1 && op.size - deflated >= 16 * op.block;
}

// Vectors that a solver of this kind starts from.
std::int64_t start_block(const SymmetricOperator& op, std::int64_t deflated, KrylovKind kind) {
  return kind == KrylovKind::block && has_room_for_blocks(op, deflated) ? op.block : 1;
}

KrylovResult solve(const TaskGroup& group, const SymmetricOperator& op, const KrylovRequest& request, KrylovKind kind) {
  const bool blocks = start_block(op, request.deflated_count, kind) > 1;
  return blocks ? block_krylov_schur(group, op, request) : krylov_schur(group, op, request);
}

std::int64_t size_of(const VerifiedPairs& pairs) { return static_cast<std::int64_t>(pairs.eigenvalues.size()); }

// Puts an eigenpair at its place in the descending order.
void insert(VerifiedPairs& pairs, double eigenvalue, std::span<const double> vector) {
  const auto place = std::upper_bound(pairs.eigenvalues.begin(), pairs.eigenvalues.end(), eigenvalue,
                                      [](double a, double b) { return a > b; });
  const auto at = place - pairs.eigenvalues.begin();
  pairs.eigenvalues.insert(place, eigenvalue);
  pairs.vectors.insert(pairs.vectors.begin() + at * static_cast<std::ptrdiff_t>(vector.size()), vector.begin(),
                       vector.end());
}

double largest_size(const VerifiedPairs& pairs) {
  return std::max(std::abs(pairs.eigenvalues.front()), std::abs(pairs.eigenvalues.back()));
}

// One search orthogonal to all that was found. True if something was missing, which is now added.
bool add_missed(const TaskGroup& group, const SymmetricOperator& op, std::int64_t count, double tolerance,
                KrylovKind kind, VerifiedPairs& pairs) {
  Verification& verification = pairs.verification;
  const double smallest = pairs.eigenvalues[static_cast<std::size_t>(count - 1)];
  const std::int64_t block = start_block(op, size_of(pairs), kind);
  const KrylovResult outside = solve(group, op,
                                     {.count = 1,
                                      .tolerance = std::min(tolerance, loosest_tolerance),
                                      .deflated = pairs.vectors,
                                      .deflated_count = size_of(pairs),
                                      .largest = largest_size(pairs),
                                      .basis = verification_basis(op.size, count, block),
                                      .start = verification.copies_added + 1,
                                      .above = smallest},
                                     kind);
  verification.performed = true;
  verification.products += outside.products;
  pairs.products += outside.products;
  verification.largest_outside = std::numeric_limits<double>::quiet_NaN();
  if (outside.eigenvalues.empty()) return false;
  const double largest = verification.largest_outside = outside.eigenvalues.front();
  verification.passed = largest <= smallest + residual_bound(tolerance, smallest, largest_size(pairs));
  if (verification.passed) return false;
  const auto vector = std::span(outside.vectors).first(static_cast<std::size_t>(op.local_size));
  group.run_guarded([&] { insert(pairs, largest, vector); });
  ++verification.copies_added;
  return true;
}

}  // namespace

bool takes_blocks(const SymmetricOperator& op) { return has_room_for_blocks(op, 0); }

std::int64_t verified_krylov_vectors(std::int64_t size, std::int64_t count, std::int64_t block) {
  // While the first search ends: its basis and its result. While the second does: what was found, too.
  const std::int64_t first = krylov_vectors(size, {.count = count, .basis = basis_for(count)}) + count;
  const std::int64_t second =
      krylov_vectors(size, {.count = 1, .deflated_count = count, .basis = verification_basis(size, count, block)}) +
      count + 1;
  return std::max(first, second);
}

VerifiedPairs verified_krylov(const TaskGroup& group, const SymmetricOperator& op, std::int64_t count, double tolerance,
                              bool verify, KrylovKind kind) {
  KrylovResult found = solve(group, op, {.count = count, .tolerance = tolerance, .basis = basis_for(count)}, kind);
  VerifiedPairs pairs;
  pairs.iterations = found.iterations;
  pairs.products = found.products;
  pairs.stop_reason = found.stop_reason;
  pairs.eigenvalues = std::move(found.eigenvalues);
  pairs.vectors = std::move(found.vectors);
  pairs.verification.largest_outside = std::numeric_limits<double>::quiet_NaN();
  while (verify && size_of(pairs) >= count && size_of(pairs) < op.size) {
    if (!add_missed(group, op, count, tolerance, kind, pairs)) break;
  }
  // Nothing is left outside of the whole space.
  if (verify && size_of(pairs) >= op.size) pairs.verification.performed = pairs.verification.passed = true;
  return pairs;
}

}  // namespace diffphase
