#pragma once

// The posterior of a small Gaussian mixture, written down from its definition in long double: what the tests
// hold the library against.

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <vector>

#include "ensemble/data_slab.hpp"
#include "random/random_stream.hpp"

namespace diffphase::dense {

using Real = long double;
using Vector = std::vector<Real>;

struct Mixture {
  std::vector<std::vector<double>> centres;
  std::vector<double> sigmas;
  std::vector<double> weights;

  [[nodiscard]] std::size_t components() const { return centres.size(); }
  [[nodiscard]] std::size_t dimension() const { return centres.front().size(); }
};

/// `rows` points of independent normal entries times `scale`; sigma 0, uniform weights.
inline Mixture random_points(std::size_t rows, std::size_t columns, double scale, const char* name) {
  const RandomStream stream(1, hash_text(name), 0, "test");
  Mixture mixture{.centres = std::vector(rows, std::vector<double>(columns)),
                  .sigmas = std::vector<double>(rows, 0.0),
                  .weights = std::vector<double>(rows, 1.0 / static_cast<double>(rows))};
  for (std::size_t i = 0; i < rows; ++i) {
    stream.normals(i, 0, mixture.centres[i]);
    for (double& value : mixture.centres[i]) value *= scale;
  }
  return mixture;
}

/// The part of the mixture's centres that a layout gives to its rank.
inline DataSlab slab_of(const Mixture& mixture, const SlabLayout& layout) {
  DataSlab slab{.layout = layout, .values = {}, .labels = {}};
  const auto first = static_cast<std::ptrdiff_t>(layout.first_column());
  const auto columns = static_cast<std::ptrdiff_t>(layout.local_columns());
  for (std::int64_t local = 0; local < layout.local_rows(); ++local) {
    const auto begin = mixture.centres[static_cast<std::size_t>(layout.global_row(local))].begin() + first;
    slab.values.insert(slab.values.end(), begin, begin + columns);
  }
  return slab;
}

/// On one rank.
inline DataSlab slab_of(const Mixture& mixture, Partition partition = Partition::component) {
  return slab_of(mixture, SlabLayout{.partition = partition,
                                     .rows = static_cast<std::int64_t>(mixture.components()),
                                     .columns = static_cast<std::int64_t>(mixture.dimension())});
}

struct Posterior {
  Real log_evidence = 0;
  Vector responsibilities;
  Vector mean;
  std::vector<Vector> covariance;
};

/// p_c ~ w_c N(x; a y_c, v_c I); x_0 given c is N(m_c, (b^2 sigma_c^2/v_c) I), m_c = y_c + (a
/// sigma_c^2/v_c)(x - a y_c).
inline Posterior posterior(const Mixture& mixture, Real a, Real b, const std::vector<double>& x,
                           bool with_covariance = true) {
  const std::size_t d = mixture.dimension();
  const std::size_t n = mixture.components();
  Vector logits(n);
  Real largest = -INFINITY;
  for (std::size_t c = 0; c < n; ++c) {
    const Real v = b * b + a * a * Real(mixture.sigmas[c]) * mixture.sigmas[c];
    Real distance2 = 0;
    for (std::size_t j = 0; j < d; ++j) {
      const Real difference = x[j] - a * mixture.centres[c][j];
      distance2 += difference * difference;
    }
    logits[c] = std::log(Real(mixture.weights[c])) - distance2 / (2 * v) -
                Real(d) / 2 * std::log(2 * std::numbers::pi_v<Real> * v);
    largest = std::max(largest, logits[c]);
  }
  Real mass = 0;
  for (const Real logit : logits) mass += std::exp(logit - largest);
  Posterior out{.log_evidence = largest + std::log(mass),
                .responsibilities = Vector(n),
                .mean = Vector(d),
                .covariance = std::vector(with_covariance ? d : 0, Vector(d))};
  std::vector<Vector> means(n, Vector(d));
  for (std::size_t c = 0; c < n; ++c) {
    const Real sigma2 = Real(mixture.sigmas[c]) * mixture.sigmas[c];
    const Real v = b * b + a * a * sigma2;
    const Real p = out.responsibilities[c] = std::exp(logits[c] - out.log_evidence);
    for (std::size_t j = 0; j < d; ++j) {
      const Real y = mixture.centres[c][j];
      means[c][j] = y + a * sigma2 / v * (x[j] - a * y);
      out.mean[j] += p * means[c][j];
      if (with_covariance) out.covariance[j][j] += p * b * b * sigma2 / v;
    }
  }
  for (std::size_t c = 0; with_covariance && c < n; ++c) {
    for (std::size_t j = 0; j < d; ++j) {
      for (std::size_t k = 0; k < d; ++k) {
        out.covariance[j][k] += out.responsibilities[c] * (means[c][j] - out.mean[j]) * (means[c][k] - out.mean[k]);
      }
    }
  }
  return out;
}

}  // namespace diffphase::dense
