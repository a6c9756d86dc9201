// Training sets that are drawn in law for every probe: products against their closed-form moments, posterior quantities
// against stored training sets.

#include "posterior/streamed_source.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <vector>

#include "support/streamed_runs.hpp"

namespace diffphase {
namespace {

using test::compare_laws;
using test::Estimate;
using test::ProbeTile;
using test::ProbeValues;
using test::stored_values;
using test::streamed_values;
using test::StreamedCase;
using test::StreamedMistake;

// Products of one probe with many fresh points.
struct Products {
  std::vector<double> start, noise, half_norm2;
};

Products products_of(const StreamedSource& source, const ProbeBlock& probes, std::int64_t probe, std::int64_t points) {
  const Communicator self = Communicator::self();
  const TaskGroup group(self);
  Products products;
  const auto collect = [&](const ProductTile& tile) {
    for (std::int64_t i = tile.first == 0 ? 1 : 0; i < tile.components; ++i) {
      products.start.push_back(tile.start_products[probe * tile.stride + i]);
      products.noise.push_back(tile.noise_products[probe * tile.stride + i]);
      products.half_norm2.push_back(tile.half_norm2[probe * tile.half_norm2_stride + i]);
    }
  };
  source.visit(group, probes, points, {.consume = collect});
  return products;
}

// The mean of (u - mean_u)(v - mean_v) with its standard error.
Estimate covariance(const std::vector<double>& u, double mean_u, const std::vector<double>& v, double mean_v) {
  std::vector<double> units(u.size());
  for (std::size_t i = 0; i < u.size(); ++i) units[i] = (u[i] - mean_u) * (v[i] - mean_v);
  return test::estimate(units);
}

void expect_value(const Estimate& measured, double expected, const char* what) {
  EXPECT_LE(std::abs(measured.mean - expected), 5.0 * measured.error)
      << what << ": " << measured.mean << " +- " << measured.error << " for " << expected;
}

// Given the probe: y . u is Gaussian for any fixed u, and all second moments of y . x_0, y . xi and |y|^2/2 are known.
void expect_moments(std::int64_t dimension) {
  const MixtureParameters parameters{.dimension = dimension,
                                     .classes = 2,
                                     .centroids = CentroidKind::opposite,
                                     .separation = 0.8,
                                     .class_sigma = {0.7, 0.7}};
  const Hash128 key = hash_text("moments");
  const GaussianMixture mixture(parameters, 1, key, 0);
  const ClassFrame frame(mixture, 1, key, 0);
  const ProbeBlock probes = own_training_sets(FrameProbes(frame, 1, key, 0).draw(5, 3));
  const StreamedSource source(frame, 1, key, 0);
  const Products products = products_of(source, probes, 1, 100000);
  const auto d = static_cast<double>(dimension);
  const double sigma2 = 0.49;
  const double mu2 = 0.64 * d;
  const double mu_start = 0.8 * std::sqrt(d) * probes.points[1];  // of class 0; the other has the opposite sign
  const double mu_noise = 0.8 * std::sqrt(d) * probes.points[static_cast<std::size_t>(probes.probes) + 1];
  const double x2 = probes.start_norm2[1];
  const double xi2 = probes.noise_norm2[1];
  const double x_xi = probes.start_noise[1];
  const double half = 0.5 * (mu2 + d * sigma2);
  expect_value(test::estimate(products.start), 0.0, "y.x_0");
  expect_value(test::estimate(products.noise), 0.0, "y.xi");
  expect_value(test::estimate(products.half_norm2), half, "|y|^2/2");
  expect_value(covariance(products.start, 0.0, products.start, 0.0), mu_start * mu_start + sigma2 * x2,
               "y.x_0 squared");
  expect_value(covariance(products.noise, 0.0, products.noise, 0.0), mu_noise * mu_noise + sigma2 * xi2,
               "y.xi squared");
  expect_value(covariance(products.start, 0.0, products.noise, 0.0), mu_start * mu_noise + sigma2 * x_xi, "both");
  expect_value(covariance(products.half_norm2, half, products.half_norm2, half),
               sigma2 * mu2 + 0.5 * d * sigma2 * sigma2, "|y|^2/2 squared");
}

TEST(StreamedSource, HasTheMomentsOfFreshPointsGivenTheProbe) {
  for (const std::int64_t dimension : {3, 4, 5, 40}) expect_moments(dimension);
}

// One class off the origin: the covariance of |y|^2/2 with both products is sigma^2 mu . u.
TEST(StreamedSource, CorrelatesLengthsWithProducts) {
  const std::int64_t dimension = 12;
  const MixtureParameters parameters{.dimension = dimension,
                                     .classes = 2,
                                     .centroids = CentroidKind::orthogonal,
                                     .sigma = 0.6,
                                     .weights = {1.0, 1e-12}};
  const Hash128 key = hash_text("one class");
  const GaussianMixture mixture(parameters, 1, key, 0);
  const ClassFrame frame(mixture, 1, key, 0);
  const ProbeBlock probes = own_training_sets(FrameProbes(frame, 1, key, 0).draw(0, 2));
  const Products products = products_of(StreamedSource(frame, 1, key, 0), probes, 0, 100000);
  const double mu = std::sqrt(static_cast<double>(dimension));
  const double sigma2 = 0.36;
  const double mu_start = mu * probes.points[0];
  const double mu_noise = mu * probes.points[static_cast<std::size_t>(2 * probes.columns)];
  const double half = 0.5 * (mu * mu + static_cast<double>(dimension) * sigma2);
  expect_value(test::estimate(products.start), mu_start, "y.x_0");
  expect_value(test::estimate(products.noise), mu_noise, "y.xi");
  expect_value(covariance(products.half_norm2, half, products.start, mu_start), sigma2 * mu_start, "|y|^2/2 and y.x_0");
  expect_value(covariance(products.half_norm2, half, products.noise, mu_noise), sigma2 * mu_noise, "|y|^2/2 and y.xi");
}

TEST(StreamedSource, ClassesAppearWithTheirWeights) {
  const Hash128 key = hash_text("weights");
  const GaussianMixture mixture({.dimension = 1000000,
                                 .classes = 3,
                                 .centroids = CentroidKind::orthogonal,
                                 .class_sigma = {0.1, 0.2, 0.3},
                                 .weights = {0.6, 0.3, 0.1}},
                                1, key, 0);
  const ClassFrame frame(mixture, 1, key, 0);
  const ProbeBlock probes = own_training_sets(FrameProbes(frame, 1, key, 0).draw(0, 1));
  const Products products = products_of(StreamedSource(frame, 1, key, 0), probes, 0, 100001);
  // At this dimension |y|^2 tells the class: d (1 + sigma_c^2).
  std::array<double, 3> counts{};
  for (const double half : products.half_norm2) {
    const double variance = 2e-6 * half - 1.0;
    ++counts[variance < 0.025 ? 0 : variance < 0.065 ? 1 : 2];
  }
  const std::array<double, 3> weights{0.6, 0.3, 0.1};
  for (std::size_t c = 0; c < 3; ++c) {
    EXPECT_LE(std::abs(counts[c] - 1e5 * weights[c]), 5.0 * std::sqrt(1e5 * weights[c] * (1.0 - weights[c]))) << c;
  }
}

TEST(StreamedSource, OwnPointIsAMemberOfEveryNestedSet) {
  const Hash128 key = hash_text("own");
  const GaussianMixture mixture({.dimension = 64, .classes = 2, .centroids = CentroidKind::opposite}, 1, key, 0);
  const ClassFrame frame(mixture, 1, key, 0);
  const ProbeBlock probes = own_training_sets(FrameProbes(frame, 1, key, 0).draw(100, 7));
  const StreamedSource source(frame, 1, key, 0);
  const Communicator self = Communicator::self();
  const TaskGroup group(self);
  std::int64_t tiles = 0;
  const auto check = [&](const ProductTile& tile) {
    ++tiles;
    if (tile.first > 0) return;
    for (std::int64_t p = 0; p < probes.probes; ++p) {
      const auto i = static_cast<std::size_t>(p);
      EXPECT_EQ(tile.start_products[p * tile.stride], probes.start_norm2[i]);
      EXPECT_EQ(tile.noise_products[p * tile.stride], probes.start_noise[i]);
      EXPECT_EQ(tile.half_norm2[p * tile.half_norm2_stride], 0.5 * probes.start_norm2[i]);
    }
  };
  source.visit(group, probes, 2000, {.consume = check});
  EXPECT_EQ(tiles, 4);
  const ReductionPlan plan{
      .times = {1e-4, 0.3, 2.0}, .process = NoisingProcess(), .counts = {1, 2, 700, 2000}, .law = {}};
  Reduction reduction(plan, mixture.dimension(), probes);
  source.visit(group, probes, 2000, reduction.consumer());
  reduction.merge_over(group);
  for (std::int64_t p = 0; p < probes.probes; ++p) {
    for (std::size_t n = 0; n < plan.counts.size(); ++n) {
      EXPECT_NEAR(reduction.summary(n, p, 0).parent_weight, 1.0, 1e-12) << plan.counts[n];
      for (std::size_t t = 0; t < 3; ++t) EXPECT_GT(reduction.summary(n, p, t).parent_weight, 0.0);
    }
    EXPECT_EQ(reduction.summary(0, p, 2).participation, 1.0);
  }
}

// The first points do not depend on how many there are, nor a probe on which others are in its block.
TEST(StreamedSource, APointIsAFunctionOfProbeAndIndexAlone) {
  const Hash128 key = hash_text("function");
  const GaussianMixture mixture({.dimension = 9, .classes = 3, .centroids = CentroidKind::simplex}, 1, key, 0);
  const ClassFrame frame(mixture, 1, key, 0);
  const FrameProbes starts(frame, 1, key, 0);
  const StreamedSource source(frame, 1, key, 0);
  const Products many = products_of(source, own_training_sets(starts.draw(10, 8)), 3, 1300);
  const Products few = products_of(source, own_training_sets(starts.draw(13, 1)), 0, 700);
  ASSERT_EQ(few.start.size(), 699U);
  for (std::size_t i = 0; i < few.start.size(); ++i) {
    EXPECT_EQ(few.start[i], many.start[i]);
    EXPECT_EQ(few.noise[i], many.noise[i]);
    EXPECT_EQ(few.half_norm2[i], many.half_norm2[i]);
  }
  EXPECT_THROW(StreamedSource(ClassFrame(GaussianMixture({.dimension = 2}, 1, key, 0), 1, key, 0), 1, key, 0),
               std::invalid_argument);
}

StreamedCase single(std::int64_t dimension, std::vector<std::int64_t> counts, std::vector<double> times) {
  return {.name = "one class, d = " + std::to_string(dimension),
          .mixture = {.dimension = dimension},
          .counts = std::move(counts),
          .times = std::move(times)};
}

StreamedCase unequal_classes(std::int64_t dimension, std::vector<std::int64_t> counts, std::vector<double> times) {
  return {.name = "unequal classes, d = " + std::to_string(dimension),
          .mixture = {.dimension = dimension,
                      .classes = 3,
                      .centroids = CentroidKind::simplex,
                      .separation = 0.9,
                      .class_sigma = {1.0, 0.6, 0.8},
                      .weights = {0.6, 0.3, 0.1}},
          .counts = std::move(counts),
          .times = std::move(times)};
}

StreamedCase opposite_classes(std::int64_t dimension, std::vector<std::int64_t> counts, std::vector<double> times) {
  return {.name = "opposite classes, d = " + std::to_string(dimension),
          .mixture = {.dimension = dimension, .classes = 2, .centroids = CentroidKind::opposite, .sigma = 0.5},
          .counts = std::move(counts),
          .times = std::move(times)};
}

struct Effort {
  std::int64_t sets;
  std::int64_t probes_per_set;
  std::int64_t streamed;
};

void expect_same_law(const StreamedCase& c, const Effort& effort) {
  const ProbeValues stored = stored_values(c, effort.sets, effort.probes_per_set);
  const auto comparisons =
      compare_laws(c, stored, static_cast<std::size_t>(effort.probes_per_set), streamed_values(c, effort.streamed));
  EXPECT_FALSE(comparisons.rejected()) << comparisons.worst();
  testing::Test::RecordProperty(c.name, comparisons.worst());
}

TEST(StreamedLaw, IsThatOfStoredTrainingSets) {
  const Effort effort{.sets = 400, .probes_per_set = 3, .streamed = 2048};
  expect_same_law(single(3, {20, 200}, {0.02, 0.1, 0.4}), effort);
  expect_same_law(single(16, {30, 300}, {0.2, 0.45, 0.9}), effort);
  expect_same_law(unequal_classes(4, {20, 200}, {0.05, 0.2, 0.6}), effort);
  expect_same_law(unequal_classes(12, {30, 300}, {0.1, 0.3, 0.7}), effort);
  expect_same_law(opposite_classes(24, {30, 300}, {0.15, 0.4, 1.0}), effort);
}

TEST(FullStreamedLaw, IsThatOfStoredTrainingSetsOfManySizes) {
  const Effort effort{.sets = 1000, .probes_per_set = 8, .streamed = 32768};
  expect_same_law(single(8, {50, 2000}, {0.03, 0.1, 0.3}), effort);
  expect_same_law(single(64, {100, 1000}, {0.5, 0.75, 1.2}), effort);
  expect_same_law(single(256, {200, 1000}, {1.0, 1.4, 2.0}), effort);
  expect_same_law(unequal_classes(64, {100, 1000}, {0.3, 0.6, 1.0}), effort);
  expect_same_law(opposite_classes(128, {100, 1000}, {0.3, 0.6, 1.2}), effort);
}

// The comparison sees mistakes that could be made: each is rejected.
TEST(StreamedLaw, OfAWrongDrawIsRejected) {
  const Effort effort{.sets = 400, .probes_per_set = 3, .streamed = 2048};
  const auto expect_rejected = [&](const StreamedCase& c, const ProbeValues& stored, const StreamedMistake& mistake,
                                   const char* what) {
    const auto comparisons = compare_laws(c, stored, static_cast<std::size_t>(effort.probes_per_set),
                                          streamed_values(c, effort.streamed, mistake));
    EXPECT_TRUE(comparisons.rejected()) << what << ": " << comparisons.worst();
  };
  const StreamedCase one = single(16, {30, 300}, {0.2, 0.45, 0.9});
  const ProbeValues stored_one = stored_values(one, effort.sets, effort.probes_per_set);
  const auto fresh = [](const ProbeTile& tile) { return tile.first == 0 ? std::size_t{1} : std::size_t{0}; };
  const auto add_to_lengths = [&](double shift) {
    return [=](const ProbeTile& tile) {
      for (std::size_t i = fresh(tile); i < tile.half_norm2.size(); ++i) tile.half_norm2[i] += shift;
    };
  };
  expect_rejected(one, stored_one, {.alter = add_to_lengths(0.5 * 3.0)}, "d degrees in place of d - 3");
  expect_rejected(one, stored_one,
                  {.alter =
                       [](const ProbeTile& tile) {
                         if (tile.first > 0) return;
                         tile.start[0] = tile.start[1];
                         tile.noise[0] = tile.noise[1];
                         tile.half_norm2[0] = tile.half_norm2[1];
                       },
                   .fresh_start = true},
                  "the own point is fresh");
  const StreamedCase two = opposite_classes(24, {30, 300}, {0.15, 0.4, 1.0});
  const ProbeValues stored_two = stored_values(two, effort.sets, effort.probes_per_set);
  expect_rejected(two, stored_two,
                  {.alter =
                       [&](const ProbeTile& tile) {
                         const auto begin = tile.half_norm2.begin() + static_cast<std::ptrdiff_t>(fresh(tile));
                         std::rotate(begin, begin + 1, tile.half_norm2.end());
                       }},
                  "lengths are independent of products");
  const StreamedCase three = unequal_classes(12, {30, 300}, {0.1, 0.3, 0.7});
  const ProbeValues stored_three = stored_values(three, effort.sets, effort.probes_per_set);
  expect_rejected(three, stored_three,
                  {.law =
                       [](MixtureParameters& law) {
                         law.weights = {0.1, 0.3, 0.6};
                       }},
                  "other weights");
  expect_rejected(three, stored_three,
                  {.law =
                       [](MixtureParameters& law) {
                         law.class_sigma = {1.0, 0.8, 0.6};
                       }},
                  "the widths of other classes");
}

}  // namespace
}  // namespace diffphase
