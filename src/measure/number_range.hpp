#pragma once

#include <string>

#include "measure/measure.hpp"

namespace diffphase {

/// What is wrong, and the key of the sweep file that it is wrong with.
struct RangeProblem {
  std::string key;
  std::string text;  ///< a sentence that names value and bounds; empty: nothing is wrong

  [[nodiscard]] bool any() const { return !text.empty(); }
};

/// Finite numbers whose squares are not: norms of data, their products and logits at the task's times must stay within
/// the range of the precision that the task computes in, or what is found would be no number in one variable and a
/// plausible one in another. The one place where that is checked, for every measure, from what is known before the
/// data are made: the law, or the largest number of a file. Local.
[[nodiscard]] RangeProblem number_range_problem(const TaskParameters& task);

}  // namespace diffphase
