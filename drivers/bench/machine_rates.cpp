#include "machine_rates.hpp"

#include <cblas.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <string>
#include <vector>

#include "parallel/clock.hpp"

namespace diffphase::bench {

double shortest_time(const Communicator& comm, int runs, const std::function<void()>& work) {
  double shortest = std::numeric_limits<double>::infinity();
  for (int run = 0; run < runs; ++run) {
    comm.barrier();
    const double start = steady_seconds();
    work();
    comm.barrier();
    shortest = std::min(shortest, steady_seconds() - start);
  }
  comm.maximum(std::span(&shortest, 1));
  return shortest;
}

double product_time(const Communicator& comm, int runs, std::int64_t vectors, std::int64_t rows, std::int64_t columns,
                    std::int64_t stride, const double* matrix) {
  const int v = static_cast<int>(vectors);
  const int n = static_cast<int>(rows);
  const int d = static_cast<int>(columns);
  const int apart = static_cast<int>(stride);
  std::vector<double> in(static_cast<std::size_t>(vectors * columns), 1.0);
  std::vector<double> out(in.size());
  std::vector<double> products(static_cast<std::size_t>(vectors * rows));
  return shortest_time(comm, runs, [&] {
    if (n == 0 || d == 0) return;
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, v, n, d, 1.0, in.data(), d, matrix, apart, 0.0,
                products.data(), n);
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, v, d, n, 1.0, products.data(), n, matrix, apart, 0.0,
                out.data(), d);
  });
}

double square_product_rate(const Communicator& comm, int runs) {
  constexpr int n = 2048;
  const std::vector<double> a(static_cast<std::size_t>(n) * n, 1.0);
  std::vector<double> b(a.size());
  const double time = shortest_time(comm, runs, [&] {
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, n, n, n, 1.0, a.data(), n, a.data(), n, 0.0, b.data(), n);
  });
  return static_cast<double>(comm.size()) * n * n * n / time;
}

double peak_memory() {
  std::ifstream status("/proc/self/status");
  std::string word;
  double kibibytes = 0.0;
  while (status >> word) {
    if (word == "VmHWM:" && status >> kibibytes) return 1024.0 * kibibytes;
  }
  return 0.0;
}

}  // namespace diffphase::bench
