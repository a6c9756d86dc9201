#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace diffphase {

/// Columns of a factor F, directions of a manifold, that share a standard deviation.
struct FactorBlock {
  std::int64_t size = 1;
  double sigma = 1.0;

  friend bool operator==(const FactorBlock&, const FactorBlock&) = default;
};

struct ColumnRange {
  std::int64_t first = 0;
  std::int64_t count = 0;
};

/// All directions of one standard deviation.
struct VarianceBand {
  double sigma = 1.0;
  std::int64_t size = 0;
  std::vector<ColumnRange> columns;  ///< of F
};

/// The blocks with those of equal sigma joined, from the largest sigma: what the dimension `block` of results counts.
[[nodiscard]] std::vector<VarianceBand> variance_bands(std::span<const FactorBlock> blocks);

enum class FactorKind { orthonormal, gaussian };
/// Entries of a Gaussian factor have variance sigma^2 / Q: Q = number of columns, dimension, or 1.
enum class FactorNormalisation { columns, dimension, none };

/// Q for the blocks given.
[[nodiscard]] double factor_scale(std::int64_t dimension, std::span<const FactorBlock> blocks,
                                  FactorNormalisation normalisation);

/// What defines the law of a linear manifold.
struct ManifoldParameters {
  std::int64_t dimension = 1;
  std::vector<FactorBlock> blocks;  ///< at least one
  FactorKind factor = FactorKind::orthonormal;
  FactorNormalisation normalisation = FactorNormalisation::columns;  ///< of a Gaussian factor
  double ambient_noise = 0.0;                                        ///< standard deviation in all coordinates

  /// Empty if valid, else one sentence that names the key, the value and what is allowed.
  [[nodiscard]] std::string problem() const;

  /// Dimension m of the manifold: the sum of the blocks' sizes, which is the number of columns of F.
  [[nodiscard]] std::int64_t columns() const;

  /// Q of a Gaussian factor.
  [[nodiscard]] double scale() const { return factor_scale(dimension, blocks, normalisation); }

  /// Coordinates of the data from this one on are zero: m for orthonormal columns without ambient noise.
  [[nodiscard]] std::int64_t nonzero_columns() const;
};

}  // namespace diffphase
