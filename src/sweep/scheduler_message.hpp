#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "sweep/task_queue.hpp"

namespace diffphase {

/// What ranks tell each other about the queue. A leader has at most one unanswered request, whether it came by itself
/// or with a result; its answer is a task, level_done, stop or finished. `finished` goes to every rank, once and last.
struct SchedulerMessage {
  enum class Kind : std::int32_t {
    // to the owner of the queue
    request,       ///< level: the leader of a group wants a task
    result,        ///< task, outcome, seconds, text, payload, asks; abandoned with zero seconds if never begun
    stop_wanted,   ///< a signal reached this rank
    alive,         ///< the leader of a group is at work on a task
    acknowledged,  ///< the last message of a rank
    // from the owner
    task,        ///< level, task
    level_done,  ///< the level has no tasks left: split
    stop,        ///< abandon what is running, begin nothing
    finished,    ///< every task is settled; payload: the summary
  };

  Kind kind = Kind::request;
  int level = 0;
  std::size_t task = 0;
  Outcome outcome = Outcome::done;
  bool asks = false;  ///< of a result: it is a request too
  double seconds = 0.0;
  std::string text{};
  std::string payload{};
};

/// Bytes for machines of the same kind, as the ranks of one job are.
[[nodiscard]] std::string encode(const SchedulerMessage& message);
/// Throws std::runtime_error if the bytes are no message.
[[nodiscard]] SchedulerMessage decode(std::string_view bytes);

}  // namespace diffphase
