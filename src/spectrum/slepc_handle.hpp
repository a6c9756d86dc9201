#pragma once

#include <slepceps.h>
#include <slepcsvd.h>

#include <utility>

namespace diffphase {

/// Owns an object of PETSc or SLEPc; move-only. Destruction is collective over the object's communicator.
template <typename T, PetscErrorCode (*Destroy)(T*)>
class PetscHandle {
 public:
  PetscHandle() = default;
  PetscHandle(const PetscHandle&) = delete;
  PetscHandle& operator=(const PetscHandle&) = delete;
  PetscHandle(PetscHandle&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  PetscHandle& operator=(PetscHandle&& other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~PetscHandle() { static_cast<void>(Destroy(&object_)); }

  /// Where a function that creates the object writes it.
  [[nodiscard]] T* address() { return &object_; }
  [[nodiscard]] T get() const { return object_; }

 private:
  T object_ = nullptr;
};

using VecHandle = PetscHandle<Vec, VecDestroy>;
using MatHandle = PetscHandle<Mat, MatDestroy>;
using EpsHandle = PetscHandle<EPS, EPSDestroy>;
using SvdHandle = PetscHandle<SVD, SVDDestroy>;

}  // namespace diffphase
