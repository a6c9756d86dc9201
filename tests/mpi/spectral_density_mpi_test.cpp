#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>
#include <stdexcept>

#include "spectrum/hutchinson.hpp"
#include "spectrum/spectral_density.hpp"
#include "support/matrix_operator.hpp"
#include "support/statistics.hpp"

namespace diffphase {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

RandomStream stream() { return {11, hash_text("spectral density test"), 0, "probes"}; }

double exact_moment(const std::vector<double>& eigenvalues, int degree) {
  double sum = 0.0;
  for (const double x : eigenvalues) sum += std::pow(x, degree);
  return sum;
}

double exact_count(const std::vector<double>& eigenvalues, double lower, double upper) {
  return static_cast<double>(
      std::count_if(eigenvalues.begin(), eigenvalues.end(), [&](double x) { return lower < x && x <= upper; }));
}

double mass_of(const SpectralDensity& density) {
  return density.integral([](double) { return 1.0; }).value;
}

class SpectralDensityMpi : public testing::Test {
 protected:
  Communicator world = Communicator::world();
  TaskGroup group{world};
  RandomStream probes = stream();
};

TEST_F(SpectralDensityMpi, OfAMarchenkoPasturMatrixHasItsMomentsAndCounts) {
  const std::size_t d = 300;
  const test::SplitMatrix matrix(group, d, test::wishart("marchenko-pastur", 900, d));
  std::vector<double> dense = matrix.matrix();
  const std::vector<double> eigenvalues = test::eigensystem(dense);
  for (const ProbeLaw law : {ProbeLaw::gaussian, ProbeLaw::rademacher}) {
    const DensitySettings settings{.probes = 24, .steps = 40, .block = 7, .law = law};
    const SpectralDensity density = spectral_density(group, matrix.symmetric(), probes, settings);
    EXPECT_EQ(density.products, 24 * 40);
    EXPECT_NEAR(mass_of(density), 300.0, 300.0 * 1e-13);
    EXPECT_LE(density.integral([](double) { return 1.0; }).standard_error, 1e-11);
    for (int degree = 1; degree <= 4; ++degree) {
      const DensityEstimate m = density.moment(degree);
      EXPECT_LE(std::abs(m.value - exact_moment(eigenvalues, degree)), 4.0 * m.standard_error) << degree;
      EXPECT_GT(m.standard_error, 0.0);
      EXPECT_LE(std::abs(m.bias), 1e-9 * m.value) << "Gauss quadrature is exact for these";
    }
    for (const double edge : {0.25, 0.5, 1.0, 1.5, 2.2}) {
      const CountEstimate c = density.count(edge, infinity);
      EXPECT_LE(std::abs(c.value - exact_count(eigenvalues, edge, infinity)),
                4.0 * c.standard_error + std::abs(c.bias) + c.bound)
          << edge;
      EXPECT_LE(c.bound, 12.0);
      EXPECT_NEAR(density.cumulative(edge).value + c.value, 300.0, 1e-9);
    }
  }
}

TEST_F(SpectralDensityMpi, IsTheSameOnAnyNumberOfRanksAndInAnyBlocks) {
  const std::size_t d = 67;
  const std::vector<double> values = test::wishart("rank invariance", 100, d);
  const Communicator alone = Communicator::self();
  const TaskGroup self(alone);
  const Communicator part = world.split(world.rank() == 0 ? 0 : 1);
  TaskGroup uneven(part);
  const test::SplitMatrix whole(self, d, values);
  for (const ProbeLaw law : {ProbeLaw::gaussian, ProbeLaw::rademacher}) {
    const SpectralDensity b = spectral_density(self, whole.symmetric(), probes, {5, 12, 5, law});
    for (const TaskGroup* ranks : {&group, &uneven}) {
      const test::SplitMatrix split(*ranks, d, values);
      const SpectralDensity a = spectral_density(*ranks, split.symmetric(), probes, {5, 12, 2, law});
      ASSERT_EQ(a.probes().size(), b.probes().size());
      for (std::size_t p = 0; p < 5; ++p) {
        for (std::size_t i = 0; i < 12; ++i) {
          EXPECT_NEAR(a.probes()[p].quadrature.nodes[i], b.probes()[p].quadrature.nodes[i], 1e-12);
          EXPECT_NEAR(a.probes()[p].quadrature.weights[i], b.probes()[p].quadrature.weights[i], 1e-12);
        }
      }
    }
  }
}

TEST_F(SpectralDensityMpi, EveryRankHasTheSameNumbers) {
  const test::SplitMatrix matrix(group, 50, test::wishart("same", 60, 50));
  const SpectralDensity density = spectral_density(group, matrix.symmetric(), probes, {4, 20, 4});
  std::vector<double> numbers{density.count(0.5, 1.5).value, density.moment(3).value};
  std::vector<double> of_root = numbers;
  world.broadcast(std::span(of_root));
  EXPECT_EQ(numbers, of_root);
}

// The four moments from Hutchinson's estimates of A and of A^2 with other probes: tr A, |A|_F^2, tr A^3, |A^2|_F^2.
TEST_F(SpectralDensityMpi, MomentsAgreeWithHutchinson) {
  const std::size_t d = 200;
  const test::SplitMatrix matrix(group, d, test::wishart("hutchinson", 260, d));
  const SymmetricOperator a = matrix.symmetric();
  std::vector<double> once;
  std::vector<double> twice;
  const auto power = [&](int factors) {
    SymmetricOperator op = a;
    op.apply = [&, factors](std::int64_t v, std::span<const double> in, std::span<double> out) {
      once.resize(in.size());
      twice.resize(in.size());
      a.apply(v, in, once);
      if (factors == 3) a.apply(v, once, twice);
      a.apply(v, factors == 3 ? twice : once, out);
    };
    return op;
  };
  const RandomStream other(12, hash_text("spectral density test"), 0, "hutchinson");
  const HutchinsonSettings settings{.probes = 32, .block = 8};
  const HutchinsonEstimates first = hutchinson(group, a, other, settings);
  const HutchinsonEstimates square = hutchinson(group, power(2), other, settings);
  const HutchinsonEstimates cube = hutchinson(group, power(3), other, settings);
  const SpectralDensity density = spectral_density(group, a, probes, {32, 10, 8});
  const std::vector<ProbeMean> moments{first.trace, square.trace, cube.trace};
  for (int degree = 1; degree <= 3; ++degree) {
    const DensityEstimate m = density.moment(degree);
    const ProbeMean& h = moments[static_cast<std::size_t>(degree - 1)];
    EXPECT_LE(std::abs(m.value - h.value), 4.0 * std::hypot(m.standard_error, h.standard_error)) << degree;
  }
  const DensityEstimate second = density.moment(2);
  const double norm = first.frobenius.value;
  EXPECT_LE(std::abs(second.value - norm * norm),
            4.0 * std::hypot(second.standard_error, 2.0 * norm * first.frobenius.standard_error));
  const DensityEstimate fourth = density.moment(4);
  const double square_norm = square.frobenius.value;
  EXPECT_LE(std::abs(fourth.value - square_norm * square_norm),
            4.0 * std::hypot(fourth.standard_error, 2.0 * square_norm * square.frobenius.standard_error));
}

// 9 outlying eigenvalues, one of them eightfold, above a bulk.
struct Outliers {
  std::vector<double> eigenvalues = std::vector<double>(200);
  std::vector<double> rows = test::rotation("outliers", 200);
  Outliers() {
    for (std::size_t i = 0; i < 200; ++i) eigenvalues[i] = 0.5 + static_cast<double>(i) / 400.0;
    std::fill_n(eigenvalues.begin(), 8, 50.0);
    eigenvalues[8] = 80.0;
  }
};

TEST_F(SpectralDensityMpi, DeflationIsExactAndLeavesTheErrorOfTheRestAlone) {
  const Outliers o;
  const test::SplitMatrix matrix(group, 200, test::with_spectrum(o.eigenvalues, o.rows));
  const std::vector<double> vectors = test::local_rows(o.rows, 200, 0, 9, matrix.piece());
  const DeflatedSpace known{{o.eigenvalues.begin(), o.eigenvalues.begin() + 9}, vectors};
  for (const ProbeLaw law : {ProbeLaw::gaussian, ProbeLaw::rademacher}) {
    const DensitySettings settings{.probes = 16, .steps = 40, .block = 8, .law = law};
    const SpectralDensity with = spectral_density(group, matrix.symmetric(), probes, settings, known);
    const SpectralDensity without = spectral_density(group, matrix.symmetric(), probes, settings);
    EXPECT_NEAR(mass_of(with), 200.0, 1e-10);
    EXPECT_NEAR(mass_of(without), 200.0, 1e-10);
    EXPECT_EQ(with.peaks().size(), 9U);
    EXPECT_NEAR(with.count(5.0, infinity).value, 9.0, 1e-9);
    EXPECT_LE(with.count(5.0, infinity).standard_error, 1e-9);
    EXPECT_GT(without.count(5.0, infinity).standard_error, 0.3);
    for (const ProbeSpectrum& p : with.probes()) EXPECT_LE(p.quadrature.nodes.back(), 1.0);
    for (int degree = 1; degree <= 4; ++degree) {
      const DensityEstimate m = with.moment(degree);
      EXPECT_LE(std::abs(m.value - exact_moment(o.eigenvalues, degree)), 4.0 * m.standard_error);
      EXPECT_LE(m.standard_error, 0.02 * without.moment(degree).standard_error);
    }
  }
}

TEST_F(SpectralDensityMpi, ErrorsAreThoseOfRepeatedEstimates) {
  const Outliers o;
  const Communicator alone = Communicator::self();  // many small runs: each rank has them to itself
  const TaskGroup self(alone);
  const test::SplitMatrix matrix(self, 200, test::with_spectrum(o.eigenvalues, o.rows));
  const std::vector<double> vectors = test::local_rows(o.rows, 200, 0, 9, matrix.piece());
  const DeflatedSpace known{{o.eigenvalues.begin(), o.eigenvalues.begin() + 9}, vectors};
  for (const ProbeLaw law : {ProbeLaw::gaussian, ProbeLaw::rademacher}) {
    test::ScoreFamily counts;
    test::ScoreFamily traces;
    test::ScoreFamily outliers;
    for (int r = 0; r < 40; ++r) {
      const RandomStream own(11, hash_text("spectral density test"), r, "repetitions");
      const DensitySettings settings{.probes = 16, .steps = 20, .block = 16, .law = law};
      const SpectralDensity with = spectral_density(self, matrix.symmetric(), own, settings, known);
      const SpectralDensity without = spectral_density(self, matrix.symmetric(), own, settings);
      const CountEstimate count = with.count(0.75, 60.0);
      counts.add({count.value, count.standard_error}, {exact_count(o.eigenvalues, 0.75, 60.0), 0.0});
      const DensityEstimate trace = with.moment(1);
      traces.add({trace.value, trace.standard_error}, {exact_moment(o.eigenvalues, 1), 0.0});
      const DensityEstimate squares = without.moment(2);
      outliers.add({squares.value, squares.standard_error}, {exact_moment(o.eigenvalues, 2), 0.0});
    }
    counts.expect_standard("counts");
    traces.expect_standard("traces");
    outliers.expect_standard("outliers");
  }
}

TEST_F(SpectralDensityMpi, EndsEarlyInAnInvariantSubspace) {
  // Identity, zero, two values of high multiplicity, low rank: degree of the minimal polynomial 1, 1, 2, 4.
  struct Case {
    std::vector<double> eigenvalues;
    std::size_t distinct;
  };
  std::vector<Case> cases(4);
  cases[0] = {std::vector<double>(40, 1.0), 1};
  cases[1] = {std::vector<double>(40, 0.0), 1};
  cases[2] = {std::vector<double>(40, 1.0), 2};
  std::fill_n(cases[2].eigenvalues.begin(), 13, -2.5);
  cases[3] = {std::vector<double>(40, 0.0), 4};
  cases[3].eigenvalues[5] = 1.0;
  cases[3].eigenvalues[6] = 3.0;
  cases[3].eigenvalues[7] = 1e-3;
  for (const Case& c : cases) {
    const test::SplitMatrix matrix(group, 40, test::with_spectrum(c.eigenvalues, test::rotation("breakdown", 40)));
    const SpectralDensity density = spectral_density(group, matrix.symmetric(), probes, {6, 30, 4});
    EXPECT_EQ(density.exact_probes(), 6);
    EXPECT_EQ(density.products, static_cast<std::int64_t>(6 * c.distinct));
    EXPECT_NEAR(mass_of(density), 40.0, 1e-11);
    for (const ProbeSpectrum& p : density.probes()) {
      ASSERT_EQ(p.quadrature.nodes.size(), c.distinct);
      for (const double node : p.quadrature.nodes) {
        const bool known = std::any_of(c.eigenvalues.begin(), c.eigenvalues.end(),
                                       [&](double x) { return std::abs(x - node) < 1e-12; });
        EXPECT_TRUE(known) << node;
      }
    }
    const CountEstimate count = density.count(-0.5, 0.5);
    EXPECT_EQ(count.bound, 0.0);
    EXPECT_EQ(count.bias, 0.0);
    EXPECT_LE(std::abs(count.value - exact_count(c.eigenvalues, -0.5, 0.5)), 4.0 * count.standard_error + 1e-11);
  }
}

TEST_F(SpectralDensityMpi, TakesNoMoreStepsThanThereAreDimensions) {
  for (const std::int64_t d : {1, 2, 5}) {
    std::vector<double> eigenvalues(static_cast<std::size_t>(d));
    std::iota(eigenvalues.begin(), eigenvalues.end(), 1.0);
    const auto rows = test::rotation("small", eigenvalues.size());
    const test::SplitMatrix matrix(group, d, test::with_spectrum(eigenvalues, rows));
    const SpectralDensity density = spectral_density(group, matrix.symmetric(), probes, {8, 100, 3});
    EXPECT_NEAR(mass_of(density), static_cast<double>(d), 1e-12);
    EXPECT_EQ(density.exact_probes(), 8);
    EXPECT_EQ(density.products, 8 * d);
    const std::vector<double> all = test::local_rows(rows, eigenvalues.size(), 0, eigenvalues.size(), matrix.piece());
    const SpectralDensity known = spectral_density(group, matrix.symmetric(), probes, {8, 100, 3}, {eigenvalues, all});
    EXPECT_EQ(known.products, 0);
    EXPECT_EQ(known.moment(2).value, exact_moment(eigenvalues, 2));
    EXPECT_EQ(known.moment(2).standard_error, 0.0);
  }
}

// Where the Lanczos steps do not resolve a dense part, the statistical error does not know: the bias and bound do.
TEST_F(SpectralDensityMpi, BiasOfFewStepsIsSeen) {
  std::vector<double> eigenvalues(200);
  for (std::size_t i = 0; i < 200; ++i) eigenvalues[i] = std::pow(10.0, -3.0 * static_cast<double>(i) / 200.0);
  const test::SplitMatrix matrix(group, 200, test::with_spectrum(eigenvalues, test::rotation("bias", 200)));
  const SpectralDensity density = spectral_density(group, matrix.symmetric(), probes, {64, 8, 16});
  for (const double edge : {0.002, 0.01, 0.05}) {
    const CountEstimate c = density.count(edge, infinity);
    EXPECT_LE(std::abs(c.value - exact_count(eigenvalues, edge, infinity)), 4.0 * c.standard_error + c.bound);
    EXPECT_GT(c.bound, 2.0 * c.standard_error);
    EXPECT_GT(std::abs(c.bias), 0.1);
  }
}

TEST_F(SpectralDensityMpi, SmoothedIntegratesToTheDimension) {
  const test::SplitMatrix matrix(group, 80, test::wishart("smooth", 160, 80));
  const SpectralDensity density = spectral_density(group, matrix.symmetric(), probes, {8, 30, 8});
  const double width = density.width_of_steps();
  EXPECT_GT(width, 0.1);
  EXPECT_LT(width, 0.3);
  std::vector<double> grid;
  for (double x = -3.0; x < 7.0; x += 0.01) grid.push_back(x);
  const SmoothedDensity smooth = density.smoothed(grid, width);
  EXPECT_NEAR(std::accumulate(smooth.values.begin(), smooth.values.end(), 0.0) * 0.01, 80.0, 1e-8);
  EXPECT_EQ(smooth.standard_errors.size(), grid.size());
  EXPECT_THROW((void)density.smoothed(grid, 0.0), std::invalid_argument);
}

// A few values, many times each: their distances are no lack of resolution.
TEST_F(SpectralDensityMpi, ExactProbesHaveNoWidth) {
  std::vector<double> eigenvalues(60, 1.0);
  std::fill_n(eigenvalues.begin(), 20, 0.01);
  std::fill_n(eigenvalues.begin() + 20, 20, 0.5);
  const test::SplitMatrix matrix(group, 60, test::with_spectrum(eigenvalues, test::rotation("levels", 60)));
  const SpectralDensity density = spectral_density(group, matrix.symmetric(), probes, {4, 16, 8});
  EXPECT_EQ(density.exact_probes(), 4);
  EXPECT_EQ(density.width_of_steps(), 0.0);
}

TEST_F(SpectralDensityMpi, OneProbeHasAnInfiniteError) {
  const test::SplitMatrix matrix(group, 20, test::wishart("one", 30, 20));
  const SpectralDensity density = spectral_density(group, matrix.symmetric(), probes, {1, 10, 8});
  EXPECT_EQ(density.moment(2).standard_error, infinity);
  EXPECT_NEAR(mass_of(density), 20.0, 1e-12);
}

TEST_F(SpectralDensityMpi, FailsEverywhereAndLeavesTheGroupUsable) {
  const test::SplitMatrix matrix(group, 20, test::wishart("fails", 30, 20));
  SymmetricOperator broken = matrix.symmetric();
  broken.apply = [&](std::int64_t, std::span<const double>, std::span<double> out) {
    std::fill(out.begin(), out.end(), std::numeric_limits<double>::quiet_NaN());
  };
  EXPECT_THROW((void)spectral_density(group, broken, probes, {4, 10, 4}), std::runtime_error);
  EXPECT_THROW((void)spectral_density(group, matrix.symmetric(), probes, {0, 10, 4}), std::invalid_argument);
  EXPECT_THROW((void)spectral_density(group, matrix.symmetric(), probes, {2, 10, 4}, {{1.0}, {}}), std::exception);
  EXPECT_NEAR(mass_of(spectral_density(group, matrix.symmetric(), probes, {2, 10, 4})), 20.0, 1e-12);
}

TEST_F(SpectralDensityMpi, StopsAtAnAgreementPoint) {
  const test::SplitMatrix matrix(group, 20, test::wishart("stops", 30, 20));
  int polls = 0;
  const TaskGroup stopping(world, [&] { return ++polls > 5 && world.is_root(); });
  EXPECT_THROW((void)spectral_density(stopping, matrix.symmetric(), probes, {4, 15, 4}), Stopped);
}

}  // namespace
}  // namespace diffphase
