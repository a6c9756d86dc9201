#include "sweep/watchdog.hpp"

#include <algorithm>
#include <utility>

namespace diffphase {

Watchdog::Watchdog(double limit, Clock clock) : limit_(limit), clock_(std::move(clock)), last_look_(clock_()) {}

void Watchdog::hand_out(std::size_t task, RankRange group) {
  if (limit_ <= 0.0) return;
  Leader& leader = leaders_[group.first];
  if (leader.held.empty()) leader.begun = leader.heard = clock_();
  leader.held.push_back({task, group});
}

void Watchdog::end(std::size_t task, int leader) {
  const auto found = leaders_.find(leader);
  if (found == leaders_.end()) return;
  std::deque<Held>& held = found->second.held;
  const bool running = held.front().task == task;
  std::erase_if(held, [task](const Held& one) { return one.task == task; });
  if (held.empty()) {
    leaders_.erase(found);
  } else if (running) {
    found->second.begun = clock_();
  }
}

void Watchdog::hear(int leader) {
  const auto found = leaders_.find(leader);
  if (found == leaders_.end()) return;
  found->second.heard = clock_();
  found->second.reported = false;
}

std::vector<Stall> Watchdog::look() {
  if (limit_ <= 0.0) return {};
  const double now = clock_();
  const double since_look = now - last_look_;
  if (since_look < limit_ / 8.0) return {};
  last_look_ = now;
  // Nobody listened for long: letters may still be on their way.
  if (since_look > limit_ / 2.0) return {};
  std::vector<Stall> stalls;
  for (auto& [rank, leader] : leaders_) {
    if (leader.reported || now - leader.heard < limit_) continue;
    leader.reported = true;
    const Held& running = leader.held.front();
    stalls.push_back({running.task, running.group, now - leader.begun, now - leader.heard});
  }
  return stalls;
}

double sign_of_life_interval(double limit) { return std::min(limit / 4.0, 10.0); }

}  // namespace diffphase
