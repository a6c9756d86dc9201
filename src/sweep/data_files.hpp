#pragma once

#include <string>
#include <vector>

#include "sweep/grid.hpp"
#include "sweep/journal.hpp"

namespace diffphase {

/// What a file is like now; reads all of it. Throws BadInput or DatasetError. Local.
[[nodiscard]] DataFileRecord data_file(const std::string& path);

/// Every file that the tasks of a sweep read, with a hash of its bytes. Reads all of them. Throws BadInput. Local.
[[nodiscard]] std::vector<DataFileRecord> data_files(const Sweep& sweep);

/// Tasks know a file by its name: throws BadInput where an earlier start of the run, the last one that read it, had
/// other bytes under the same name, with that start, what is there now, and the remedy. Returns warnings: where earlier
/// starts have not said what they read.
[[nodiscard]] std::vector<std::string> check_data_files(const JournalState& journals,
                                                        const std::vector<DataFileRecord>& files);

}  // namespace diffphase
