#include "ensemble/equal_rows.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <span>
#include <tuple>

namespace diffphase {

namespace {

// Whole numbers of a rank's part of a row stay below this, so that those of 2^16 ranks add up exactly.
constexpr int bits_of_part = 36;

// A bijection that leaves no pattern of its argument (SplitMix64's).
std::uint64_t mixed(std::uint64_t x) {
  x = (x ^ (x >> 30U)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27U)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31U);
}

// Adds what is made of the rank's part of a row to the row's two prints.
void add_prints(std::span<const double> part, std::int64_t first_column, double* prints) {
  std::uint64_t low = static_cast<std::uint64_t>(first_column);
  std::uint64_t high = ~low;
  for (const double value : part) {
    const auto bits = std::bit_cast<std::uint64_t>(value + 0.0);  // 0 and -0 are the same number
    low = mixed(low + bits);
    high = mixed(high ^ (bits + 0x9e3779b97f4a7c15ULL));
  }
  prints[0] += static_cast<double>(low >> (64 - bits_of_part));
  prints[1] += static_cast<double>(high >> (64 - bits_of_part));
}

}  // namespace

EqualRows::EqualRows(const TaskGroup& group, RowView rows) {
  const SlabLayout& layout = rows.layout();
  group.run_guarded([&] { prints_.assign(2 * static_cast<std::size_t>(layout.rows), 0.0); });
  const std::int64_t most = layout.most_local_rows();
  const std::int64_t step =
      std::max<std::int64_t>(1, numbers_per_draw / std::max<std::int64_t>(1, layout.most_local_columns()));
  std::vector<double> buffer;
  for (std::int64_t first = 0; first < most; first += step) {
    group.run_guarded([&] {
      const std::int64_t count = std::min(step, layout.local_rows() - first);
      buffer.resize(static_cast<std::size_t>(rows.stride()));
      for (std::int64_t row = first; row < first + count; ++row) {
        const std::span part(rows.rows(row, 1, buffer), static_cast<std::size_t>(layout.local_columns()));
        add_prints(part, layout.first_column(), &prints_[2 * static_cast<std::size_t>(layout.global_row(row))]);
      }
    });
  }
  group.comm().sum(std::span(prints_));
}

std::vector<std::int64_t> EqualRows::first_equal(std::int64_t count) const {
  std::vector<std::int64_t> order(static_cast<std::size_t>(count));
  std::iota(order.begin(), order.end(), std::int64_t{0});
  const auto key = [&](std::int64_t row) {
    const auto at = 2 * static_cast<std::size_t>(row);
    return std::tuple(prints_[at], prints_[at + 1]);
  };
  std::ranges::sort(order, {}, [&](std::int64_t row) { return std::tuple_cat(key(row), std::tuple(row)); });
  std::vector<std::int64_t> first(order.size());
  for (std::size_t i = 0; i < order.size(); ++i) {
    const bool again = i > 0 && key(order[i]) == key(order[i - 1]);
    const auto row = static_cast<std::size_t>(order[i]);
    first[row] = again ? first[static_cast<std::size_t>(order[i - 1])] : order[i];
  }
  return first;
}

}  // namespace diffphase
