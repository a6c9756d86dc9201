#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include "spectrum_cases.hpp"
#include "support/rounded_slab.hpp"

namespace diffphase {
namespace {

using test::SpectrumCase;
using test::Stage;

constexpr Partition partitions[] = {Partition::component, Partition::dimension};

void expect_near(const std::vector<double>& found, const std::vector<double>& expected, double error) {
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], expected[i], error) << "entry " << i;
}

// The world and an uneven split of it.
template <typename Test>
void on_groups(const Test& run) {
  const Communicator world = Communicator::world();
  const Communicator part = world.split(world.rank() == 0 ? 0 : 1);
  run(TaskGroup(world));
  run(TaskGroup(part));
}

// This rank's pieces of them.
std::vector<double> random_vectors(const TaskGroup& group, const SymmetricOperator& op, std::size_t count) {
  const VectorBlocks blocks(group, op);
  const auto local = static_cast<std::size_t>(op.local_size);
  std::vector<double> all(count * local);
  for (std::size_t v = 0; v < count; ++v) {
    blocks.random("random vectors", static_cast<std::int64_t>(v), std::span(all).subspan(v * local, local));
  }
  return all;
}

TEST(ScoreJacobianMpi, EqualsTheDenseMatrixInBlocksAndVectorByVector) {
  on_groups([](const TaskGroup& group) {
    for (const SpectrumCase& c : test::spectrum_cases()) {
      const std::vector<double> expected = test::dense_operator(c);
      const double scale = test::largest_entry(expected);
      // The posterior's weights lose digits to the distance from the origin.
      const double accuracy = c.name == "training points far away" ? 1e-8 : 1e-11;
      for (const Partition partition : partitions) {
        SCOPED_TRACE(c.name);
        const Stage stage(group, c, partition);
        const SymmetricOperator op = stage.jacobian.covariance();
        for (const std::int64_t block : {1, 3, 64}) {
          expect_near(test::matrix_of(group, op, block), expected, accuracy * scale + 1e-28);
        }
        double trace = 0.0;
        for (std::int64_t j = 0; j < op.size; ++j) trace += expected[static_cast<std::size_t>(j * (op.size + 1))];
        EXPECT_NEAR(*op.trace, trace, accuracy * trace + 1e-28);
        EXPECT_EQ(*op.trace, stage.jacobian.trace());
      }
    }
  });
}

// The rows that the Gram reduction uses make the same matrix.
TEST(ScoreJacobianMpi, IsMadeOfItsRows) {
  on_groups([](const TaskGroup& group) {
    for (const SpectrumCase& c : test::spectrum_cases()) {
      for (const Partition partition : partitions) {
        SCOPED_TRACE(c.name);
        const Stage stage(group, c, partition);
        const SymmetricOperator op = stage.jacobian.covariance();
        const auto rows = static_cast<std::size_t>(op.factor->rows);
        EXPECT_LE(rows, c.mixture.components());
        const auto d = static_cast<std::size_t>(op.size);
        std::vector<double> s(rows * d);
        for (const std::int64_t panel : {0, 1, 2}) {
          const PanelRange range(op.local_size, panel, 3);
          const auto width = static_cast<std::size_t>(range.count);
          const auto first = static_cast<std::size_t>(VectorBlocks(group, op).first() + range.first);
          std::vector<double> local(rows * width);
          op.factor->read(panel, 3, local);
          for (std::size_t i = 0; i < local.size(); ++i) s[i / width * d + first + i % width] = local[i];
        }
        group.comm().sum(s);
        std::vector<double> made(d * d);
        for (std::size_t j = 0; j < d; ++j) {
          for (std::size_t k = 0; k < d; ++k) {
            for (std::size_t i = 0; i < rows; ++i) made[j * d + k] += s[i * d + j] * s[i * d + k];
          }
          made[j * d + j] += op.factor->shift;
        }
        const std::vector<double> whole = test::matrix_of(group, op, 8);
        expect_near(made, whole, 1e-12 * test::largest_entry(whole));
      }
    }
  });
}

// More rows than a tile of either partition, and rows that are split over several ranks (blocks of 512).
TEST(ScoreJacobianMpi, DoesNotDependOnPartitionOrRanks) {
  const SpectrumCase c =
      test::noised("several tiles", dense::random_points(2100, 150, 0.1, "tiles"), NoiseLevel::at_tau(4.0));
  const Communicator self = Communicator::self();
  const TaskGroup alone(self);
  const Stage reference(alone, c, Partition::component);
  const std::vector<double> expected = test::matrix_of(alone, reference.jacobian.covariance(), 64);
  on_groups([&](const TaskGroup& group) {
    for (const Partition partition : partitions) {
      const Stage stage(group, c, partition);
      expect_near(test::matrix_of(group, stage.jacobian.covariance(), 64), expected,
                  1e-12 * test::largest_entry(expected));
      EXPECT_NEAR(stage.jacobian.trace(), reference.jacobian.trace(), 1e-12 * reference.jacobian.trace());
      EXPECT_EQ(stage.jacobian.support(), reference.jacobian.support());
    }
  });
}

