#include "ensemble/data_slab.hpp"

#include <gtest/gtest.h>

#include <array>
#include <set>
#include <utility>
#include <vector>

#include "ensemble/centroid_rows.hpp"
#include "ensemble/linear_manifold.hpp"
#include "ensemble/row_view.hpp"
#include "support/rounded_slab.hpp"

namespace diffphase {
namespace {

constexpr std::array partitions{Partition::component, Partition::dimension};

SlabLayout layout_of(Partition partition, std::int64_t rows, std::int64_t columns, int ranks, int rank) {
  return {partition, rows, columns, ranks, rank};
}

TEST(SlabLayout, EveryEntryHasExactlyOneOwner) {
  for (const Partition partition : partitions) {
    for (const int ranks : {1, 2, 3, 4, 7}) {
      for (const std::int64_t rows : {0, 1, 511, 512, 513, 1024, 3000, 3584, 3585}) {
        for (const std::int64_t columns : {1, 3, 5, 10}) {
          std::set<std::pair<std::int64_t, std::int64_t>> seen;
          for (int rank = 0; rank < ranks; ++rank) {
            const SlabLayout layout = layout_of(partition, rows, columns, ranks, rank);
            for (std::int64_t local = 0; local < layout.local_rows(); ++local) {
              const std::int64_t row = layout.global_row(local);
              ASSERT_TRUE(row >= 0 && row < rows && layout.holds(row));
              ASSERT_EQ(layout.local_row(row), local);
              ASSERT_TRUE(partition == Partition::dimension || layout.owner(row) == rank);
              for (std::int64_t j = 0; j < layout.local_columns(); ++j) {
                ASSERT_TRUE(seen.emplace(row, layout.first_column() + j).second);
              }
            }
          }
          ASSERT_EQ(static_cast<std::int64_t>(seen.size()), rows * columns);
          ASSERT_TRUE(seen.empty() || seen.rbegin()->second == columns - 1);
        }
      }
    }
  }
}

TEST(SlabLayout, TheOwnerOfARowDoesNotDependOnTheNumberOfRows) {
  for (std::int64_t row = 0; row < 2000; row += 37) {
    EXPECT_EQ(layout_of(Partition::component, row + 1, 4, 3, 0).owner(row),
              layout_of(Partition::component, 100000, 4, 3, 0).owner(row));
  }
}

GaussianMixture mixture_of(CentroidKind kind) {
  MixtureParameters p;
  p.centroids = kind;
  p.dimension = 13;
  p.classes = kind == CentroidKind::opposite ? 2 : 6;
  p.branches = {2, 3};
  p.sigma = 0.7;
  return {p, 5, hash_text("slab test"), 1};
}

constexpr std::array kinds{CentroidKind::random, CentroidKind::opposite, CentroidKind::orthogonal,
                           CentroidKind::simplex, CentroidKind::hierarchical};

TEST(DataSlab, TrainingSetIsTheMixturesSamplesForAnyPartition) {
  for (const CentroidKind kind : kinds) {
    const GaussianMixture mixture = mixture_of(kind);
    for (const Partition partition : partitions) {
      for (const int ranks : {1, 2, 3, 20}) {
        for (int rank = 0; rank < ranks; ++rank) {
          const SlabLayout layout = layout_of(partition, 1100, 13, ranks, rank);
          const DataSlab slab = draw_training_set(mixture, layout);
          ASSERT_EQ(static_cast<std::int64_t>(slab.labels.size()), layout.local_rows());
          for (std::int64_t local = 0; local < layout.local_rows(); ++local) {
            const std::int64_t row = layout.global_row(local);
            std::vector<double> direct(static_cast<std::size_t>(layout.local_columns()));
            mixture.sample(row, layout.first_column(), direct);
            const auto stored = slab.row(local);
            ASSERT_TRUE(std::equal(stored.begin(), stored.end(), direct.begin(), direct.end()));
            ASSERT_EQ(slab.labels[static_cast<std::size_t>(local)], mixture.label(row));
          }
        }
      }
    }
  }
}

static_assert(row_stride<double>(511) == 511);
static_assert(row_stride<double>(512) == 520);
static_assert(row_stride<double>(513) == 520);
static_assert(row_stride<double>(521) == 536);
static_assert(row_stride<float>(1023) == 1023);
static_assert(row_stride<float>(1024) == 1040);

// Rows of an odd number of cache lines hold what packed rows do, drawn in as many steps as there are, and begin where a
// cache line begins.
TEST(DataSlab, WideRowsAreStoredApart) {
  constexpr std::int64_t columns = 1100;
  const GaussianMixture mixture({.dimension = columns, .classes = 3}, 5, hash_text("slab test"), 1);
  for (const Partition partition : partitions) {
    for (int rank = 0; rank < 2; ++rank) {
      const SlabLayout layout = layout_of(partition, 1030, columns, 2, rank);
      DataSlab slab = draw_training_set(mixture, layout);
      EXPECT_EQ(slab.stride(), row_stride<double>(layout.local_columns()));
      EXPECT_GT(slab.stride(), layout.local_columns());
      const SinglePrecisionSlab single = test::single_precision(slab);
      std::vector<double> expected(columns);
      for (std::int64_t local = 0; local < layout.local_rows(); ++local) {
        mixture.sample(layout.global_row(local), layout.first_column(),
                       std::span(expected).first(slab.row(local).size()));
        ASSERT_TRUE(std::ranges::equal(slab.row(local), std::span(expected).first(slab.row(local).size())));
        for (std::size_t j = 0; j < slab.row(local).size(); ++j) {
          ASSERT_EQ(RowView(single).single_row(local)[j], static_cast<float>(expected[j]));
        }
      }
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(slab.row(1).data()) % 64, 0U);
      for (const std::int64_t count : {515, 500}) {
        keep_prefix(slab, count);
        EXPECT_EQ(slab.layout.rows, count);
        for (std::int64_t local = 0; local < slab.layout.local_rows(); ++local) {
          mixture.sample(slab.layout.global_row(local), layout.first_column(),
                         std::span(expected).first(slab.row(local).size()));
          ASSERT_TRUE(std::ranges::equal(slab.row(local), std::span(expected).first(slab.row(local).size())));
        }
      }
    }
  }
}

// Every number rounded once, whatever is drawn in how many steps; labels are not kept.
TEST(DataSlab, ATrainingSetInSinglePrecisionIsTheOtherRounded) {
  const GaussianMixture mixture = mixture_of(CentroidKind::orthogonal);
  const ManifoldParameters parameters{.dimension = 13,
                                      .blocks = {{.size = 3, .sigma = 1.0}, {.size = 2, .sigma = 0.1}},
                                      .factor = FactorKind::gaussian,
                                      .ambient_noise = 0.2};
  const LinearManifold manifold(parameters, 5, hash_text("slab test"), 1);
  for (const Ensemble* ensemble : {static_cast<const Ensemble*>(&mixture), static_cast<const Ensemble*>(&manifold)}) {
    for (const Partition partition : partitions) {
      for (int rank = 0; rank < 3; ++rank) {
        const SlabLayout layout = layout_of(partition, 1100, 13, 3, rank);
        TrainingSetDraw draw(*ensemble, layout, true);
        for (std::int64_t i = draw.steps(); i > 0; --i) draw.step();
        const SinglePrecisionSlab single = draw.take_single();
        const DataSlab slab = draw_training_set(*ensemble, layout);
        ASSERT_EQ(single.values.size(), slab.values.size());
        for (std::size_t i = 0; i < slab.values.size(); ++i) {
          ASSERT_EQ(single.values[i], static_cast<float>(slab.values[i]));
        }
        EXPECT_EQ(single.layout.rows, 1100);
        EXPECT_TRUE(draw.take().values.empty());
      }
    }
  }
}

SinglePrecisionSlab single_precision_centroids(const GaussianMixture& mixture, const SlabLayout& layout) {
  const CentroidRows rows(mixture);
  TrainingSetDraw draw(rows, layout, /*single=*/true);
  for (std::int64_t i = draw.steps(); i > 0; --i) draw.step();
  return draw.take_single();
}

TEST(DataSlab, SinglePrecisionCentroidsAreTheOthersRounded) {
  for (const CentroidKind kind : kinds) {
    const GaussianMixture mixture = mixture_of(kind);
    for (const Partition partition : partitions) {
      for (int rank = 0; rank < 3; ++rank) {
        const SlabLayout layout = layout_of(partition, mixture.classes(), 13, 3, rank);
        EXPECT_EQ(single_precision_centroids(mixture, layout).values,
                  test::single_precision(centroid_matrix(mixture, layout)).values);
      }
    }
  }
}

TEST(DataSlab, CentroidMatrixHoldsTheCentroidsAndSuperclasses) {
  for (const CentroidKind kind : kinds) {
    const GaussianMixture mixture = mixture_of(kind);
    for (const Partition partition : partitions) {
      for (int rank = 0; rank < 3; ++rank) {
        const SlabLayout layout = layout_of(partition, mixture.classes(), 13, 3, rank);
        const DataSlab slab = centroid_matrix(mixture, layout);
        EXPECT_EQ(slab.labels.empty(), kind != CentroidKind::hierarchical || layout.local_rows() == 0);
        for (std::int64_t local = 0; local < layout.local_rows(); ++local) {
          const std::int64_t c = layout.global_row(local);
          std::vector<double> direct(static_cast<std::size_t>(layout.local_columns()));
          mixture.centroid(c, layout.first_column(), direct);
          const auto stored = slab.row(local);
          EXPECT_TRUE(std::equal(stored.begin(), stored.end(), direct.begin(), direct.end()));
          EXPECT_TRUE(slab.labels.empty() || slab.labels[static_cast<std::size_t>(local)] == c / 3);
        }
      }
    }
  }
}

// Also where a rank has no rows: all ranks must do alike.
TEST(RowView, KnowsItsPrecisionWithoutRows) {
  const GaussianMixture mixture = mixture_of(CentroidKind::random);
  const SlabLayout layout = layout_of(Partition::component, mixture.classes(), mixture.dimension(), 2, 1);
  ASSERT_EQ(layout.local_rows(), 0);
  const SinglePrecisionSlab singles = single_precision_centroids(mixture, layout);
  const DataSlab doubles = centroid_matrix(mixture, layout);
  EXPECT_TRUE(RowView(singles).is_single());
  EXPECT_FALSE(RowView(doubles).is_single());
}

TEST(DataSlab, LayoutsThatDoNotFitTheMixtureAreRefused) {
  const GaussianMixture mixture = mixture_of(CentroidKind::random);
  EXPECT_THROW((void)draw_training_set(mixture, layout_of(Partition::component, 10, 12, 1, 0)), std::logic_error);
  EXPECT_THROW((void)centroid_matrix(mixture, layout_of(Partition::component, 7, 13, 1, 0)), std::logic_error);
}

}  // namespace
}  // namespace diffphase
