#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "files/bad_input.hpp"
#include "files/posix_file.hpp"
#include "files/process_identity.hpp"
#include "files/wall_clock.hpp"
#include "parallel/clock.hpp"
#include "sweep/run_files.hpp"

namespace diffphase {

/// Another start works on the same shard; the message names it.
class LockHeld : public BadInput {
  using BadInput::BadInput;
};

/// A stop was asked for while a start waited for a lock; the message says for whose.
class LockWaitStopped : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Who holds a lock, as its file tells.
struct LockOwner {
  ProcessIdentity process;
  WallTime since;          ///< by the owner's clock
  WallTime heartbeat;      ///< the last beat, by the owner's clock: for people, as clocks of two hosts may differ
  std::int64_t beats = 0;  ///< how many there were

  /// "process 4711 on node7 (SLURM job 991)", or what it is where the lock does not tell.
  [[nodiscard]] std::string name() const;
};

/// True if the SLURM of the owner's cluster says that its job does not run (any more, or, requeued, not yet); false if
/// it runs, if nobody knows, if the SLURM that answers here is that of another cluster, or if it may hide other users'
/// jobs.
[[nodiscard]] bool slurm_job_is_gone(const ProcessIdentity& owner);

/// What a lock asks of the world; tests put their own.
struct LockEnvironment {
  WallClock clock = system_wall_clock();
  Clock monotonic = steady_seconds;
  ProcessIdentity self = this_process();
  std::function<bool(const ProcessIdentity& owner)> job_is_gone = slurm_job_is_gone;
  /// Whether a wait for another start's lock should end. Asked every second.
  std::function<bool()> stop_wanted = [] { return false; };
  /// Sleeps about so long; empty: really.
  std::function<void(std::chrono::milliseconds)> pause;
  /// Beats in a thread of its own, too, which main threads in long calculations and slow writes do not hold up.
  bool beats_alone = false;
  /// Says what a wait is for, now and then; empty: as a warning, on standard error.
  std::function<void(const std::string& text)> say;
};

/// Keeps a second start away from the same shard of a run: a file DIR/lock-<I>of<M> that says who holds it and counts
/// beats. The lock of a start that is known to have ended is taken over at once:
///
/// - of a process of the same running system and pid namespace, when it is not there; one that is there holds its lock,
///   also when it was stopped;
/// - of a SLURM job, when squeue of the same cluster does not know the job or does not run it;
/// - of an earlier start of this start's own job, as the restart count tells.
///
/// Of all others nothing is known but the count of beats: a start looks at it every look_interval, is refused as soon
/// as it changes, and takes the lock over when it has not for stale_after, by its own monotonic clock. Clocks of two
/// hosts are never compared. Released when destroyed, if it is still ours. Rank 0 only.
class RunLock {
 public:
  static constexpr std::chrono::seconds beat_interval{30};
  static constexpr std::chrono::seconds look_interval{5};
  static constexpr std::chrono::minutes stale_after{10};
  /// An empty lock belongs to a process that died between creating and filling it, which takes milliseconds.
  static constexpr std::chrono::seconds empty_after{10};

  /// May wait for 10 minutes. Throws LockHeld if somebody else holds it, LockWaitStopped if a stop was wanted
  /// meanwhile, BadInput if the lock is no regular file, FileError. The folder must exist.
  RunLock(const std::filesystem::path& run, const Shard& shard, LockEnvironment environment = {});
  RunLock(const RunLock&) = delete;
  RunLock& operator=(const RunLock&) = delete;
  ~RunLock();

  /// Removes the lock if it is still ours; what the destructor does. From any thread.
  void release() noexcept;

  /// Call it often; counts a beat every beat_interval. False if the lock was removed or taken over, noticed at the
  /// latest one interval later: the run should end cleanly.
  [[nodiscard]] bool beat();

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  void acquire();
  [[nodiscard]] bool beat_if_due();
  [[nodiscard]] bool create();
  [[nodiscard]] bool take_over(const std::string& judged);
  void refuse(const LockOwner& owner, const std::string& why) const;
  [[nodiscard]] bool is_ours() const;
  void start_thread();
  void beat_alone();

  std::filesystem::path run_;
  std::filesystem::path path_;
  LockEnvironment environment_;
  PosixFile file_;
  LockOwner owner_;
  std::mutex mutex_;        // of what follows, file_ and owner_
  double last_beat_ = 0.0;  // by the monotonic clock
  bool ending_ = false;
  bool lost_ = false;
  std::condition_variable wake_;
  std::thread thread_;
};

/// Owners of the locks of a run that are not known to have ended, in the order of their file names: for whoever cannot
/// wait and see. An owner whose lock cannot be read, or does not name it, has an empty host and counts as one that was
/// there a minute ago. What is no regular file is no lock. Local.
[[nodiscard]] std::vector<LockOwner> live_locks(const std::filesystem::path& run,
                                                const LockEnvironment& environment = {});

}  // namespace diffphase
