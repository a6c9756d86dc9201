#include "spectrum/factor_variances.hpp"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <span>

#include "ensemble/data_slab.hpp"
#include "spectrum/tall_singular_values.hpp"

namespace diffphase {

namespace {

constexpr double accuracy_of_singular_values = 5e-11;

// Rows of a matrix that this rank has, made in steps with agreement points between them.
struct LocalRows {
  std::int64_t columns = 0;
  std::vector<double> values;
};

// Calls fill(k) for vectors [0, count), which have `length` numbers each.
void fill_vectors(const TaskGroup& group, std::int64_t count, std::int64_t length,
                  const std::function<void(std::int64_t)>& fill) {
  const std::int64_t together = std::max<std::int64_t>(1, numbers_per_draw / std::max<std::int64_t>(1, length));
  for (std::int64_t first = 0; first < count; first += together) {
    group.run_guarded([&] {
      for (std::int64_t k = first; k < std::min(count, first + together); ++k) fill(k);
    });
  }
}

// This rank's rows of F, of its coordinates.
LocalRows rows_of_factor(const TaskGroup& group, const LinearManifold& manifold) {
  const SlabLayout layout{.partition = Partition::dimension,
                          .rows = manifold.columns(),
                          .columns = manifold.dimension(),
                          .ranks = group.comm().size(),
                          .rank = group.comm().rank()};
  const std::int64_t own = layout.local_columns();
  LocalRows rows{.columns = manifold.columns(), .values = {}};
  std::vector<double> column;
  group.run_guarded([&] {
    rows.values.resize(static_cast<std::size_t>(own * rows.columns));
    column.resize(static_cast<std::size_t>(own));
  });
  fill_vectors(group, rows.columns, layout.most_local_columns(), [&](std::int64_t k) {
    manifold.factor_column(k, layout.first_column(), column);
    for (std::int64_t i = 0; i < own; ++i) {
      rows.values[static_cast<std::size_t>(i * rows.columns + k)] = column[static_cast<std::size_t>(i)];
    }
  });
  return rows;
}

std::vector<double> exact_variances(const ManifoldParameters& parameters) {
  std::vector<double> variances;
  for (const FactorBlock& block : parameters.blocks) {
    variances.insert(variances.end(), static_cast<std::size_t>(block.size), block.sigma * block.sigma);
  }
  std::ranges::sort(variances, std::greater<>());
  return variances;
}

}  // namespace

std::vector<double> factor_variances(const TaskGroup& group, const LinearManifold& manifold) {
  if (manifold.parameters().factor == FactorKind::orthonormal) return exact_variances(manifold.parameters());
  const LocalRows rows = rows_of_factor(group, manifold);
  const TallSingularValues singular =
      tall_singular_values(group, rows.columns, rows.values,
                           {.accuracy = accuracy_of_singular_values, .floor = 0.0, .method = TallMethod::automatic});
  std::vector<double> variances = singular.values;
  for (double& value : variances) value *= value;
  return variances;
}

}  // namespace diffphase
