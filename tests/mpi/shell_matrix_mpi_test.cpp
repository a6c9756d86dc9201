#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <stdexcept>
#include <vector>

#include "parallel/petsc_error.hpp"
#include "spectrum/shell_matrix.hpp"
#include "support/matrix_operator.hpp"

namespace diffphase {
namespace {

constexpr std::int64_t size = 37;
constexpr double rounding = 64.0 * std::numeric_limits<double>::epsilon();

class ShellMatrixMpi : public testing::Test {
 protected:
  Communicator world = Communicator::world();
  TaskGroup group{world};
};

// Entry (row, column) of the blocks that are multiplied.
double entry(PetscInt row, PetscInt column) {
  return std::sin(1.0 + 3.0 * static_cast<double>(row) + static_cast<double>(column));
}

TEST_F(ShellMatrixMpi, MultipliesVectorsAndDenseBlocksLikeTheMatrixItself) {
  const std::vector<double> dense = test::wishart("shell matrix", 90, size);
  const test::SplitMatrix split(group, size, dense);
  const SymmetricOperator op = split.symmetric();
  const ShellMatrix shell(group, op);
  constexpr PetscInt columns = 5;
  MatHandle block;
  MatHandle product;
  check_petsc(MatCreateDense(world.get(), static_cast<PetscInt>(op.local_size), PETSC_DECIDE, size, columns, nullptr,
                             block.address()),
              "MatCreateDense");
  PetscInt first = 0;
  PetscInt end = 0;
  check_petsc(MatGetOwnershipRange(block.get(), &first, &end), "MatGetOwnershipRange");
  for (PetscInt row = first; row < end; ++row) {
    for (PetscInt c = 0; c < columns; ++c) {
      check_petsc(MatSetValue(block.get(), row, c, entry(row, c), INSERT_VALUES), "MatSetValue");
    }
  }
  check_petsc(MatAssemblyBegin(block.get(), MAT_FINAL_ASSEMBLY), "MatAssemblyBegin");
  check_petsc(MatAssemblyEnd(block.get(), MAT_FINAL_ASSEMBLY), "MatAssemblyEnd");
  check_petsc(MatMatMult(shell.get(), block.get(), MAT_INITIAL_MATRIX, PETSC_DEFAULT, product.address()), "MatMatMult");
  VecHandle in;
  VecHandle out;
  check_petsc(MatCreateVecs(shell.get(), in.address(), out.address()), "MatCreateVecs");
  for (PetscInt c = 0; c < columns; ++c) {
    check_petsc(MatGetColumnVector(block.get(), in.get(), c), "MatGetColumnVector");
    check_petsc(MatMult(shell.get(), in.get(), out.get()), "MatMult");
    for (PetscInt row = first; row < end; ++row) {
      double exact = 0.0;
      double terms = 0.0;
      for (PetscInt j = 0; j < size; ++j) {
        const double term = dense[static_cast<std::size_t>(row * size + j)] * entry(j, c);
        exact += term;
        terms += std::abs(term);
      }
      PetscScalar by_vector = 0.0;
      PetscScalar by_block = 0.0;
      check_petsc(VecGetValues(out.get(), 1, &row, &by_vector), "VecGetValues");
      check_petsc(MatGetValue(product.get(), row, c, &by_block), "MatGetValue");
      EXPECT_NEAR(by_vector, exact, rounding * terms);
      EXPECT_NEAR(by_block, exact, rounding * terms);
    }
  }
  EXPECT_EQ(shell.products(), 2 * columns);
}

TEST_F(ShellMatrixMpi, AnExceptionOfTheOperatorComesOutBehindPetsc) {
  const test::SplitMatrix split(group, size, test::wishart("shell matrix", 90, size));
  SymmetricOperator op = split.symmetric();
  op.apply = [](std::int64_t, std::span<const double>, std::span<double>) { throw std::domain_error("planted"); };
  const ShellMatrix shell(group, op);
  EXPECT_NO_THROW(shell.rethrow());
  VecHandle in;
  VecHandle out;
  check_petsc(MatCreateVecs(shell.get(), in.address(), out.address()), "MatCreateVecs");
  check_petsc(PetscPushErrorHandler(PetscReturnErrorHandler, nullptr), "PetscPushErrorHandler");
  EXPECT_NE(MatMult(shell.get(), in.get(), out.get()), 0);
  check_petsc(PetscPopErrorHandler(), "PetscPopErrorHandler");
  EXPECT_THROW(shell.rethrow(), std::domain_error);
}

}  // namespace
}  // namespace diffphase
