#pragma once

#include <cstdint>
#include <functional>

namespace diffphase {

/// How many OpenMP threads the kernels of this process use; 1 until it is set. Main thread only.
void set_kernel_threads(int threads);
[[nodiscard]] int kernel_threads();

/// Processors that this process may run on: more threads than these share them.
[[nodiscard]] int usable_processors();

/// Cuts [0, count) into `parts` contiguous parts of nearly equal length and calls `work` for each that is not empty, on
/// as many threads at once; returns when all have. Which part is whose depends on the numbers alone, never on timing.
/// `work` must not call MPI, PETSc or HDF5; of what its calls throw, the first part's is thrown.
void for_each_part(int parts, std::int64_t count,
                   const std::function<void(int part, std::int64_t begin, std::int64_t end)>& work);

}  // namespace diffphase
