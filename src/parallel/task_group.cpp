#include "parallel/task_group.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <new>
#include <utility>

#include "parallel/clock.hpp"
#include "parallel/idle_wait.hpp"
#include "parallel/mpi_environment.hpp"

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

namespace {

// A group that does not come is lost: what waits in the middle of an exchange of data can only be ended.
void wait_for_others(MPI_Request& request, MPI_Comm comm, const std::string& error, double patience) {
  if (error.empty()) {
    check_mpi(MPI_Wait(&request, MPI_STATUS_IGNORE), "MPI_Wait");
    return;
  }
  const double start = steady_seconds();
  wait_idle(request, [&] {
    if (steady_seconds() - start < patience) return;
    std::fprintf(
        stderr,
        "diffphase: error: %s\n"
        "diffphase: error: the other ranks of this task wait for data and do not hear of it: the program ends\n",
        error.c_str());
    std::fflush(stderr);
    MPI_Abort(comm, MpiEnvironment::aborted);
  });
}

}  // namespace

TaskGroup::TaskGroup(const Communicator& comm, std::function<bool()> poll, double patience)
    : comm_(comm), poll_(std::move(poll)), patience_(patience) {}

TaskGroup::Agreement TaskGroup::exchange(const std::string& error, bool stop) const {
  if (comm_.size() == 1) return {error, stop};
  // The rank of the error is carried as size - rank, so that one maximum finds both "any" and "the lowest".
  const std::int64_t failing = error.empty() ? 0 : comm_.size() - comm_.rank();
  std::array<std::int64_t, 3> state{failing, stop ? 1 : 0, static_cast<std::int64_t>(error.size())};
  MPI_Request request = MPI_REQUEST_NULL;
  check_mpi(MPI_Iallreduce(MPI_IN_PLACE, state.data(), static_cast<int>(state.size()), MPI_INT64_T, MPI_MAX,
                           comm_.agreements(), &request),
            "MPI_Iallreduce");
  wait_for_others(request, comm_.agreements(), error, patience_);
  Agreement agreement{error, state[1] > 0};
  if (state[0] == 0) return agreement;
  // The longest message has room for every other.
  agreement.error.resize(static_cast<std::size_t>(state[2]), '\0');
  check_mpi(MPI_Bcast(agreement.error.data(), static_cast<int>(state[2]), MPI_CHAR,
                      comm_.size() - static_cast<int>(state[0]), comm_.agreements()),
            "MPI_Bcast");
  agreement.error.resize(agreement.error.find_last_not_of('\0') + 1);
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
