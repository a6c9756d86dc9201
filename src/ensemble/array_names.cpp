#include "ensemble/array_names.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <numeric>
#include <utility>

namespace diffphase {

namespace {

// Number of insertions, deletions and replacements that turn one text into the other.
std::size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i + 1);
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, diagonal + 1, row[j] + 1});
    }
  }
  return row.back();
}

}  // namespace

std::string nearest_arrays(std::vector<std::string> names, const std::string& wanted, const std::string& what) {
  if (names.empty()) return fmt::format("; it holds no {}", what);
  // A file may hold any number of names of any length.
  constexpr std::size_t longest = 256;
  constexpr std::size_t most_compared = 1000;
  names.resize(std::min(names.size(), most_compared));
  std::stable_sort(names.begin(), names.end(), [&](const std::string& a, const std::string& b) {
    return edit_distance(a.substr(0, longest), wanted.substr(0, longest)) <
           edit_distance(b.substr(0, longest), wanted.substr(0, longest));
  });
  constexpr std::size_t most = 5;
  const bool all = names.size() <= most;
  names.resize(std::min(names.size(), most));
  return fmt::format("; {} {}",
                     all ? fmt::format("its {}s are", what) : fmt::format("the nearest of its {}s are", what),
                     fmt::join(names, ", "));
}

}  // namespace diffphase
