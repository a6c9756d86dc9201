#include "sweep/text_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <sstream>

namespace diffphase {
namespace {

constexpr std::size_t least_width = 6;

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

std::string cut(const std::string& cell, std::size_t width) {
  return cell.size() <= width ? cell : cell.substr(0, width - 2) + "..";
}

std::string joined(const std::vector<std::string>& cells, const std::vector<std::size_t>& widths) {
  std::string line;
  for (std::size_t c = 0; c < cells.size(); ++c) {
    line += fmt::format("{:{}}{:>{}}", "", TextTable::gap, cut(cells[c], widths[c]), widths[c]);
  }
  line.erase(line.find_last_not_of(' ') + 1);
  return line.substr(0, TextTable::max_width) + "\n";
}

void shrink(std::vector<std::size_t>& widths) {
  const auto total = [&] { return std::accumulate(widths.begin(), widths.end(), widths.size() * TextTable::gap); };
  while (total() > TextTable::max_width) {
    const auto widest = std::max_element(widths.begin(), widths.end());
    if (*widest <= least_width) return;
    --*widest;
  }
}

}  // namespace

std::string TextTable::text() const {
  std::vector<std::vector<std::string>> headings;
  std::size_t heading_lines = 0;
  for (const std::string& heading : headings_) {
    headings.push_back(lines_of(heading));
    heading_lines = std::max(heading_lines, headings.back().size());
  }
  std::vector<std::size_t> widths(headings_.size(), 1);
  for (std::size_t c = 0; c < widths.size(); ++c) {
    for (const std::string& line : headings[c]) widths[c] = std::max(widths[c], line.size());
    for (const auto& row : rows_) {
      if (row.size() == widths.size()) widths[c] = std::max(widths[c], row[c].size());
    }
  }
  shrink(widths);

  std::string text;
  for (std::size_t l = 0; l < heading_lines; ++l) {
    std::vector<std::string> cells;
    for (const auto& heading : headings) {
      const std::size_t above = heading_lines - heading.size();
      cells.push_back(l < above ? "" : heading[l - above]);
    }
    text += joined(cells, widths);
  }
  for (const auto& row : rows_) {
    text +=
        row.size() == widths.size() ? joined(row, widths) : fmt::format("{:{}}{}\n", "", TextTable::gap, row.front());
  }
  return text;
}

}  // namespace diffphase
