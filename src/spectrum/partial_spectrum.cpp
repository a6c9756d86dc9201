#include "spectrum/partial_spectrum.hpp"

#include <cblas.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <stdexcept>
#include <utility>

#include "spectrum/dense.hpp"
#include "spectrum/gram.hpp"
#include "spectrum/krylov.hpp"
#include "spectrum/unit_scale.hpp"
#include "spectrum/vector_block.hpp"

namespace diffphase {

namespace {

constexpr std::int64_t most_block = 32;
constexpr std::int64_t block_numbers = std::int64_t{1} << 23;  // 64 MiB of whole vectors
constexpr double nan = std::numeric_limits<double>::quiet_NaN();

// Estimated work in multiply-adds of matrix products.
double cubed(double n) { return n * n * n; }

// Reduction to tridiagonal form, half of it with single vectors, and a few vectors back.
double lapack_work(double n) { return 4.0 * cubed(n); }

double krylov_work(const SymmetricOperator& op, double count) {
  const double products = 60.0 + 6.0 * count;
  const auto size = static_cast<double>(op.size);
  const double product = op.work > 0.0 ? op.work : size * size;
  const SpectrumMethod method = takes_blocks(op) ? SpectrumMethod::block_krylov : SpectrumMethod::krylov;
  return products * (product_penalty(method) * product + 4.0 * 2.0 * count * size);
}

double gram_work(const SymmetricOperator& op, double count) {
  const auto rows = static_cast<double>(op.factor->rows);
  return (0.5 * rows * rows + rows * count) * static_cast<double>(op.size) + lapack_work(rows);
}

double dense_work(const SymmetricOperator& op) {
  const auto size = static_cast<double>(op.size);
  return size * (op.work > 0.0 ? op.work : size * size) + lapack_work(size);
}

void check(const SymmetricOperator& op, const SpectrumOptions& options) {
  if (options.count < 1) throw std::invalid_argument(fmt::format("{} eigenvalues asked for", options.count));
  if (!(options.tolerance > 0.0)) {
    throw std::invalid_argument(fmt::format("tolerance {} of eigenvalues", options.tolerance));
  }
  if (op.size < 1) throw std::invalid_argument("eigenvalues of an operator without dimensions");
  if (options.method == SpectrumMethod::gram && !op.factor) {
    throw std::invalid_argument("eigenvalues by gram: the operator is not made of rows");
  }
}

struct Found {
  std::vector<double> vectors;  // of the eigenvalues in the result that were found
  std::int64_t count = 0;
};

template <typename Pairs>
Found take(const SymmetricOperator& op, std::int64_t count, Pairs& pairs, PartialSpectrum& result) {
  Found found;
  found.count = std::min(count, static_cast<std::int64_t>(pairs.eigenvalues.size()));
  result.eigenvalues.assign(pairs.eigenvalues.begin(), pairs.eigenvalues.begin() + found.count);
  result.products = pairs.products;
  found.vectors = std::move(pairs.vectors);
  found.vectors.resize(static_cast<std::size_t>(found.count * op.local_size));
  return found;
}

Found solve(const TaskGroup& group, const SymmetricOperator& op, std::int64_t count, const SpectrumOptions& options,
            PartialSpectrum& result) {
  const bool blocks = result.method == SpectrumMethod::block_krylov;
  if (blocks || result.method == SpectrumMethod::krylov) {
    const KrylovKind kind = blocks ? KrylovKind::block : KrylovKind::single;
    VerifiedPairs pairs = verified_krylov(group, op, count, options.tolerance, options.verify, kind);
    result.iterations = pairs.iterations;
    result.stop_reason = std::move(pairs.stop_reason);
    result.verification = pairs.verification;
    return take(op, count, pairs, result);
  }
  DirectPairs pairs =
      result.method == SpectrumMethod::gram ? gram_eigenpairs(group, op, count) : dense_eigenpairs(group, op, count);
  result.stop_reason = "direct method";
  return take(op, count, pairs, result);
}

// A v - lambda v for a block of eigenvectors, from a product of its own.
void add_residuals(const TaskGroup& group, const SymmetricOperator& op, const Found& found, PartialSpectrum& result) {
  const VectorBlocks blocks(group, op);
  const auto local = static_cast<std::size_t>(op.local_size);
  const std::int64_t block = std::clamp<std::int64_t>(block_numbers / op.size, 1, most_block);
  std::vector<double> images;
  group.run_guarded([&] { images.resize(static_cast<std::size_t>(std::min(found.count, block)) * local); });
  for (std::int64_t first = 0; first < found.count; first += block) {
    const std::int64_t vectors = std::min(block, found.count - first);
    const auto numbers = static_cast<std::size_t>(vectors) * local;
    const auto in = std::span(found.vectors).subspan(static_cast<std::size_t>(first) * local, numbers);
    const auto out = std::span(images).first(numbers);
    op.apply(vectors, in, out);
    for (std::size_t v = 0; v < static_cast<std::size_t>(vectors); ++v) {
      const double lambda = result.eigenvalues[static_cast<std::size_t>(first) + v];
      for (std::size_t i = v * local; i < (v + 1) * local; ++i) out[i] -= lambda * in[i];
    }
    const std::vector<double> norms = blocks.norms(out);
    result.residuals.insert(result.residuals.end(), norms.begin(), norms.end());
  }
  result.products += found.count;
}

void judge(PartialSpectrum& result, std::int64_t count) {
  double largest = 0.0;
  for (const double value : result.eigenvalues) largest = std::max(largest, std::abs(value));
  for (std::size_t i = 0; i < result.eigenvalues.size(); ++i) {
    result.converged.push_back(result.residuals[i] <= residual_bound(result.tolerance, result.eigenvalues[i], largest));
  }
  result.eigenvalues.resize(static_cast<std::size_t>(count), nan);
  result.residuals.resize(static_cast<std::size_t>(count), nan);
  result.converged.resize(static_cast<std::size_t>(count), false);
}

}  // namespace

const char* name(SpectrumMethod method) {
  switch (method) {
    case SpectrumMethod::krylov:
      return "krylov";
    case SpectrumMethod::block_krylov:
      return "block-krylov";
    case SpectrumMethod::gram:
      return "gram";
    case SpectrumMethod::dense:
      return "dense";
    case SpectrumMethod::automatic:
      break;
  }
  return "automatic";
}

double product_penalty(SpectrumMethod method) {
  if (method == SpectrumMethod::krylov) return 8.0;
  return method == SpectrumMethod::block_krylov ? 3.0 : 1.0;
}

bool PartialSpectrum::all_converged() const {
  return std::all_of(converged.begin(), converged.end(), [](bool yes) { return yes; });
}

MethodChoice choose_method(const SymmetricOperator& op, std::int64_t count) {
  const auto wanted = static_cast<double>(std::min(count, op.size));
  const double krylov = krylov_work(op, wanted);
  const double dense = op.size <= largest_dense ? dense_work(op) : std::numeric_limits<double>::infinity();
  const bool small_factor = op.factor && op.factor->rows <= largest_gram;
  const double gram = small_factor ? gram_work(op, wanted) : std::numeric_limits<double>::infinity();
  if (gram <= std::min(krylov, dense)) {
    return {SpectrumMethod::gram, fmt::format("gram: {} rows carry weight in {} dimensions, so their Gram matrix is "
                                              "the least work",
                                              op.factor->rows, op.size)};
  }
  if (dense <= krylov) {
    return {
        SpectrumMethod::dense,
        fmt::format("dense: the whole matrix in {} dimensions is the least work for {} eigenvalues", op.size, count)};
  }
  const SpectrumMethod products = takes_blocks(op) ? SpectrumMethod::block_krylov : SpectrumMethod::krylov;
  return {products, fmt::format("{}: {} eigenvalues in {} dimensions{} are less work by products than by any matrix",
                                name(products), count, op.size,
                                op.factor ? fmt::format(" from {} rows", op.factor->rows) : std::string())};
}

PartialSpectrum largest_eigenpairs(const TaskGroup& group, const SymmetricOperator& op,
                                   const SpectrumOptions& options) {
  group.run_guarded([&] { check(op, options); });
  if (const auto scaled = scaled_to_unit(op)) {
    PartialSpectrum found = largest_eigenpairs(group, scaled->op, options);
    for (auto* values : {&found.eigenvalues, &found.residuals}) {
      for (double& value : *values) value = scaled->unscaled(value);
    }
    found.verification.largest_outside = scaled->unscaled(found.verification.largest_outside);
    return found;
  }
  const std::int64_t count = std::min(options.count, op.size);
  PartialSpectrum result;
  result.tolerance = options.tolerance;
  result.method = options.method;
  result.reason = fmt::format("{}: asked for", name(options.method));
  result.verification.largest_outside = nan;
  if (options.method == SpectrumMethod::automatic) {
    MethodChoice choice = choose_method(op, count);
    result.method = choice.method;
    result.reason = std::move(choice.reason);
  }
  if (result.method == SpectrumMethod::block_krylov && !takes_blocks(op)) {
    result.method = SpectrumMethod::krylov;
    result.reason = fmt::format("{}: in {} dimensions there is no room for blocks", name(result.method), op.size);
  }
  Found found = solve(group, op, count, options, result);
  add_residuals(group, op, found, result);
  judge(result, count);
  if (options.keep_vectors) result.vectors = std::move(found.vectors);
  return result;
}

}  // namespace diffphase
