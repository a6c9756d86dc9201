#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace diffphase {

/// Who a process is, well enough to tell later whether it still runs.
struct ProcessIdentity {
  std::string host;  ///< letters, digits, '.', '_' and '-' only, fit for a file name
  std::int64_t pid = 0;
  std::int64_t start_ticks = 0;  ///< start of the process since boot, so that a reused pid is noticed; 0 if unknown
  std::string slurm_job;         ///< SLURM_JOB_ID, empty outside of a job
};

/// This process. The host and the start are looked up once, the pid each time (it changes in a child).
[[nodiscard]] ProcessIdentity this_process();

/// True if a process of this number exists on this host, whoever owns it.
[[nodiscard]] bool process_exists(std::int64_t pid);

/// Start of a process of this host in clock ticks since boot; empty if there is none or the system does not
/// tell.
[[nodiscard]] std::optional<std::int64_t> process_start_ticks(std::int64_t pid);

/// `text` with every character that does not belong into a file name replaced by '_'.
[[nodiscard]] std::string file_name_part(std::string text);

}  // namespace diffphase
