#include "spectrum/covariance.hpp"

#include <vector>

#include "spectrum/weighted_rows.hpp"

namespace diffphase {

namespace {

// Mean of the first rows, this rank's columns; `rows` of them are on this rank. Collective.
std::vector<double> mean_row(const TaskGroup& group, const DataSlab& slab, std::int64_t rows, std::int64_t count) {
  std::vector<double> mean;
  group.run_guarded([&] {
    mean.resize(static_cast<std::size_t>(slab.layout.local_columns()));
    for (std::int64_t r = 0; r < rows; ++r) {
      const std::span<const double> row = slab.row(r);
      for (std::size_t j = 0; j < mean.size(); ++j) mean[j] += row[j] / static_cast<double>(count);
    }
  });
  if (slab.layout.partition == Partition::component) group.comm().sum(mean);
  return mean;
}

}  // namespace

LargestEigenvalue largest_covariance_eigenvalue(const TaskGroup& group, const DataSlab& slab, std::int64_t count) {
  SlabLayout prefix = slab.layout;
  prefix.rows = count;
  const std::int64_t rows = prefix.local_rows();
  RowTerms terms;
  terms.reference = mean_row(group, slab, rows, count);
  group.run_guarded([&] {
    terms.weights.assign(static_cast<std::size_t>(rows), 1.0 / static_cast<double>(count));
    terms.scales = {1.0};
  });
  const WeightedRows centred(group, slab, std::move(terms));
  return largest_eigenvalue(group, as_operator(centred));
}

}  // namespace diffphase