// Rows stored in single precision: the operator of the rounded rows, exactly.
TEST(ScoreJacobianMpi, SinglePrecisionIsThatOfTheRoundedRows) {
  on_groups([](const TaskGroup& group) {
    for (const Partition partition : partitions) {
      SpectrumCase c = test::noised("rounded", dense::random_points(1100, 17, 1.0, "rounded"), NoiseLevel::at_tau(2.0));
      for (auto& row : c.mixture.centres) {
        for (double& value : row) value = static_cast<float>(value);
      }
      const Stage stage(group, c, partition);
      const SinglePrecisionSlab singles = test::single_precision(stage.slab);
      const PointPosterior posterior(group, singles, c.law());
      const ScoreJacobian rounded = ScoreJacobian::at(group, posterior, c.level, stage.local_columns(c.x));
      EXPECT_EQ(rounded.support(), stage.jacobian.support());
      const std::vector<double> expected = test::matrix_of(group, stage.jacobian.covariance(), 5);
      for (const std::int64_t block : {1, 5}) {
        expect_near(test::matrix_of(group, rounded.covariance(), block), expected,
                    1e-13 * test::largest_entry(expected));
      }
    }
  });
}

// Rows so long that they are made doubles a part of the columns at a time.
TEST(ScoreJacobianMpi, LongRowsInSinglePrecisionAreThoseOfTheRoundedRows) {
  SpectrumCase c = test::noised("long rows", dense::random_points(400, 3001, 0.05, "long"), NoiseLevel::at_tau(40.0));
  for (auto& row : c.mixture.centres) {
    for (double& value : row) value = static_cast<float>(value);
  }
  on_groups([&](const TaskGroup& group) {
    for (const Partition partition : partitions) {
      const Stage stage(group, c, partition);
      const SinglePrecisionSlab singles = test::single_precision(stage.slab);
      const PointPosterior posterior(group, singles, c.law());
      const ScoreJacobian rounded = ScoreJacobian::at(group, posterior, c.level, stage.local_columns(c.x));
      const SymmetricOperator expected_op = stage.jacobian.covariance();
      const SymmetricOperator found_op = rounded.covariance();
      const std::vector<double> in = random_vectors(group, found_op, 9);
      std::vector<double> expected(in.size()), found(in.size());
      expected_op.apply(9, in, expected);
      found_op.apply(9, in, found);
      double largest = 0.0;
      for (const double value : expected) largest = std::max(largest, std::abs(value));
      group.comm().maximum(std::span(&largest, 1));
      EXPECT_GT(largest, 0.0);
      expect_near(found, expected, 1e-12 * largest);
    }
  });
}

// Rows that no cache keeps: few vectors, which read them side by side, beside matrix products, in tiles of other sizes.
TEST(ScoreJacobianMpi, WideRowsAreThoseOfMatrixProducts) {
  const SpectrumCase c =
      test::noised("wide rows", dense::random_points(75, 70001, 0.05, "wide"), NoiseLevel::at_tau(400.0));
  const Communicator world = Communicator::world();
  const TaskGroup group(world);
  for (const Partition partition : partitions) {
    const Stage stage(group, c, partition);
    ASSERT_GT(stage.jacobian.support(), 70) << "more rows count than the kernel takes in a pass";
    const SymmetricOperator op = stage.jacobian.covariance();
    const auto local = static_cast<std::size_t>(op.local_size);
    const std::vector<double> in = random_vectors(group, op, 9);
    std::vector<double> expected(in.size()), found(in.size());
    op.apply(9, in, expected);
    for (std::size_t v = 0; v < 9;) {
      const std::size_t count = v == 0 ? 1 : 4;
      op.apply(static_cast<std::int64_t>(count), std::span(in).subspan(v * local, count * local),
               std::span(found).subspan(v * local, count * local));
      v += count;
    }
    double largest = 0.0;
    for (const double value : expected) largest = std::max(largest, std::abs(value));
    group.comm().maximum(std::span(&largest, 1));
    ASSERT_GT(largest, 0.0);
    expect_near(found, expected, 1e-12 * largest);
  }
}

TEST(ScoreJacobianMpi, WhatIsWrongOnOneRankIsThrownOnAll) {
  const Communicator world = Communicator::world();
  const TaskGroup group(world);
  const SpectrumCase c = test::noised("wrong", dense::random_points(40, 9, 1.0, "points"), NoiseLevel::at_tau(1.0));
  const Stage stage(group, c, Partition::dimension);
  const std::vector<double> x = stage.local_columns(c.x);
  std::vector<double> p(40, 1.0 / 40.0);
  if (world.rank() == world.size() - 1) p.pop_back();
  EXPECT_THROW(ScoreJacobian(group, stage.slab, c.law(), c.level, x, p), GroupError);
  EXPECT_THROW(
      ScoreJacobian(group, stage.slab, c.law(), {.signal = 1.0, .noise = 0.0}, x, std::vector<double>(40, 1.0 / 40.0)),
      GroupError);
  EXPECT_THROW(ScoreJacobian(group, stage.slab, c.law(), c.level, x, std::vector<double>(40, 1.0)), GroupError);
  std::vector<double> in(static_cast<std::size_t>(stage.jacobian.local_size()) + (world.rank() == 0 ? 1 : 0));
  EXPECT_THROW(stage.jacobian.covariance().apply(1, in, in), GroupError);
}

}  // namespace
}  // namespace diffphase
