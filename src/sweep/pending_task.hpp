#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "measure/measure.hpp"

namespace diffphase {

/// One task that a start computes. Ranks other than 0 know the first three members only.
struct PendingTask {
  std::size_t index = 0;  ///< in RunPlan::selected.tasks
  TaskRequest request;
  int level = 0;  ///< of the tree of groups
  double operations = 0.0;
  double nominal_seconds = 0.0;  ///< at the rates of an ordinary machine, on the smallest group of the level
  std::int64_t attempt = 1;
  bool suspect = false;  ///< handed out before without an end: it may have ended the program
};

/// The order in which tasks are handed out: the largest first, so that the small ones fill the end. Suspects come
/// last, so that a task that ends the program does so when there is nothing else to be lost.
[[nodiscard]] std::vector<std::size_t> hand_out_order(const std::vector<PendingTask>& tasks);

/// Tasks as bytes for the other ranks, and back.
[[nodiscard]] std::string encode_pending(const std::vector<PendingTask>& tasks);
[[nodiscard]] std::vector<PendingTask> decode_pending(const std::string& bytes);

}  // namespace diffphase
