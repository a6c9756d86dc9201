#include "ensemble/linear_manifold.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "ensemble/row_products.hpp"

namespace diffphase {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

LinearManifold make(const ManifoldParameters& parameters, std::int64_t realization = 0) {
  return {parameters, 3, hash_text("manifold test"), realization};
}

ManifoldParameters basic(FactorKind factor) {
  ManifoldParameters p;
  p.dimension = 13;
  p.blocks = {{.size = 3, .sigma = 2.0}, {.size = 4, .sigma = 0.3}};
  p.factor = factor;
  return p;
}

// Orthonormal and Gaussian, each also with ambient noise.
std::vector<ManifoldParameters> kinds() {
  std::vector<ManifoldParameters> all{basic(FactorKind::orthonormal), basic(FactorKind::gaussian)};
  for (std::size_t i = 0; i < 2; ++i) {
    all.push_back(all[i]);
    all.back().ambient_noise = 0.1;
  }
  return all;
}

std::vector<double> factor_column(const LinearManifold& manifold, std::int64_t k) {
  std::vector<double> column(static_cast<std::size_t>(manifold.dimension()));
  manifold.factor_column(k, 0, column);
  return column;
}

std::vector<double> row_of(const Ensemble& ensemble, std::int64_t row) {
  std::vector<double> x(static_cast<std::size_t>(ensemble.dimension()));
  ensemble.sample(row, 0, x);
  return x;
}

double dot(const std::vector<double>& a, const std::vector<double>& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

TEST(VarianceBands, AreBlocksOfOneSigmaFromTheLargest) {
  const std::vector<FactorBlock> blocks{{2, 0.5}, {3, 2.0}, {1, 0.5}, {4, 0.1}};
  const std::vector<VarianceBand> bands = variance_bands(blocks);
  ASSERT_EQ(bands.size(), 3U);
  std::vector<std::vector<std::int64_t>> found;
  for (const VarianceBand& band : bands) {
    found.push_back({band.size});
    for (const ColumnRange& range : band.columns) found.back().insert(found.back().end(), {range.first, range.count});
  }
  EXPECT_THAT(found, ElementsAre(ElementsAre(3, 2, 3), ElementsAre(3, 0, 2, 5, 1), ElementsAre(4, 6, 4)));
  EXPECT_EQ(bands[1].sigma, 0.5);
}

TEST(LinearManifold, ColumnsBelongToBlocksInTheOrderGiven) {
  const LinearManifold manifold = make(basic(FactorKind::orthonormal));
  EXPECT_EQ(manifold.columns(), 7);
  std::vector<std::int64_t> blocks;
  for (std::int64_t k = 0; k < 7; ++k) blocks.push_back(manifold.block(k));
  EXPECT_THAT(blocks, ElementsAre(0, 0, 0, 1, 1, 1, 1));
  EXPECT_EQ(manifold.first_column(0), 0);
  EXPECT_EQ(manifold.first_column(1), 3);
}

TEST(LinearManifold, OrthonormalColumnsHaveTheBlocksVarianceAndNoOverlap) {
  const LinearManifold manifold = make(basic(FactorKind::orthonormal));
  for (std::int64_t k = 0; k < 7; ++k) {
    for (std::int64_t l = 0; l < 7; ++l) {
      const double sigma = k < 3 ? 2.0 : 0.3;
      EXPECT_EQ(dot(factor_column(manifold, k), factor_column(manifold, l)), k == l ? sigma * sigma : 0.0);
    }
  }
}

TEST(LinearManifold, GaussianEntriesHaveTheVarianceOfTheirNormalisation) {
  for (const auto& [normalisation, divisor] :
       {std::pair(FactorNormalisation::columns, 60.0), std::pair(FactorNormalisation::dimension, 500.0),
        std::pair(FactorNormalisation::none, 1.0)}) {
    ManifoldParameters p;
    p.dimension = 500;
    p.blocks = {{.size = 20, .sigma = 1.5}, {.size = 40, .sigma = 0.2}};
    p.factor = FactorKind::gaussian;
    p.normalisation = normalisation;
    const LinearManifold manifold = make(p);
    for (const std::int64_t block : {0, 1}) {
      double second = 0.0;
      double fourth = 0.0;
      double n = 0.0;
      for (std::int64_t k = manifold.first_column(block); k < manifold.first_column(block + 1); ++k) {
        for (const double f : factor_column(manifold, k)) {
          const double sigma = p.blocks[static_cast<std::size_t>(block)].sigma;
          const double unit = f * f * divisor / (sigma * sigma);
          second += unit;
          fourth += unit * unit;
          n += 1.0;
        }
      }
      EXPECT_NEAR(second / n, 1.0, 4.5 * std::sqrt(2.0 / n));
      EXPECT_NEAR(fourth / n, 3.0, 4.5 * std::sqrt(96.0 / n));
    }
    EXPECT_NE(factor_column(manifold, 0), factor_column(make(p, 1), 0));
  }
}

TEST(LinearManifold, RowsAreTheFactorTimesTheLatentNumbersPlusNoise) {
  for (const ManifoldParameters& p : kinds()) {
    const LinearManifold manifold = make(p);
    for (std::int64_t row = 0; row < 20; ++row) {
      std::vector<double> z(7);
      manifold.latents(row, 0, z);
      std::vector<double> expected(13, 0.0);
      for (std::int64_t k = 0; k < 7; ++k) {
        const std::vector<double> column = factor_column(manifold, k);
        for (std::size_t j = 0; j < 13; ++j) expected[j] += z[static_cast<std::size_t>(k)] * column[j];
      }
      manifold.add_ambient_noise(row, 0, expected);
      const std::vector<double> x = row_of(manifold, row);
      for (std::size_t j = 0; j < 13; ++j) EXPECT_NEAR(x[j], expected[j], 1e-14 * (1.0 + std::abs(expected[j])));
    }
  }
}

// E x_i x_j = (F F^T)_ij + ambient_noise^2; products of Gaussians have variance C_ii C_jj + C_ij^2.
// If this fails, the numbers of finished tasks are no longer those of the streams.
TEST(LinearManifold, FirstNumbersOfTheStreamsDoNotChange) {
  ManifoldParameters p = basic(FactorKind::gaussian);
  p.normalisation = FactorNormalisation::none;
  p.blocks = {{.size = 7, .sigma = 1.0}};
  p.ambient_noise = 1.0;
  const LinearManifold manifold = make(p);
  std::vector<double> z(1);
  std::vector<double> xi(1);
  manifold.latents(5, 3, z);
  manifold.add_ambient_noise(5, 3, xi);
  EXPECT_DOUBLE_EQ(factor_column(manifold, 5)[3], -0.86886564179271553);
  EXPECT_DOUBLE_EQ(z[0], 1.0944460476744697);
  EXPECT_DOUBLE_EQ(xi[0], 1.0848875910311941);
}

TEST(LinearManifold, TheCovarianceOfTheDataIsThatOfTheFactor) {
  for (const ManifoldParameters& p : kinds()) {
    const LinearManifold manifold = make(p);
    constexpr std::int64_t n = 20000;
    const DataSlab slab = draw_training_set(manifold, {.rows = n, .columns = 13});
    const DataSlab factor = factor_matrix(manifold, {.rows = 7, .columns = 13});
    EXPECT_TRUE(slab.labels.empty());
    std::array<std::array<double, 13>, 13> exact{};
    for (std::size_t i = 0; i < 13; ++i) {
      for (std::size_t j = 0; j < 13; ++j) {
        for (std::int64_t k = 0; k < 7; ++k) exact.at(i).at(j) += factor.row(k)[i] * factor.row(k)[j];
        if (i == j) exact.at(i).at(j) += p.ambient_noise * p.ambient_noise;
      }
    }
    for (std::size_t i = 0; i < 13; ++i) {
      double mean = 0.0;
      for (std::int64_t row = 0; row < n; ++row) mean += slab.row(row)[i] / n;
      EXPECT_LE(std::abs(mean), 4.5 * std::sqrt(exact.at(i).at(i) / n));
      for (std::size_t j = 0; j <= i; ++j) {
        double measured = 0.0;
        for (std::int64_t row = 0; row < n; ++row) measured += slab.row(row)[i] * slab.row(row)[j] / n;
        const double c = exact.at(i).at(j);
        const double error = std::sqrt((exact.at(i).at(i) * exact.at(j).at(j) + c * c) / n);
        EXPECT_LE(std::abs(measured - c), 4.5 * error) << i << ", " << j;
      }
    }
  }
}

TEST(LinearManifold, AnyColumnsEqualThoseOfTheWholeRow) {
  for (ManifoldParameters p : kinds()) {
    p.dimension = 1100;
    const LinearManifold manifold = make(p);
    const std::vector<double> whole = row_of(manifold, 77);
    for (const std::int64_t first : {0, 1, 2, 5, 7, 8, 511, 513, 1099}) {
      for (const std::size_t count : {0UL, 1UL, 2UL, 7UL, 8UL, 9UL, 600UL}) {
        if (static_cast<std::size_t>(first) + count > whole.size()) continue;
        std::vector<double> part(count);
        manifold.sample(77, first, part);
        EXPECT_TRUE(std::equal(part.begin(), part.end(), whole.begin() + first)) << first << " + " << count;
      }
    }
  }
}

TEST(LinearManifold, ARowDoesNotDependOnThoseDrawnWithIt) {
  for (const ManifoldParameters& p : kinds()) {
    const LinearManifold manifold = make(p);
    const auto sampler = manifold.sampler(2, 9);
    sampler->prepare(3, sampler->vectors() > 0 ? 4 : 0);
    sampler->prepare(0, sampler->vectors() > 0 ? 3 : 0);
    for (const std::int64_t rows : {1, 2, 3, 4, 5, 63, 64, 65, 130}) {
      std::vector<double> block(static_cast<std::size_t>(rows) * 9);
      sampler->draw(1000, rows, block);
      for (std::int64_t i = 0; i < rows; ++i) {
        std::vector<double> one(9);
        manifold.sample(1000 + i, 2, one);
        EXPECT_TRUE(std::equal(one.begin(), one.end(), block.begin() + i * 9)) << rows;
      }
    }
  }
}

TEST(LinearManifold, FactorMatrixHoldsTheColumnsAndTheirBlocks) {
  for (const ManifoldParameters& p : kinds()) {
    const LinearManifold manifold = make(p);
    for (const Partition partition : {Partition::component, Partition::dimension}) {
      for (int rank = 0; rank < 3; ++rank) {
        const SlabLayout layout{partition, 7, 13, 3, rank};
        const DataSlab slab = factor_matrix(manifold, layout);
        for (std::int64_t local = 0; local < layout.local_rows(); ++local) {
          const std::int64_t k = layout.global_row(local);
          const std::vector<double> whole = factor_column(manifold, k);
          const auto stored = slab.row(local);
          EXPECT_TRUE(std::equal(stored.begin(), stored.end(), whole.begin() + layout.first_column()));
          EXPECT_EQ(slab.labels[static_cast<std::size_t>(local)], k < 3 ? 0 : 1);
        }
      }
    }
    EXPECT_THROW((void)factor_matrix(manifold, {.rows = 6, .columns = 13}), std::logic_error);
  }
}

// More than one step of each kind, the same number on every rank, whatever its share.
TEST(LinearManifold, TheStepsOfALargeDrawAreThoseOfEveryRank) {
  ManifoldParameters p;
  p.dimension = 4001;
  p.blocks = {{.size = 2100, .sigma = 1.0}};
  p.factor = FactorKind::gaussian;
  const LinearManifold manifold = make(p);
  for (const Partition partition : {Partition::component, Partition::dimension}) {
    std::vector<std::int64_t> steps;
    for (int rank = 0; rank < 3; ++rank) {
      steps.push_back(TrainingSetDraw(manifold, {partition, 700, 4001, 3, rank}).steps());
    }
    EXPECT_THAT(steps, testing::Each(steps.front()));
    EXPECT_GE(steps.front(), partition == Partition::component ? 10 : 5);
  }
  const DataSlab drawn = draw_training_set(manifold, {Partition::dimension, 100, 4001, 400, 399});
  for (const std::int64_t row : {0, 99}) {
    std::vector<double> direct(static_cast<std::size_t>(drawn.layout.local_columns()));
    manifold.sample(row, drawn.layout.first_column(), direct);
    EXPECT_TRUE(std::equal(direct.begin(), direct.end(), drawn.row(row).begin()));
  }
}

TEST(LinearManifold, ColumnsThatAreAlwaysZeroNeedNotBeStored) {
  ManifoldParameters p = basic(FactorKind::orthonormal);
  EXPECT_EQ(p.nonzero_columns(), 7);
  const LinearManifold manifold = make(p);
  const DataSlab all = draw_training_set(manifold, {.rows = 9, .columns = 13});
  for (const std::int64_t columns : {7, 8, 13}) {
    const DataSlab part = draw_training_set(manifold, {.rows = 9, .columns = columns});
    for (std::int64_t row = 0; row < 9; ++row) {
      EXPECT_TRUE(std::equal(part.row(row).begin(), part.row(row).end(), all.row(row).begin()));
      EXPECT_THAT(all.row(row).subspan(static_cast<std::size_t>(columns)), testing::Each(0.0));
    }
  }
  for (const std::int64_t columns : {6, 14}) {
    EXPECT_THROW((void)draw_training_set(manifold, {.rows = 9, .columns = columns}), std::logic_error);
  }
  p.ambient_noise = 0.1;
  EXPECT_EQ(p.nonzero_columns(), 13);
  EXPECT_EQ(basic(FactorKind::gaussian).nonzero_columns(), 13);
}

TEST(LinearManifold, HugeOrthonormalManifoldsCostNothing) {
  ManifoldParameters p;
  p.dimension = 1'000'000'000'000;
  p.blocks = {{.size = 500'000'000'000, .sigma = 1.0}};
  const LinearManifold manifold = make(p);
  std::vector<double> x(4);
  manifold.sample(12, 499'999'999'998, x);
  EXPECT_NE(x[1], 0.0);
  EXPECT_EQ(x[2], 0.0);
}

struct BadCase {
  const char* expected;
  void (*spoil)(ManifoldParameters&);
};

TEST(LinearManifold, ProblemNamesKeyValueAndWhatIsAllowed) {
  using P = ManifoldParameters;
  const std::vector<BadCase> cases{
      {"dimension = 0: must be at least 1", [](P& p) { p.dimension = 0; }},
      {"blocks: must hold at least one block", [](P& p) { p.blocks.clear(); }},
      {"blocks: their sizes must not sum to more than dimension = 6", [](P& p) { p.dimension = 6; }},
      {"blocks: their sizes must not sum to more than dimension = 13",
       [](P& p) { p.blocks.assign(3, {.size = std::int64_t{1} << 62, .sigma = 1.0}); }},
      {"blocks[1].size = 0: must be at least 1", [](P& p) { p.blocks[1].size = 0; }},
      {"blocks[0].sigma = 0: must be a finite number above 0", [](P& p) { p.blocks[0].sigma = 0.0; }},
      {"blocks[1].sigma = nan: must be a finite number above 0", [](P& p) { p.blocks[1].sigma = std::nan(""); }},
      {"ambient_noise = -1: must be a finite number, 0 or above", [](P& p) { p.ambient_noise = -1.0; }},
      {"ambient_noise = inf: must be a finite number",
       [](P& p) { p.ambient_noise = std::numeric_limits<double>::infinity(); }},
  };
  for (const BadCase& bad : cases) {
    ManifoldParameters p = basic(FactorKind::gaussian);
    EXPECT_EQ(p.problem(), "");
    bad.spoil(p);
    EXPECT_THAT(p.problem(), HasSubstr(bad.expected));
    EXPECT_THROW(make(p), std::invalid_argument);
  }
  ManifoldParameters full = basic(FactorKind::orthonormal);
  full.dimension = 7;
  EXPECT_EQ(full.problem(), "");
}

TEST(PackedFactor, ProductsAreThoseOfPlainSumsAndTheSameInAnyCompany) {
  const RandomStream stream(1, hash_text("products"), 0, "numbers");
  const auto numbers = [&](std::uint64_t row, std::int64_t count) {
    std::vector<double> out(static_cast<std::size_t>(count));
    stream.normals(row, 0, out);
    return out;
  };
  for (const std::int64_t vectors : {1, 5, 300}) {
    const std::vector<double> left = numbers(0, 11 * vectors);
    PackedFactor whole(vectors, 21);
    PackedFactor part(vectors, 6);
    for (std::int64_t k = 0; k < vectors; ++k) {
      const std::vector<double> row = numbers(1 + static_cast<std::uint64_t>(k), 21);
      whole.set(k, row);
      part.set(k, std::span(row).subspan(13, 6));
    }
    std::vector<double> out(11 * 21);
    whole.multiply(11, left, out);
    for (std::size_t i = 0; i < 11; ++i) {
      for (std::size_t j = 0; j < 21; ++j) {
        double sum = 0.0;
        for (std::int64_t k = 0; k < vectors; ++k) {
          sum += left[i * static_cast<std::size_t>(vectors) + static_cast<std::size_t>(k)] *
                 numbers(1 + static_cast<std::uint64_t>(k), 21)[j];
        }
        EXPECT_NEAR(out[i * 21 + j], sum, 1e-14 * static_cast<double>(vectors));
      }
      std::vector<double> alone(6);
      part.multiply(
          1, std::span(left).subspan(i * static_cast<std::size_t>(vectors), static_cast<std::size_t>(vectors)), alone);
      EXPECT_TRUE(std::equal(alone.begin(), alone.end(), out.begin() + static_cast<std::ptrdiff_t>(i * 21 + 13)));
    }
    EXPECT_THROW(whole.set(vectors, left), std::logic_error);
    EXPECT_THROW(part.multiply(2, left, out), std::logic_error);
  }
}

}  // namespace
}  // namespace diffphase
