#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace diffphase {

/// What a results file holds, as far as it can be compared with what it was made from.
struct StoredResults {
  std::string sweep;                                   ///< text of the sweep file
  std::map<std::string, std::vector<double>> numbers;  ///< every variable and axis of numbers, row-major; statuses too
};

/// Reads a file that write_results wrote. Throws Hdf5Error, naming what cannot be read. HDF5 may crash on damaged
/// files: whoever must not end with it reads in another process. Local.
[[nodiscard]] StoredResults read_results(const std::filesystem::path& path);

}  // namespace diffphase
