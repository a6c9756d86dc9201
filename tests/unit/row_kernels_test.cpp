// Products with blocks of rows and sums of their multiples, against long double.

#include "spectrum/row_kernels.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace diffphase {
namespace {

template <typename T>
std::vector<T> drawn(std::mt19937_64& generator, std::int64_t count) {
  std::normal_distribution<double> normal;
  std::vector<T> values(static_cast<std::size_t>(count));
  for (T& value : values) value = static_cast<T>(normal(generator));
  return values;
}

struct ExactSum {
  long double value = 0.0L;
  long double magnitude = 0.0L;

  void add(long double a, long double b) {
    value += a * b;
    magnitude += std::abs(a * b);
  }
  // Every term is rounded once, and what is summed once for each term after it.
  [[nodiscard]] long double rounding(std::int64_t terms) const {
    return static_cast<long double>(terms + 1) * std::numeric_limits<double>::epsilon() * magnitude;
  }
};

template <typename T>
struct Case {
  std::int64_t vectors, next_rows, last_rows, columns, stride;
  std::vector<T> next, last;
  std::vector<double> in, factors, out;

  Case(std::mt19937_64& generator, std::int64_t v, std::int64_t n, std::int64_t l, std::int64_t c, std::int64_t s)
      : vectors(v),
        next_rows(n),
        last_rows(l),
        columns(c),
        stride(s),
        next(drawn<T>(generator, n * s)),
        last(drawn<T>(generator, l * s)),
        in(drawn<double>(generator, v * c)),
        factors(drawn<double>(generator, v * l)),
        out(drawn<double>(generator, v * c)) {
    for (std::vector<T>* rows : {&next, &last}) {
      for (std::size_t i = 0; i < rows->size(); ++i) {
        if (static_cast<std::int64_t>(i) % s >= c) (*rows)[i] = static_cast<T>(std::nan(""));
      }
    }
  }

  [[nodiscard]] std::string name() const {
    return std::to_string(vectors) + " vectors, " + std::to_string(next_rows) + " and " + std::to_string(last_rows) +
           " rows, " + std::to_string(columns) + " columns, " + std::to_string(stride) + " numbers apart";
  }
};

template <typename T>
double at(const std::vector<T>& matrix, std::int64_t row, std::int64_t column, std::int64_t columns) {
  return static_cast<double>(matrix[static_cast<std::size_t>(row * columns + column)]);
}

template <typename T>
void expect_exact(Case<T> c) {
  const std::vector<double> before = c.out;
  std::vector<double> dots(static_cast<std::size_t>(c.vectors * c.next_rows), std::nan(""));
  dot_and_add_rows(c.vectors, {c.next.data(), c.next_rows, c.columns, c.stride}, c.in.data(), dots.data(),
                   {c.last.data(), c.last_rows, c.columns, c.stride}, c.factors.data(), c.out.data());
  for (std::int64_t v = 0; v < c.vectors; ++v) {
    for (std::int64_t r = 0; r < c.next_rows; ++r) {
      ExactSum dot;
      for (std::int64_t j = 0; j < c.columns; ++j) dot.add(at(c.next, r, j, c.stride), at(c.in, v, j, c.columns));
      EXPECT_NEAR(static_cast<double>(at(dots, v, r, c.next_rows) - dot.value), 0.0,
                  static_cast<double>(dot.rounding(c.columns)))
          << c.name() << ", vector " << v << ", row " << r;
    }
    for (std::int64_t j = 0; j < c.columns; ++j) {
      ExactSum sum;
      sum.add(1.0L, at(before, v, j, c.columns));
      for (std::int64_t r = 0; r < c.last_rows; ++r)
        sum.add(at(c.factors, v, r, c.last_rows), at(c.last, r, j, c.stride));
      EXPECT_NEAR(static_cast<double>(at(c.out, v, j, c.columns) - sum.value), 0.0,
                  static_cast<double>(sum.rounding(c.last_rows)))
          << c.name() << ", vector " << v << ", column " << j;
    }
  }
}

// Rows and columns that are and are not whole groups, lines and strips; either block longer, or without rows; with and
// without numbers after the last column.
template <typename T>
void expect_exact_for_all_shapes() {
  std::mt19937_64 generator(1);
  for (const std::int64_t vectors : {1, 2, 3, 4}) {
    for (const std::int64_t columns : {1, 7, 8, 15, 16, 33, 264, 1024, 1033, 1320, 2100}) {
      for (const auto& [next, last] : {std::pair{1, 0}, {0, 3}, {4, 4}, {5, 9}, {8, 3}, {8, 8}, {12, 21}, {41, 36}}) {
        for (const std::int64_t more : {0, 3}) {
          expect_exact(Case<T>(generator, vectors, next, last, columns, columns + more));
        }
      }
    }
  }
}

TEST(RowKernels, ProductsAndSumsOfDoublesAreExactUpToRounding) { expect_exact_for_all_shapes<double>(); }

TEST(RowKernels, ProductsAndSumsOfFloatsAreExactUpToTheRoundingOfDoubles) { expect_exact_for_all_shapes<float>(); }

}  // namespace
}  // namespace diffphase
