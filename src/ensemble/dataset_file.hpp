#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "ensemble/data_slab.hpp"
#include "parallel/task_group.hpp"

namespace diffphase {

/// raw: as stored; unit: [0,1]; symmetric: [-1,1] (integers divided by their type's maximum); standardised:
/// minus the mean, over the standard deviation, of all entries of the selected rows.
enum class Scaling { raw, unit, symmetric, standardised };

/// A training set in a file: IDX, gzipped IDX, NPY (C order, little-endian) or HDF5 ("file.h5:/path"); uint8,
/// float or double; first index: rows, all others flattened.
struct DatasetFile {
  std::string path;
  std::string labels;  ///< same formats, one integer per row; empty: none
  std::vector<std::int64_t>
      select_classes;    ///< keep only rows with these labels; label := position in this list
  std::int64_t pad = 0;  ///< zeros added on each side of images (rows of rank 2)
  bool shuffle = false;  ///< permute rows with the stream (seed, "shuffle")
  Scaling scaling = Scaling::raw;
  std::uint64_t seed = 1;  ///< of the shuffle
};

/// What is wrong with a file, in one sentence that names it. Reported as bad input (exit code 2).
class DatasetError : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// What a run must know of a file before it starts.
struct DatasetSummary {
  std::int64_t rows = 0;  ///< after select_classes
  std::int64_t dimension = 0;
  std::vector<std::int64_t> class_sizes;  ///< rows of each label; empty if unlabelled
  double mean = 0.0;                      ///< of all entries of the selected rows, before scaling
  double standard_deviation = 0.0;
};

/// Reads the file once, row by row, and checks all of it: existence, format, shape, type, truncation, finite
/// values, labels of the same length. Throws DatasetError. Memory: one row and the labels. Local, not
/// collective.
[[nodiscard]] DatasetSummary inspect_dataset(const DatasetFile& file);

/// The rank's part of the first `layout.rows` rows after selection and shuffling, scaled. The group's rank 0
/// reads the file as a stream and sends every rank its rows or columns; no rank holds more than its part and
/// one block of rows. `summary` is inspect_dataset's answer. Collective; throws GroupError on every rank.
[[nodiscard]] DataSlab read_dataset(const TaskGroup& group, const DatasetFile& file,
                                    const DatasetSummary& summary, const SlabLayout& layout);

/// Labels of the first `rows` rows, in their order after selection and shuffling. Local.
[[nodiscard]] std::vector<std::int32_t> read_labels(const DatasetFile& file, std::int64_t rows);

}  // namespace diffphase
