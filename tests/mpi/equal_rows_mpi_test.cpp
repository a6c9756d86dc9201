#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "ensemble/equal_rows.hpp"
#include "support/rounded_slab.hpp"

namespace diffphase {
namespace {

constexpr std::int64_t rows = 1300;  // more than two blocks
constexpr std::int64_t columns = 5;

// Row 600 is row 3, row 1200 is row 3 but for its last number; all rows from 1250 on are 0, some of them -0.
double entry(std::int64_t row, std::int64_t column) {
  if (row >= 1250) return row % 2 == 0 ? 0.0 : -0.0;
  const bool other_end = row == 1200 && column == columns - 1;
  const std::int64_t as = row == 600 || (row == 1200 && !other_end) ? 3 : row;
  return std::sin(static_cast<double>(as * columns + column) + 0.25);
}

DataSlab example(const SlabLayout& layout) {
  DataSlab slab = zero_slab(layout);
  for (std::int64_t local = 0; local < layout.local_rows(); ++local) {
    for (std::int64_t column = 0; column < layout.local_columns(); ++column) {
      slab.row(local)[static_cast<std::size_t>(column)] =
          entry(layout.global_row(local), layout.first_column() + column);
    }
  }
  return slab;
}

std::vector<std::int64_t> expected(std::int64_t count) {
  std::vector<std::int64_t> first;
  for (std::int64_t row = 0; row < count; ++row) first.push_back(row >= 1250 ? 1250 : row == 600 ? 3 : row);
  return first;
}

TEST(EqualRowsMpi, AreFoundInEveryPartitionAndPrefix) {
  const Communicator world = Communicator::world();
  const TaskGroup group(world);
  for (const Partition partition : {Partition::component, Partition::dimension}) {
    const DataSlab slab = example({partition, rows, columns, world.size(), world.rank()});
    const EqualRows equal(group, slab);
    for (const std::int64_t count : {std::int64_t{1}, std::int64_t{601}, std::int64_t{1201}, rows}) {
      EXPECT_EQ(equal.first_equal(count), expected(count)) << count;
    }
    const SinglePrecisionSlab rounded = test::single_precision(slab);
    EXPECT_EQ(EqualRows(group, rounded).first_equal(rows), expected(rows));
  }
}

}  // namespace
}  // namespace diffphase
