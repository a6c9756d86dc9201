#include "spectrum/krylov.hpp"

#include <fmt/format.h>
#include <slepceps.h>

#include <algorithm>
#include <cmath>
#include <exception>
#include <limits>
#include <new>

#include "parallel/petsc_error.hpp"
#include "spectrum/shell_matrix.hpp"
#include "spectrum/slepc_handle.hpp"
#include "spectrum/vector_block.hpp"

namespace diffphase {

namespace {

constexpr double smallest_relative = 1e-4;  // of the largest eigenvalue: below, accuracy is absolute
constexpr double log_improbable = 13.8;     // minus the logarithm of 1e-6
constexpr PetscInt most_restarts = 10000;

// What the callbacks of PETSc and SLEPc see. Exceptions must not cross C frames: they are kept here and
// thrown again when the solver has returned.
struct Solve {
  const TaskGroup* group = nullptr;
  const SymmetricOperator* op = nullptr;
  const KrylovRequest* request = nullptr;
  KrylovSearch search;  // SLEPc looks at nothing before its basis is full
  double largest = 0.0;
  std::exception_ptr failure;
};

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

// SLEPc compares the error with the tolerance: residuals in units of what is allowed.
PetscErrorCode relative_residual(EPS /*eps*/, PetscScalar eigenvalue, PetscScalar /*imaginary*/, PetscReal residual,
                                 PetscReal* error, void* context) {
  auto& solve = *static_cast<Solve*>(context);
  const KrylovRequest& request = *solve.request;
  solve.largest = std::max(solve.largest, std::abs(eigenvalue));
  const double allowed = allowed_residual(request, solve.search, eigenvalue, solve.largest);
  *error = residual == 0.0 || std::isinf(allowed) ? 0.0 : request.tolerance * residual / allowed;
  return 0;
}

void set_up(EPS eps, Mat matrix, Solve& solve) {
  const KrylovRequest& request = *solve.request;
  const PetscInt basis = petsc_int(basis_size(solve.op->size, request), "Krylov basis");
  const PetscInt count = std::min(basis, petsc_int(request.count, "number of eigenvalues"));
  check_petsc(EPSSetOperators(eps, matrix, nullptr), "EPSSetOperators");
  check_petsc(EPSSetProblemType(eps, EPS_HEP), "EPSSetProblemType");
  check_petsc(EPSSetType(eps, EPSKRYLOVSCHUR), "EPSSetType");
  check_petsc(EPSSetWhichEigenpairs(eps, EPS_LARGEST_REAL), "EPSSetWhichEigenpairs");
  check_petsc(EPSSetDimensions(eps, count, basis, PETSC_DEFAULT), "EPSSetDimensions");
  check_petsc(EPSSetTolerances(eps, request.tolerance, most_restarts), "EPSSetTolerances");
  check_petsc(EPSSetStoppingTestFunction(eps, stop_when_agreed, &solve, nullptr), "EPSSetStoppingTestFunction");
  check_petsc(EPSSetConvergenceTestFunction(eps, relative_residual, &solve, nullptr), "EPSSetConvergenceTestFunction");
  DS ds = nullptr;
  check_petsc(EPSGetDS(eps, &ds), "EPSGetDS");
  check_petsc(DSSetParallel(ds, DS_PARALLEL_SYNCHRONIZED), "DSSetParallel");
}

VecHandle new_vector(Mat matrix) {
  VecHandle vector;
  check_petsc(MatCreateVecs(matrix, vector.address(), nullptr), "MatCreateVecs");
  return vector;
}

template <typename Fill>
void fill(Vec vector, const Fill& values) {
  PetscScalar* numbers = nullptr;
  PetscInt size = 0;
  check_petsc(VecGetLocalSize(vector, &size), "VecGetLocalSize");
  check_petsc(VecGetArrayWrite(vector, &numbers), "VecGetArrayWrite");
  values(std::span(numbers, static_cast<std::size_t>(size)));
  check_petsc(VecRestoreArrayWrite(vector, &numbers), "VecRestoreArrayWrite");
}

void set_start(EPS eps, Mat matrix, const VectorBlocks& blocks, std::int64_t number) {
  const VecHandle start = new_vector(matrix);
  fill(start.get(), [&](std::span<double> out) { blocks.random("Krylov start", number, out); });
  Vec vector = start.get();
  check_petsc(EPSSetInitialSpace(eps, 1, &vector), "EPSSetInitialSpace");
}

// SLEPc copies what is deflated when it is set up, and only reads it: the vectors are those of the request.
void deflate(EPS eps, MPI_Comm comm, const SymmetricOperator& op, const KrylovRequest& request) {
  std::vector<VecHandle> handles;
  std::vector<Vec> vectors;
  for (std::int64_t i = 0; i < request.deflated_count; ++i) {
    handles.emplace_back();
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-const-cast): PETSc has no vectors of constant numbers
    double* const numbers = const_cast<double*>(request.deflated.data()) + i * op.local_size;
    check_petsc(VecCreateMPIWithArray(comm, 1, petsc_int(op.local_size, "rows of a rank"),
                                      petsc_int(op.size, "dimension"), numbers, handles.back().address()),
                "VecCreateMPIWithArray");
    vectors.push_back(handles.back().get());
  }
  if (vectors.empty()) return;
  check_petsc(EPSSetDeflationSpace(eps, petsc_int(request.deflated_count, "deflated vectors"), vectors.data()),
              "EPSSetDeflationSpace");
}

void read_pair(EPS eps, PetscInt i, Vec vector, KrylovResult& result) {
  double value = 0.0;
  const PetscScalar* numbers = nullptr;
  PetscInt size = 0;
  check_petsc(EPSGetEigenpair(eps, i, &value, nullptr, vector, nullptr), "EPSGetEigenpair");
  check_petsc(VecGetLocalSize(vector, &size), "VecGetLocalSize");
  check_petsc(VecGetArrayRead(vector, &numbers), "VecGetArrayRead");
  result.eigenvalues.push_back(value);
  result.vectors.insert(result.vectors.end(), numbers, numbers + size);
  check_petsc(VecRestoreArrayRead(vector, &numbers), "VecRestoreArrayRead");
}

KrylovResult read_result(const TaskGroup& group, const SymmetricOperator& op, EPS eps, const ShellMatrix& matrix,
                         const KrylovRequest& request) {
  KrylovResult result;
  PetscInt converged = 0;
  PetscInt iterations = 0;
  EPSConvergedReason reason = EPS_CONVERGED_ITERATING;
  check_petsc(EPSGetConverged(eps, &converged), "EPSGetConverged");
  converged = static_cast<PetscInt>(kept_pairs(op.size, request, converged));
  check_petsc(EPSGetIterationNumber(eps, &iterations), "EPSGetIterationNumber");
  check_petsc(EPSGetConvergedReason(eps, &reason), "EPSGetConvergedReason");
  result.iterations = static_cast<int>(iterations);
  result.stop_reason = EPSConvergedReasons[reason];
  result.products = matrix.products();
  group.run_guarded([&] {
    result.eigenvalues.reserve(static_cast<std::size_t>(converged));
    result.vectors.reserve(static_cast<std::size_t>(converged) * static_cast<std::size_t>(op.local_size));
  });
  const VecHandle vector = new_vector(matrix.get());
  for (PetscInt i = 0; i < converged; ++i) read_pair(eps, i, vector.get(), result);
  return result;
}

// The solver gave up at numbers that it cannot work with: nothing has converged. What it says of them is for those who
// call it; on other ranks it may have said something else.
KrylovResult not_solved(const TaskGroup& group, const ShellMatrix& matrix, PetscErrorCode code) {
  group.run_guarded([&] {
    if (code == PETSC_ERR_MEM) throw std::bad_alloc();
  });
  KrylovResult result;
  result.products = matrix.products();
  result.stop_reason = fmt::format("the solver could not work with the numbers of the operator ({})", code);
  return result;
}

// (2k - 1) sqrt(e) of k steps that are improbably off by a share of e.
double log_of_chance(std::int64_t dimensions, std::int64_t block) {
  return std::log(1.648 * std::sqrt(static_cast<double>(dimensions))) + log_improbable / static_cast<double>(block);
}

}  // namespace

