#pragma once

#include <chrono>
#include <functional>

namespace diffphase {

/// Seconds since some fixed moment, never going back. Injected where time decides something, so that tests
/// own it.
using Clock = std::function<double()>;

/// The clock of the machine.
inline double steady_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace diffphase
