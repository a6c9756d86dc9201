#pragma once

#include <cstddef>
#include <span>

#include "sweep/group_tree.hpp"

namespace diffphase {

/// What it takes to hand out a task and to record its result, whatever it computes: times of rank 0 and of the network.
/// The defaults are those of an ordinary core, of a local disk and of a fast network. measure_record_costs()
/// (sweep/record_costs.hpp) measures what records and writes take, `diffphase_bench queue` messages, too.
struct QueueCosts {
  double latency = 5e-6;              ///< seconds from a leader's message to rank 0's mailbox, and back
  double bandwidth = 5e9;             ///< bytes per second that come in to rank 0
  double message_seconds = 1e-6;      ///< rank 0: one message, in or out
  double begin_seconds = 5e-7;        ///< rank 0: the begin record of a task
  double result_seconds = 5e-6;       ///< rank 0: the record and the log line of a result
  double result_byte_seconds = 1e-9;  ///< rank 0: each byte of a result, in checksum and copies
  double write_seconds = 1e-5;        ///< rank 0: the writes of one batch of records to journal and log
  std::size_t batch_messages = 256;   ///< messages that share these writes, where as many are waiting
  double agreement_seconds = 0.05;    ///< between two looks of rank 0 at its mailbox while it computes itself

  /// None is negative or infinite, bandwidth and batch_messages are above zero.
  [[nodiscard]] bool valid() const;
};

/// No cost at all: the groups' work alone.
inline constexpr QueueCosts free_queue{.latency = 0.0,
                                       .bandwidth = 1e300,
                                       .message_seconds = 0.0,
                                       .begin_seconds = 0.0,
                                       .result_seconds = 0.0,
                                       .result_byte_seconds = 0.0,
                                       .write_seconds = 0.0,
                                       .agreement_seconds = 0.0};

/// Tasks that take equally long.
struct AlikeTasks {
  int level = 0;  ///< of the tree of groups
  std::size_t count = 0;
  double work_seconds = 0.0;   ///< of each, divided among the ranks of its group
  double fixed_seconds = 0.0;  ///< of each, on every group
  double result_bytes = 0.0;   ///< of each
};

/// What becomes of a queue.
struct QueueForecast {
  double seconds = 0.0;        ///< until rank 0 has recorded the last result
  double busy_seconds = 0.0;   ///< that groups compute, times their ranks, summed
  double queue_seconds = 0.0;  ///< that rank 0 spends on messages and records
  std::size_t messages = 0;    ///< to rank 0

  /// Share of its time that rank 0 spends on the queue.
  [[nodiscard]] double root_load() const { return seconds > 0.0 ? queue_seconds / seconds : 0.0; }
};

/// Goes through the events of a run of the Scheduler on a world of this shape: every group takes the tasks of its level
/// in the order given, one ahead while there are more than groups, then splits; rank 0 answers one message after the
/// other, while it computes only at its agreement points. Tasks of one level are handed out in the order of `tasks`.
///
/// Takes about 0.1 us per task and per rank, and more where the tasks are of very many different lengths: groups that
/// compute equally long come back in the order in which they began, so that events wait in one line for each length and
/// only the heads of the lines are compared. Deterministic, local. Throws std::invalid_argument for a level that does
/// not exist, and negative or infinite times.
[[nodiscard]] QueueForecast simulate_queue(const TreeShape& shape, std::span<const AlikeTasks> tasks,
                                           const QueueCosts& costs = {});

}  // namespace diffphase
