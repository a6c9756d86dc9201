#include "theory/spiked_covariance.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <ostream>
#include <string>
#include <vector>

#include "dense_covariance.hpp"
#include "theory/biroli2024.hpp"

namespace diffphase {
namespace {

const NoisingProcess ou(ProcessKind::ornstein_uhlenbeck);
const NoisingProcess ve(ProcessKind::variance_exploding);

struct Case {
  const char* name;
  std::int64_t dimension, classes;
  CentroidKind centroids;
  std::int64_t samples;
  double separation = 1.0;
  double sigma = 1.0;
  std::vector<double> weights{};
  std::array<std::int64_t, 2> branches{0, 0};

  [[nodiscard]] MixtureParameters mixture() const {
    MixtureParameters m;
    m.dimension = dimension;
    m.classes = classes;
    m.centroids = centroids;
    m.separation = separation;
    m.sigma = sigma;
    m.weights = weights;
    m.branches = branches;
    return m;
  }
};

std::ostream& operator<<(std::ostream& out, const Case& c) { return out << c.name; }

struct Summary {
  double mean = 0.0;
  double variance = 0.0;
  double count = 0.0;
};

Summary summary(const std::vector<double>& eigenvalues) {
  Summary s;
  s.count = static_cast<double>(eigenvalues.size());
  for (const double x : eigenvalues) s.mean += 0.5 * std::log(x) / s.count;
  for (const double x : eigenvalues) s.variance += std::pow(0.5 * std::log(x) - s.mean, 2) / (s.count - 1.0);
  return s;
}

class SpikedCovarianceLaw : public testing::TestWithParam<Case> {};

// The law is exact: mean and spread of 1/2 log Lambda within 4 standard errors of those of training sets, with no
// allowance for a bias. The error of a variance assumes a kurtosis of at most 6.
TEST_P(SpikedCovarianceLaw, IsThatOfTrainingSets) {
  const MixtureParameters mixture = GetParam().mixture();
  std::vector<double> simulated;
  for (std::int64_t r = 0; r < 300; ++r) {
    const GaussianMixture ensemble(mixture, 11, hash_text("spiked covariance test"), r);
    simulated.push_back(test::dense_covariance_eigenvalue(ensemble, GetParam().samples));
  }
  const Summary data = summary(simulated);
  const Summary law = summary(SpikedCovariance(mixture, GetParam().samples, 2000).eigenvalues());
  EXPECT_NEAR(data.mean, law.mean, 4.0 * std::sqrt(data.variance / data.count + law.variance / law.count));
  EXPECT_NEAR(data.variance / law.variance, 1.0, 4.0 * std::sqrt(5.0 / data.count + 5.0 / law.count));
}

INSTANTIATE_TEST_SUITE_P(
    Cases, SpikedCovarianceLaw,
    testing::Values(Case{"Single", 20, 1, CentroidKind::random, 60},
                    Case{"SingleOfFewPoints", 24, 1, CentroidKind::random, 10, 1.0, 0.5},
                    Case{"SingleInOneDimension", 1, 1, CentroidKind::random, 30},
                    Case{"Opposite", 16, 2, CentroidKind::opposite, 50},
                    Case{"OppositeUnequal", 16, 2, CentroidKind::opposite, 50, 0.7, 1.2, {4.0, 1.0}},
                    Case{"OppositeInOneDimension", 1, 2, CentroidKind::opposite, 40},
                    Case{"TwoOrthogonal", 16, 2, CentroidKind::orthogonal, 50},
                    Case{"FourOrthogonal", 24, 4, CentroidKind::orthogonal, 80},
                    Case{"EightOrthogonal", 24, 8, CentroidKind::orthogonal, 100},
                    Case{"EightOrthogonalFill", 8, 8, CentroidKind::orthogonal, 60},
                    // Spikes at the threshold l = sigma^2 (1 + sqrt(d/n)), where no asymptotic law holds.
                    Case{"OppositeAtThreshold", 30, 2, CentroidKind::opposite, 60, 0.15},
                    Case{"FourOrthogonalAtThreshold", 30, 4, CentroidKind::orthogonal, 60, 0.3},
                    Case{"FourSimplex", 20, 4, CentroidKind::simplex, 60},
                    Case{"EightSimplexUnequal", 20, 8, CentroidKind::simplex, 60, 1.0, 0.8, {4, 3, 2, 2, 1, 1, 1, 1}},
                    Case{"TwoRandom", 12, 2, CentroidKind::random, 60},
                    Case{"EightRandom", 20, 8, CentroidKind::random, 60},
                    Case{"MoreRandomThanDimensions", 5, 8, CentroidKind::random, 60},
                    Case{"Hierarchical", 20, 6, CentroidKind::hierarchical, 60, 1.0, 1.0, {}, {2, 3}},
                    Case{"FewerPointsThanClasses", 20, 8, CentroidKind::orthogonal, 5}),
    [](const testing::TestParamInfo<Case>& test) { return std::string(test.param.name); });

TEST(SpikedCovariance, ManyPointsHaveTheClosedForm) {
  const std::vector<Case> cases{{"", 64, 1, CentroidKind::random, 0, 1.0, 2.0},
                                {"", 64, 2, CentroidKind::opposite, 0, 1.0, 0.5, {0.7, 0.3}},
                                {"", 64, 4, CentroidKind::orthogonal, 0},
                                {"", 64, 8, CentroidKind::simplex, 0, 0.6, 1.5},
                                {"", 64, 6, CentroidKind::hierarchical, 0, 1.0, 1.0, {}, {2, 3}}};
  for (const Case& c : cases) {
    // What is left is of the order of sqrt(d/n), 8e-6.
    const SpikedCovariance covariance(c.mixture(), 1'000'000'000'000, 20);
    const Biroli2024 theory(c.mixture());
    EXPECT_NEAR(covariance.mean_eigenvalue() / theory.covariance_eigenvalue(), 1.0, 4e-5);
    EXPECT_NEAR(covariance.mean_time(ou), theory.speciation_time_spectral(ou), 2e-5);
    EXPECT_NEAR(covariance.mean_time(ve) / theory.speciation_time_spectral(ve), 1.0, 4e-5);
  }
}

// Large d and n: the map of Baik, Ben Arous and Peche, and the edge of the bulk with its Tracy-Widom shift.
TEST(SpikedCovariance, LargeSizesHaveTheAsymptoticLaw) {
  Case spiked{"", 2000, 2, CentroidKind::opposite, 4000, 2.0 / std::sqrt(2000.0)};
  const double spike = 5.0;
  EXPECT_NEAR(SpikedCovariance(spiked.mixture(), 4000, 400).mean_eigenvalue(), spike * (1.0 + 0.5 / 4.0), 0.03);
  Case single{"", 2000, 1, CentroidKind::random, 4000};
  const double n = 4000.0;
  const double d = 2000.0;
  const double rows = std::sqrt(n - 1.0) + std::sqrt(d);
  const double shift = -1.2065336 * rows * std::cbrt(1.0 / std::sqrt(n - 1.0) + 1.0 / std::sqrt(d));
  EXPECT_NEAR(SpikedCovariance(single.mixture(), 4000, 400).mean_eigenvalue(), (rows * rows + shift) / n, 3e-3);
}

TEST(SpikedCovariance, AgreesWithItselfWhereTwoFramesHoldTheSameCentroids) {
  // Two simplex centroids are opposite ones: frames of equal size, and the same numbers.
  const Case opposite{"", 50, 2, CentroidKind::opposite, 200};
  const Case simplex{"", 50, 2, CentroidKind::simplex, 200};
  const double time = SpikedCovariance(opposite.mixture(), 200).mean_time(ou);
  EXPECT_NEAR(SpikedCovariance(simplex.mixture(), 200).mean_time(ou), time, 1e-6);
  EXPECT_EQ(SpikedCovariance(opposite.mixture(), 200).mean_time(ou), time);
}

TEST(SpikedCovariance, NoneWhereTheLawIsNotKnownOrThereIsNoTime) {
  MixtureParameters m = Case{"", 64, 2, CentroidKind::opposite, 100}.mixture();
  m.class_sigma = {1.0, 2.0};
  EXPECT_TRUE(SpikedCovariance(m, 100).eigenvalues().empty());
  EXPECT_TRUE(std::isnan(SpikedCovariance(m, 100).mean_eigenvalue()));
  EXPECT_TRUE(std::isnan(SpikedCovariance(m, 100).mean_time(ou)));
  m.class_sigma = {2.0, 2.0};
  EXPECT_FALSE(std::isnan(SpikedCovariance(m, 100).mean_time(ou)));
  const Case many{"", 1000, SpikedCovariance::max_frame + 1, CentroidKind::orthogonal, 0};
  EXPECT_TRUE(SpikedCovariance(many.mixture(), 100).eigenvalues().empty());
  // One point has no covariance; a narrow Gaussian has Lambda < 1.
  EXPECT_EQ(SpikedCovariance(m, 1).mean_eigenvalue(), 0.0);
  EXPECT_TRUE(std::isnan(SpikedCovariance(m, 1).mean_time(ou)));
  const Case narrow{"", 64, 1, CentroidKind::random, 0, 1.0, 0.3};
  EXPECT_TRUE(std::isnan(SpikedCovariance(narrow.mixture(), 1000).mean_time(ou)));
}

}  // namespace
}  // namespace diffphase
