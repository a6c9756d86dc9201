#include "parallel/kernel_threads.hpp"

#include <sched.h>

#include <exception>
#include <stdexcept>
#include <vector>

namespace diffphase {

namespace {

int threads_of_kernels = 1;

}  // namespace

void set_kernel_threads(int threads) {
  if (threads < 1) throw std::invalid_argument("kernels need at least one thread");
  threads_of_kernels = threads;
}

int kernel_threads() { return threads_of_kernels; }

int usable_processors() {
  cpu_set_t set;
  return ::sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}

void for_each_part(int parts, std::int64_t count,
                   const std::function<void(int part, std::int64_t begin, std::int64_t end)>& work) {
  if (parts == 1) {
    if (count > 0) work(0, 0, count);
    return;
  }
  std::vector<std::exception_ptr> failures(static_cast<std::size_t>(parts));
#pragma omp parallel for num_threads(parts) schedule(static, 1)
  for (int part = 0; part < parts; ++part) {
    const std::int64_t begin = count * part / parts;
    const std::int64_t end = count * (part + 1) / parts;
    try {
      if (begin < end) work(part, begin, end);
    } catch (...) {
      failures[static_cast<std::size_t>(part)] = std::current_exception();
    }
  }
  for (const std::exception_ptr& failure : failures) {
    if (failure) std::rethrow_exception(failure);
  }
}

}  // namespace diffphase
