#include "spectrum/intrinsic_dimension.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>
#include <vector>

namespace diffphase {
namespace {

TEST(IntrinsicDimension, IsWhatLiesBelowTheLargestGap) {
  const std::vector<double> s{9.0, 8.0, 7.5, 2.0, 1.0};
  const IntrinsicDimension found = dimension_by_largest_gap(s, 5);
  EXPECT_EQ(found.dimension, 2);
  EXPECT_EQ(found.above, 7.5);
  EXPECT_EQ(found.below, 2.0);
  EXPECT_EQ(dimension_by_largest_gap(s, 9).dimension, 6) << "missing values are 0, and no gap is beyond d - 1";
  EXPECT_EQ(dimension_by_largest_gap(std::vector<double>{3.0, 3.0, 3.0}, 3).dimension, 2) << "the first of equal gaps";
  EXPECT_EQ(dimension_by_largest_gap(std::vector<double>{3.0}, 1).dimension, 1);
}

TEST(IntrinsicDimension, RefusesWhatIsNoListOfSingularValues) {
  EXPECT_THROW((void)dimension_by_largest_gap({}, 3), std::invalid_argument);
  EXPECT_THROW((void)dimension_by_largest_gap(std::vector<double>{1.0, 2.0}, 3), std::invalid_argument);
  EXPECT_THROW((void)dimension_by_largest_gap(std::vector<double>{2.0, 1.0}, 1), std::invalid_argument);
}

TEST(IntrinsicDimension, OfTheScoreJacobianByGapAndByThreshold) {
  const std::vector<double> n{1.0, 0.99, -0.2, 0.1, 1.0, 0.6, 0.05};
  EXPECT_EQ(dimension_of_score_by_largest_gap(n).dimension, 3);
  const IntrinsicDimension half = dimension_by_threshold(n);
  EXPECT_EQ(half.dimension, 3);
  EXPECT_EQ(half.below, 0.1);
  EXPECT_EQ(half.above, 0.6);
  EXPECT_EQ(dimension_by_threshold(n, 0.9).dimension, 4);
  const IntrinsicDimension none = dimension_by_threshold(n, -1.0);
  EXPECT_EQ(none.dimension, 0);
  EXPECT_TRUE(std::isnan(none.below));
  EXPECT_EQ(none.above, -0.2);
  EXPECT_EQ(dimension_by_threshold(n, 2.0).dimension, 7);
}

}  // namespace
}  // namespace diffphase
