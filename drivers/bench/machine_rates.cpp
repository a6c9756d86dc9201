#include "machine_rates.hpp"

#include <cblas.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <string>
#include <vector>

#include "parallel/clock.hpp"

// Compiled for several instruction sets, one of which is chosen when the program starts.
#if defined(__x86_64__)
#define DIFFPHASE_WIDEST __attribute__((target_clones("arch=skylake-avx512", "avx2", "default")))
#else
#define DIFFPHASE_WIDEST
#endif

namespace diffphase::bench {

namespace {

volatile double kept_sum = 0.0;  // what is computed must be used

template <typename T>
__attribute__((always_inline)) inline double sum_one_stream(const T* numbers, std::int64_t count) {
  T sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t i = 0; i < count; ++i) sum += numbers[i];
  return static_cast<double>(sum);
}

// Four streams side by side, each fetching what it needs soon.
template <typename T>
__attribute__((always_inline)) inline double sum_four_streams(const T* numbers, std::int64_t count,
                                                              std::int64_t ahead) {
  constexpr std::int64_t strip = 256 / sizeof(T);
  constexpr std::int64_t line = 64 / sizeof(T);
  const std::int64_t quarter = count / 4 / strip * strip;
  T sum = 0;
  for (std::int64_t first = 0; first < quarter; first += strip) {
    for (std::int64_t stream = 0; stream < 4; ++stream) {
      const T* from = numbers + stream * quarter + first;
      if (ahead > 0) {
        for (std::int64_t i = 0; i < strip; i += line) __builtin_prefetch(from + ahead + i, 0, 2);
      }
#pragma omp simd reduction(+ : sum)
      for (std::int64_t i = 0; i < strip; ++i) sum += from[i];
    }
  }
  return static_cast<double>(sum) + sum_one_stream(numbers + 4 * quarter, count - 4 * quarter);
}

DIFFPHASE_WIDEST double one_stream(const double* numbers, std::int64_t count) { return sum_one_stream(numbers, count); }
DIFFPHASE_WIDEST double one_stream(const float* numbers, std::int64_t count) { return sum_one_stream(numbers, count); }
DIFFPHASE_WIDEST double four_streams(const double* numbers, std::int64_t count, std::int64_t ahead) {
  return sum_four_streams(numbers, count, ahead);
}
DIFFPHASE_WIDEST double four_streams(const float* numbers, std::int64_t count, std::int64_t ahead) {
  return sum_four_streams(numbers, count, ahead);
}

template <typename T>
double fastest_read(const Communicator& comm, int runs, std::span<const T> numbers) {
  const auto count = static_cast<std::int64_t>(numbers.size());
  double fastest = shortest_time(comm, runs, [&] { kept_sum = one_stream(numbers.data(), count); });
  for (const std::int64_t bytes_ahead : {0, 1024, 2048, 4096, 8192}) {
    const std::int64_t ahead = bytes_ahead / static_cast<std::int64_t>(sizeof(T));
    fastest =
        std::min(fastest, shortest_time(comm, runs, [&] { kept_sum = four_streams(numbers.data(), count, ahead); }));
  }
  return fastest;
}

}  // namespace

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

double read_time(const Communicator& comm, int runs, std::span<const double> numbers) {
  return fastest_read(comm, runs, numbers);
}

double read_time(const Communicator& comm, int runs, std::span<const float> numbers) {
  return fastest_read(comm, runs, numbers);
}

double product_time(const Communicator& comm, int runs, std::int64_t vectors, std::int64_t rows, std::int64_t columns,
                    const double* matrix) {
  const int v = static_cast<int>(vectors);
  const int n = static_cast<int>(rows);
  const int d = static_cast<int>(columns);
  std::vector<double> in(static_cast<std::size_t>(vectors * columns), 1.0);
  std::vector<double> out(in.size());
  std::vector<double> products(static_cast<std::size_t>(vectors * rows));
  return shortest_time(comm, runs, [&] {
    if (n == 0 || d == 0) return;
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, v, n, d, 1.0, in.data(), d, matrix, d, 0.0, products.data(),
                n);
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, v, d, n, 1.0, products.data(), n, matrix, d, 0.0, out.data(),
                d);
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
