#pragma once

// Data that authors published with their papers, read where they are at hand.

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace diffphase::test {

/// A table of numbers with a line of names above, ascending in its first column after sort().
class PublishedTable {
 public:
  explicit PublishedTable(const std::string& name)
      : path_(std::filesystem::path(DIFFPHASE_SOURCE_DIR) / "../shared/data/published" / name) {
    std::ifstream in(path_);
    std::string line;
    while (std::getline(in, line)) {
      if (!line.empty() && line.back() == '\r') line.pop_back();
      std::istringstream cells(line);
      std::vector<std::string> texts;
      for (std::string cell; std::getline(cells, cell, ',');) texts.push_back(cell);
      if (names_.empty()) {
        names_ = texts;
      } else {
        std::vector<double>& row = rows_.emplace_back();
        for (const std::string& text : texts) row.push_back(std::stod(text));
      }
    }
    std::sort(rows_.begin(), rows_.end());
  }

  [[nodiscard]] bool present() const { return !rows_.empty(); }
  [[nodiscard]] std::string path() const { return path_.lexically_normal().string(); }
  /// The column of that name, in the order of ascending first column.
  [[nodiscard]] std::vector<double> column(const std::string& name) const {
    const auto at = std::find(names_.begin(), names_.end(), name);
    if (at == names_.end()) throw std::out_of_range("no column " + name);
    std::vector<double> values;
    for (const auto& row : rows_) values.push_back(row.at(static_cast<std::size_t>(at - names_.begin())));
    return values;
  }

 private:
  std::filesystem::path path_;
  std::vector<std::string> names_;
  std::vector<std::vector<double>> rows_;
};

}  // namespace diffphase::test
