#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>

#include "spectrum/leading_singular_values.hpp"
#include "spectrum/tall_singular_values.hpp"
#include "support/matrix_operator.hpp"

namespace diffphase {
namespace {

class LeadingSingularValuesMpi : public testing::Test {
 protected:
  [[nodiscard]] std::vector<double> own_rows(const std::vector<double>& matrix, std::size_t columns) const {
    const test::Piece piece(static_cast<std::int64_t>(matrix.size() / columns), world);
    const auto n = static_cast<std::ptrdiff_t>(columns);
    return {matrix.begin() + piece.first * n, matrix.begin() + (piece.first + piece.count) * n};
  }

  Communicator world = Communicator::world();
  TaskGroup group{world};
};

TEST_F(LeadingSingularValuesMpi, EqualThoseOfTheWholeSpectrumForWideAndTallMatrices) {
  struct Shape {
    std::size_t rows;
    std::size_t columns;
  };
  for (const Shape shape : {Shape{30, 400}, Shape{3, 50}, Shape{200, 40}}) {
    const std::vector<double> matrix = test::normals("leading", shape.rows * shape.columns);
    const std::vector<double> rows = own_rows(matrix, shape.columns);
    const auto columns = static_cast<std::int64_t>(shape.columns);
    const int wanted = shape.rows == 3 ? 3 : 5;
    const LeadingSingularValues found = leading_singular_values(group, columns, rows, wanted);
    const TallSingularValues all = tall_singular_values(group, columns, rows);
    EXPECT_TRUE(found.converged) << found.stop_reason;
    ASSERT_EQ(found.values.size(), static_cast<std::size_t>(wanted));
    for (std::size_t i = 0; i < found.values.size(); ++i) {
      EXPECT_NEAR(found.values[i], all.values[i], 1e-10 * all.values[0]);
      EXPECT_LE(found.relative_errors[i], 1e-9);
    }
    EXPECT_GT(found.products, 0);
  }
}

TEST_F(LeadingSingularValuesMpi, RefusesEverywhereAndStops) {
  const std::vector<double> rows = own_rows(test::normals("refuses", 80), 8);
  EXPECT_THROW((void)leading_singular_values(group, 8, rows, 9), GroupError);
  EXPECT_THROW((void)leading_singular_values(group, 8, rows, 0), GroupError);
  const TaskGroup stopping(world, [] { return true; });
  EXPECT_THROW((void)leading_singular_values(stopping, 8, rows, 2), Stopped);
  EXPECT_EQ(leading_singular_values(group, 8, rows, 2).values.size(), 2U);
}

}  // namespace
}  // namespace diffphase
