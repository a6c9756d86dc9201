#include "spectrum/gram.hpp"

#include <cblas.h>

#include <algorithm>
#include <functional>
#include <span>
#include <stdexcept>
#include <utility>

#include "spectrum/dense_eigenvalues.hpp"
#include "spectrum/vector_block.hpp"

namespace diffphase {

namespace {

std::size_t index(std::int64_t i) { return static_cast<std::size_t>(i); }

// The columns of S that this rank has, a panel at a time.
class Panels {
 public:
  // Collective.
  Panels(const TaskGroup& group, const SymmetricOperator& op)
      : group_(group), rows_(op.factor->rows), local_(op.local_size), read_(op.factor->read) {
    std::vector<std::int64_t> most{local_};
    group.comm().maximum(most);
    panels_ = rows_ * most[0] / panel_numbers + 1;
  }

  // use(columns, panel [rows][columns], number of the first column) for one panel after the other. Collective.
  template <typename Use>
  void visit(const Use& use) const {
    std::vector<double> buffer;
    for (std::int64_t panel = 0; panel < panels_; ++panel) {
      const PanelRange range(local_, panel, panels_);
      group_.run_guarded([&] { buffer.resize(index(rows_ * range.count)); });
      read_(panel, panels_, buffer);
      group_.run_guarded([&] {
        if (range.count > 0) use(static_cast<int>(range.count), buffer.data(), range.first);
      });
    }
  }

 private:
  static constexpr std::int64_t panel_numbers = std::int64_t{1} << 23;  // 64 MiB

  const TaskGroup& group_;
  std::int64_t rows_;
  std::int64_t local_;
  const std::function<void(std::int64_t, std::int64_t, std::span<double>)>& read_;
  std::int64_t panels_ = 1;
};

// S S^T on every rank, from the ranks' columns of S.
std::vector<double> gram_matrix(const TaskGroup& group, std::int64_t rows, const Panels& panels) {
  std::vector<double> gram;
  group.run_guarded([&] { gram.resize(index(rows * rows)); });
  const int n = static_cast<int>(rows);
  panels.visit([&](int columns, const double* s, std::int64_t) {
    cblas_dsyrk(CblasRowMajor, CblasUpper, CblasNoTrans, n, columns, 1.0, s, columns, 1.0, gram.data(), n);
  });
  for (std::size_t i = 0; i < index(rows); ++i) {
    for (std::size_t j = 0; j < i; ++j) gram[i * index(rows) + j] = gram[j * index(rows) + i];
  }
  group.comm().sum(gram);
  return gram;
}

// S^T u for every u, [u][local].
void map_back(const DenseEigenpairs& small, std::int64_t rows, std::int64_t local, const Panels& panels,
              std::span<double> out) {
  const int stride = static_cast<int>(local);
  panels.visit([&](int columns, const double* s, std::int64_t first) {
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, static_cast<int>(small.values.size()), columns,
                static_cast<int>(rows), 1.0, small.vectors.data(), static_cast<int>(rows), s, columns, 0.0,
                out.data() + first, stride);
  });
}

constexpr std::int64_t most_randoms = 1000;

// Makes the vectors orthonormal in their order; where one is nothing but rounding, a random one takes its place.
void complete_basis(const TaskGroup& group, const VectorBlocks& blocks, std::int64_t count, std::span<double> vectors) {
  const auto local = index(blocks.local_size());
  std::int64_t number = 0;
  for (std::size_t i = 0; i < index(count); ++i) {
    const std::span<double> vector = vectors.subspan(i * local, local);
    const std::span<double> basis = vectors.first(i * local);
    while (!blocks.orthonormalise(basis, vector)) {
      // A random vector is nothing but rounding beside the others with no probability, unless these are no numbers.
      if (number > most_randoms + count) throw std::runtime_error("eigenvectors are not finite");
      blocks.random("orthogonal complement", number++, vector);
    }
    group.agree();
  }
}

}  // namespace

DirectPairs gram_eigenpairs(const TaskGroup& group, const SymmetricOperator& op, std::int64_t count) {
  const RowFactor& factor = *op.factor;
  const std::int64_t exact = std::min(count, factor.rows);
  DirectPairs pairs;
  group.run_guarded([&] {
    pairs.eigenvalues.assign(index(count), factor.shift);
    pairs.vectors.resize(index(count * op.local_size));
  });
  if (factor.rows > 0) {
    const Panels panels(group, op);
    const DenseEigenpairs small = dense_largest_eigenpairs(group, gram_matrix(group, factor.rows, panels), exact);
    map_back(small, factor.rows, op.local_size, panels, pairs.vectors);
    for (std::size_t i = 0; i < small.values.size(); ++i) pairs.eigenvalues[i] += std::max(small.values[i], 0.0);
  }
  complete_basis(group, VectorBlocks(group, op), count, pairs.vectors);
  return pairs;
}

}  // namespace diffphase
