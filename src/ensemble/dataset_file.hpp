#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "ensemble/data_slab.hpp"
#include "parallel/task_group.hpp"

namespace diffphase {

/// How stored numbers x become the entries of the training set.
///  - raw: x
///  - unit, "[0,1]": integers over the largest number of their type, which must not be negative; floating-point numbers
///    stay, and must lie in [0, 1] already
///  - symmetric, "[-1,1]": 2 u - 1, u the unit-scaled number
///  - standardised: (x - mean) / deviation of all entries of all selected rows (not only of those asked for),
///    the zeros of the padding included
///
/// Padding is done on the stored numbers, so a border is 0 where raw or unit, -1 where symmetric,
/// -mean / deviation where standardised.
enum class Scaling { raw, unit, symmetric, standardised };

/// A training set in a file: IDX, NPY, both plain or gzipped, an array of an npz file ("file.npz:name", or the only
/// one) or a dataset of an HDF5 file ("file.h5:/path"), told apart by their first bytes; integers of any width and
/// floating-point numbers of 16, 32 or 64 bits; first index: rows, all others flattened.
struct DatasetFile {
  std::string path;
  /// Same formats, one integer of any size per row; empty: none. Without select_classes, labels become 0, 1,
  /// ... in ascending order of those present.
  std::string labels;
  /// Keep only rows with these labels; label := position in this list.
  std::vector<std::int64_t> select_classes;
  std::int64_t pad = 0;  ///< zeros added on each side of images (rows of rank 2)
  bool shuffle = false;  ///< permute the selected rows with the stream (seed, "shuffle")
  Scaling scaling = Scaling::raw;
  std::uint64_t seed = 1;  ///< of the shuffle
  /// Reverses the axes of the data, so that the last stored index counts the rows: of files whose writers store the
  /// first index of their arrays last. Of the labels no part: they have one axis. Unset: false, but of data that say
  /// that MATLAB wrote them an error.
  std::optional<bool> transpose = std::nullopt;
};

/// What is wrong with a file, in one sentence that names it. Reported as bad input (exit code 2).
class DatasetError : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// The stored number of the largest absolute value, and where it is: row of the file and column, from 0.
struct LargestNumber {
  double value = 0.0;
  std::int64_t row = 0;
  std::int64_t column = 0;
};

/// What a run must know of a file before it starts.
struct DatasetSummary {
  std::int64_t rows = 0;  ///< after select_classes
  std::int64_t dimension = 0;
  std::vector<std::int64_t> class_sizes;  ///< rows of each label; empty if unlabelled
  double mean = 0.0;                      ///< of all entries of the selected rows, padded, before scaling
  double standard_deviation = 0.0;
  LargestNumber largest;       ///< as stored, of all rows
  double largest_entry = 0.0;  ///< no entry has a larger absolute value, padded and scaled
  /// Means of the columns over the selected rows, padded and scaled: the middle of the data.
  std::shared_ptr<const std::vector<double>> column_means{};
};

/// Reads the file once, row by row, and checks all of it: existence, format, shape, type, truncation, finite
/// values, labels of the same length. Throws DatasetError. Memory: two blocks of 4 MiB (or two rows where
/// those are longer), a tile of 64 MiB (or one row) where the axes are stored reversed, and the labels. Local, not
/// collective.
[[nodiscard]] DatasetSummary inspect_dataset(const DatasetFile& file);

/// The rank's part of the first `layout.rows` rows after selection and shuffling, scaled. The group's rank 0
/// alone opens the file; it broadcasts blocks of rows, with an agreement point before each, and every rank
/// keeps what is its own. No rank holds more than its part and one block (4 MiB or one row), rank 0 three and
/// the labels. `summary` is inspect_dataset's answer. Collective; an error becomes a GroupError on every
/// rank.
[[nodiscard]] DataSlab read_dataset(const TaskGroup& group, const DatasetFile& file, const DatasetSummary& summary,
                                    const SlabLayout& layout);

/// What read_dataset reads, each row less the mean of all selected rows, rounded to single precision, without labels:
/// what is common to all rows would take digits. No rank holds its part in double. Collective; errors as in
/// read_dataset.
[[nodiscard]] SinglePrecisionSlab read_single_precision_differences(const TaskGroup& group, const DatasetFile& file,
                                                                    const DatasetSummary& summary,
                                                                    const SlabLayout& layout);

/// Labels of the first `rows` rows, in their order after selection and shuffling; empty if there are none.
/// Local.
[[nodiscard]] std::vector<std::int32_t> read_labels(const DatasetFile& file, std::int64_t rows);

}  // namespace diffphase
