#include "theory/marchenko_pastur.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/math/quadrature/gauss_kronrod.hpp>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <span>
#include <stdexcept>
#include <utility>
#include <vector>

#include "sampled_factor.hpp"

namespace diffphase {
namespace {

using Blocks = std::vector<FactorBlock>;

double integral(const std::function<double(double)>& f, double lower, double upper) {
  // gamma = lower + (upper - lower) sin^2: no root singularities are left at the edges.
  const auto g = [&](double angle) {
    const double sine = std::sin(angle);
    return f(lower + (upper - lower) * sine * sine) * (upper - lower) * 2.0 * sine * std::cos(angle);
  };
  return boost::math::quadrature::gauss_kronrod<double, 61>::integrate(g, 0.0, 0.5 * M_PI, 10, 1e-12);
}

std::vector<double> edges(const std::vector<SpectralBulk>& bulks) {
  std::vector<double> result;
  for (const SpectralBulk& bulk : bulks) {
    result.push_back(bulk.lower);
    result.push_back(bulk.upper);
  }
  return result;
}

TEST(MarchenkoPastur, ReferenceEdges) {
  const MarchenkoPastur columns(100, 40, 1.0, 40.0);
  EXPECT_NEAR(columns.lower(), .3377223398, 6e-11);
  EXPECT_NEAR(columns.upper(), 6.6622776602, 6e-11);
  const MarchenkoPastur dimension(100, 40, 1.0, 100.0);
  EXPECT_NEAR(dimension.lower(), .1350889359, 6e-11);
  EXPECT_NEAR(dimension.upper(), 2.6649110641, 6e-11);
}

TEST(MarchenkoPastur, DensityHasTheMomentsOfTheMatrix) {
  for (const auto& [d, m] : std::vector<std::pair<int, int>>{{100, 40}, {100, 99}, {100, 100}, {40, 100}, {1000, 3}}) {
    const double q = 70.0;
    const MarchenkoPastur law(d, m, 1.3, q);
    const auto moment = [&](int power) {
      return integral([&](double g) { return std::pow(g, power) * law.density(g); }, law.lower(), law.upper());
    };
    const double variance = 1.69 / q;
    EXPECT_NEAR(moment(0), std::min(m, d) / static_cast<double>(d), 1e-9);
    EXPECT_NEAR(moment(1) / (variance * m), 1.0, 1e-9);  // tr F F^T/d
    EXPECT_NEAR(moment(2) / (variance * variance * m * (m + d)), 1.0, 1e-9);
    EXPECT_EQ(law.density(law.upper() * 1.01), 0.0);
    EXPECT_EQ(law.density(law.lower() * 0.99), 0.0);
    EXPECT_EQ(law.density(std::numeric_limits<double>::quiet_NaN()), 0.0);
  }
}

TEST(FactorBulks, ReferenceEdges) {
  struct Case {
    std::int64_t dimension;
    Blocks blocks;
    FactorNormalisation normalisation;
    std::vector<double> edges;
  };
  const auto columns = FactorNormalisation::columns;
  const std::vector<Case> table{
      {1000, {{200, 1.0}, {200, 0.1}}, columns, {.00498745305, .0448856389, .769024141, 5.24110277}},
      {1000, {{100, 1.0}, {300, 0.1}}, columns, {.00401475601, .0559175225, 1.17647248, 4.33869625}},
      {1000, {{200, 1.0}, {200, 0.3}}, columns, {.04395286, .39429579, .81769953, 5.28405182}},
      {400, {{20, 0.1}, {20, 1.0}}, FactorNormalisation::dimension, {.00563811, .01435125, .60329293, 1.49771772}}};
  for (const Case& c : table) {
    const auto bulks =
        gaussian_factor_bulks(c.dimension, c.blocks, factor_scale(c.dimension, c.blocks, c.normalisation));
    const std::vector<double> found = edges(bulks);
    ASSERT_EQ(found.size(), c.edges.size());
    // Nine printed digits, or eight decimals.
    for (std::size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], c.edges[i], 6e-9 * std::max(1.0, found[i]));
  }
  const auto bulks = gaussian_factor_bulks(400, table.back().blocks, 400.0);
  EXPECT_EQ(bulks[0].blocks, std::vector<std::size_t>{0});
  EXPECT_EQ(bulks[1].blocks, std::vector<std::size_t>{1});
  EXPECT_EQ(bulks[0].count, 20);
}

TEST(FactorBulks, OneBlockIsTheLawOfMarchenkoAndPastur) {
  for (const auto& [d, m] : std::vector<std::pair<int, int>>{
           {100, 40}, {100, 1}, {1000000000, 1}, {1000000, 999999}, {100, 100}, {100, 101}, {3, 1000000}}) {
    const MarchenkoPastur law(d, m, 0.7, 13.0);
    for (const Blocks& blocks : {Blocks{{m, 0.7}}, Blocks{{m, 0.7}, {5, 0.0}}}) {
      const auto bulks = gaussian_factor_bulks(d, blocks, 13.0);
      ASSERT_EQ(bulks.size(), 1U);
      EXPECT_NEAR(bulks[0].upper / law.upper(), 1.0, 1e-12);
      EXPECT_NEAR(bulks[0].lower, law.lower(), 1e-12 * law.lower()) << d << " " << m;
      EXPECT_EQ(bulks[0].count, std::min(d, m));
    }
  }
  // Blocks of one sigma are one block.
  const Blocks split{{10, 0.7}, {30, 0.7}};
  const auto bulks = gaussian_factor_bulks(100, split, 40.0);
  ASSERT_EQ(bulks.size(), 1U);
  EXPECT_NEAR(bulks[0].lower / MarchenkoPastur(100, 40, 0.7, 40.0).lower(), 1.0, 1e-12);
  EXPECT_EQ(bulks[0].blocks, (std::vector<std::size_t>{0, 1}));
}

// A block far below another has the law of Marchenko and Pastur in the dimensions that the other leaves.
TEST(FactorBulks, FarBlocksRepelByTakingDimensions) {
  for (const double sigma : {1e-3, 1e-6, 1e-9}) {
    const Blocks blocks{{300, 1.0}, {200, sigma}, {100, sigma * sigma}};
    const auto bulks = gaussian_factor_bulks(1000, blocks, 600.0);
    ASSERT_EQ(bulks.size(), 3U);
    const MarchenkoPastur small(500, 100, sigma * sigma, 600.0);
    const MarchenkoPastur middle(700, 200, sigma, 600.0);
    const MarchenkoPastur large(1000, 300, 1.0, 600.0);
    const double tolerance = 10.0 * sigma * sigma + 1e-12;
    EXPECT_NEAR(bulks[0].lower / small.lower(), 1.0, tolerance);
    EXPECT_NEAR(bulks[0].upper / small.upper(), 1.0, tolerance);
    EXPECT_NEAR(bulks[1].lower / middle.lower(), 1.0, tolerance);
    EXPECT_NEAR(bulks[1].upper / middle.upper(), 1.0, tolerance);
    EXPECT_NEAR(bulks[2].lower / large.lower(), 1.0, tolerance);
    EXPECT_NEAR(bulks[2].upper / large.upper(), 1.0, tolerance);
  }
}

TEST(FactorBulks, BlocksMergeAsTheirVariancesApproach) {
  const auto count = [](double sigma) {
    return gaussian_factor_bulks(1000, Blocks{{200, 1.0}, {200, sigma}}, 400.0).size();
  };
  EXPECT_EQ(count(0.3), 2U);
  EXPECT_EQ(count(0.6), 1U);
  double apart = 0.3;
  double merged = 0.6;
  for (int step = 0; step < 60; ++step) {
    const double middle = 0.5 * (apart + merged);
    (count(middle) == 2 ? apart : merged) = middle;
  }
  // On the point of merging the gap is narrow and the density between the bulks vanishes.
  const Blocks last{{200, 1.0}, {200, apart * (1.0 - 1e-6)}};
  const auto bulks = gaussian_factor_bulks(1000, last, 400.0);
  ASSERT_EQ(bulks.size(), 2U);
  EXPECT_LT(bulks[1].lower / bulks[0].upper, 1.0 + 1e-6);
  EXPECT_GE(bulks[1].lower, bulks[0].upper);
  const Blocks after{{200, 1.0}, {200, merged * 1.001}};
  const auto one = gaussian_factor_bulks(1000, after, 400.0);
  ASSERT_EQ(one.size(), 1U);
  EXPECT_EQ(one[0].count, 400);
  EXPECT_EQ(one[0].blocks, (std::vector<std::size_t>{0, 1}));
  // Two of three merge.
  const auto three = gaussian_factor_bulks(1000, Blocks{{50, 0.01}, {200, 0.9}, {200, 1.0}}, 450.0);
  ASSERT_EQ(three.size(), 2U);
  EXPECT_EQ(three[0].blocks, std::vector<std::size_t>{0});
  EXPECT_EQ(three[1].blocks, (std::vector<std::size_t>{2, 1}));
}

TEST(FactorBulks, DensityVanishesOutsideAndHasTheWeightOfEveryBulk) {
  for (const Blocks& blocks :
       {Blocks{{200, 1.0}, {200, 0.1}}, Blocks{{200, 1.0}, {200, 0.7}}, Blocks{{100, 1.0}, {200, 0.2}, {300, 0.01}},
        Blocks{{700, 1.0}, {600, 0.05}}, Blocks{{1200, 1.0}, {600, 0.05}}}) {
    const double scale = factor_scale(1000, blocks, FactorNormalisation::columns);
    const auto bulks = gaussian_factor_bulks(1000, blocks, scale);
    double trace = 0.0;
    for (const SpectralBulk& bulk : bulks) {
      const auto density = [&](double g) { return gaussian_factor_density(1000, blocks, scale, g); };
      EXPECT_NEAR(integral(density, bulk.lower, bulk.upper), static_cast<double>(bulk.count) / 1000.0, 1e-7);
      trace += integral([&](double g) { return g * density(g); }, bulk.lower, bulk.upper);
      EXPECT_GT(density(bulk.lower * (1.0 + 1e-6)), 0.0);
      EXPECT_EQ(density(bulk.lower * (1.0 - 1e-6)), 0.0);
      EXPECT_GT(density(bulk.upper * (1.0 - 1e-6)), 0.0);
      EXPECT_EQ(density(bulk.upper * (1.0 + 1e-6)), 0.0);
    }
    double expected = 0.0;
    for (const FactorBlock& b : blocks) expected += static_cast<double>(b.size) * b.sigma * b.sigma / scale;
    EXPECT_NEAR(trace / expected, 1.0, 1e-7);
  }
  const MarchenkoPastur law(100, 40, 1.0, 40.0);
  for (const double g : {0.1, 0.34, 1.0, 5.0, 6.66, 7.0}) {
    EXPECT_NEAR(gaussian_factor_density(100, Blocks{{40, 1.0}}, 40.0, g), law.density(g), 1e-12);
  }
}

// Sampled factors: the extreme eigenvalues of each block lie within 2.5 m^(-2/3) of the edges.
TEST(FactorBulks, SampledFactors) {
  struct Case {
    std::int64_t dimension;
    Blocks blocks;
  };
  for (const auto& [d, blocks] : {Case{400, {{80, 1.0}, {80, 0.1}}}, Case{300, {{30, 1.0}, {90, 0.1}}},
                                  Case{200, {{60, 1.0}}}, Case{120, {{100, 1.0}, {150, 0.05}}}}) {
    const double scale = factor_scale(d, blocks, FactorNormalisation::columns);
    const auto bulks = gaussian_factor_bulks(d, blocks, scale);
    ASSERT_EQ(bulks.size(), blocks.size());
    std::vector<double> mean(2 * bulks.size(), 0.0);
    const int replicas = 20;
    for (int r = 0; r < replicas; ++r) {
      const auto own = replica_bulks(sampled_factor_eigenvalues(d, blocks, scale, r), blocks);
      const std::vector<double> own_edges = edges(own);
      ASSERT_EQ(own_edges.size(), mean.size());
      for (std::size_t i = 0; i < mean.size(); ++i) mean[i] += own_edges[i] / replicas;
      for (std::size_t i = 0; i < own.size(); ++i) EXPECT_EQ(own[i].count, bulks[i].count);
    }
    std::int64_t smallest = d;
    for (const FactorBlock& b : blocks) smallest = std::min(smallest, b.size);
    for (const SpectralBulk& b : bulks) smallest = std::min(smallest, b.count);
    const double tolerance = 2.5 * std::pow(static_cast<double>(smallest), -2.0 / 3.0);
    const std::vector<double> expected = edges(bulks);
    for (std::size_t i = 0; i < mean.size(); ++i) {
      EXPECT_NEAR(mean[i] / expected[i], 1.0, tolerance) << d << " edge " << i;
    }
  }
}

TEST(FactorBulks, OrthonormalColumns) {
  const auto bulks = orthonormal_factor_bulks(10, Blocks{{2, 0.3}, {3, 1.0}, {1, 0.3}, {4, 0.0}});
  ASSERT_EQ(bulks.size(), 2U);
  EXPECT_EQ(edges(bulks), (std::vector<double>{0.3 * 0.3, 0.3 * 0.3, 1.0, 1.0}));
  EXPECT_EQ(bulks[0].count, 3);
  EXPECT_EQ(bulks[0].blocks, (std::vector<std::size_t>{0, 2}));
  EXPECT_THROW(static_cast<void>(orthonormal_factor_bulks(4, Blocks{{5, 1.0}})), std::invalid_argument);
}

TEST(FactorBulks, BadInput) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_TRUE(gaussian_factor_bulks(10, {}, 1.0).empty());
  EXPECT_TRUE(gaussian_factor_bulks(10, Blocks{{3, 0.0}}, 1.0).empty());
  EXPECT_THROW(static_cast<void>(gaussian_factor_bulks(0, Blocks{{1, 1.0}}, 1.0)), std::invalid_argument);
  EXPECT_THROW(static_cast<void>(gaussian_factor_bulks(10, Blocks{{0, 1.0}}, 1.0)), std::invalid_argument);
  EXPECT_THROW(static_cast<void>(gaussian_factor_bulks(10, Blocks{{1, nan}}, 1.0)), std::invalid_argument);
  EXPECT_THROW(static_cast<void>(gaussian_factor_bulks(10, Blocks{{1, 1.0}}, 0.0)), std::invalid_argument);
  EXPECT_THROW(MarchenkoPastur(10, 0, 1.0, 1.0), std::invalid_argument);
  EXPECT_THROW(MarchenkoPastur(10, 4, 0.0, 1.0), std::invalid_argument);
  const std::vector<double> two{1.0, 2.0};
  EXPECT_THROW(static_cast<void>(replica_bulks(two, Blocks{{2, 1.0}, {1, 0.1}})), std::invalid_argument);
}

}  // namespace
}  // namespace diffphase