double residual_bound(double tolerance, double eigenvalue, double largest) {
  return tolerance * std::max(std::abs(eigenvalue), smallest_relative * largest);
}

double allowed_residual(const KrylovRequest& request, const KrylovSearch& search, double eigenvalue, double largest) {
  const double allowed = residual_bound(request.tolerance, eigenvalue, largest);
  if (!request.above || *request.above < 0.0) return allowed;
  const double below = *request.above - eigenvalue;
  const double share = log_of_chance(search.dimensions, search.block) / static_cast<double>(2 * search.steps - 1);
  if (search.steps > 0 && below >= share * share * *request.above) return std::numeric_limits<double>::infinity();
  const double weight =
      std::exp(-log_improbable / static_cast<double>(search.block)) / std::sqrt(static_cast<double>(search.dimensions));
  return std::max(allowed, weight * below);
}

std::int64_t steps_to_see(std::int64_t dimensions, std::int64_t block) {
  return static_cast<std::int64_t>(std::ceil(log_of_chance(dimensions, block) + 0.5));
}

std::int64_t basis_size(std::int64_t size, const KrylovRequest& request) {
  const std::int64_t usual = std::max(2 * request.count, request.count + 15);
  return std::clamp<std::int64_t>(request.basis > 0 ? request.basis : usual, 1,
                                  std::max<std::int64_t>(1, size - request.deflated_count));
}

std::int64_t kept_pairs(std::int64_t size, const KrylovRequest& request, std::int64_t converged) {
  const bool small = size - request.deflated_count <= 2 * basis_size(size, request);
  return small ? converged : std::min(converged, request.count);
}

std::int64_t krylov_vectors(std::int64_t size, const KrylovRequest& request) {
  // One more than the basis and two to work with; where something is deflated, SLEPc's copy of it, and the basis twice
  // while they are put together.
  const std::int64_t basis = basis_size(size, request) + 1;
  return request.deflated_count == 0 ? basis + 2 : 2 * basis + 2 + request.deflated_count;
}

KrylovResult krylov_schur(const TaskGroup& group, const SymmetricOperator& op, const KrylovRequest& request) {
  Solve solve{.group = &group,
              .op = &op,
              .request = &request,
              .search = {.dimensions = op.size - request.deflated_count, .steps = basis_size(op.size, request)},
              .largest = request.largest};
  const VectorBlocks blocks(group, op);
  const ShellMatrix matrix(group, op);
  EpsHandle eps;
  check_petsc(EPSCreate(group.comm().get(), eps.address()), "EPSCreate");
  set_up(eps.get(), matrix.get(), solve);
  set_start(eps.get(), matrix.get(), blocks, request.start);
  deflate(eps.get(), group.comm().get(), op, request);
  const PetscErrorCode code = EPSSolve(eps.get());
  matrix.rethrow();
  if (solve.failure) std::rethrow_exception(solve.failure);
  if (code != 0) return not_solved(group, matrix, code);
  return read_result(group, op, eps.get(), matrix, request);
}

}  // namespace diffphase
