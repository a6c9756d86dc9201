#include "spectrum/shell_matrix.hpp"

#include <cstddef>
#include <span>

#include "parallel/petsc_error.hpp"

namespace diffphase {

namespace {

// Dense matrices are stored by columns, which is how the operator takes its vectors if nothing lies between them.
PetscErrorCode check_columns_touch(Mat dense) {
  PetscInt rows = 0;
  PetscInt stride = 0;
  PetscCall(MatGetLocalSize(dense, &rows, nullptr));
  PetscCall(MatDenseGetLDA(dense, &stride));
  return stride == rows || rows == 0 ? 0 : PETSC_ERR_SUP;
}

}  // namespace

ShellMatrix::ShellMatrix(const TaskGroup& group, const SymmetricOperator& op) : op_(op) {
  PetscInt size = 0;
  PetscInt local = 0;
  group.run_guarded([&] {
    size = petsc_int(op.size, "operator size");
    local = petsc_int(op.local_size, "local operator size");
  });
  const auto set = [this](MatOperation operation, PetscErrorCode (*function)(Mat, Vec, Vec)) {
    check_petsc(MatShellSetOperation(matrix_.get(), operation, reinterpret_cast<void (*)()>(function)),
                "MatShellSetOperation");
  };
  check_petsc(MatCreateShell(group.comm().get(), local, local, size, size, this, matrix_.address()), "MatCreateShell");
  set(MATOP_MULT, multiply);
  set(MATOP_MULT_TRANSPOSE, multiply);
  check_petsc(MatSetOption(matrix_.get(), MAT_SYMMETRIC, PETSC_TRUE), "MatSetOption");
  for (const char* type : {MATSEQDENSE, MATMPIDENSE}) {
    check_petsc(MatShellSetMatProductOperation(matrix_.get(), MATPRODUCT_AB, prepare_block, multiply_block, nullptr,
                                               type, type),
                "MatShellSetMatProductOperation");
  }
}

void ShellMatrix::rethrow() const {
  if (failure_) std::rethrow_exception(failure_);
}

PetscErrorCode ShellMatrix::apply(PetscInt vectors, const PetscScalar* in, PetscScalar* out) {
  const auto numbers = static_cast<std::size_t>(vectors * op_.local_size);
  products_ += vectors;
  try {
    op_.apply(vectors, std::span(in, numbers), std::span(out, numbers));
  } catch (...) {
    failure_ = std::current_exception();
    return PETSC_ERR_LIB;
  }
  return 0;
}

PetscErrorCode ShellMatrix::multiply(Mat matrix, Vec in, Vec out) {
  void* context = nullptr;
  PetscCall(MatShellGetContext(matrix, &context));
  const PetscScalar* x = nullptr;
  PetscScalar* y = nullptr;
  PetscCall(VecGetArrayRead(in, &x));
  PetscCall(VecGetArrayWrite(out, &y));
  const PetscErrorCode code = static_cast<ShellMatrix*>(context)->apply(1, x, y);
  PetscCall(VecRestoreArrayRead(in, &x));
  PetscCall(VecRestoreArrayWrite(out, &y));
  return code;
}

PetscErrorCode ShellMatrix::prepare_block(Mat matrix, Mat in, Mat out, void** data) {
  PetscInt local = 0;
  PetscInt size = 0;
  PetscInt local_columns = 0;
  PetscInt columns = 0;
  *data = nullptr;
  PetscCall(MatGetLocalSize(matrix, &local, nullptr));
  PetscCall(MatGetSize(matrix, &size, nullptr));
  PetscCall(MatGetLocalSize(in, nullptr, &local_columns));
  PetscCall(MatGetSize(in, nullptr, &columns));
  PetscCall(MatSetSizes(out, local, local_columns, size, columns));
  PetscCall(MatSetType(out, MATDENSE));
  PetscCall(MatSetUp(out));
  return 0;
}

PetscErrorCode ShellMatrix::multiply_block(Mat matrix, Mat in, Mat out, void* /*data*/) {
  void* context = nullptr;
  PetscInt columns = 0;
  PetscCall(MatShellGetContext(matrix, &context));
  PetscCall(check_columns_touch(in));
  PetscCall(check_columns_touch(out));
  PetscCall(MatGetSize(in, nullptr, &columns));
  const PetscScalar* x = nullptr;
  PetscScalar* y = nullptr;
  PetscCall(MatDenseGetArrayRead(in, &x));
  PetscCall(MatDenseGetArrayWrite(out, &y));
  const PetscErrorCode code = static_cast<ShellMatrix*>(context)->apply(columns, x, y);
  PetscCall(MatDenseRestoreArrayRead(in, &x));
  PetscCall(MatDenseRestoreArrayWrite(out, &y));
  PetscCall(MatAssemblyBegin(out, MAT_FINAL_ASSEMBLY));
  PetscCall(MatAssemblyEnd(out, MAT_FINAL_ASSEMBLY));
  return code;
}

}  // namespace diffphase
