#pragma once

#include <petscmat.h>

#include <cstdint>
#include <exception>

#include "parallel/task_group.hpp"
#include "spectrum/slepc_handle.hpp"
#include "spectrum/symmetric_operator.hpp"

namespace diffphase {

/// A symmetric operator as a matrix of PETSc (MATSHELL), for its solvers and SLEPc's: MatMult, MatMultTranspose, and
/// MatMatMult with dense matrices, whose columns go through the operator together in one pass over the data. The matrix
/// is split by rows as the operator's vectors are.
///
/// Exceptions of the operator do not cross PETSc: the call returns PETSC_ERR_LIB, and rethrow() throws what happened.
/// Created and destroyed collectively over the group, which must outlive it, as must `op`. Throws GroupError where a
/// size does not fit a PetscInt. Memory: nothing of the operator's size.
class ShellMatrix {
 public:
  ShellMatrix(const TaskGroup& group, const SymmetricOperator& op);
  ShellMatrix(const ShellMatrix&) = delete;
  ShellMatrix& operator=(const ShellMatrix&) = delete;
  ~ShellMatrix() = default;

  [[nodiscard]] Mat get() const { return matrix_.get(); }
  /// Vectors that were multiplied.
  [[nodiscard]] std::int64_t products() const { return products_; }
  /// Throws the operator's exception, if there was one.
  void rethrow() const;

 private:
  static PetscErrorCode multiply(Mat matrix, Vec in, Vec out);
  static PetscErrorCode prepare_block(Mat matrix, Mat in, Mat out, void** data);
  static PetscErrorCode multiply_block(Mat matrix, Mat in, Mat out, void* data);
  PetscErrorCode apply(PetscInt vectors, const PetscScalar* in, PetscScalar* out);

  const SymmetricOperator& op_;
  MatHandle matrix_;
  std::int64_t products_ = 0;
  std::exception_ptr failure_;
};

}  // namespace diffphase
