#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>
#include <stdexcept>

#include "spectrum/hutchinson.hpp"
#include "support/matrix_operator.hpp"

namespace diffphase {
namespace {

constexpr std::size_t d = 120;

class HutchinsonMpi : public testing::Test {
 protected:
  [[nodiscard]] static LinearOperator general(const test::SplitMatrix& matrix) {
    LinearOperator op{.size = d, .local_size = matrix.piece().count, .apply = {}, .apply_transposed = {}};
    op.apply = [&](std::int64_t v, std::span<const double> in, std::span<double> out) {
      matrix.apply(false, v, in, out);
    };
    op.apply_transposed = [&](std::int64_t v, std::span<const double> in, std::span<double> out) {
      matrix.apply(true, v, in, out);
    };
    return op;
  }

  /// Symmetric + strength (B - B^T).
  [[nodiscard]] static std::vector<double> planted(double strength) {
    std::vector<double> matrix = test::wishart("symmetric part", 200, d);
    const std::vector<double> b = test::normals("antisymmetric part", d * d);
    for (std::size_t i = 0; i < d; ++i) {
      for (std::size_t j = 0; j < d; ++j) matrix[i * d + j] += strength * (b[i * d + j] - b[j * d + i]);
    }
    return matrix;
  }

  struct Exact {
    double trace = 0.0;
    double frobenius = 0.0;
    double asymmetry = 0.0;
    explicit Exact(const std::vector<double>& matrix) {
      for (std::size_t i = 0; i < d; ++i) {
        trace += matrix[i * d + i];
        for (std::size_t j = 0; j < d; ++j) {
          frobenius += std::pow(matrix[i * d + j], 2);
          asymmetry += std::pow(matrix[i * d + j] - matrix[j * d + i], 2);
        }
      }
      frobenius = std::sqrt(frobenius);
      asymmetry = std::sqrt(asymmetry);
    }
  };

  static void expect_within(const ProbeMean& mean, double exact, const char* what) {
    EXPECT_LE(std::abs(mean.value - exact), 4.0 * mean.standard_error) << what << " " << mean.value << " " << exact;
    EXPECT_GT(mean.standard_error, 0.0) << what;
    EXPECT_LE(mean.standard_error, 0.3 * exact) << what;
  }

