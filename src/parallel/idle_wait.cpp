#include "parallel/idle_wait.hpp"

#include <algorithm>
#include <chrono>
#include <limits>
#include <stdexcept>
#include <thread>

namespace diffphase {

namespace {

constexpr int yields = 16;           // pauses without sleep: the answer is often already on its way
constexpr int millisecond_at = 22;   // 20 us doubled six times
constexpr int long_sleeps_at = 220;  // pauses of 1 ms until the wait counts as long

std::chrono::microseconds sleep_after(int pauses) {
  if (pauses >= long_sleeps_at) return std::chrono::milliseconds(5);
  if (pauses >= millisecond_at) return std::chrono::milliseconds(1);
  return std::chrono::microseconds(20 << (pauses - yields));
}

}  // namespace

void IdleWait::pause() {
  if (pauses_ < yields) {
    std::this_thread::yield();
  } else {
    std::this_thread::sleep_for(sleep_after(pauses_));
  }
  pauses_ = std::min(pauses_ + 1, long_sleeps_at);
}

void wait_idle(MPI_Request& request, const std::function<void()>& meanwhile) {
  IdleWait idle;
  while (true) {
    int complete = 0;
    check_mpi(MPI_Test(&request, &complete, MPI_STATUS_IGNORE), "MPI_Test");
    if (complete != 0) return;
    if (meanwhile) meanwhile();
    idle.pause();
  }
}

void idle_barrier(const Communicator& comm, const std::function<void()>& meanwhile) {
  MPI_Request request = MPI_REQUEST_NULL;
  check_mpi(MPI_Ibarrier(comm.get(), &request), "MPI_Ibarrier");
  wait_idle(request, meanwhile);
}

void idle_broadcast(const Communicator& comm, std::span<std::byte> bytes, int root,
                    const std::function<void()>& meanwhile) {
  if (bytes.size() > static_cast<std::size_t>(std::numeric_limits<int>::max())) {
    throw std::length_error("idle_broadcast: more bytes than one message holds");
  }
  MPI_Request request = MPI_REQUEST_NULL;
  check_mpi(MPI_Ibcast(bytes.data(), static_cast<int>(bytes.size()), MPI_BYTE, root, comm.get(), &request),
            "MPI_Ibcast");
  wait_idle(request, meanwhile);
}

}  // namespace diffphase
