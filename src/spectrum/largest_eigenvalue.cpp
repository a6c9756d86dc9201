#include "spectrum/largest_eigenvalue.hpp"

#include <slepceps.h>

#include <algorithm>
#include <cmath>
#include <exception>
#include <limits>
#include <utility>

#include "parallel/petsc_error.hpp"

namespace diffphase {

namespace {

// What the callbacks of PETSc and SLEPc see. Exceptions must not cross C frames: they are kept here and
// thrown again when the solver has returned.
struct Solve {
  const TaskGroup* group = nullptr;
  const SymmetricOperator* op = nullptr;
  std::int64_t products = 0;
  std::exception_ptr failure;
};

template <typename T, PetscErrorCode (*Destroy)(T*)>
class Handle {
 public:
  Handle() = default;
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  ~Handle() { Destroy(&object_); }
  T* address() { return &object_; }
  [[nodiscard]] T get() const { return object_; }

 private:
  T object_ = nullptr;
};

PetscErrorCode multiply(Mat matrix, Vec in, Vec out) {
  void* context = nullptr;
  PetscCall(MatShellGetContext(matrix, &context));
  auto& solve = *static_cast<Solve*>(context);
  const PetscScalar* x = nullptr;
  PetscScalar* y = nullptr;
  PetscCall(VecGetArrayRead(in, &x));
  PetscCall(VecGetArrayWrite(out, &y));
  const auto n = static_cast<std::size_t>(solve.op->local_size);
  ++solve.products;
  solve.op->apply(1, std::span(x, n), std::span(y, n));
  PetscCall(VecRestoreArrayRead(in, &x));
  PetscCall(VecRestoreArrayWrite(out, &y));
  return 0;
}

PetscErrorCode stop_when_agreed(EPS eps, PetscInt iterations, PetscInt max_iterations, PetscInt converged,
                                PetscInt wanted, EPSConvergedReason* reason, void* context) {
  auto& solve = *static_cast<Solve*>(context);
  PetscCall(EPSStoppingBasic(eps, iterations, max_iterations, converged, wanted, reason, nullptr));
  try {
    solve.group->agree();
  } catch (...) {
    solve.failure = std::current_exception();
    *reason = EPS_CONVERGED_USER;
  }
  return 0;
}

void set_up(EPS eps, Mat matrix, Solve& solve, double tolerance) {
  check_petsc(EPSSetOperators(eps, matrix, nullptr), "EPSSetOperators");
  check_petsc(EPSSetProblemType(eps, EPS_HEP), "EPSSetProblemType");
  check_petsc(EPSSetType(eps, EPSKRYLOVSCHUR), "EPSSetType");
  check_petsc(EPSSetWhichEigenpairs(eps, EPS_LARGEST_REAL), "EPSSetWhichEigenpairs");
  check_petsc(EPSSetDimensions(eps, 1, PETSC_DEFAULT, PETSC_DEFAULT), "EPSSetDimensions");
  check_petsc(EPSSetTolerances(eps, tolerance, 10000), "EPSSetTolerances");
  check_petsc(EPSSetStoppingTestFunction(eps, stop_when_agreed, &solve, nullptr), "EPSSetStoppingTestFunction");
  DS ds = nullptr;
  check_petsc(EPSGetDS(eps, &ds), "EPSGetDS");
  check_petsc(DSSetParallel(ds, DS_PARALLEL_SYNCHRONIZED), "DSSetParallel");
}

LargestEigenvalue read_result(EPS eps, const Solve& solve) {
  LargestEigenvalue result;
  PetscInt converged = 0;
  PetscInt iterations = 0;
  EPSConvergedReason reason = EPS_CONVERGED_ITERATING;
  check_petsc(EPSGetConverged(eps, &converged), "EPSGetConverged");
  check_petsc(EPSGetIterationNumber(eps, &iterations), "EPSGetIterationNumber");
  check_petsc(EPSGetConvergedReason(eps, &reason), "EPSGetConvergedReason");
  result.iterations = static_cast<int>(iterations);
  result.stop_reason = EPSConvergedReasons[reason];
  result.converged = converged > 0;
  result.value = result.residual = std::numeric_limits<double>::quiet_NaN();
  if (result.converged) {
    check_petsc(EPSGetEigenvalue(eps, 0, &result.value, nullptr), "EPSGetEigenvalue");
    check_petsc(EPSComputeError(eps, 0, EPS_ERROR_ABSOLUTE, &result.residual), "EPSComputeError");
  }
  result.products = solve.products;
  return result;
}

}  // namespace

LargestEigenvalue largest_eigenvalue(const TaskGroup& group, const SymmetricOperator& op, double tolerance) {
  PetscInt size = 0;
  PetscInt local = 0;
  group.run_guarded([&] {
    size = petsc_int(op.size, "eigenproblem size");
    local = petsc_int(op.local_size, "local eigenproblem size");
  });
  Solve solve{&group, &op, 0, {}};
  Handle<Mat, MatDestroy> matrix;
  Handle<EPS, EPSDestroy> eps;
  check_petsc(MatCreateShell(group.comm().get(), local, local, size, size, &solve, matrix.address()), "MatCreateShell");
  check_petsc(MatShellSetOperation(matrix.get(), MATOP_MULT, reinterpret_cast<void (*)()>(multiply)),
              "MatShellSetOperation");
  check_petsc(EPSCreate(group.comm().get(), eps.address()), "EPSCreate");
  set_up(eps.get(), matrix.get(), solve, tolerance);
  check_petsc(EPSSolve(eps.get()), "EPSSolve");
  if (solve.failure) std::rethrow_exception(solve.failure);
  return read_result(eps.get(), solve);
}

}  // namespace diffphase
