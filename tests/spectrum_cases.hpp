#pragma once

// Small mixtures and training sets whose score Jacobian is known as a dense matrix, for tests on any number of ranks.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "dense_posterior.hpp"
#include "posterior/point_posterior.hpp"
#include "spectrum/dense_eigenvalues.hpp"
#include "spectrum/score_jacobian.hpp"
#include "spectrum/vector_block.hpp"

namespace diffphase::test {

struct SpectrumCase {
  std::string name;
  dense::Mixture mixture;
  NoiseLevel level;
  std::vector<double> x;

  [[nodiscard]] ComponentLaw law() const { return {.sigmas = mixture.sigmas, .weights = mixture.weights}; }
};

/// x as the noising process makes it from component `parent`.
inline SpectrumCase noised(std::string name, dense::Mixture mixture, NoiseLevel level, std::size_t parent = 0) {
  const std::size_t d = mixture.dimension();
  std::vector<double> x(d);
  RandomStream(2, hash_text(name), 0, "point").normals(0, 0, x);
  const double width = std::hypot(level.noise, level.signal * mixture.sigmas[parent]);
  for (std::size_t j = 0; j < d; ++j) x[j] = level.signal * mixture.centres[parent][j] + width * x[j];
  return {std::move(name), std::move(mixture), level, std::move(x)};
}

inline dense::Mixture unequal_classes(std::size_t dimension) {
  dense::Mixture mixture = dense::random_points(5, dimension, 1.0, "unequal classes");
  mixture.sigmas = {0.3, 1.0, 0.0, 2.0, 0.7};
  mixture.weights = {0.1, 0.2, 0.3, 0.15, 0.25};
  return mixture;
}

inline dense::Mixture equal_classes(std::size_t classes, std::size_t dimension, double sigma) {
  dense::Mixture mixture = dense::random_points(classes, dimension, 1.0, "equal classes");
  mixture.sigmas.assign(classes, sigma);
  return mixture;
}

/// Orthogonal centroids of the same length, seen from the origin: C has K - 1 equal eigenvalues.
inline SpectrumCase symmetric_classes(std::size_t classes, std::size_t dimension, double sigma) {
  dense::Mixture mixture = equal_classes(classes, dimension, sigma);
  for (std::size_t c = 0; c < classes; ++c) {
    std::fill(mixture.centres[c].begin(), mixture.centres[c].end(), 0.0);
    mixture.centres[c][c] = 2.0;
  }
  return {"symmetric classes", mixture, NoiseLevel::at_tau(1.0), std::vector<double>(dimension)};
}

/// Training points in 4 narrow clusters around the vertices of a simplex: 3 large eigenvalues close together.
inline SpectrumCase clustered(std::size_t dimension) {
  dense::Mixture mixture = dense::random_points(60, dimension, 0.05, "clusters");
  for (std::size_t i = 0; i < 60; ++i) mixture.centres[i][i % 4] += 3.0;
  std::vector<double> x(dimension);
  std::fill_n(x.begin(), 4, 0.75);
  return {"clusters", mixture, NoiseLevel::at_tau(4.0), x};
}

inline std::vector<SpectrumCase> spectrum_cases() {
  const NoiseLevel ou{.signal = std::exp(-0.7), .noise = std::sqrt(-std::expm1(-1.4))};
  dense::Mixture far = dense::random_points(40, 9, 1.0, "far");
  for (auto& row : far.centres) {
    for (double& value : row) value += 1000.0;
  }
  std::vector<SpectrumCase> all;
  all.push_back(noised("training points, n > d", dense::random_points(40, 9, 1.0, "points"), NoiseLevel::at_tau(2.0)));
  all.push_back(noised("training points, n < d", dense::random_points(12, 30, 0.3, "few"), NoiseLevel::at_tau(2.0)));
  all.push_back(noised("training points far away", far, NoiseLevel::at_tau(2.0)));
  all.push_back(
      noised("all weight on one point", dense::random_points(40, 9, 1.0, "points"), NoiseLevel::at_tau(1e-6)));
  all.push_back(noised("one training point", dense::random_points(1, 8, 1.0, "one"), ou));
  all.push_back(noised("one dimension", dense::random_points(12, 1, 2.0, "line"), ou));
  all.push_back(noised("one class", equal_classes(1, 8, 1.5), ou));
  all.push_back(noised("classes of one sigma", equal_classes(6, 11, 0.8), NoiseLevel::at_tau(3.0)));
  all.push_back(noised("classes of one sigma, K > d", equal_classes(14, 5, 0.8), NoiseLevel::at_tau(3.0)));
  all.push_back(noised("unequal classes", unequal_classes(7), ou));
  all.push_back(noised("unequal classes, much noise", unequal_classes(7), NoiseLevel::at_tau(100.0)));
  all.push_back(symmetric_classes(6, 13, 0.5));
  all.push_back(clustered(20));
  return all;
}

/// C = (a^2/b^2) Cov[x_0|x] from its definition, row-major.
inline std::vector<double> dense_operator(const SpectrumCase& c) {
  const std::size_t d = c.mixture.dimension();
  const auto posterior = dense::posterior(c.mixture, c.level.signal, c.level.noise, c.x);
  const double factor = std::pow(c.level.signal / c.level.noise, 2);
  std::vector<double> matrix(d * d);
  for (std::size_t j = 0; j < d; ++j) {
    for (std::size_t k = 0; k < d; ++k) matrix[j * d + k] = factor * static_cast<double>(posterior.covariance[j][k]);
  }
  return matrix;
}

/// The operator's matrix on every rank, row v = A e_v, from blocks of `block` vectors.
inline std::vector<double> matrix_of(const TaskGroup& group, const SymmetricOperator& op, std::int64_t block) {
  const VectorBlocks blocks(group, op);
  const auto local = static_cast<std::size_t>(op.local_size);
  std::vector<double> matrix(static_cast<std::size_t>(op.size * op.size));
  for (std::int64_t first = 0; first < op.size; first += block) {
    const std::int64_t vectors = std::min(block, op.size - first);
    std::vector<double> in(static_cast<std::size_t>(vectors) * local);
    std::vector<double> out(in.size());
    for (std::int64_t v = 0; v < vectors; ++v) {
      const std::int64_t at = first + v - blocks.first();
      if (at >= 0 && at < op.local_size) in[static_cast<std::size_t>(v) * local + static_cast<std::size_t>(at)] = 1.0;
    }
    op.apply(vectors, in, out);
    for (std::int64_t v = 0; v < vectors; ++v) {
      std::copy_n(out.begin() + v * op.local_size, local, matrix.begin() + (first + v) * op.size + blocks.first());
    }
  }
  group.comm().sum(matrix);
  return matrix;
}

/// A case on the ranks of a group.
struct Stage {
  SlabLayout layout;
  DataSlab slab;
  PointPosterior posterior;
  ScoreJacobian jacobian;

  static SlabLayout layout_of(const TaskGroup& group, const SpectrumCase& c, Partition partition) {
    return {.partition = partition,
            .rows = static_cast<std::int64_t>(c.mixture.components()),
            .columns = static_cast<std::int64_t>(c.mixture.dimension()),
            .ranks = group.comm().size(),
            .rank = group.comm().rank()};
  }

  Stage(const TaskGroup& group, const SpectrumCase& c, Partition partition)
      : layout(layout_of(group, c, partition)),
        slab(dense::slab_of(c.mixture, layout)),
        posterior(group, slab, c.law()),
        jacobian(ScoreJacobian::at(group, posterior, c.level, local_columns(c.x))) {}
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;
  ~Stage() = default;

  [[nodiscard]] std::vector<double> local_columns(const std::vector<double>& whole) const {
    const auto begin = whole.begin() + layout.first_column();
    return {begin, begin + layout.local_columns()};
  }
};

inline double largest_entry(const std::vector<double>& matrix) {
  double largest = 0.0;
  for (const double value : matrix) largest = std::max(largest, std::abs(value));
  return largest;
}

}  // namespace diffphase::test
