#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <stdexcept>

#include "spectrum/tall_singular_values.hpp"
#include "support/matrix_operator.hpp"

extern "C" {
void dgesvd_(const char* job_u, const char* job_v, const int* rows, const int* columns, double* matrix,
             const int* stride, double* values, double* u, const int* u_stride, double* vt, const int* vt_stride,
             double* work, const int* work_size, int* info);
}

namespace diffphase {
namespace {

/// By LAPACK's dgesvd, of a row-major matrix.
std::vector<double> lapack_values(std::vector<double> matrix, std::size_t columns) {
  const int n = static_cast<int>(columns);
  const int m = static_cast<int>(matrix.size() / columns);
  const int work_size = 20 * (m + n);
  const int one = 1;
  int info = 0;
  double unused = 0.0;
  std::vector<double> values(static_cast<std::size_t>(std::min(m, n)));
  std::vector<double> work(static_cast<std::size_t>(work_size));
  dgesvd_("N", "N", &n, &m, matrix.data(), &n, values.data(), &unused, &one, &unused, &one, work.data(), &work_size,
          &info);
  return values;
}

/// rows x columns with singular values falling from 1 to 1/condition geometrically: U S V^T of random rotations.
std::vector<double> with_condition(std::size_t rows, std::size_t columns, double condition) {
  const std::vector<double> u = test::rotation("left", rows);
  std::vector<double> v = test::rotation("right", columns);
  for (std::size_t k = 0; k < columns; ++k) {
    const double s = std::pow(condition, -static_cast<double>(k) / static_cast<double>(columns - 1));
    for (std::size_t j = 0; j < columns; ++j) v[k * columns + j] *= s;
  }
  std::vector<double> matrix(rows * columns);
  cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, static_cast<int>(rows), static_cast<int>(columns),
              static_cast<int>(columns), 1.0, u.data(), static_cast<int>(rows), v.data(), static_cast<int>(columns),
              0.0, matrix.data(), static_cast<int>(columns));
  return matrix;
}

class TallSingularValuesMpi : public testing::Test {
 protected:
  [[nodiscard]] std::vector<double> own_rows(const std::vector<double>& matrix, std::size_t columns) const {
    const test::Piece piece(static_cast<std::int64_t>(matrix.size() / columns), world);
    const auto n = static_cast<std::ptrdiff_t>(columns);
    return {matrix.begin() + piece.first * n, matrix.begin() + (piece.first + piece.count) * n};
  }

  [[nodiscard]] TallSingularValues values_of(const std::vector<double>& matrix, std::size_t columns,
                                             const TallSettings& settings = {}) const {
    const std::vector<double> rows = own_rows(matrix, columns);
    return tall_singular_values(group, static_cast<std::int64_t>(columns), rows, settings);
  }

  static double worst_error(const TallSingularValues& found, const std::vector<double>& exact) {
    double worst = 0.0;
    EXPECT_EQ(found.values.size(), exact.size());
    for (std::size_t i = 0; i < exact.size(); ++i) {
      worst = std::max(worst, std::abs(found.values[i] / exact[i] - 1.0));
    }
    return worst;
  }

