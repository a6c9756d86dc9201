#pragma once

#include <petscsystypes.h>

#include <cstdint>

namespace diffphase {

/// Throws std::runtime_error with PETSc's text if `code` is not 0. `what` names the call. Local, not
/// collective.
void check_petsc(PetscErrorCode code, const char* what);

/// `value` as PETSc's integer, which may have 32 bits; throws std::overflow_error that names `what` if it
/// does not fit.
[[nodiscard]] PetscInt petsc_int(std::int64_t value, const char* what);

}  // namespace diffphase
