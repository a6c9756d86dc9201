#pragma once

#include <cstdint>
#include <vector>

#include "ensemble/dataset_file.hpp"

namespace diffphase {

/// Which of the stored rows of a dataset belong to the training set, with which label, and at which position.
/// Memory: 4 bytes for each stored row, 8 more for each selected row where shuffled. Local.
class RowSelection {
 public:
  /// Reads the labels, if the file has any; else every one of `stored_rows` rows is selected.
  RowSelection(const DatasetFile& file, std::int64_t stored_rows);
  /// The same with the number of stored rows taken from the labels, which there must be.
  explicit RowSelection(const DatasetFile& file);

  [[nodiscard]] std::int64_t rows() const { return rows_; }
  [[nodiscard]] bool labelled() const { return !labels_.empty(); }
  [[nodiscard]] const std::vector<std::int64_t>& class_sizes() const { return class_sizes_; }

  /// Label of a stored row, -1 if it is not selected; 0 for all where unlabelled.
  [[nodiscard]] std::int32_t label(std::int64_t stored_row) const {
    return labels_.empty() ? 0 : labels_[static_cast<std::size_t>(stored_row)];
  }

  /// Where the selected row number `selected`, counted in file order, stands in the training set.
  [[nodiscard]] std::int64_t position(std::int64_t selected) const {
    return positions_.empty() ? selected : positions_[static_cast<std::size_t>(selected)];
  }

  [[nodiscard]] std::int64_t stored_rows() const { return stored_rows_; }
  [[nodiscard]] bool shuffled() const { return !positions_.empty(); }

 private:
  void map_labels(const DatasetFile& file, const std::vector<std::int64_t>& stored);

  std::int64_t stored_rows_ = 0;
  std::int64_t rows_ = 0;
  std::vector<std::int32_t> labels_;
  std::vector<std::int64_t> class_sizes_;
  std::vector<std::int64_t> positions_;
};

}  // namespace diffphase
