#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace diffphase {

/// Columns of text, aligned to the right, for terminals.
class TextTable {
 public:
  static constexpr std::size_t max_width = 100;
  static constexpr std::size_t gap = 2;  ///< blanks in front of each column

  /// Headings may have several lines, separated by '\n'; they stand at the bottom of the heading.
  explicit TextTable(std::vector<std::string> headings) : headings_(std::move(headings)) {}

  /// A row of as many cells as there are headings.
  void add_row(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  /// A line that stands across all columns.
  void add_line(std::string line) { rows_.push_back({std::move(line)}); }

  /// The table, indented by two blanks. Where it is wider than max_width, the widest columns' cells are cut, marked
  /// by "..", and what still does not fit is cut off.
  [[nodiscard]] std::string text() const;

 private:
  std::vector<std::string> headings_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace diffphase
