#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "ensemble/gaussian_mixture.hpp"
#include "random/random_stream.hpp"

namespace diffphase {

/// The centroids of a mixture in an orthonormal frame of few axes that contain them all: whatever tells classes apart
/// lies in it, in any dimension.
///
/// Axes of the frame: none for one class; 1 for opposite centroids; the mixture's own first coordinates for orthogonal
/// (K), simplex (K - 1) and hierarchical ones (superclasses + K), for which nothing is stored; min(K, d) for random
/// ones, whose coordinates are drawn in law by the Bartlett decomposition: lower triangular, separation times N(0, 1)
/// below the diagonal and separation times chi of d - c degrees on it. These are other draws than
/// GaussianMixture::centroid, which no table of them could equal in any dimension. Memory for them: 8 K min(K, d)
/// bytes. Local, not collective.
class ClassFrame {
 public:
  /// `mixture` must outlive the frame; the rest is the key of the random centroids, see RandomStream.
  ClassFrame(const GaussianMixture& mixture, std::uint64_t seed, const Hash128& ensemble, std::int64_t realization);

  [[nodiscard]] static std::int64_t columns_of(const MixtureParameters& mixture);
  /// Bytes of the table of random centroids.
  [[nodiscard]] static double bytes_of(const MixtureParameters& mixture);

  [[nodiscard]] const GaussianMixture& mixture() const { return mixture_; }
  [[nodiscard]] std::int64_t columns() const { return columns_; }

  /// Coordinates of centroid c; out.size() = columns().
  void centroid(std::int64_t c, std::span<double> out) const;
  /// |mu_c|^2.
  [[nodiscard]] double norm2(std::int64_t c) const;

  /// Coordinates of row `row` of the infinite training set, of class mixture().label(row); out.size() = columns().
  void sample(std::int64_t row, std::span<double> out) const;

 private:
  friend class CentroidProducts;

  const GaussianMixture& mixture_;
  std::int64_t columns_;
  double norm_;                      // |mu_c| of all centroids but random ones
  std::vector<double> coordinates_;  // random: K x columns
};

/// Inner products of some points of a frame with any classes. Local.
class CentroidProducts {
 public:
  /// `points` are row-major with frame.columns() columns; both must outlive the object.
  CentroidProducts(const ClassFrame& frame, std::span<const double> points, std::int64_t rows);

  /// out[i * stride + (c - first)] = mu_c . points[i] for classes c in [first, first + count).
  void fill(std::int64_t first, std::int64_t count, double* out, std::int64_t stride) const;

 private:
  void fill_row(std::int64_t row, std::int64_t first, std::int64_t count, double* out) const;

  const ClassFrame& frame_;
  std::span<const double> points_;
  std::int64_t rows_;
  std::vector<double> sums_;  // simplex: of the coordinates of each point
};

}  // namespace diffphase
