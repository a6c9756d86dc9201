#include "parallel/petsc_error.hpp"

#include <petscsys.h>

#include <limits>
#include <stdexcept>
#include <string>

namespace diffphase {

void check_petsc(PetscErrorCode code, const char* what) {
  if (code == 0) return;
  const char* text = nullptr;
  PetscErrorMessage(code, &text, nullptr);
  throw std::runtime_error(std::string(what) + ": " + (text != nullptr ? text : "error " + std::to_string(code)));
}

PetscInt petsc_int(std::int64_t value, const char* what) {
  if (value < 0 || value > std::numeric_limits<PetscInt>::max()) {
    throw std::overflow_error(std::string(what) + ": " + std::to_string(value) +
                              " does not fit this PETSc's integers; use one built with 64-bit indices");
  }
  return static_cast<PetscInt>(value);
}

}  // namespace diffphase
