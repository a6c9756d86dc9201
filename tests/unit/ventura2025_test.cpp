#include "theory/ventura2025.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/math/quadrature/gauss_kronrod.hpp>
#include <cmath>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#include "sampled_factor.hpp"

extern "C" {
void dposv_(const char* triangle, const int* size, const int* sides, double* matrix, const int* leading, double* right,
            const int* leading_right, int* info);
void dsyev_(const char* job, const char* triangle, const int* size, double* matrix, const int* leading, double* values,
            double* work, const int* work_size, int* info);
}

namespace diffphase {
namespace {

using Blocks = std::vector<FactorBlock>;

const NoisingProcess ou(ProcessKind::ornstein_uhlenbeck);
const NoisingProcess ve(ProcessKind::variance_exploding);

Ventura2025 gaussian(std::int64_t dimension, const Blocks& blocks, FactorNormalisation normalisation,
                     double threshold = 0.1) {
  const double scale = factor_scale(dimension, blocks, normalisation);
  return {gaussian_factor_bulks(dimension, blocks, scale), dimension, threshold};
}

Ventura2025 orthonormal(std::int64_t dimension, const Blocks& blocks, double threshold = 0.1) {
  return {orthonormal_factor_bulks(dimension, blocks), dimension, threshold};
}

TEST(Ventura2025, IsotropicReferenceValues) {
  const Ventura2025 columns = gaussian(100, Blocks{{40, 1.0}}, FactorNormalisation::columns, 0.5);
  ASSERT_TRUE(columns.final_gap());
  EXPECT_TRUE(columns.intermediate_gaps().empty());
  EXPECT_NEAR(columns.final_gap()->height(0.1), .7715446736, 6e-11);
  EXPECT_NEAR(columns.final_gap()->height(1.0), .2524607161, 6e-11);
  EXPECT_NEAR(columns.final_gap()->opening_tau(0.5), .3377223398, 6e-11);
  EXPECT_EQ(columns.final_gap()->closing_tau(0.5), 0.0);
  EXPECT_EQ(columns.final_gap()->peak_height(), 1.0);
  EXPECT_EQ(columns.final_gap()->height(0.0), 1.0);
  EXPECT_NEAR(columns.widths()[0].peak_tau(), 1.5, 1e-12);
  EXPECT_NEAR(columns.widths()[0].peak_height(), .6324555320, 6e-11);
  // At half resolution the phases change at the edges.
  EXPECT_NEAR(columns.coverage_tau(), 6.6622776602, 6e-10);
  EXPECT_NEAR(columns.consolidation_tau(), .3377223398, 6e-11);
  const Ventura2025 dimension = gaussian(100, Blocks{{40, 1.0}}, FactorNormalisation::dimension);
  EXPECT_NEAR(dimension.final_gap()->height(0.1), .5746290671, 6e-11);
  EXPECT_NEAR(dimension.final_gap()->height(1.0), .1190117634, 6e-11);
}

TEST(Ventura2025, TwoVarianceReferenceValues) {
  struct Case {
    std::int64_t dimension;
    Blocks blocks;
    FactorNormalisation normalisation;
    double peak_tau, peak_height;
  };
  const auto columns = FactorNormalisation::columns;
  const std::vector<Case> table{{1000, {{200, 1.0}, {200, 0.1}}, columns, .18579058, .61083428},
                                {1000, {{100, 1.0}, {300, 0.1}}, columns, .25648670, .64201814},
                                {1000, {{200, 1.0}, {200, 0.3}}, columns, .56781642, .18035384},
                                {400, {{20, 1.0}, {20, 0.1}}, FactorNormalisation::dimension, .09304840, .73275059}};
  for (const Case& c : table) {
    const Ventura2025 theory = gaussian(c.dimension, c.blocks, c.normalisation);
    ASSERT_EQ(theory.intermediate_gaps().size(), 1U);
    EXPECT_NEAR(theory.intermediate_gaps()[0].peak_tau(), c.peak_tau, 6e-9);
    EXPECT_NEAR(theory.intermediate_gaps()[0].peak_height(), c.peak_height, 6e-9);
  }
  const Ventura2025 first = gaussian(1000, table[0].blocks, columns);
  const GapTimes variance_clock = first.times(first.intermediate_gaps()[0], ve);
  EXPECT_NEAR(variance_clock.closing, .0053748989, 6e-11);
  EXPECT_NEAR(variance_clock.opening, 6.4221003, 6e-8);
  EXPECT_NEAR(first.times(first.intermediate_gaps()[0], ou).peak, .0852048545, 1e-10);
  // One law of Marchenko and Pastur per block, as the tables quote it.
  const auto naive = [](std::int64_t d, std::int64_t m, double small, double scale) {
    const MarchenkoPastur top(d, m, 1.0, scale);
    const MarchenkoPastur next(d, m, small, scale);
    return Ventura2025({{next.lower(), next.upper(), m, {1}}, {top.lower(), top.upper(), m, {0}}}, d);
  };
  EXPECT_NEAR(naive(1000, 200, 0.1, 400.0).intermediate_gaps()[0].peak_tau(), .2, 1e-12);
  EXPECT_NEAR(naive(1000, 200, 0.1, 400.0).intermediate_gaps()[0].peak_height(), .58503298, 6e-9);
  EXPECT_NEAR(naive(1000, 200, 0.3, 400.0).intermediate_gaps()[0].peak_tau(), .6, 1e-12);
  EXPECT_NEAR(naive(1000, 200, 0.3, 400.0).intermediate_gaps()[0].peak_height(), .12019076, 6e-9);
}

TEST(Ventura2025, OrthonormalReferenceValues) {
  struct Case {
    double sigma, peak_tau, peak_height;
  };
  for (const auto& [sigma, tau, height] :
       {Case{0.3, .3, .5384615385}, Case{0.1, .1, .8181818182}, Case{0.01, .01, .9801980198}}) {
    const Ventura2025 theory = orthonormal(100, Blocks{{20, 1.0}, {20, sigma}});
    ASSERT_EQ(theory.intermediate_gaps().size(), 1U);
    EXPECT_NEAR(theory.intermediate_gaps()[0].peak_tau() / tau, 1.0, 1e-14);
    EXPECT_NEAR(theory.intermediate_gaps()[0].peak_height(), height, 6e-11);
    EXPECT_EQ(theory.widths()[0].peak_height(), 0.0);
  }
}

TEST(ScoreSplitting, OpensAndClosesWhereItHasTheHeight) {
  for (const double below : {0.0, 1e-12, 1e-3, 0.5, 0.999}) {
    const ScoreSplitting gap(1.0, below);
    for (const double fraction : {1e-6, 0.1, 0.9, 1.0 - 1e-9}) {
      const double threshold = fraction * gap.peak_height();
      const double opening = gap.opening_tau(threshold);
      EXPECT_NEAR(gap.height(opening) / threshold, 1.0, 1e-12) << below << " " << fraction;
      if (below > 0.0) {
        EXPECT_NEAR(gap.height(gap.closing_tau(threshold)) / threshold, 1.0, 1e-12);
        EXPECT_NEAR(gap.closing_tau(threshold) * opening / below, 1.0, 1e-12);
      } else {
        EXPECT_EQ(gap.closing_tau(threshold), 0.0);
      }
    }
    EXPECT_NEAR(gap.height(gap.peak_tau()), gap.peak_height(), 1e-14);
    EXPECT_NEAR(gap.opening_tau(gap.peak_height()), gap.peak_tau(), 1e-7);
    EXPECT_TRUE(std::isnan(gap.opening_tau(1.01 * gap.peak_height())));
    EXPECT_TRUE(std::isnan(gap.closing_tau(1.01 * gap.peak_height())));
    EXPECT_TRUE(std::isnan(gap.opening_tau(0.0)));
  }
  EXPECT_EQ(ScoreSplitting(0.0, 0.0).peak_height(), 0.0);
  EXPECT_TRUE(std::isnan(ScoreSplitting(0.0, 0.0).opening_tau(0.1)));
  // Limits of the height.
  EXPECT_NEAR(ScoreSplitting(2.0, 0.5).height(1e-9), 1e-9 * (1.0 / 0.5 - 1.0 / 2.0), 1e-17);
  EXPECT_NEAR(ScoreSplitting(2.0, 0.5).height(1e9), 1.5e-9, 1e-17);
}

TEST(Ventura2025, ReplicasHaveTheirExactGapsAndTheAverageThatOfTheEdges) {
  const Blocks blocks{{80, 1.0}, {80, 0.1}};
  const double scale = factor_scale(400, blocks, FactorNormalisation::columns);
  const Ventura2025 limit = gaussian(400, blocks, FactorNormalisation::columns);
  double mean_peak = 0.0;
  const int replicas = 20;
  for (int r = 0; r < replicas; ++r) {
    const std::vector<double> gamma = sampled_factor_eigenvalues(400, blocks, scale, r);
    const Ventura2025 own(replica_bulks(gamma, blocks), 400, 0.1);
    for (const double tau : {0.003, 0.1, 2.0}) {
      const auto eigenvalue = [&](std::size_t k) { return tau / (tau + gamma[k]); };
      EXPECT_NEAR(own.intermediate_gaps()[0].height(tau), eigenvalue(80) - eigenvalue(79), 1e-13);
      EXPECT_NEAR(own.final_gap()->height(tau), 1.0 - eigenvalue(159), 1e-13);
      EXPECT_NEAR(own.widths()[1].height(tau), eigenvalue(159) - eigenvalue(80), 1e-13);
    }
    mean_peak += own.intermediate_gaps()[0].peak_tau() / replicas;
  }
  EXPECT_NEAR(mean_peak / limit.intermediate_gaps()[0].peak_tau(), 1.0, 0.02);
}

// The score of N(0, a^2 F F^T + b^2 I) at a point of a clock, its Jacobian by a dense solve.
TEST(Ventura2025, GapsOfTheDenseJacobian) {
  const Blocks blocks{{4, 1.0}, {5, 0.2}, {6, 0.05}};
  const std::int64_t d = 24;
  const double ambient = 1e-4;
  const std::vector<double> factor = sampled_factor(d, blocks, 15.0, 7);
  const Ventura2025 theory(replica_bulks(sampled_factor_eigenvalues(d, blocks, 15.0, 7), blocks), d, 0.1, ambient);
  const int n = static_cast<int>(d);
  const auto size = static_cast<std::size_t>(d);
  for (const double time : {0.01, 0.2, 1.5}) {
    const double a = ou.signal(time);
    const double b = ou.noise(time);
    std::vector<double> covariance(size * size, 0.0);
    std::vector<double> score(size * size, 0.0);
    for (std::size_t i = 0; i < size; ++i) {
      for (std::size_t j = 0; j < size; ++j) {
        for (std::size_t k = 0; k < 15; ++k)
          covariance[i * size + j] += a * a * factor[k * size + i] * factor[k * size + j];
      }
      covariance[i * size + i] += a * a * ambient + b * b;
      score[i * size + i] = b * b;
    }
    int info = 0;
    dposv_("L", &n, &n, covariance.data(), &n, score.data(), &n, &info);
    ASSERT_EQ(info, 0);
    std::vector<double> eigenvalues(size);
    std::vector<double> work(34 * size);
    const int work_size = static_cast<int>(work.size());
    dsyev_("N", "L", &n, score.data(), &n, eigenvalues.data(), work.data(), &work_size, &info);
    ASSERT_EQ(info, 0);
    const double tau = ou.noise_to_signal(time);
    const auto gap = [&](std::size_t tangent) { return eigenvalues[tangent] - eigenvalues[tangent - 1]; };
    EXPECT_NEAR(theory.intermediate_gaps()[0].height(tau), gap(4), 1e-11);
    EXPECT_NEAR(theory.intermediate_gaps()[1].height(tau), gap(9), 1e-11);
    EXPECT_NEAR(theory.final_gap()->height(tau), gap(15), 1e-11);
    EXPECT_NEAR(theory.widths()[0].height(tau), eigenvalues[3] - eigenvalues[0], 1e-11);
  }
}

TEST(Ventura2025, PhasesAreWhereTheSpectrumSaysSo) {
  const std::vector<Ventura2025> cases{
      orthonormal(100, Blocks{{20, 1.0}, {20, 0.3}}), orthonormal(100, Blocks{{20, 1.0}, {20, 0.01}}, 0.3),
      orthonormal(100, Blocks{{5, 1.0}, {6, 0.7}, {7, 0.3}, {8, 0.05}}),
      gaussian(1000, Blocks{{200, 1.0}, {200, 0.1}}, FactorNormalisation::columns),
      Ventura2025(orthonormal_factor_bulks(100, Blocks{{20, 1.0}, {20, 0.1}}), 100, 0.1, 1e-3)};
  for (const Ventura2025& theory : cases) {
    const double coverage = theory.coverage_tau();
    const double consolidation = theory.consolidation_tau();
    ASSERT_GT(consolidation, 0.0);
    ASSERT_GT(coverage, consolidation);
    const auto final_is_highest = [&](double tau) {
      const double height = theory.final_gap()->height(tau);
      return height >= theory.threshold() &&
             std::all_of(theory.intermediate_gaps().begin(), theory.intermediate_gaps().end(),
                         [&](const ScoreSplitting& gap) { return gap.height(tau) <= height; });
    };
    EXPECT_TRUE(final_is_highest(consolidation * (1.0 - 1e-6)));
    for (double tau = consolidation * (1.0 + 1e-6); tau < 1e3; tau *= 1.05) EXPECT_FALSE(final_is_highest(tau)) << tau;
    EXPECT_EQ(theory.phase(0.9 * consolidation), GeometricPhase::consolidation);
    EXPECT_EQ(theory.phase(std::sqrt(consolidation * coverage)), GeometricPhase::coverage);
    EXPECT_EQ(theory.phase(1.01 * coverage), GeometricPhase::trivial);
    EXPECT_NEAR(theory.coverage_time(ou), 0.5 * std::log1p(coverage), 1e-12);
    EXPECT_NEAR(theory.consolidation_time(ve), consolidation, 1e-12 * consolidation);
    EXPECT_EQ(theory.largest_gap_dimension(1e6), 0);
  }
  EXPECT_EQ(cases[1].largest_gap_dimension(0.01), 20);
  EXPECT_EQ(cases[1].largest_gap_dimension(1e-6), 40);
  EXPECT_EQ(cases[2].largest_gap_dimension(1e-6), 26);
  EXPECT_EQ(cases[2].largest_gap_dimension(0.05), 18);
}

TEST(Ventura2025, AmbientNoiseClosesTheFinalGap) {
  const Ventura2025 theory(orthonormal_factor_bulks(100, Blocks{{20, 1.0}}), 100, 0.1, 0.01);
  EXPECT_NEAR(theory.final_gap()->peak_tau(), std::sqrt(1.01 * 0.01), 1e-14);
  EXPECT_GT(theory.final_gap()->closing_tau(0.1), 0.0);
  EXPECT_NEAR(theory.final_gap()->height(0.3), 0.3 / 0.31 - 0.3 / 1.31, 1e-14);
  EXPECT_EQ(theory.phase(1.01 * theory.final_gap()->closing_tau(0.1)), GeometricPhase::consolidation);
  EXPECT_EQ(theory.phase(0.99 * theory.final_gap()->closing_tau(0.1)), GeometricPhase::trivial);
}

TEST(Ventura2025, NoFinalGapWithoutNormalDirections) {
  const Ventura2025 full = gaussian(100, Blocks{{60, 1.0}, {60, 0.05}}, FactorNormalisation::columns);
  EXPECT_FALSE(full.final_gap());
  EXPECT_EQ(full.intermediate_gaps().size(), 1U);
  EXPECT_TRUE(std::isnan(full.consolidation_tau()));
  EXPECT_TRUE(std::isnan(full.consolidation_time(ou)));
  EXPECT_EQ(full.phase(1e-3), GeometricPhase::coverage);
  const Ventura2025 nothing({}, 10);
  EXPECT_FALSE(nothing.final_gap());
  EXPECT_TRUE(std::isnan(nothing.coverage_tau()));
  EXPECT_EQ(nothing.phase(1.0), GeometricPhase::trivial);
}

TEST(Ventura2025, DensityOfTheScoreSpectrumHasItsTrace) {
  const Blocks blocks{{200, 1.0}, {200, 0.1}};
  const auto bulks = gaussian_factor_bulks(1000, blocks, 400.0);
  const double tau = 0.2;
  double weight = 0.0;
  for (const SpectralBulk& bulk : bulks) {
    const double low = tau / (tau + bulk.upper);
    const double high = tau / (tau + bulk.lower);
    weight += boost::math::quadrature::gauss_kronrod<double, 61>::integrate(
        [&](double r) { return score_spectrum_density(1000, blocks, 400.0, tau, r); }, low, high, 12, 1e-9);
  }
  EXPECT_NEAR(weight, 0.4, 1e-5);
  EXPECT_EQ(score_spectrum_density(1000, blocks, 400.0, tau, 1.0), 0.0);
  EXPECT_EQ(score_spectrum_density(1000, blocks, 400.0, tau, 0.0), 0.0);
}

TEST(Ventura2025, BadInput) {
  EXPECT_THROW(ScoreSplitting(1.0, 2.0), std::invalid_argument);
  EXPECT_THROW(ScoreSplitting(1.0, -1.0), std::invalid_argument);
  EXPECT_THROW(ScoreSplitting(std::numeric_limits<double>::quiet_NaN(), 0.0), std::invalid_argument);
  EXPECT_THROW(orthonormal(10, Blocks{{2, 1.0}}, 0.0), std::invalid_argument);
  EXPECT_THROW(orthonormal(10, Blocks{{2, 1.0}}, 1.0), std::invalid_argument);
  EXPECT_THROW(Ventura2025({{1.0, 1.0, 5, {0}}}, 4), std::invalid_argument);
  EXPECT_THROW(Ventura2025({{1.0, 1.0, 2, {0}}, {0.5, 0.5, 2, {1}}}, 8), std::invalid_argument);
  EXPECT_NE(Ventura2025::source("times").find("2410.05898"), std::string::npos);
}

}  // namespace
}  // namespace diffphase
