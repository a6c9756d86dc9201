#include "spectrum/gram.hpp"

#include <cblas.h>

#include <algorithm>
#include <span>
#include <utility>

#include "spectrum/dense_eigenvalues.hpp"
#include "spectrum/vector_block.hpp"

namespace diffphase {

namespace {

std::size_t index(std::int64_t i) { return static_cast<std::size_t>(i); }

// S S^T on every rank, from the ranks' columns of S.
std::vector<double> gram_matrix(const TaskGroup& group, std::int64_t rows, std::span<const double> s,
                                std::int64_t local) {
  std::vector<double> gram;
  group.run_guarded([&] {
    gram.resize(index(rows * rows));
    if (local == 0) return;
    const int n = static_cast<int>(rows);
    const int columns = static_cast<int>(local);
    cblas_dsyrk(CblasRowMajor, CblasUpper, CblasNoTrans, n, columns, 1.0, s.data(), columns, 0.0, gram.data(), n);
    for (std::size_t i = 0; i < index(rows); ++i) {
      for (std::size_t j = 0; j < i; ++j) gram[i * index(rows) + j] = gram[j * index(rows) + i];
    }
  });
  group.comm().sum(gram);
  return gram;
}

// S^T u for every u, [u][local].
void map_back(const DenseEigenpairs& small, std::int64_t rows, std::span<const double> s, std::int64_t local,
              std::span<double> out) {
  const auto count = static_cast<int>(small.values.size());
  if (count == 0 || local == 0) return;
  const int columns = static_cast<int>(local);
  cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, count, columns, static_cast<int>(rows), 1.0,
              small.vectors.data(), static_cast<int>(rows), s.data(), columns, 0.0, out.data(), columns);
}

// Makes the vectors orthonormal in their order; where one is nothing but rounding, a random one takes its place.
void complete_basis(const VectorBlocks& blocks, std::int64_t count, std::span<double> vectors) {
  const auto local = index(blocks.local_size());
  std::int64_t number = 0;
  for (std::size_t i = 0; i < index(count); ++i) {
    const std::span<double> vector = vectors.subspan(i * local, local);
    const std::span<double> basis = vectors.first(i * local);
    while (!blocks.orthonormalise(basis, vector)) blocks.random("orthogonal complement", number++, vector);
  }
}

}  // namespace

DirectPairs gram_eigenpairs(const TaskGroup& group, const SymmetricOperator& op, std::int64_t count) {
  const RowFactor& factor = *op.factor;
  const std::int64_t exact = std::min(count, factor.rows);
  DirectPairs pairs;
  std::vector<double> s;
  group.run_guarded([&] {
    s.resize(index(factor.rows * op.local_size));
    pairs.eigenvalues.assign(index(count), factor.shift);
    pairs.vectors.resize(index(count * op.local_size));
  });
  if (factor.rows > 0) {
    factor.read(s);
    const DenseEigenpairs small =
        dense_largest_eigenpairs(group, gram_matrix(group, factor.rows, s, op.local_size), exact);
    group.run_guarded([&] { map_back(small, factor.rows, s, op.local_size, pairs.vectors); });
    for (std::size_t i = 0; i < small.values.size(); ++i) pairs.eigenvalues[i] += std::max(small.values[i], 0.0);
  }
  complete_basis(VectorBlocks(group, op), count, pairs.vectors);
  return pairs;
}

}  // namespace diffphase
