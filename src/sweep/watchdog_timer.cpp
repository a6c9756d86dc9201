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

void WatchdogTimer::end_when_held(std::function<bool()> stop_wanted, double patience, std::function<void()> held) {
  {
    const std::lock_guard lock(mutex_);
    stop_wanted_ = std::move(stop_wanted);
    patience_ = patience;
    held_ = std::move(held);
  }
  wake_.notify_one();
}

std::chrono::duration<double> WatchdogTimer::interval() const {
  constexpr double longest = 10.0;
  const double shortest = std::min(limit_ > 0.0 ? limit_ : 8.0 * longest, held_ ? patience_ : 8.0 * longest);
  return std::chrono::duration<double>(std::min(shortest / 8.0, longest));
}

bool WatchdogTimer::silence_is_new(double now) {
  const double heard = heard_.load();
  if (limit_ <= 0.0 || heard == reported_ || now - heard < limit_) return false;
  reported_ = heard;
  return true;
}

bool WatchdogTimer::is_held(double now) {
  if (!held_ || !stop_wanted_()) return false;
  if (stopped_ < 0.0) stopped_ = now;
  return now - std::max(stopped_, heard_.load()) >= patience_;
}

void WatchdogTimer::watch() {
  std::unique_lock lock(mutex_);
  while (!wake_.wait_for(lock, interval(), [this] { return ending_; })) {
    const double now = clock_();
    if (silence_is_new(now)) {
      Stall stall = work_;
      stall.since_begin = now - begun_;
      stall.silent = now - heard_.load();
      lock.unlock();
      try {
        report_(stall);
      } catch (...) {  // NOLINT(bugprone-empty-catch): documented; there is nobody to tell
      }
      lock.lock();
    }
    if (is_held(now)) {
      stopped_ = now;  // where it returns, it is called again as much later
      held_();
    }
  }
}

}  // namespace diffphase