  Communicator world = Communicator::world();
  TaskGroup group{world};
};

TEST_F(TallSingularValuesMpi, TheMethodFollowsTheCondition) {
  const std::size_t n = 40;
  for (const double condition : {1e2, 1e4, 1e6, 1e8, 1e10, 1e12}) {
    const std::vector<double> matrix = with_condition(300, n, condition);
    std::vector<double> exact;
    for (std::size_t k = 0; k < n; ++k) exact.push_back(std::pow(condition, -static_cast<double>(k) / (n - 1.0)));
    const TallSingularValues gram = values_of(matrix, n, {.method = TallMethod::gram});
    const TallSingularValues tsqr = values_of(matrix, n, {.method = TallMethod::tsqr});
    const TallSingularValues chosen = values_of(matrix, n);
    RecordProperty("gram_error_" + std::to_string(std::lround(std::log10(condition))),
                   std::to_string(worst_error(gram, exact)));
    EXPECT_EQ(chosen.method, condition < 1e3 ? "gram" : "tsqr") << chosen.reason;
    EXPECT_EQ(chosen.values, condition < 1e3 ? gram.values : tsqr.values);
    EXPECT_LE(worst_error(tsqr, exact), 10.0 * 2.2e-16 * condition) << condition;
    EXPECT_LE(worst_error(tsqr, lapack_values(matrix, n)), 10.0 * 2.2e-16 * condition) << condition;
    if (condition < 1e7) {
      EXPECT_LE(worst_error(gram, exact), std::max(1e-13, gram.relative_error)) << condition;
    }
    if (condition > 1e9) {
      EXPECT_GT(worst_error(gram, exact), 0.1) << "small values are lost";
      EXPECT_GT(gram.relative_error, 1e-2) << "and it is known";
    }
    for (const TallSingularValues* found : {&gram, &tsqr}) {
      double squares = 0.0;
      for (const double s : found->values) squares += s * s;
      EXPECT_NEAR(squares, found->frobenius * found->frobenius, 1e-13 * squares);
    }
    // The values above 1e-3 of the largest are good from the Gram matrix whatever the condition.
    const TallSingularValues top = values_of(matrix, n, {.accuracy = 1e-8, .floor = 1e-3});
    EXPECT_EQ(top.method, "gram") << top.reason;
    for (std::size_t i = 0; i < n && exact[i] > 1e-3; ++i) EXPECT_NEAR(top.values[i], exact[i], 1e-8 * exact[i]);
  }
}

TEST_F(TallSingularValuesMpi, AnyShapeAndRanksWithoutRows) {
  struct Shape {
    std::size_t rows;
    std::size_t columns;
  };
  for (const Shape shape :
       {Shape{1, 1}, Shape{3, 1}, Shape{2, 5}, Shape{5, 5}, Shape{7, 5}, Shape{9, 70}, Shape{64, 33}}) {
    const std::vector<double> matrix = test::normals("shape", shape.rows * shape.columns);
    const std::vector<double> exact = lapack_values(matrix, shape.columns);
    for (const TallMethod method : {TallMethod::gram, TallMethod::tsqr, TallMethod::automatic}) {
      const TallSingularValues found = values_of(matrix, shape.columns, {.method = method});
      EXPECT_LE(worst_error(found, exact), 1e-10) << shape.rows << " x " << shape.columns;
    }
  }
}

TEST_F(TallSingularValuesMpi, SeveralPiecesPerRank) {
  const std::size_t n = 3;
  std::vector<double> matrix = test::normals("pieces", 40000 * n);
  const TallSingularValues gram = values_of(matrix, n, {.method = TallMethod::gram});
  const TallSingularValues tsqr = values_of(matrix, n, {.method = TallMethod::tsqr});
  EXPECT_LE(worst_error(gram, tsqr.values), 1e-12);
  EXPECT_NEAR(tsqr.values[1], 200.0, 2.0);
}

TEST_F(TallSingularValuesMpi, RankDeficientAndZeroMatrices) {
  const std::vector<double> u = test::normals("u", 50);
  std::vector<double> matrix;
  for (const double x : u) matrix.insert(matrix.end(), {x, 2.0 * x, -x, 0.0});
  const TallSingularValues found = values_of(matrix, 4);
  EXPECT_EQ(found.method, "tsqr");
  EXPECT_NEAR(found.values[0], found.frobenius, 1e-13 * found.frobenius);
  EXPECT_LE(found.values[1], 1e-14 * found.frobenius);
  const TallSingularValues zero = values_of(std::vector<double>(40, 0.0), 4);
  EXPECT_EQ(zero.values, std::vector<double>(4, 0.0));
}

TEST_F(TallSingularValuesMpi, EveryRankHasTheSameValues) {
  const TallSingularValues found = values_of(test::normals("same", 400), 8, {.method = TallMethod::tsqr});
  std::vector<double> of_root = found.values;
  world.broadcast(std::span(of_root));
  EXPECT_EQ(found.values, of_root);
}

TEST_F(TallSingularValuesMpi, RefusesEverywhere) {
  EXPECT_THROW((void)tall_singular_values(group, 4, {}), std::invalid_argument);
  EXPECT_THROW((void)tall_singular_values(group, 0, {}), GroupError);
  const std::vector<double> odd(world.is_root() ? 7 : 8, 1.0);
  EXPECT_THROW((void)tall_singular_values(group, 4, odd), GroupError);
  std::vector<double> infinite(8, 1.0);
  if (world.is_root()) infinite[3] = std::numeric_limits<double>::infinity();
  EXPECT_THROW((void)tall_singular_values(group, 4, infinite), std::invalid_argument);
}

}  // namespace
}  // namespace diffphase
