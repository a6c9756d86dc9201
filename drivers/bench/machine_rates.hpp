#pragma once

#include <cstdint>
#include <functional>

#include "parallel/communicator.hpp"

namespace diffphase::bench {

/// Shortest of `runs` times of something collective, in seconds, from one barrier to the next. Collective.
[[nodiscard]] double shortest_time(const Communicator& comm, int runs, const std::function<void()>& work);

/// Seconds of the two matrix products that a block of `vectors` vectors needs at least, with rows x columns matrices of
/// doubles that each rank has, rows `stride` numbers apart: one dgemm each, whole. Collective.
[[nodiscard]] double product_time(const Communicator& comm, int runs, std::int64_t vectors, std::int64_t rows,
                                  std::int64_t columns, std::int64_t stride, const double* matrix);

/// Multiply-adds per second of dgemm on square matrices, summed over the ranks. Collective.
[[nodiscard]] double square_product_rate(const Communicator& comm, int runs);

/// Largest resident memory of this process so far, in bytes; 0 where the system does not say. Local.
[[nodiscard]] double peak_memory();

}  // namespace diffphase::bench
