#pragma once

#include <filesystem>

#include "parallel/communicator.hpp"
#include "report_line.hpp"
#include "sweep/queue_simulation.hpp"

namespace diffphase::bench {

/// Measures what rank 0 needs for messages, records and writes, by the parts of the program that do it, and adds it to
/// the line; what is not measured (the latency and bandwidth of the network) stays at its default. The records go to a
/// journal of their own in `folder`, which must exist. Collective; only rank 0's return value counts.
[[nodiscard]] QueueCosts measure_queue_costs(const Communicator& world, const std::filesystem::path& folder,
                                             ReportLine& line);

}  // namespace diffphase::bench
