#include "theory/achilli2025.hpp"

#include <gtest/gtest.h>

#include <boost/math/quadrature/gauss_kronrod.hpp>
#include <cmath>
#include <functional>
#include <limits>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "process/noising_process.hpp"
#include "sampled_factor.hpp"
#include "theory/achilli2024.hpp"

namespace diffphase {
namespace {

const NoisingProcess ou(ProcessKind::ornstein_uhlenbeck);

TEST(Achilli2025, ReferenceValues) {
  struct Case {
    double alpha, fraction, collapse, ou_collapse, onset, fresh, optimal;
  };
  const std::vector<Case> table{{.05, .25, 7.8002203116, 1.0873883783, 16.50483173, 4.27775372, 2.92991067},
                                {.10, .25, 3.0402269634, .6981504347, 6.74328243, 2.07475519, 1.74276383},
                                {.25, .25, .5576431833, .2215869495, 1.37315761, .48904875, .47809324},
                                {.05, .50, 8.6285254829, 1.1323650485, 17.86010287, 3.88356153, 1.91101161},
                                {.25, .50, .9810156945, .3418048451, 2.23881600, .71783701, .60768032},
                                {.25, .10, .0644388408, .0312238751, .17395318, .06398623, .06398270}};
  for (const Case& c : table) {
    const Achilli2025 theory(c.alpha, c.fraction);
    EXPECT_NEAR(theory.collapse_tau(), c.collapse, 6e-11) << c.alpha << " " << c.fraction;
    EXPECT_NEAR(ou.time_at(theory.collapse_tau()), c.ou_collapse, 6e-11);
    EXPECT_NEAR(theory.onset_tau(), c.onset, 6e-9);
    EXPECT_NEAR(theory.fresh_condensation_tau(), c.fresh, 6e-9);
    EXPECT_NEAR(theory.optimal_tau(), c.optimal, 6e-9);
  }
}

TEST(Achilli2025, IsotropicReferenceValues) {
  for (const auto& [alpha, onset] : std::vector<std::pair<double, double>>{
           {.1, 9.26073304}, {.25, 3.27804939}, {.5, 1.31023334}, {1.0, .38593328}}) {
    EXPECT_NEAR(Achilli2025(alpha, 1.0, ManifoldFactor::orthonormal).onset_tau(), onset, 6e-9);
  }
  // Kernel density estimation with bandwidth h, h^2 = tau: h_G, the best h and the collapse.
  struct Case {
    double alpha, bandwidth, best, collapse;
  };
  for (const auto& [alpha, bandwidth, best, collapse] :
       {Case{0.05, 1.73306104, 1.14588243, 9.50833194}, Case{0.10, 1.37078470, 1.03857241, 4.51665557},
        Case{0.25, .94684704, .83437451, 1.54149408}, Case{1.00, .37210628, .36934391, .15651764},
        Case{2.00, .13536829, .13534637, .01865736}}) {
    const Achilli2025 theory(alpha, 1.0, ManifoldFactor::orthonormal);
    EXPECT_NEAR(std::sqrt(theory.fresh_condensation_tau()), bandwidth, 6e-9);
    EXPECT_NEAR(std::sqrt(theory.optimal_tau()), best, 6e-9);
    EXPECT_NEAR(theory.collapse_tau(), collapse, 6e-9);
    EXPECT_NEAR(theory.collapse_tau(), 1.0 / std::expm1(2.0 * alpha), 1e-12);
  }
}

TEST(Achilli2025, AveragesAreThoseOfTheDensity) {
  for (const double fraction : {0.01, 0.25, 0.999, 1.0, 3.0}) {
    const int d = 1000;
    const int m = static_cast<int>(std::lround(fraction * d));
    const MarchenkoPastur law(d, m, 1.0, m);
    const Achilli2025 theory(1.0, static_cast<double>(m) / d);
    for (const double tau : {1e-3, 0.1, 1.0, 30.0, 1e4}) {
      // Per column: the zeros beside the m or d eigenvalues add nothing.
      const auto average = [&](const std::function<double(double)>& f) {
        const auto g = [&](double angle) {
          const double s = std::sin(angle);
          const double l = law.lower() + (law.upper() - law.lower()) * s * s;
          return f(l) * law.density(l) * (law.upper() - law.lower()) * 2.0 * s * std::cos(angle);
        };
        return boost::math::quadrature::gauss_kronrod<double, 61>::integrate(g, 0.0, 0.5 * M_PI, 14, 1e-13) * d / m;
      };
      const Achilli2025::Averages a = theory.averages(tau);
      EXPECT_NEAR(a.information / average([&](double l) { return std::log1p(l / tau); }), 1.0, 1e-9) << fraction;
      EXPECT_NEAR(a.resolved / average([&](double l) { return l / (l + tau); }), 1.0, 1e-9) << fraction;
      EXPECT_NEAR(a.marginal / average([&](double l) { return l * tau / (l + tau) / (l + tau); }), 1.0, 1e-9);
    }
  }
}

TEST(Achilli2025, DerivativesLinkTheAverages) {
  for (const double fraction : {1e-4, 0.3, 1.0}) {
    const Achilli2025 theory(1.0, fraction);
    for (const double tau : {1e-9, 1e-2, 1.0, 1e5, 1e9}) {
      const double h = 1e-3;
      const auto at = [&](double shift) { return theory.averages(tau * std::exp(shift)); };
      EXPECT_NEAR((at(-h).information - at(h).information) / (2.0 * h) / at(0.0).resolved, 1.0, 2e-6);
      EXPECT_NEAR((at(-h).resolved - at(h).resolved) / (2.0 * h), at(0.0).marginal, 1e-6 * at(0.0).resolved);
    }
  }
}

TEST(Achilli2025, OrderAndLimits) {
  for (const ManifoldFactor factor : {ManifoldFactor::gaussian, ManifoldFactor::orthonormal}) {
    for (const double alpha : {0.01, 0.2, 1.0}) {
      for (const double fraction : {0.02, 0.3, 1.0}) {
        const Achilli2025 theory(alpha, fraction, factor);
        EXPECT_LT(theory.optimal_tau(), theory.fresh_condensation_tau() * (1.0 + 1e-12));
        EXPECT_LT(theory.fresh_condensation_tau(), theory.collapse_tau() * (1.0 + 1e-12));
        EXPECT_LT(theory.collapse_tau(), theory.onset_tau());
      }
    }
  }
  // Few dimensions: log n per D decides.
  const double fraction = 1e-4;
  const double alpha = 2e-4;
  EXPECT_NEAR(Achilli2025(alpha, fraction).collapse_tau() * fraction * std::expm1(2.0 * alpha / fraction), 1.0, 0.05);
  EXPECT_GT(Achilli2025(1.0, 0.01).collapse_tau(), 0.0);
  EXPECT_TRUE(std::isnan(Achilli2025(1.0, 1e-4).collapse_tau()));
}

// One sampled factor of finite size, through the law of its own variances.
TEST(Achilli2025, SampledFactor) {
  const std::vector<FactorBlock> blocks{{150, 1.0}};
  double mean = 0.0;
  for (int r = 0; r < 3; ++r) {
    std::vector<VarianceBlock> spectrum;
    for (const double gamma : sampled_factor_eigenvalues(600, blocks, 150.0, r)) spectrum.push_back({1, gamma});
    mean += Achilli2024(spectrum, 0.25 * 600.0).collapse_tau() / 3.0;
  }
  EXPECT_NEAR(mean / Achilli2025(0.25, 0.25).collapse_tau(), 1.0, 0.02);
}

TEST(Achilli2025, BadInput) {
  EXPECT_THROW(Achilli2025(0.0, 0.5), std::invalid_argument);
  EXPECT_THROW(Achilli2025(0.1, 0.0), std::invalid_argument);
  EXPECT_THROW(Achilli2025(0.1, std::numeric_limits<double>::quiet_NaN()), std::invalid_argument);
  EXPECT_THROW(Achilli2025(0.1, 1.5, ManifoldFactor::orthonormal), std::invalid_argument);
  EXPECT_FALSE(std::isnan(Achilli2025(0.1, 1.5).collapse_tau()));
  EXPECT_NE(Achilli2025::source().find("2502.09578"), std::string::npos);
}

}  // namespace
}  // namespace diffphase
