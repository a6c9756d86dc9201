#pragma once

#include <filesystem>

#include "sweep/queue_simulation.hpp"

namespace diffphase {

/// Measures what rank 0 needs to record tasks (begin_seconds, result_seconds, result_byte_seconds and write_seconds of
/// QueueCosts), in processor seconds, by the parts of the program that do it: batches of 200 records of each kind go to
/// a journal and a log in `folder`, which is made where it is missing; 1.6 MB for each batch. The network and its
/// messages, which one process cannot see, stay at their defaults. Local. Throws std::invalid_argument if batches < 1,
/// and what Journal and AttemptLog throw where the folder cannot be written.
[[nodiscard]] QueueCosts measure_record_costs(const std::filesystem::path& folder, int batches);

}  // namespace diffphase
