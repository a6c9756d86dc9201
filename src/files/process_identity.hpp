#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace diffphase {

/// Who a process is, well enough to tell later whether it still runs. Texts have letters, digits, '.', '_' and '-'
/// only, fit for a file name.
struct ProcessIdentity {
  std::string host;
  std::string boot;           ///< the system's number of its last start: one running kernel; empty if it does not tell
  std::string pid_namespace;  ///< in which `pid` counts: containers of one host have their own; empty if unknown
  std::int64_t pid = 0;
  std::int64_t start_ticks = 0;     ///< start of the process since boot, so that a reused pid is noticed; 0 if unknown
  std::int64_t user = -1;           ///< effective user, -1 if unknown
  std::string slurm_cluster;        ///< SLURM_CLUSTER_NAME, empty outside of a job
  std::string slurm_job;            ///< SLURM_JOB_ID, empty outside of a job
  std::int64_t slurm_restarts = 0;  ///< SLURM_RESTART_COUNT: how often this job was requeued before
};

/// This process. Host, boot and namespace are looked up once, the pid each time (it changes in a child).
[[nodiscard]] ProcessIdentity this_process();

/// Whether the pids of both count in one namespace of one running kernel, so that either can say whether the other's
/// process is there.
[[nodiscard]] bool shares_processes(const ProcessIdentity& a, const ProcessIdentity& b);

/// Of a process that shares_processes() with this one: true if it has ended, also where its pid was given out again.
[[nodiscard]] bool process_has_ended(const ProcessIdentity& process);

/// True if a process of this number exists in this process's namespace, whoever owns it.
[[nodiscard]] bool process_exists(std::int64_t pid);

/// True if the process exists and was stopped (SIGSTOP, Ctrl-Z); false where the system does not tell.
[[nodiscard]] bool process_is_stopped(std::int64_t pid);

/// Start of a process of this namespace in clock ticks since boot; empty if there is none or the system does not tell.
[[nodiscard]] std::optional<std::int64_t> process_start_ticks(std::int64_t pid);

/// `text` with every character that does not belong into a file name replaced by '_'.
[[nodiscard]] std::string file_name_part(std::string text);

}  // namespace diffphase
