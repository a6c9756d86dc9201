#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "ensemble/data_slab.hpp"
#include "ensemble/ensemble.hpp"
#include "ensemble/manifold_parameters.hpp"
#include "random/random_stream.hpp"

namespace diffphase {

/// Gaussian data on a linear manifold, x = F z + ambient_noise xi with z, xi standard normal: one draw of F, d x m.
/// Column k of F belongs to block b(k), blocks one after the other in the order given:
///  - orthonormal: sigma_b times coordinate axis k. The noise of every process is isotropic, so other orthonormal
///    columns are the same law in rotated coordinates. With blocks of size 1 this is the anisotropic Gaussian of any
///    given spectrum.
///  - gaussian: independent N(0, sigma_b^2 / Q) entries from the stream "factor"
///
/// Row r of the infinite training set has its z in row r of the stream "latents" and its xi in row r of "ambient". Any
/// rank makes any row and any column. A sampler of c columns keeps c x m numbers of a Gaussian factor, and nothing of
/// an orthonormal one; nothing else of size d or larger is stored. Local, not collective.
class LinearManifold : public Ensemble {
 public:
  /// Throws std::invalid_argument with parameters.problem() if that is not empty. `ensemble` is the hash of the
  /// ensemble point; see RandomStream.
  LinearManifold(ManifoldParameters parameters, std::uint64_t seed, const Hash128& ensemble, std::int64_t realization);

  [[nodiscard]] const ManifoldParameters& parameters() const { return parameters_; }
  [[nodiscard]] std::int64_t dimension() const override { return parameters_.dimension; }
  [[nodiscard]] std::int64_t nonzero_columns() const override { return parameters_.nonzero_columns(); }
  /// Dimension m of the manifold.
  [[nodiscard]] std::int64_t columns() const { return first_columns_.back(); }
  /// Block of a column of F, and the column that a block begins with.
  [[nodiscard]] std::int64_t block(std::int64_t column) const;
  [[nodiscard]] std::int64_t first_column(std::int64_t block) const {
    return first_columns_[static_cast<std::size_t>(block)];
  }

  /// Coordinates [first_coordinate, first_coordinate + out.size()) of column k of F, the block's sigma included.
  void factor_column(std::int64_t k, std::int64_t first_coordinate, std::span<double> out) const;

  /// Latent numbers z_k, k from `first` on, of row `row` of the infinite training set.
  void latents(std::int64_t row, std::int64_t first, std::span<double> out) const;

  /// Adds the ambient noise of row `row` to its columns from `first_coordinate` on.
  void add_ambient_noise(std::int64_t row, std::int64_t first_coordinate, std::span<double> out) const;

  [[nodiscard]] std::unique_ptr<RowSampler> sampler(std::int64_t first_column, std::int64_t columns) const override;
  [[nodiscard]] double numbers_per_row(std::int64_t columns) const override;

 private:
  ManifoldParameters parameters_;
  std::vector<std::int64_t> first_columns_;  // of each block, then m
  RandomStream factor_stream_;
  RandomStream latent_stream_;
  RandomStream ambient_stream_;
};

/// F transposed: row k is column k of F (layout.rows = columns(), layout.columns = dimension()), labels = block.
/// Local.
[[nodiscard]] DataSlab factor_matrix(const LinearManifold& manifold, const SlabLayout& layout);

}  // namespace diffphase
