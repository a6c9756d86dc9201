#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "parallel/task_group.hpp"
#include "spectrum/symmetric_operator.hpp"

namespace diffphase {

/// Blocks of vectors in local pieces, [vector][local size], split over the ranks of a group as an operator splits them.
class VectorBlocks {
 public:
  /// Finds where the ranks' pieces begin. Collective.
  VectorBlocks(const TaskGroup& group, const SymmetricOperator& op);

  [[nodiscard]] std::int64_t size() const { return size_; }
  [[nodiscard]] std::int64_t local_size() const { return local_size_; }
  /// Global index of the first number of this rank's piece.
  [[nodiscard]] std::int64_t first() const { return first_; }

  /// This rank's piece of random vector number `number` for the given purpose: independent normal entries by global
  /// index, the same vector on any number of ranks. Local.
  void random(std::string_view purpose, std::int64_t number, std::span<double> out) const;

  /// left_i . right_j, [left][right]. Collective.
  [[nodiscard]] std::vector<double> products(std::span<const double> left, std::span<const double> right) const;
  /// |v| of every vector of a block. Collective.
  [[nodiscard]] std::vector<double> norms(std::span<const double> block) const;

  /// Makes `vector` a unit vector orthogonal to the orthonormal `basis` (Gram-Schmidt, twice). False, and the vector as
  /// it is, if nothing but rounding is left of it. Collective.
  [[nodiscard]] bool orthonormalise(std::span<const double> basis, std::span<double> vector) const;

 private:
  [[nodiscard]] int count(std::span<const double> block) const;

  const TaskGroup& group_;
  std::int64_t size_;
  std::int64_t local_size_;
  std::int64_t first_ = 0;
};

}  // namespace diffphase
