#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "ensemble/ensemble.hpp"
#include "random/random_stream.hpp"

namespace diffphase {

enum class CentroidKind { random, opposite, orthogonal, simplex, hierarchical };

/// What defines the law of a Gaussian mixture of K classes in d dimensions.
struct MixtureParameters {
  std::int64_t dimension = 1;
  std::int64_t classes = 1;
  CentroidKind centroids = CentroidKind::random;
  double separation = 1.0;                     ///< |mu_c| = separation * sqrt(dimension) (random: on average)
  double sigma = 1.0;                          ///< within-class standard deviation
  std::vector<double> class_sigma;             ///< one per class, in place of sigma; empty: sigma for all
  std::vector<double> weights;                 ///< one per class, positive; normalised to sum 1; empty: uniform
  std::array<std::int64_t, 2> branches{0, 0};  ///< hierarchical: superclasses, classes in each
  /// hierarchical: share of |mu_c|^2 that distinguishes the classes of one superclass, in (0, 1).
  double class_fraction = 0.5;

  /// Empty if valid, else one sentence that names the key, the value and what is allowed.
  [[nodiscard]] std::string problem() const;
};

/// A mixture of K isotropic Gaussians N(mu_c, sigma_c^2 I) with weights w_c: one draw of the centroids.
///
/// classes = 1 is a single Gaussian at the origin. Centroids have the norm separation * sqrt(d), `random`
/// ones on average:
///  - random: independent N(0, separation^2) entries from the stream "centroids"
///  - opposite: +-separation (1, ..., 1); two classes
///  - orthogonal: along the first K coordinate axes (the noise is isotropic, so the frame is no loss of
///    generality)
///  - simplex: vertices of a regular simplex around the origin in the first K - 1 coordinates; K <= d + 1
///  - hierarchical: class c = (A, B), A = c / branches[1], f = class_fraction, e orthonormal, b0 + K <= d:
///    sqrt(d) separation (sqrt(1 - f) e_A + sqrt(f) e_{b0 + c})
///
/// Any rank makes any row and any column; nothing of size K x d is stored. Local, not collective.
class GaussianMixture : public Ensemble {
 public:
  /// Throws std::invalid_argument with parameters.problem() if that is not empty. `ensemble` is the hash of
  /// the ensemble point; see RandomStream.
  GaussianMixture(MixtureParameters parameters, std::uint64_t seed, const Hash128& ensemble, std::int64_t realization);

  [[nodiscard]] const MixtureParameters& parameters() const { return parameters_; }
  [[nodiscard]] std::int64_t dimension() const override { return parameters_.dimension; }
  [[nodiscard]] std::int64_t classes() const { return parameters_.classes; }
  [[nodiscard]] double sigma(std::int64_t c) const;
  [[nodiscard]] double weight(std::int64_t c) const;
  [[nodiscard]] bool shared_sigma() const { return parameters_.class_sigma.empty(); }
  [[nodiscard]] bool uniform_weights() const { return parameters_.weights.empty(); }
  /// Number of superclasses (hierarchical), else 0; and the superclass of a class, hierarchical only.
  [[nodiscard]] std::int64_t superclasses() const;
  [[nodiscard]] std::int64_t superclass(std::int64_t c) const { return c / parameters_.branches[1]; }

  /// Columns [first_column, first_column + out.size()) of centroid c.
  void centroid(std::int64_t c, std::int64_t first_column, std::span<double> out) const;

  [[nodiscard]] bool has_classes() const override { return true; }
  /// Class of row `row` of the infinite training set: an independent draw with the weights.
  [[nodiscard]] std::int64_t label(std::int64_t row) const override;

  [[nodiscard]] std::unique_ptr<RowSampler> sampler(std::int64_t first_column, std::int64_t columns) const override;

  /// Columns of row `row` of the infinite training set: mu_label + sigma_label z.
  void sample(std::int64_t row, std::int64_t first_column, std::span<double> out) const override;

  /// The second half of `sample`, for callers that keep centroids: adds the noise sigma_c z of row `row` to
  /// `out`, which holds those columns of the centroid of c = label(row).
  void add_noise(std::int64_t row, std::int64_t c, std::int64_t first_column, std::span<double> out) const;

 private:
  MixtureParameters parameters_;
  std::vector<double> cumulative_weights_;
  RandomStream centroid_stream_;
  RandomStream class_stream_;
  RandomStream training_stream_;
};

}  // namespace diffphase
