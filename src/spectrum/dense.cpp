#include "spectrum/dense.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "spectrum/dense_eigenvalues.hpp"
#include "spectrum/formed_matrix.hpp"
#include "spectrum/vector_block.hpp"

namespace diffphase {

namespace {

std::size_t index(std::int64_t i) { return static_cast<std::size_t>(i); }

void symmetrise(std::vector<double>& matrix, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      matrix[i * n + j] = matrix[j * n + i] = 0.5 * (matrix[i * n + j] + matrix[j * n + i]);
    }
  }
}

}  // namespace

DirectPairs dense_eigenpairs(const TaskGroup& group, const SymmetricOperator& op, std::int64_t count) {
  const VectorBlocks blocks(group, op);
  std::vector<double> matrix = formed_matrix(group, op);
  symmetrise(matrix, index(op.size));
  DenseEigenpairs whole = dense_largest_eigenpairs(group, std::move(matrix), count);
  DirectPairs pairs;
  pairs.products = op.size;
  group.run_guarded([&] {
    for (std::int64_t i = 0; i < count; ++i) {
      const auto begin = whole.vectors.begin() + i * op.size + blocks.first();
      pairs.vectors.insert(pairs.vectors.end(), begin, begin + op.local_size);
    }
  });
  pairs.eigenvalues = std::move(whole.values);
  return pairs;
}

}  // namespace diffphase
