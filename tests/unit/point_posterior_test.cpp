#include "posterior/point_posterior.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "dense_posterior.hpp"

namespace diffphase {
namespace {

struct Case {
  std::string name;
  dense::Mixture mixture;
  NoiseLevel level;
};

ComponentLaw law_of(const dense::Mixture& mixture) { return {.sigmas = mixture.sigmas, .weights = mixture.weights}; }

dense::Mixture unequal_mixture() {
  dense::Mixture mixture = dense::random_points(5, 7, 1.0, "unequal");
  mixture.sigmas = {0.3, 1.0, 0.0, 2.0, 0.7};
  mixture.weights = {0.1, 0.2, 0.3, 0.15, 0.25};
  return mixture;
}

std::vector<Case> cases() {
  std::vector<Case> all;
  const NoiseLevel ou{.signal = std::exp(-0.7), .noise = std::sqrt(-std::expm1(-1.4))};
  all.push_back({"training points", dense::random_points(40, 9, 1.0, "points"), ou});
  all.push_back(
      {"training points, little noise", dense::random_points(40, 9, 1.0, "points"), NoiseLevel::at_tau(1e-4)});
  all.push_back(
      {"training points, much noise", dense::random_points(40, 9, 1.0, "points"), {.signal = 0.01, .noise = 0.99}});
  all.push_back({"one training point", dense::random_points(1, 4, 1.0, "one"), ou});
  all.push_back({"one dimension", dense::random_points(12, 1, 2.0, "line"), ou});
  all.push_back({"unequal classes", unequal_mixture(), ou});
  all.push_back({"unequal classes, much noise", unequal_mixture(), NoiseLevel::at_tau(100.0)});
  dense::Mixture single = dense::random_points(1, 6, 1.0, "single");
  single.sigmas = {1.5};
  all.push_back({"one Gaussian", single, ou});
  // More rows than a tile of the slab: 1100 x 300 numbers are 2.5 MiB, tiles are 1 MiB.
  all.push_back({"several tiles", dense::random_points(1100, 300, 0.05, "tiles"), ou});
  return all;
}

// Points as the noising process makes them, x = a y + b xi from some of the centres.
std::vector<double> noised_points(const Case& c, std::size_t count) {
  const RandomStream stream(2, hash_text(c.name), 0, "points");
  const std::size_t d = c.mixture.dimension();
  std::vector<double> points(count * d);
  for (std::size_t p = 0; p < count; ++p) {
    const std::size_t parent = p % c.mixture.components();
    std::vector<double> z(d);
    stream.normals(p, 0, z);
    const double width = std::hypot(c.level.noise, c.level.signal * c.mixture.sigmas[parent]);
    for (std::size_t j = 0; j < d; ++j) {
      points[p * d + j] = c.level.signal * c.mixture.centres[parent][j] + width * z[j];
    }
  }
  return points;
}

std::vector<double> point(const std::vector<double>& block, std::size_t p, std::size_t d) {
  return {block.begin() + static_cast<std::ptrdiff_t>(p * d), block.begin() + static_cast<std::ptrdiff_t>((p + 1) * d)};
}

class PointPosteriorTest : public testing::Test {
 protected:
  Communicator self_ = Communicator::self();
  TaskGroup group_{self_};
};

TEST_F(PointPosteriorTest, EqualsTheDenseDefinition) {
  for (const Case& c : cases()) {
    for (const Partition partition : {Partition::component, Partition::dimension}) {
      SCOPED_TRACE(c.name);
      const DataSlab slab = dense::slab_of(c.mixture, partition);
      const PointPosterior posterior(group_, slab, law_of(c.mixture));
      const std::size_t count = 6;
      const std::size_t d = c.mixture.dimension();
      const std::vector<double> x = noised_points(c, count);
      const PosteriorMoments moments = posterior.moments(c.level, count, x);
      const std::vector<double> log_evidence = posterior.log_evidence(c.level, count, x);
      const std::vector<double> score = posterior.score(c.level, count, x);
      std::vector<double> responsibilities(count * c.mixture.components());
      posterior.responsibilities(c.level, count, x, log_evidence, [&](const ResponsibilityTile& tile) {
        const auto rows = static_cast<std::size_t>(tile.rows);
        for (std::size_t p = 0; p < count; ++p) {
          std::copy_n(
              tile.values.begin() + static_cast<std::ptrdiff_t>(p * rows), rows,
              responsibilities.begin() + static_cast<std::ptrdiff_t>(p * c.mixture.components()) + tile.first_row);
        }
      });
      for (std::size_t p = 0; p < count; ++p) {
        const auto expected = dense::posterior(c.mixture, c.level.signal, c.level.noise, point(x, p, d), false);
        const auto evidence = static_cast<double>(expected.log_evidence);
        EXPECT_NEAR(moments.log_evidence[p], evidence, 1e-11 * (1.0 + std::abs(evidence)));
        EXPECT_EQ(moments.log_evidence[p], log_evidence[p]);
        for (std::size_t i = 0; i < c.mixture.components(); ++i) {
          EXPECT_NEAR(responsibilities[p * c.mixture.components() + i],
                      static_cast<double>(expected.responsibilities[i]), 1e-10);
        }
        const long double noise2 = c.level.noise * static_cast<long double>(c.level.noise);
        for (std::size_t j = 0; j < d; ++j) {
          EXPECT_NEAR(moments.mean[p * d + j], static_cast<double>(expected.mean[j]), 1e-10);
          const auto expected_score = static_cast<double>((c.level.signal * expected.mean[j] - x[p * d + j]) / noise2);
          EXPECT_NEAR(score[p * d + j], expected_score, 1e-10 * (1.0 + std::abs(expected_score)));
        }
      }
    }
  }
}

TEST_F(PointPosteriorTest, ScoreIsTheGradientOfTheLogEvidence) {
  for (const Case& c : cases()) {
    if (c.mixture.dimension() > 10) continue;
    SCOPED_TRACE(c.name);
    const DataSlab slab = dense::slab_of(c.mixture);
    const PointPosterior posterior(group_, slab, law_of(c.mixture));
    const std::size_t d = c.mixture.dimension();
    const std::vector<double> x = noised_points(c, 1);
    const std::vector<double> score = posterior.score(c.level, 1, x);
    const double step = 1e-4 * c.level.noise;
    double scale = 0.0;
    for (const double value : score) scale = std::max(scale, std::abs(value));
    for (std::size_t j = 0; j < d; ++j) {
      std::vector<double> pair(2 * d);
      std::copy(x.begin(), x.end(), pair.begin());
      std::copy(x.begin(), x.end(), pair.begin() + static_cast<std::ptrdiff_t>(d));
      pair[j] += step;
      pair[d + j] -= step;
      const std::vector<double> evidence = posterior.log_evidence(c.level, 2, pair);
      EXPECT_NEAR((evidence[0] - evidence[1]) / (2.0 * step), score[j], 1e-6 * scale);
    }
  }
}

TEST_F(PointPosteriorTest, CovarianceActionEqualsTheDenseMatrix) {
  for (const Case& c : cases()) {
    if (c.mixture.dimension() > 10) continue;
    for (const Partition partition : {Partition::component, Partition::dimension}) {
      SCOPED_TRACE(c.name);
      const DataSlab slab = dense::slab_of(c.mixture, partition);
      const PointPosterior posterior(group_, slab, law_of(c.mixture));
      const std::size_t d = c.mixture.dimension();
      const std::vector<double> x = noised_points(c, 1);
      const PosteriorCovariance covariance(posterior, c.level, x);
      std::vector<double> identity(d * d);
      for (std::size_t j = 0; j < d; ++j) identity[j * d + j] = 1.0;
      std::vector<double> matrix(d * d);
      covariance.apply(static_cast<std::int64_t>(d), identity, matrix);
      const auto expected = dense::posterior(c.mixture, c.level.signal, c.level.noise, x);
      double scale = 0.0;
      for (std::size_t j = 0; j < d; ++j) {
        scale = std::max(scale, std::abs(static_cast<double>(expected.covariance[j][j])));
      }
      for (std::size_t j = 0; j < d; ++j) {
        EXPECT_NEAR(covariance.mean()[j], static_cast<double>(expected.mean[j]), 1e-10);
        for (std::size_t k = 0; k < d; ++k) {
          EXPECT_NEAR(matrix[j * d + k], static_cast<double>(expected.covariance[j][k]), 1e-9 * scale + 1e-14);
          EXPECT_NEAR(matrix[j * d + k], matrix[k * d + j], 1e-12 * scale + 1e-14);
        }
      }
    }
  }
}

TEST_F(PointPosteriorTest, CovarianceIsTheDerivativeOfTheMean) {
  for (const Case& c : cases()) {
    if (c.mixture.dimension() > 10) continue;
    SCOPED_TRACE(c.name);
    const DataSlab slab = dense::slab_of(c.mixture);
    const PointPosterior posterior(group_, slab, law_of(c.mixture));
    const std::size_t d = c.mixture.dimension();
    const std::vector<double> x = noised_points(c, 1);
    const PosteriorCovariance covariance(posterior, c.level, x);
    const double step = 1e-4 * c.level.noise;
    const double factor = c.level.noise * c.level.noise / c.level.signal;
    for (std::size_t j = 0; j < d; ++j) {
      std::vector<double> direction(d);
      direction[j] = 1.0;
      std::vector<double> column(d);
      covariance.apply(1, direction, column);
      std::vector<double> above = x;
      std::vector<double> below = x;
      above[j] += step;
      below[j] -= step;
      const std::vector<double> up = posterior.moments(c.level, 1, above).mean;
      const std::vector<double> down = posterior.moments(c.level, 1, below).mean;
      for (std::size_t k = 0; k < d; ++k) {
        EXPECT_NEAR(factor * (up[k] - down[k]) / (2.0 * step), column[k], 1e-6 * (1.0 + std::abs(column[k])));
      }
    }
  }
}

TEST_F(PointPosteriorTest, CovarianceIsPositiveSemiDefinite) {
  for (const Case& c : cases()) {
    SCOPED_TRACE(c.name);
    const DataSlab slab = dense::slab_of(c.mixture);
    const PointPosterior posterior(group_, slab, law_of(c.mixture));
    const std::size_t d = c.mixture.dimension();
    const PosteriorCovariance covariance(posterior, c.level, noised_points(c, 1));
    const std::size_t count = 5;
    std::vector<double> vectors(count * d);
    RandomStream(3, hash_text("vectors"), 0, "test").normals(0, 0, vectors);
    std::vector<double> images(vectors.size());
    covariance.apply(count, vectors, images);
    for (std::size_t v = 0; v < count; ++v) {
      double form = 0.0;
      double norms = 0.0;
      for (std::size_t j = 0; j < d; ++j) {
        form += vectors[v * d + j] * images[v * d + j];
        norms += std::abs(vectors[v * d + j] * images[v * d + j]);
      }
      EXPECT_GE(form, -1e-14 * norms);
    }
  }
}

TEST_F(PointPosteriorTest, OneGaussianHasTheClosedForm) {
  dense::Mixture mixture = dense::random_points(1, 3, 0.0, "origin");
  mixture.sigmas = {2.0};
  const DataSlab slab = dense::slab_of(mixture);
  const PointPosterior posterior(group_, slab, {.sigmas = {2.0}, .weights = {}});
  const NoiseLevel level = NoiseLevel::at_tau(0.5);
  const std::vector<double> x{1.0, -2.0, 0.5};
  const PosteriorMoments moments = posterior.moments(level, 1, x);
  const std::vector<double> score = posterior.score(level, 1, x);
  for (std::size_t j = 0; j < 3; ++j) {
    EXPECT_NEAR(moments.mean[j], x[j] * 4.0 / 4.5, 1e-15);
    EXPECT_NEAR(score[j], -x[j] / 4.5, 1e-15);
  }
  EXPECT_NEAR(moments.log_evidence[0], -5.25 / 9.0 - 1.5 * std::log(2.0 * std::numbers::pi * 4.5), 1e-14);
}

TEST_F(PointPosteriorTest, NoPointsAreNoWork) {
  const dense::Mixture mixture = dense::random_points(3, 2, 1.0, "points");
  const DataSlab slab = dense::slab_of(mixture);
  const PointPosterior posterior(group_, slab);
  EXPECT_TRUE(posterior.moments(NoiseLevel::at_tau(1.0), 0, {}).mean.empty());
}

TEST_F(PointPosteriorTest, RefusesWhatIsWrong) {
  const dense::Mixture mixture = dense::random_points(3, 2, 1.0, "points");
  const DataSlab slab = dense::slab_of(mixture);
  EXPECT_THROW(PointPosterior(group_, slab, {.sigmas = {1.0, 2.0}, .weights = {}}), GroupError);
  EXPECT_THROW(PointPosterior(group_, slab, {.sigmas = {}, .weights = {1.0}}), GroupError);
  const PointPosterior posterior(group_, slab);
  const NoiseLevel level = NoiseLevel::at_tau(1.0);
  EXPECT_THROW(static_cast<void>(posterior.moments(level, 1, std::vector<double>(3))), GroupError);
  EXPECT_THROW(static_cast<void>(posterior.moments({.signal = 1.0, .noise = 0.0}, 1, std::vector<double>(2))),
               GroupError);
  EXPECT_THROW(static_cast<void>(posterior.moments(level, 1, std::vector<double>{0.0, NAN})), GroupError);
  EXPECT_THROW(posterior.responsibilities(level, 1, std::vector<double>(2), std::vector<double>{0.0},
                                          [](const ResponsibilityTile&) { throw std::runtime_error("no"); }),
               GroupError);
}

}  // namespace
}  // namespace diffphase
