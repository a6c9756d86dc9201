#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "files/bad_input.hpp"
#include "files/posix_file.hpp"
#include "files/process_identity.hpp"
#include "files/wall_clock.hpp"
#include "sweep/run_files.hpp"

namespace diffphase {

/// Another start works on the same shard; the message names it.
class LockHeld : public BadInput {
  using BadInput::BadInput;
};

/// Who holds a lock, as its file tells.
struct LockOwner {
  ProcessIdentity process;
  WallTime since;
  WallTime heartbeat;
};

/// True if SLURM says that this job does not run (any more, or, requeued, not yet); false if it runs or
/// nobody knows.
[[nodiscard]] bool slurm_job_is_gone(const std::string& job);

/// What a lock asks of the world; tests put their own.
struct LockEnvironment {
  WallClock clock = system_wall_clock();
  ProcessIdentity self = this_process();
  std::function<bool(const std::string& job)> job_is_gone = slurm_job_is_gone;
};

/// Keeps a second start away from the same shard of a run: a file DIR/lock-<I>of<M> with host, pid, job and a
/// heartbeat. A lock is taken over when its owner is known to be gone: no heartbeat for 10 minutes; on the
/// same host, no such process; on another, the owner's SLURM job is ours or does not run. Released when
/// destroyed, if it is still ours. Rank 0 only.
class RunLock {
 public:
  static constexpr std::chrono::seconds beat_interval{30};
  static constexpr std::chrono::minutes stale_after{10};

  /// Throws LockHeld if somebody else holds it. The folder must exist.
  RunLock(const std::filesystem::path& run, const Shard& shard, LockEnvironment environment = {});
  RunLock(const RunLock&) = delete;
  RunLock& operator=(const RunLock&) = delete;
  ~RunLock();

  /// Removes the lock if it is still ours; what the destructor does.
  void release() noexcept;

  /// Call it often; renews the heartbeat every beat_interval. False if the lock was removed or taken over,
  /// noticed at the latest one interval later: the run should end cleanly.
  [[nodiscard]] bool beat();

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  void acquire();
  void take_over();
  void create();
  [[nodiscard]] bool is_ours() const;

  std::filesystem::path run_;
  std::filesystem::path path_;
  LockEnvironment environment_;
  PosixFile file_;
  LockOwner owner_;
};

/// Owners of the locks of a run that are not stale, in the order of their file names.
[[nodiscard]] std::vector<LockOwner> live_locks(const std::filesystem::path& run,
                                                const LockEnvironment& environment = {});

}  // namespace diffphase
