#include "memory_reads.hpp"

#include <algorithm>
#include <cstdint>
#include <limits>

#include "machine_rates.hpp"
#include "parallel/instruction_set.hpp"
#include "parallel/vector_lanes.hpp"

namespace diffphase::bench {

namespace {

constexpr std::int64_t line_bytes = 64;
constexpr std::int64_t unrolled = 4;  // lines, each summed in registers of its own

// One line's numbers in vectors of the instruction set. `Width` counts doubles.
template <typename T, int Width>
struct LineSum {
  static constexpr int lanes = 8 * Width / static_cast<int>(sizeof(T));
  static constexpr int vectors = static_cast<int>(line_bytes / sizeof(T)) / lanes;
  typename VectorOf<T, lanes>::Lanes sums[vectors] = {};

  DIFFPHASE_INLINE void add(const T* from) {
#pragma GCC unroll 4
    for (int i = 0; i < vectors; ++i) sums[i] += load_lanes<T, lanes>(from + i * lanes);
  }

  DIFFPHASE_INLINE double total() const {
    double sum = 0.0;
    for (const auto& vector : sums) {
      for (int i = 0; i < lanes; ++i) sum += static_cast<double>(vector[i]);
    }
    return sum;
  }
};

template <typename Sums>
DIFFPHASE_INLINE double total(const Sums& sums) {
  double all = 0.0;
  for (const auto& sum : sums) all += sum.total();
  return all;
}

// Streams of equal length side by side, each fetching what it needs soon; what is left over from whole lines is not
// read.
template <typename T, int Width, int Streams>
DIFFPHASE_INLINE double sum_streams(const T* numbers, std::int64_t count, std::int64_t ahead) {
  constexpr std::int64_t line = line_bytes / sizeof(T);
  constexpr std::int64_t step = Streams == 1 ? unrolled : 1;
  const std::int64_t length = count / Streams / (step * line) * (step * line);
  LineSum<T, Width> sums[Streams * step];
  for (std::int64_t first = 0; first < length; first += step * line) {
#pragma GCC unroll 4
    for (std::int64_t i = 0; i < Streams * step; ++i) {
      const T* from = numbers + i / step * length + first + i % step * line;
      if (ahead > 0) __builtin_prefetch(from + ahead, 0, 2);
      sums[i].add(from);
    }
  }
  return total(sums);
}

// What was read before, line by line with what comes next.
template <typename T, int Width>
DIFFPHASE_INLINE double sum_side_by_side(const T* next, const T* last, std::int64_t count, std::int64_t ahead) {
  constexpr std::int64_t line = line_bytes / sizeof(T);
  LineSum<T, Width> sums[2 * unrolled];
  for (std::int64_t first = 0; first + unrolled * line <= count; first += unrolled * line) {
#pragma GCC unroll 4
    for (std::int64_t i = 0; i < unrolled; ++i) {
      __builtin_prefetch(next + first + i * line + ahead, 0, 2);
      sums[2 * i].add(next + first + i * line);
      sums[2 * i + 1].add(last + first + i * line);
    }
  }
  return total(sums);
}

template <typename T>
struct Reads {
  double (*one)(const T*, std::int64_t, std::int64_t);
  double (*four)(const T*, std::int64_t, std::int64_t);
  double (*beside)(const T*, const T*, std::int64_t, std::int64_t);
};

struct Kernels {
  Reads<double> doubles;
  Reads<float> floats;
};

// NOLINTBEGIN(bugprone-macro-parentheses): an attribute and part of names
#define DIFFPHASE_KERNELS(set, attribute)                                                               \
  template <typename T>                                                                                 \
  attribute double one_##set(const T* numbers, std::int64_t count, std::int64_t ahead) {                \
    return sum_streams<T, width_##set, 1>(numbers, count, ahead);                                       \
  }                                                                                                     \
  template <typename T>                                                                                 \
  attribute double four_##set(const T* numbers, std::int64_t count, std::int64_t ahead) {               \
    return sum_streams<T, width_##set, 4>(numbers, count, ahead);                                       \
  }                                                                                                     \
  template <typename T>                                                                                 \
  attribute double beside_##set(const T* next, const T* last, std::int64_t count, std::int64_t ahead) { \
    return sum_side_by_side<T, width_##set>(next, last, count, ahead);                                  \
  }                                                                                                     \
  constexpr Kernels kernels_##set{{one_##set<double>, four_##set<double>, beside_##set<double>},        \
                                  {one_##set<float>, four_##set<float>, beside_##set<float>}};
// NOLINTEND(bugprone-macro-parentheses)

DIFFPHASE_FOR_EACH_INSTRUCTION_SET(DIFFPHASE_KERNELS)

const Kernels kernels = DIFFPHASE_CHOOSE(kernels, widest_instruction_set());

volatile double kept_sum = 0.0;  // what is computed must be used

template <typename T>
double fastest_read(const Communicator& comm, int runs, const Reads<T>& read, std::span<const T> numbers) {
  const auto count = static_cast<std::int64_t>(numbers.size());
  double fastest = std::numeric_limits<double>::infinity();
  for (const std::int64_t bytes : {0, 512, 1024, 2048, 4096, 8192}) {
    const std::int64_t ahead = bytes / static_cast<std::int64_t>(sizeof(T));
    const auto one = [&] { kept_sum = read.one(numbers.data(), count, ahead); };
    const auto four = [&] { kept_sum = read.four(numbers.data(), count, ahead); };
    fastest = std::min({fastest, shortest_time(comm, runs, one), shortest_time(comm, runs, four)});
  }
  return fastest;
}

template <typename T>
double read_in_turn(const Reads<T>& read, std::span<const T> numbers, std::int64_t piece, std::int64_t ahead) {
  const auto count = static_cast<std::int64_t>(numbers.size());
  double sum = 0.0;
  for (std::int64_t first = 0; first < count; first += piece) {
    const std::int64_t length = std::min(piece, count - first);
    sum += read.one(numbers.data() + first, length, ahead);
    sum += read.one(numbers.data() + first, length, 0);
  }
  return sum;
}

template <typename T>
double read_side_by_side(const Reads<T>& read, std::span<const T> numbers, std::int64_t piece, std::int64_t ahead) {
  const auto count = static_cast<std::int64_t>(numbers.size());
  double sum = read.one(numbers.data(), std::min(piece, count), ahead);
  std::int64_t first = 0;
  for (; first + 2 * piece <= count; first += piece) {
    sum += read.beside(numbers.data() + first + piece, numbers.data() + first, piece, ahead);
  }
  // The last piece, and what is left after it.
  const std::int64_t read_once = std::min(first + piece, count);
  sum += read.one(numbers.data() + read_once, count - read_once, ahead);
  return sum + read.one(numbers.data() + first, count - first, 0);
}

template <typename T>
double fastest_read_twice(const Communicator& comm, int runs, const Reads<T>& read, std::span<const T> numbers) {
  double fastest = std::numeric_limits<double>::infinity();
  for (const std::int64_t kibibytes : {64, 256, 1024}) {
    const std::int64_t piece = kibibytes * 1024 / static_cast<std::int64_t>(sizeof(T));
    for (const std::int64_t bytes : {512, 2048}) {
      const std::int64_t ahead = bytes / static_cast<std::int64_t>(sizeof(T));
      const auto in_turn = [&] { kept_sum = read_in_turn(read, numbers, piece, ahead); };
      const auto beside = [&] { kept_sum = read_side_by_side(read, numbers, piece, ahead); };
      fastest = std::min({fastest, shortest_time(comm, runs, in_turn), shortest_time(comm, runs, beside)});
    }
  }
  return fastest;
}

}  // namespace

double read_time(const Communicator& comm, int runs, std::span<const double> numbers) {
  return fastest_read(comm, runs, kernels.doubles, numbers);
}

double read_time(const Communicator& comm, int runs, std::span<const float> numbers) {
  return fastest_read(comm, runs, kernels.floats, numbers);
}

double read_twice_time(const Communicator& comm, int runs, std::span<const double> numbers) {
  return fastest_read_twice(comm, runs, kernels.doubles, numbers);
}

double read_twice_time(const Communicator& comm, int runs, std::span<const float> numbers) {
  return fastest_read_twice(comm, runs, kernels.floats, numbers);
}

}  // namespace diffphase::bench
