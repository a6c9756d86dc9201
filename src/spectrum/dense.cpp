#include "spectrum/dense.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "spectrum/dense_eigenvalues.hpp"
#include "spectrum/vector_block.hpp"

namespace diffphase {

namespace {

constexpr std::int64_t block_size = 64;

std::size_t index(std::int64_t i) { return static_cast<std::size_t>(i); }

// The whole matrix on every rank. Row v is A e_v.
std::vector<double> whole_matrix(const TaskGroup& group, const SymmetricOperator& op, const VectorBlocks& blocks) {
  std::vector<double> matrix, unit, image;
  group.run_guarded([&] {
    matrix.resize(index(op.size * op.size));
    unit.resize(index(block_size * op.local_size));
    image.resize(unit.size());
  });
  for (std::int64_t first = 0; first < op.size; first += block_size) {
    const std::int64_t vectors = std::min(block_size, op.size - first);
    std::fill(unit.begin(), unit.end(), 0.0);
    for (std::int64_t v = 0; v < vectors; ++v) {
      const std::int64_t local = first + v - blocks.first();
      if (local >= 0 && local < op.local_size) unit[index(v * op.local_size + local)] = 1.0;
    }
    const std::size_t numbers = index(vectors * op.local_size);
    op.apply(vectors, std::span(unit).first(numbers), std::span(image).first(numbers));
    for (std::int64_t v = 0; v < vectors; ++v) {
      std::copy_n(image.begin() + v * op.local_size, op.local_size,
                  matrix.begin() + (first + v) * op.size + blocks.first());
    }
  }
  group.comm().sum(matrix);
  return matrix;
}

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
  std::vector<double> matrix = whole_matrix(group, op, blocks);
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
