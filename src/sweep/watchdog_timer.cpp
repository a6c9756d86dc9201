#include "sweep/watchdog_timer.hpp"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <utility>

namespace diffphase {

WatchdogTimer::WatchdogTimer(double limit, RankRange ranks, Report report, Clock clock)
    : limit_(limit),
      ranks_(ranks),
      report_(std::move(report)),
      clock_(std::move(clock)),
      heard_(clock_()),
      work_{.group = ranks},
      begun_(heard_.load()) {
  // Signals are for the thread that was there before: a new one starts with the mask of its maker.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { watch(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

WatchdogTimer::~WatchdogTimer() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void WatchdogTimer::set_work(Stall work) {
  const std::lock_guard lock(mutex_);
  kick();
  work_ = work;
  begun_ = heard_.load();
}

void WatchdogTimer::begin(std::size_t task, RankRange group) { set_work({.task = task, .group = group}); }

void WatchdogTimer::end() { set_work({.group = ranks_}); }

void WatchdogTimer::watch() {
  const std::chrono::duration<double> interval(std::min(limit_ / 8.0, 10.0));
  std::unique_lock lock(mutex_);
  while (!wake_.wait_for(lock, interval, [this] { return ending_; })) {
    const double heard = heard_.load();
    const double now = clock_();
    if (heard == reported_ || now - heard < limit_) continue;
    reported_ = heard;
    Stall stall = work_;
    stall.since_begin = now - begun_;
    stall.silent = now - heard;
    lock.unlock();
    try {
      report_(stall);
    } catch (...) {  // NOLINT(bugprone-empty-catch): documented; there is nobody to tell
    }
    lock.lock();
  }
}

}  // namespace diffphase
