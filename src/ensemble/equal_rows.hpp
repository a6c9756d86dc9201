#pragma once

#include <cstdint>
#include <vector>

#include "ensemble/row_view.hpp"
#include "parallel/task_group.hpp"

namespace diffphase {

/// Which rows of a data matrix are the same, number by number: by 72 bits or more that are made of all numbers of a
/// row, which are equal by chance for one pair in 10^21. Memory: 16 bytes for each row, on every rank.
class EqualRows {
 public:
  /// Reads all rows once. Collective, with agreement points; throws GroupError, Stopped on every rank.
  EqualRows(const TaskGroup& group, RowView rows);

  /// For each of rows [0, count), the first of them that is equal to it. Local; `count` at most the rows there are.
  [[nodiscard]] std::vector<std::int64_t> first_equal(std::int64_t count) const;

 private:
  std::vector<double> prints_;  // two whole numbers below 2^52 of each row: sums over ranks are exact
};

}  // namespace diffphase
