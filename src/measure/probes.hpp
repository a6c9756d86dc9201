#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "ensemble/data_slab.hpp"
#include "ensemble/gaussian_mixture.hpp"
#include "ensemble/row_view.hpp"
#include "measure/measure.hpp"
#include "posterior/inner_products.hpp"
#include "posterior/reduction.hpp"

namespace diffphase {

/// Where the probes of a measure start: probe p, common to a set of sample counts that share its starting
/// rows.
///
/// Drawn data: probe p of count n starts at row p mod n. Files: the starting rows of each count are uniform
/// over its own n, from the stream (seed, realization, n). The noise of probe p is row p of the stream
/// "noise".
class ProbeStarts {
 public:
  explicit ProbeStarts(const TaskParameters& task);

  /// Row of the training set at which probe `probe` of count `count` starts.
  [[nodiscard]] std::int64_t row(std::int64_t probe, std::int64_t count) const;

  /// The counts grouped by equal starting rows for all of probes [first, first + probes): one pass serves a
  /// group. Probes that differ in their noise alone count once.
  [[nodiscard]] std::vector<std::vector<std::int64_t>> groups(std::span<const std::int64_t> counts, std::int64_t first,
                                                              std::int64_t probes) const;

  [[nodiscard]] const RandomStream& noise() const { return noise_; }

 private:
  const TaskParameters& task_;
  RandomStream noise_;
};

/// Probes [first, first + probes) of a mixture, started at rows `row_of(p)` of its infinite training set; the
/// rank's columns of `layout`. Parents are the classes. Collective (inner products).
[[nodiscard]] ProbeBlock draw_probes(const TaskGroup& group, const GaussianMixture& mixture, const RandomStream& noise,
                                     const SlabLayout& layout, std::int64_t first, std::int64_t probes,
                                     const std::function<std::int64_t(std::int64_t)>& row_of);

/// Probes [first, first + probes) that start at rows of a stored training set, `noises` in a row at the same: probe p
/// at row_of(p / noises), with its own noise. `first` is a multiple of noises. Parents are the rows. Of a set in single
/// precision, the noise is rounded to it, too, so that products in that precision are of just these probes. Collective.
[[nodiscard]] ProbeBlock fetch_probes(const TaskGroup& group, RowView rows, const RandomStream& noise,
                                      std::int64_t first, std::int64_t probes,
                                      const std::function<std::int64_t(std::int64_t)>& row_of, std::int64_t noises = 1);

/// Numbers in memory, over all ranks, where so many rows of so many columns are stored: row_stride adds 1/32 at most.
[[nodiscard]] inline double stored_numbers(double rows, double columns) { return 33.0 / 32.0 * rows * columns; }

/// What drawing `count` rows of the task's training set takes beside the slab that holds them. Counts what every rank
/// of a group makes for itself once: under the component partition each has the whole factor of a linear manifold.
[[nodiscard]] Cost draw_cost(const TaskParameters& task, Partition partition, std::int64_t count);

/// What drawing probes in the frame of a mixture's classes takes (FrameProbes).
[[nodiscard]] Cost frame_probes_cost(const MixtureParameters& mixture, double probes);

/// The rank's part of the task's training set, rows [0, count) and the rest of the last block of rows where
/// the data have them: products of whole blocks do not depend on `count`. Rows of a file are those less its first row:
/// an offset that is common to all costs no digits, and nothing about a training set depends on it. Collective.
[[nodiscard]] DataSlab make_training_set(const TaskGroup& group, const TaskParameters& task, Partition partition,
                                         std::int64_t count);

/// The same without the columns that are zero in every row (TaskParameters::nonzero_columns): what is asked of the
/// posterior over training points does not depend on them. Collective.
[[nodiscard]] DataSlab make_nonzero_training_set(const TaskGroup& group, const TaskParameters& task,
                                                 Partition partition, std::int64_t count);

/// make_nonzero_training_set stored in single precision, never the whole of it in double. Rows of a file are those less
/// the mean of all its rows, from which floats keep most digits. Collective.
[[nodiscard]] SinglePrecisionSlab make_single_precision_training_set(const TaskGroup& group, const TaskParameters& task,
                                                                     Partition partition, std::int64_t count);

/// The centroids of a mixture, layout.rows = classes, labelled by superclass where there are superclasses. Collective.
[[nodiscard]] DataSlab make_centroids(const TaskGroup& group, const GaussianMixture& mixture, const SlabLayout& layout);
/// make_centroids stored in single precision; doubles of about 1 MiB of rows, or of 64 rows, are kept beside it.
/// Collective.
[[nodiscard]] SinglePrecisionSlab make_single_precision_centroids(const TaskGroup& group,
                                                                  const GaussianMixture& mixture,
                                                                  const SlabLayout& layout);

}  // namespace diffphase
