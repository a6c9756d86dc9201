#include "spectrum/partial_spectrum.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "spectrum/dense_eigenvalues.hpp"
#include "spectrum/krylov.hpp"
#include "spectrum/vector_block.hpp"

namespace diffphase {
namespace {

using Vector = std::vector<double>;

class PartialSpectrumTest : public testing::Test {
 protected:
  Communicator self_ = Communicator::self();
  TaskGroup group_{self_};
};

SymmetricOperator sized(std::int64_t size, std::int64_t rows, std::int64_t stored_rows) {
  SymmetricOperator op{.size = size, .local_size = size, .apply = {}};
  if (rows >= 0) op.factor = RowFactor{.shift = 0.0, .rows = rows, .read = {}};
  op.work = 2.0 * static_cast<double>(size) * static_cast<double>(stored_rows);
  return op;
}

TEST_F(PartialSpectrumTest, AutomaticTakesTheSmallerSideAndSaysWhy) {
  const MethodChoice few_rows = choose_method(sized(100000, 50, 50), 8);
  EXPECT_EQ(few_rows.method, SpectrumMethod::gram);
  EXPECT_NE(few_rows.reason.find("50 rows carry weight in 100000 dimensions"), std::string::npos) << few_rows.reason;
  EXPECT_EQ(choose_method(sized(20000, 3, 20000), 32).method, SpectrumMethod::gram);
  EXPECT_EQ(choose_method(sized(50, 20000, 20000), 8).method, SpectrumMethod::dense);
  EXPECT_EQ(choose_method(sized(20000, 20000, 20000), 32).method, SpectrumMethod::krylov);
  EXPECT_EQ(choose_method(sized(1000000, 1000, 1000), 64).method, SpectrumMethod::gram);
  EXPECT_EQ(choose_method(sized(1000000, -1, 1000), 64).method, SpectrumMethod::krylov);
  EXPECT_EQ(choose_method(sized(30, -1, 1000), 64).method, SpectrumMethod::dense);
}

TEST_F(PartialSpectrumTest, MethodsHaveNames) {
  EXPECT_STREQ(name(SpectrumMethod::automatic), "automatic");
  EXPECT_STREQ(name(SpectrumMethod::krylov), "krylov");
  EXPECT_STREQ(name(SpectrumMethod::gram), "gram");
  EXPECT_STREQ(name(SpectrumMethod::dense), "dense");
}

TEST_F(PartialSpectrumTest, AResidualIsRelativeForLargeEigenvaluesAndAbsoluteForSmallOnes) {
  EXPECT_DOUBLE_EQ(residual_bound(1e-8, 2.0, 4.0), 2e-8);
  EXPECT_DOUBLE_EQ(residual_bound(1e-8, -2.0, 4.0), 2e-8);
  EXPECT_DOUBLE_EQ(residual_bound(1e-8, 1e-9, 4.0), 4e-12);
}

// An operator that is not symmetric has no eigenvectors where they are looked for: that is marked, not hidden.
TEST_F(PartialSpectrumTest, APairAboveTheToleranceIsMarked) {
  SymmetricOperator op{.size = 2, .local_size = 2, .apply = {}};
  op.apply = [](std::int64_t vectors, std::span<const double> in, std::span<double> out) {
    for (std::size_t v = 0; v < static_cast<std::size_t>(vectors); ++v) {
      out[2 * v] = 2.0 * in[2 * v] + 1e-5 * in[2 * v + 1];
      out[2 * v + 1] = in[2 * v + 1];
    }
  };
  const PartialSpectrum found = largest_eigenpairs(group_, op, {.count = 2, .method = SpectrumMethod::dense});
  EXPECT_FALSE(found.all_converged());
  EXPECT_NEAR(found.residuals[0], 0.5e-5, 1e-9);
}

TEST_F(PartialSpectrumTest, DensePairsOfAKnownMatrix) {
  const DenseEigenpairs pairs = dense_largest_eigenpairs({2.0, 1.0, 1.0, 2.0}, 2);
  EXPECT_NEAR(pairs.values[0], 3.0, 1e-14);
  EXPECT_NEAR(pairs.values[1], 1.0, 1e-14);
  EXPECT_NEAR(std::abs(pairs.vectors[0]), std::sqrt(0.5), 1e-14);
  EXPECT_NEAR(pairs.vectors[0], pairs.vectors[1], 1e-14);
  EXPECT_NEAR(pairs.vectors[2], -pairs.vectors[3], 1e-14);
  EXPECT_EQ(dense_largest_eigenpairs({2.0, 1.0, 1.0, 2.0}, 1).values.size(), 1U);
  EXPECT_TRUE(dense_largest_eigenpairs({2.0}, 0).values.empty());
  EXPECT_THROW((void)dense_largest_eigenpairs({2.0}, 2), std::invalid_argument);
  EXPECT_THROW((void)dense_largest_eigenpairs({2.0, 1.0}, 1), std::invalid_argument);
}

// The unit matrix, scaled: every eigenvalue is the same.
TEST_F(PartialSpectrumTest, DensePairsOfADegenerateMatrixAreOrthonormal) {
  constexpr std::size_t n = 80;
  Vector matrix(n * n);
  for (std::size_t i = 0; i < n; ++i) matrix[i * n + i] = 5.0;
  for (std::size_t j = 0; j < n * n; ++j) matrix[j] += 2.0 / n;
  const DenseEigenpairs pairs = dense_largest_eigenpairs(matrix, 60);
  SymmetricOperator op{.size = n, .local_size = n, .apply = {}};
  const Vector products = VectorBlocks(group_, op).products(pairs.vectors, pairs.vectors);
  for (std::size_t i = 0; i < 60 * 60; ++i) EXPECT_NEAR(products[i], i / 60 == i % 60 ? 1.0 : 0.0, 1e-12);
  EXPECT_NEAR(pairs.values[0], 7.0, 1e-13);
  for (std::size_t i = 1; i < 60; ++i) EXPECT_NEAR(pairs.values[i], 5.0, 1e-13);
}

TEST_F(PartialSpectrumTest, OrthonormalisingTellsWhenNothingIsLeft) {
  SymmetricOperator op{.size = 3, .local_size = 3, .apply = {}};
  const VectorBlocks blocks(group_, op);
  const Vector basis{1.0, 0.0, 0.0, 0.0, 1.0, 0.0};
  Vector inside{3.0, 4.0, 1e-13};
  EXPECT_FALSE(blocks.orthonormalise(basis, inside));
  Vector zero(3);
  EXPECT_FALSE(blocks.orthonormalise(basis, zero));
  Vector outside{3.0, 4.0, -1e-3};
  EXPECT_TRUE(blocks.orthonormalise(basis, outside));
  EXPECT_NEAR(outside[2], -1.0, 1e-15);
  EXPECT_NEAR(outside[0], 0.0, 1e-15);
}

TEST_F(PartialSpectrumTest, TheBasisIsCounted) {
  EXPECT_EQ(krylov_vectors(1000, {.count = 1}), 16 + 3);
  EXPECT_EQ(krylov_vectors(1000, {.count = 32}), 64 + 3);
  // SLEPc puts its basis together anew with the 32 copies.
  EXPECT_EQ(krylov_vectors(1000, {.count = 1, .deflated_count = 32, .basis = 40}), 2 * 41 + 2 + 32);
  EXPECT_EQ(krylov_vectors(10, {.count = 32}), 10 + 3);
}

}  // namespace
}  // namespace diffphase
