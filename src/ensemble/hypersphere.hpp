#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "ensemble/ensemble.hpp"
#include "random/random_stream.hpp"

namespace diffphase {

/// What defines the law of a hypersphere.
struct SphereParameters {
  std::int64_t dimension = 2;         ///< d, of the space around it
  std::int64_t sphere_dimension = 1;  ///< p - 1, of its surface
  double radius = 1.0;

  /// Empty if valid, else one sentence that names the key, the value and what is allowed.
  [[nodiscard]] std::string problem() const;

  /// Coordinates p = sphere_dimension + 1 of the space that it spans.
  [[nodiscard]] std::int64_t span() const { return sphere_dimension + 1; }
};

/// Data uniform on the sphere S^(p-1) of the given radius around the origin of the first p coordinates of R^d (the
/// noise is isotropic, so the frame is no loss of generality): x = R g / |g|, g the first p numbers of row r of the
/// stream "directions". Any rank makes any row and any column, from all p numbers of the row; nothing is stored.
/// Local, not collective.
class Hypersphere : public Ensemble {
 public:
  /// Throws std::invalid_argument with parameters.problem() if that is not empty. `ensemble` is the hash of the
  /// ensemble point; see RandomStream.
  Hypersphere(SphereParameters parameters, std::uint64_t seed, const Hash128& ensemble, std::int64_t realization);

  [[nodiscard]] const SphereParameters& parameters() const { return parameters_; }
  [[nodiscard]] std::int64_t dimension() const override { return parameters_.dimension; }
  [[nodiscard]] std::int64_t nonzero_columns() const override { return parameters_.span(); }

  [[nodiscard]] std::unique_ptr<RowSampler> sampler(std::int64_t first_column, std::int64_t columns) const override;
  [[nodiscard]] double numbers_per_row(std::int64_t columns) const override;

  void sample(std::int64_t row, std::int64_t first_column, std::span<double> out) const override;

 private:
  SphereParameters parameters_;
  RandomStream stream_;
};

}  // namespace diffphase
