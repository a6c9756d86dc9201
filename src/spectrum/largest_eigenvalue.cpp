#include "spectrum/largest_eigenvalue.hpp"

#include <cblas.h>

#include <limits>
#include <vector>

#include "spectrum/krylov.hpp"
#include "spectrum/unit_scale.hpp"
#include "spectrum/vector_block.hpp"

namespace diffphase {

LargestEigenvalue largest_eigenvalue(const TaskGroup& group, const SymmetricOperator& op, double tolerance) {
  if (const auto scaled = scaled_to_unit(op)) {
    LargestEigenvalue found = largest_eigenvalue(group, scaled->op, tolerance);
    found.value = scaled->unscaled(found.value);
    found.residual = scaled->unscaled(found.residual);
    return found;
  }
  const KrylovResult found = krylov_schur(group, op, {.count = 1, .tolerance = tolerance});
  LargestEigenvalue result{.value = std::numeric_limits<double>::quiet_NaN(),
                           .residual = std::numeric_limits<double>::quiet_NaN(),
                           .iterations = found.iterations,
                           .products = found.products,
                           .converged = !found.eigenvalues.empty(),
                           .stop_reason = found.stop_reason};
  if (!result.converged) return result;
  result.value = found.eigenvalues.front();
  const auto vector = std::span(found.vectors).first(static_cast<std::size_t>(op.local_size));
  std::vector<double> image;
  group.run_guarded([&] { image.resize(vector.size()); });
  op.apply(1, vector, image);
  ++result.products;
  cblas_daxpy(static_cast<int>(image.size()), -result.value, vector.data(), 1, image.data(), 1);
  const VectorBlocks blocks(group, op);
  result.residual = blocks.norms(image).front() / blocks.norms(vector).front();
  return result;
}

}  // namespace diffphase
