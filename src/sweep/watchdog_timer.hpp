#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "parallel/clock.hpp"
#include "sweep/watchdog.hpp"

namespace diffphase {

/// Watches the thread that made it, from a thread of its own: rank 0 cannot tell that it is blocked in a communication
/// with its own group. The thread calls nothing but the clock and `report`, no MPI. Local.
class WatchdogTimer {
 public:
  /// Called on the watching thread, once per stall; what it throws is ignored.
  using Report = std::function<void(const Stall& stall)>;

  /// `limit` in seconds, more than 0. `ranks`: who is reported while no task is begun. The clock is read on both
  /// threads.
  WatchdogTimer(double limit, RankRange ranks, Report report, Clock clock = steady_seconds);
  WatchdogTimer(const WatchdogTimer&) = delete;
  WatchdogTimer& operator=(const WatchdogTimer&) = delete;
  /// Waits for a report that is being made.
  ~WatchdogTimer();

  /// A sign of life; cheap.
  void kick() { heard_.store(clock_()); }
  /// What the watched thread does from now on. Both are signs of life.
  void begin(std::size_t task, RankRange group);
  void end();

 private:
  void set_work(Stall work);
  void watch();

  double limit_;
  RankRange ranks_;
  Report report_;
  Clock clock_;
  std::atomic<double> heard_;
  double reported_ = -1.0;  // the sign of life after which silence was reported
  std::mutex mutex_;        // of what follows
  std::condition_variable wake_;
  Stall work_;
  double begun_ = 0.0;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace diffphase
