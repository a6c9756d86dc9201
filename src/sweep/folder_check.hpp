#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "measure/measure.hpp"
#include "sweep/run_lock.hpp"

namespace diffphase {

/// What `diffphase check` finds in a run folder.
struct FolderCheck {
  std::vector<std::string> found;     ///< what is in order, as sentences
  std::vector<std::string> problems;  ///< what is not, and what can be done

  /// Both, a line each, and a last line that says whether all is well.
  [[nodiscard]] std::string text() const;
};

/// Reads the journals, their checksums, results.h5, the locks and the data files of a run folder, compares the results
/// with what the journals make of them, and changes nothing. A run that is not finished is no problem. Throws BadInput
/// where the folder is no run's. Starts a process that reads results.h5, as HDF5 may crash on a damaged one. Not while
/// MPI runs in this process. Local.
[[nodiscard]] FolderCheck check_folder(const std::filesystem::path& run, const std::vector<const Measure*>& measures,
                                       const LockEnvironment& environment = {});

}  // namespace diffphase
