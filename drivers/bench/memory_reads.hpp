#pragma once

#include <span>

#include "parallel/communicator.hpp"

namespace diffphase::bench {

/// Seconds in which all ranks at once read the numbers they store, as fast as this machine does it: the fastest of
/// several ways to sum them (one or four streams, with and without prefetching). Collective.
[[nodiscard]] double read_time(const Communicator& comm, int runs, std::span<const double> numbers);
[[nodiscard]] double read_time(const Communicator& comm, int runs, std::span<const float> numbers);

/// The same where every number is read a second time while it is in a cache, which is the least that a product with a
/// matrix Y^T W Y does: the fastest of several lengths of what is read again, in turn with what comes from memory and
/// side by side. Collective.
[[nodiscard]] double read_twice_time(const Communicator& comm, int runs, std::span<const double> numbers);
[[nodiscard]] double read_twice_time(const Communicator& comm, int runs, std::span<const float> numbers);

}  // namespace diffphase::bench
