#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>
#include <string>

#include "spectrum/intrinsic_dimension.hpp"
#include "spectrum/score_matrix.hpp"
#include "spectrum/tall_singular_values.hpp"
#include "support/matrix_operator.hpp"

namespace diffphase {
namespace {

constexpr std::size_t d = 100;
constexpr std::size_t m = 20;
constexpr double tau = 1e-3;
constexpr double probes = 400.0;

/// Gaussian data of variance 1 on a random m-dimensional subspace, variance exploding: the score is
/// -x/tau + P x/tau - P x/(1 + tau), P the projection on the subspace, whose basis are the first m rows of a rotation.
class ScoreMatrixMpi : public testing::Test {
 protected:
  [[nodiscard]] ScoreFunction linear_score() const {
    return [this](std::int64_t points, std::span<const double> x, std::span<double> scores) {
      const int count = static_cast<int>(points);
      std::vector<double> along(static_cast<std::size_t>(points) * m);
      cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, count, m, d, 1.0, x.data(), d, basis.data(), d, 0.0,
                  along.data(), m);
      for (std::size_t i = 0; i < x.size(); ++i) scores[i] = -x[i] / tau;
      cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, count, d, m, 1.0 / tau - 1.0 / (1.0 + tau), along.data(),
                  m, basis.data(), d, 1.0, scores.data(), d);
    };
  }

  /// A point of the data: sum_k z_k basis_k.
  [[nodiscard]] std::vector<double> point() const {
    std::vector<double> x(d);
    const std::vector<double> z = test::normals("point", m);
    for (std::size_t k = 0; k < m; ++k) {
      for (std::size_t i = 0; i < d; ++i) x[i] += z[k] * basis[k * d + i];
    }
    return x;
  }

  [[nodiscard]] TallSingularValues values_of(const ScoreMatrixSettings& settings) const {
    const std::vector<double> x0 = point();
    const ScoreMatrix matrix = score_matrix(group, x0, linear_score(), stream, settings);
    EXPECT_EQ(matrix.columns, static_cast<std::int64_t>(d));
    return tall_singular_values(group, matrix.columns, matrix.values);
  }

  Communicator world = Communicator::world();
  TaskGroup group{world};
  RandomStream stream{7, hash_text("score matrix test"), 0, "score probes"};
  std::vector<double> basis = test::rotation("subspace", d);
};

// Normal values are sqrt(1/tau) (sqrt(K) -+ sqrt(d - m)). The tangent ones are so much smaller that they are those of
// what the d - m normal columns leave of the tangent columns, K - d + m dimensions: sqrt(tau)/(1 + tau) (sqrt(K - d +
// m) -+ sqrt(m)). Edges of Marchenko and Pastur, as far as they hold at this size; K = 4 d by default.
TEST_F(ScoreMatrixMpi, LinearGaussianDataHaveTheirDimensionAndEdges) {
  const double normal = std::sqrt(probes / tau);
  const double normal_width = std::sqrt((d - m) / tau);
  const double tangent = std::sqrt((probes - (d - m)) * tau) / (1.0 + tau);
  const double tangent_width = std::sqrt(m * tau) / (1.0 + tau);
  for (const ScoreRows rows : {ScoreRows::plain, ScoreRows::centred, ScoreRows::antithetic}) {
    const TallSingularValues found = values_of({.sigma = std::sqrt(tau), .rows = rows});
    const std::vector<double>& s = found.values;
    ASSERT_EQ(s.size(), d);
    const IntrinsicDimension k = dimension_by_largest_gap(s, d);
    EXPECT_EQ(k.dimension, 20);
    RecordProperty("edges_" + std::to_string(static_cast<int>(rows)),
                   std::to_string(s[0]) + " " + std::to_string(s[d - m - 1]) + " " + std::to_string(s[d - m]) + " " +
                       std::to_string(s[d - 1]));
    EXPECT_NEAR(s[0], normal + normal_width, 0.05 * normal);
    EXPECT_NEAR(s[d - m - 1], normal - normal_width, 0.05 * normal);
    EXPECT_NEAR(s[d - 1], tangent - tangent_width, 0.05 * tangent);
    if (rows == ScoreRows::plain) {
      // The score at x_0 adds an outlier of order sqrt(K) |s(x_0)| among the tangent values.
      EXPECT_GT(s[d - m], 3.0 * (tangent + tangent_width));
      EXPECT_NEAR(s[d - m + 1], tangent + tangent_width, 0.05 * tangent);
    } else {
      EXPECT_NEAR(s[d - m], tangent + tangent_width, 0.05 * tangent);
    }
  }
}

TEST_F(ScoreMatrixMpi, AntitheticRowsOfALinearScoreHaveNoMean) {
  const std::vector<double> x0 = point();
  std::vector<double> origin(d, 0.0);
  const ScoreMatrixSettings settings{.probes = 13, .sigma = 0.1, .rows = ScoreRows::antithetic, .batch = 3};
  const ScoreMatrix there = score_matrix(group, x0, linear_score(), stream, settings);
  const ScoreMatrix here = score_matrix(group, origin, linear_score(), stream, settings);
  for (std::size_t i = 0; i < here.values.size(); ++i) EXPECT_NEAR(there.values[i], here.values[i], 1e-9);
}

TEST_F(ScoreMatrixMpi, IsTheSameOnAnyNumberOfRanksInAnyBatchesAndForEitherCall) {
  const Communicator alone = Communicator::self();
  const TaskGroup self(alone);
  const std::vector<double> x0 = point();
  for (const ScoreRows rows : {ScoreRows::plain, ScoreRows::centred, ScoreRows::antithetic}) {
    const ScoreMatrix whole =
        score_matrix(self, x0, linear_score(), stream, {.probes = 11, .sigma = 0.1, .rows = rows, .batch = 64});
    for (const ScoreCall call : {ScoreCall::each_rank, ScoreCall::together}) {
      const ScoreMatrix split = score_matrix(group, x0, linear_score(), stream,
                                             {.probes = 11, .sigma = 0.1, .rows = rows, .call = call, .batch = 2});
      const test::Piece piece(11, world);
      ASSERT_EQ(split.values.size(), static_cast<std::size_t>(piece.count) * d);
      for (std::size_t i = 0; i < split.values.size(); ++i) {
        EXPECT_NEAR(split.values[i], whole.values[static_cast<std::size_t>(piece.first) * d + i], 1e-10);
      }
    }
  }
}

TEST_F(ScoreMatrixMpi, AScoreThatThrowsOnOneRankFailsOnAll) {
  const std::vector<double> x0 = point();
  const ScoreFunction failing = [&](std::int64_t, std::span<const double>, std::span<double>) {
    if (world.rank() == world.size() - 1) throw std::runtime_error("no score here");
  };
  EXPECT_THROW((void)score_matrix(group, x0, failing, stream, {.sigma = 0.1}), GroupError);
  EXPECT_THROW((void)score_matrix(group, x0, linear_score(), stream, {.sigma = 0.0}), GroupError);
}

}  // namespace
}  // namespace diffphase
