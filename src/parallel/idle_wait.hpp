#pragma once

#include <mpi.h>

#include <cstddef>
#include <functional>
#include <span>

#include "parallel/communicator.hpp"

namespace diffphase {

/// Waiting that leaves the core to ranks that compute: a few yields, then sleeps that grow from 20 us to 1 ms
/// and, after about a fifth of a second without work, to 5 ms. One object per wait. Local.
class IdleWait {
 public:
  void pause();

 private:
  int pauses_ = 0;
};

/// Completes `request` without spinning; `meanwhile`, if given, is called between two looks. Local.
void wait_idle(MPI_Request& request, const std::function<void()>& meanwhile = {});

/// Barrier whose early ranks sleep, for waits that may be long (rank 0 writes a file). Collective.
void idle_barrier(const Communicator& comm, const std::function<void()>& meanwhile = {});

/// Copies root's bytes to every rank; the sizes must already agree. Early ranks sleep. Collective.
void idle_broadcast(const Communicator& comm, std::span<std::byte> bytes, int root,
                    const std::function<void()>& meanwhile = {});

}  // namespace diffphase
