#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "parallel/clock.hpp"
#include "sweep/watchdog.hpp"

namespace diffphase {

/// Watches the thread that made it, from a thread of its own: rank 0 cannot tell that it is blocked in a communication
/// with its own group, also when the run is to stop. The thread calls nothing but the clock and `report`, no MPI.
/// Local.
class WatchdogTimer {
 public:
  /// Called on the watching thread, once per stall; what it throws is ignored.
  using Report = std::function<void(const Stall& stall)>;

  /// `limit` in seconds; 0: silence is not reported. `ranks`: who is reported while no task is begun. The clock is read
  /// on both threads.
  WatchdogTimer(double limit, RankRange ranks, Report report, Clock clock = steady_seconds);
  WatchdogTimer(const WatchdogTimer&) = delete;
  WatchdogTimer& operator=(const WatchdogTimer&) = delete;
  /// Waits for a report that is being made.
  ~WatchdogTimer();

  /// Calls `held`, on the watching thread, when `patience` seconds after a stop was wanted the watched thread has not
  /// shown a sign of life for as long: it is held by a communication. Where `held` returns, it is called again after as
  /// many seconds. `stop_wanted` is called on that thread, too.
  void end_when_held(std::function<bool()> stop_wanted, double patience, std::function<void()> held);

  /// A sign of life; cheap.
  void kick() { heard_.store(clock_()); }
  /// What the watched thread does from now on. Both are signs of life.
  void begin(std::size_t task, RankRange group);
  void end();

 private:
  void set_work(Stall work);
  void watch();
  [[nodiscard]] std::chrono::duration<double> interval() const;
  [[nodiscard]] bool silence_is_new(double now);
  [[nodiscard]] bool is_held(double now);

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
  std::function<bool()> stop_wanted_;
  std::function<void()> held_;
  double patience_ = 0.0;
  double stopped_ = -1.0;  // when a stop was first seen
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace diffphase
