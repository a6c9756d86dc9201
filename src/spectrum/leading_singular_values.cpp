#include "spectrum/leading_singular_values.hpp"

#include <cblas.h>
#include <fmt/format.h>
#include <slepcsvd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <exception>
#include <limits>
#include <stdexcept>

#include "parallel/petsc_error.hpp"
#include "spectrum/slepc_handle.hpp"

namespace diffphase {

namespace {

// What the callbacks of PETSc and SLEPc see. The solver splits vectors over columns in its own way; here they are
// whole.
struct Solve {
  const TaskGroup* group = nullptr;
  std::span<const double> rows;
  blasint local_rows = 0;
  blasint columns = 0;
  std::vector<double> whole;  // of `columns` numbers
  std::int64_t products = 0;
  std::exception_ptr failure;
};

Solve& context_of(Mat matrix) {
  void* context = nullptr;
  MatShellGetContext(matrix, static_cast<void*>(&context));
  return *static_cast<Solve*>(context);
}

PetscErrorCode multiply(Mat matrix, Vec in, Vec out) {
  Solve& solve = context_of(matrix);
  const PetscScalar* x = nullptr;
  PetscScalar* y = nullptr;
  PetscInt first = 0;
  PetscInt last = 0;
  PetscCall(VecGetOwnershipRange(in, &first, &last));
  PetscCall(VecGetArrayRead(in, &x));
  PetscCall(VecGetArrayWrite(out, &y));
  std::fill(solve.whole.begin(), solve.whole.end(), 0.0);
  std::copy(x, x + (last - first), solve.whole.begin() + first);
  solve.group->comm().sum(std::span(solve.whole));
  if (solve.local_rows > 0) {
    cblas_dgemv(CblasRowMajor, CblasNoTrans, solve.local_rows, solve.columns, 1.0, solve.rows.data(), solve.columns,
                solve.whole.data(), 1, 0.0, y, 1);
  }
  ++solve.products;
  PetscCall(VecRestoreArrayRead(in, &x));
  PetscCall(VecRestoreArrayWrite(out, &y));
  return 0;
}

PetscErrorCode multiply_transposed(Mat matrix, Vec in, Vec out) {
  Solve& solve = context_of(matrix);
  const PetscScalar* x = nullptr;
  PetscScalar* y = nullptr;
  PetscInt first = 0;
  PetscInt last = 0;
  PetscCall(VecGetOwnershipRange(out, &first, &last));
  PetscCall(VecGetArrayRead(in, &x));
  PetscCall(VecGetArrayWrite(out, &y));
  std::fill(solve.whole.begin(), solve.whole.end(), 0.0);
  if (solve.local_rows > 0) {
    cblas_dgemv(CblasRowMajor, CblasTrans, solve.local_rows, solve.columns, 1.0, solve.rows.data(), solve.columns, x, 1,
                0.0, solve.whole.data(), 1);
  }
  solve.group->comm().sum(std::span(solve.whole));
  std::copy(solve.whole.begin() + first, solve.whole.begin() + last, y);
  ++solve.products;
  PetscCall(VecRestoreArrayRead(in, &x));
  PetscCall(VecRestoreArrayWrite(out, &y));
  return 0;
}

PetscErrorCode stop_when_agreed(SVD svd, PetscInt iterations, PetscInt max_iterations, PetscInt converged,
                                PetscInt wanted, SVDConvergedReason* reason, void* context) {
  auto& solve = *static_cast<Solve*>(context);
  PetscCall(SVDStoppingBasic(svd, iterations, max_iterations, converged, wanted, reason, nullptr));
  try {
    solve.group->agree();
  } catch (...) {
    solve.failure = std::current_exception();
    *reason = SVD_CONVERGED_USER;
  }
  return 0;
}

void set_up(SVD svd, Mat matrix, Solve& solve, PetscInt wanted, double tolerance) {
  check_petsc(SVDSetOperators(svd, matrix, nullptr), "SVDSetOperators");
  check_petsc(SVDSetType(svd, SVDTRLANCZOS), "SVDSetType");
  check_petsc(SVDSetWhichSingularTriplets(svd, SVD_LARGEST), "SVDSetWhichSingularTriplets");
  check_petsc(SVDSetDimensions(svd, wanted, PETSC_DEFAULT, PETSC_DEFAULT), "SVDSetDimensions");
  check_petsc(SVDSetTolerances(svd, tolerance, 10000), "SVDSetTolerances");
  check_petsc(SVDSetStoppingTestFunction(svd, stop_when_agreed, &solve, nullptr), "SVDSetStoppingTestFunction");
  DS ds = nullptr;
  check_petsc(SVDGetDS(svd, &ds), "SVDGetDS");
  check_petsc(DSSetParallel(ds, DS_PARALLEL_SYNCHRONIZED), "DSSetParallel");
}

LeadingSingularValues read_result(SVD svd, const Solve& solve, int wanted) {
  LeadingSingularValues result;
  PetscInt converged = 0;
  PetscInt iterations = 0;
  SVDConvergedReason reason = SVD_CONVERGED_ITERATING;
  check_petsc(SVDGetConverged(svd, &converged), "SVDGetConverged");
  check_petsc(SVDGetIterationNumber(svd, &iterations), "SVDGetIterationNumber");
  check_petsc(SVDGetConvergedReason(svd, &reason), "SVDGetConvergedReason");
  result.iterations = static_cast<int>(iterations);
  result.stop_reason = SVDConvergedReasons[reason];
  result.converged = converged >= wanted;
  for (PetscInt i = 0; i < std::min<PetscInt>(converged, wanted); ++i) {
    PetscReal value = 0.0;
    PetscReal error = 0.0;
    check_petsc(SVDGetSingularTriplet(svd, i, &value, nullptr, nullptr), "SVDGetSingularTriplet");
    check_petsc(SVDComputeError(svd, i, SVD_ERROR_RELATIVE, &error), "SVDComputeError");
    result.values.push_back(value);
    result.relative_errors.push_back(error);
  }
  result.products = solve.products;
  return result;
}

}  // namespace

LeadingSingularValues leading_singular_values(const TaskGroup& group, std::int64_t columns,
                                              std::span<const double> rows, int wanted, double tolerance) {
  std::array<std::int64_t, 1> all_rows{columns > 0 ? static_cast<std::int64_t>(rows.size()) / columns : 0};
  const std::int64_t own_rows = all_rows[0];
  group.comm().sum(all_rows);
  Solve solve{&group, rows, 0, 0, {}, 0, {}};
  PetscInt local = 0;
  PetscInt width = 0;
  group.run_guarded([&] {
    if (columns < 1 || static_cast<std::int64_t>(rows.size()) != own_rows * columns || wanted < 1 ||
        wanted > std::min(columns, all_rows[0])) {
      throw std::invalid_argument(
          fmt::format("{} singular values of {} x {} numbers make no sense", wanted, all_rows[0], columns));
    }
    local = petsc_int(own_rows, "rows");
    width = petsc_int(columns, "columns");
    (void)petsc_int(all_rows[0], "rows");
    solve.local_rows = static_cast<blasint>(local);
    solve.columns = static_cast<blasint>(width);
    solve.whole.resize(static_cast<std::size_t>(columns));
  });
  MatHandle matrix;
  SvdHandle svd;
  check_petsc(MatCreateShell(group.comm().get(), local, PETSC_DECIDE, PETSC_DETERMINE, width, &solve, matrix.address()),
              "MatCreateShell");
  check_petsc(MatShellSetOperation(matrix.get(), MATOP_MULT, reinterpret_cast<void (*)()>(multiply)),
              "MatShellSetOperation");
  check_petsc(
      MatShellSetOperation(matrix.get(), MATOP_MULT_TRANSPOSE, reinterpret_cast<void (*)()>(multiply_transposed)),
      "MatShellSetOperation");
  check_petsc(SVDCreate(group.comm().get(), svd.address()), "SVDCreate");
  set_up(svd.get(), matrix.get(), solve, static_cast<PetscInt>(wanted), tolerance);
  const PetscErrorCode code = SVDSolve(svd.get());
  if (solve.failure) std::rethrow_exception(solve.failure);
  check_petsc(code, "SVDSolve");
  return read_result(svd.get(), solve, wanted);
}

}  // namespace diffphase
