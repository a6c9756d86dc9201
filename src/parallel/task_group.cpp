#include "parallel/task_group.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <exception>
#include <new>
#include <utility>

namespace diffphase {

std::string current_error() {
  try {
    throw;
  } catch (const std::bad_alloc&) {
    return "out of memory";
  } catch (const std::exception& e) {
    return *e.what() == '\0' ? "unnamed error" : e.what();
  } catch (...) {
    return "unknown error";
  }
}

TaskGroup::TaskGroup(const Communicator& comm, std::function<bool()> poll) : comm_(comm), poll_(std::move(poll)) {}

TaskGroup::Agreement TaskGroup::exchange(const std::string& error, bool stop) const {
  // The rank of the error is carried as size - rank, so that one maximum finds both "any" and "the lowest".
  const std::int64_t failing = error.empty() ? 0 : comm_.size() - comm_.rank();
  std::array<std::int64_t, 2> state{failing, stop ? 1 : 0};
  comm_.maximum(state);
  Agreement agreement{error, state[1] > 0};
  if (state[0] > 0) comm_.broadcast(agreement.error, comm_.size() - static_cast<int>(state[0]));
  return agreement;
}

void TaskGroup::agree_on(const std::string& error) const {
  const Agreement agreement = exchange(error, poll_ && poll_());
  if (!agreement.error.empty()) throw GroupError(agreement.error);
  if (agreement.stop) throw Stopped();
}

std::string TaskGroup::finish(const std::string& error) const {
  if (poll_) poll_();
  return exchange(error, false).error;
}

void TaskGroup::run_guarded(const std::function<void()>& work) const {
  std::string error;
  try {
    work();
  } catch (...) {
    error = current_error();
  }
  agree_on(error);
}

}  // namespace diffphase
