#pragma once

#include <functional>

#include "parallel/communicator.hpp"

namespace diffphase {

/// Runs `work` on rank 0, which may take minutes, while the others sleep; returns on every rank what it returns. `work`
/// may ask, as often as it likes, whether `wants_stop` holds on any rank: it is called on each for every question.
/// `work` must not throw, nor use the communicator. Collective.
[[nodiscard]] int work_of_root(const Communicator& world, const std::function<bool()>& wants_stop,
                               const std::function<int(const std::function<bool()>& anyone_wants_stop)>& work);

}  // namespace diffphase
