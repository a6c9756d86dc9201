#include "parallel/task_group.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <exception>

namespace diffphase {

TaskGroup::TaskGroup(const Communicator& comm, std::function<bool()> poll)
    : comm_(comm), poll_(std::move(poll)) {}

void TaskGroup::agree_on(const std::string& error) const {
  const bool stop = poll_ && poll_();
  // The rank of the error is carried as size - rank, so that one maximum finds both "any" and "the lowest".
  const std::int64_t failing = error.empty() ? 0 : comm_.size() - comm_.rank();
  std::array<std::int64_t, 2> state{failing, stop ? 1 : 0};
  comm_.maximum(state);
  if (state[0] > 0) {
    std::string message = error;
    comm_.broadcast(message, comm_.size() - static_cast<int>(state[0]));
    throw GroupError(message);
  }
  if (state[1] > 0) throw Stopped();
}

void TaskGroup::run_guarded(const std::function<void()>& work) const {
  std::string error;
  try {
    work();
  } catch (const std::exception& e) {
    error = *e.what() == '\0' ? "unnamed error" : e.what();
  } catch (...) {
    error = "unknown error";
  }
  agree_on(error);
}

}  // namespace diffphase