  Communicator world = Communicator::world();
  TaskGroup group{world};
  RandomStream probes{5, hash_text("hutchinson test"), 0, "probes"};
};

TEST_F(HutchinsonMpi, FindsAPlantedAntisymmetricPart) {
  for (const double strength : {1e-8, 1e-3, 0.3}) {
    const test::SplitMatrix matrix(group, d, planted(strength));
    const Exact exact(matrix.matrix());
    for (const ProbeLaw law : {ProbeLaw::rademacher, ProbeLaw::gaussian}) {
      const HutchinsonSettings settings{.probes = 40, .block = 16, .law = law};
      const HutchinsonEstimates with = hutchinson(group, general(matrix), probes, settings);
      const HutchinsonEstimates without = hutchinson(group, matrix.symmetric(), probes, settings);
      for (const HutchinsonEstimates* e : {&with, &without}) {
        expect_within(e->trace, exact.trace, "trace");
        expect_within(e->frobenius, exact.frobenius, "Frobenius norm");
        expect_within(e->asymmetry, exact.asymmetry, "asymmetry");
        expect_within(e->relative_asymmetry, exact.asymmetry / (2.0 * exact.frobenius), "relative asymmetry");
      }
      EXPECT_EQ(with.products, 80);
      EXPECT_EQ(without.products, 40);
    }
  }
}

TEST_F(HutchinsonMpi, ASymmetricOperatorHasRoundingOnly) {
  const test::SplitMatrix matrix(group, d, planted(0.0));
  const HutchinsonSettings settings{.probes = 12, .block = 5};
  EXPECT_LE(hutchinson(group, general(matrix), probes, settings).relative_asymmetry.value, 1e-15);
  EXPECT_LE(hutchinson(group, matrix.symmetric(), probes, settings).relative_asymmetry.value, 1e-15);
}

TEST_F(HutchinsonMpi, AnAntisymmetricOperatorHasAsymmetryOne) {
  std::vector<double> values = planted(1.0);
  const std::vector<double> symmetric = planted(0.0);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] -= symmetric[i];
  const test::SplitMatrix matrix(group, d, values);
  const HutchinsonEstimates e = hutchinson(group, general(matrix), probes, {.probes = 8, .block = 8});
  EXPECT_NEAR(e.relative_asymmetry.value, 1.0, 1e-12);
  EXPECT_NEAR(e.trace.value, 0.0, 1e-10);
}

TEST_F(HutchinsonMpi, ErrorsAreThoseOfRepeatedEstimates) {
  const test::SplitMatrix matrix(group, d, planted(0.1));
  const Exact exact(matrix.matrix());
  double traces = 0.0;
  double norms = 0.0;
  double general_asymmetries = 0.0;
  double asymmetries = 0.0;
  const int repetitions = 60;
  for (int r = 0; r < repetitions; ++r) {
    const RandomStream own(5, hash_text("hutchinson test"), r, "repetitions");
    const HutchinsonSettings settings{.probes = 24, .block = 12, .law = ProbeLaw::gaussian};
    const HutchinsonEstimates e = hutchinson(group, matrix.symmetric(), own, settings);
    const HutchinsonEstimates g = hutchinson(group, general(matrix), own, settings);
    traces += std::pow((e.trace.value - exact.trace) / e.trace.standard_error, 2) / repetitions;
    norms += std::pow((e.frobenius.value - exact.frobenius) / e.frobenius.standard_error, 2) / repetitions;
    asymmetries += std::pow((e.asymmetry.value - exact.asymmetry) / e.asymmetry.standard_error, 2) / repetitions;
    general_asymmetries +=
        std::pow((g.asymmetry.value - exact.asymmetry) / g.asymmetry.standard_error, 2) / repetitions;
  }
  for (const double square : {traces, norms, asymmetries, general_asymmetries}) {
    EXPECT_GE(square, 0.4);
    EXPECT_LE(square, 2.0);
  }
}

TEST_F(HutchinsonMpi, IsTheSameOnAnyNumberOfRanksAndExactForDiagonals) {
  std::vector<double> diagonal(d * d, 0.0);
  for (std::size_t i = 0; i < d; ++i) diagonal[i * d + i] = static_cast<double>(i);
  const test::SplitMatrix plain(group, d, diagonal);
  const HutchinsonEstimates e = hutchinson(group, plain.symmetric(), probes, {.probes = 4, .block = 2});
  EXPECT_NEAR(e.trace.value, 120.0 * 119.0 / 2.0, 1e-9);
  EXPECT_LE(e.trace.standard_error, 1e-9);

  const Communicator alone = Communicator::self();
  const TaskGroup self(alone);
  const std::vector<double> values = planted(0.1);
  const test::SplitMatrix split(group, d, values);
  const test::SplitMatrix whole(self, d, values);
  const HutchinsonSettings settings{.probes = 9, .block = 4};
  const HutchinsonEstimates a = hutchinson(group, general(split), probes, settings);
  const HutchinsonEstimates b = hutchinson(self, general(whole), probes, settings);
  EXPECT_NEAR(a.trace.value, b.trace.value, 1e-10);
  EXPECT_NEAR(a.asymmetry.value, b.asymmetry.value, 1e-10);
  EXPECT_NEAR(a.asymmetry.standard_error, b.asymmetry.standard_error, 1e-10);
}

TEST_F(HutchinsonMpi, NeedsPairsWithoutATranspose) {
  const test::SplitMatrix matrix(group, d, planted(0.0));
  EXPECT_THROW((void)hutchinson(group, matrix.symmetric(), probes, {.probes = 1}), std::invalid_argument);
  EXPECT_THROW((void)hutchinson(group, matrix.symmetric(), probes, {.block = 1}), std::invalid_argument);
  EXPECT_THROW((void)hutchinson(group, general(matrix), probes, {.probes = 0}), std::invalid_argument);
  const HutchinsonEstimates two = hutchinson(group, matrix.symmetric(), probes, {.probes = 2});
  EXPECT_EQ(two.asymmetry.standard_error, two.asymmetry.value > 0.0 ? HUGE_VAL : 0.0);
}

}  // namespace
}  // namespace diffphase
