#pragma once

#include <chrono>
#include <ctime>
#include <functional>

namespace diffphase {

/// Seconds since some fixed moment, never going back. Injected where time decides something, so that tests
/// own it.
using Clock = std::function<double()>;

/// The clock of the machine.
inline double steady_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// Seconds that this process has spent computing, all threads together: what something takes beside other programs.
inline double processor_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

}  // namespace diffphase
