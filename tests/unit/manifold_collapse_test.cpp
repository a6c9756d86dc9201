#include "theory/manifold_collapse.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "theory/achilli2025.hpp"

namespace diffphase {
namespace {

constexpr double rounding = 1e-12;

ManifoldParameters manifold_of(FactorKind factor, std::vector<FactorBlock> blocks, double ambient = 0.0) {
  ManifoldParameters manifold;
  manifold.dimension = 100;
  manifold.factor = factor;
  manifold.blocks = std::move(blocks);
  manifold.ambient_noise = ambient;
  return manifold;
}

// At the collapse the information of all directions is log n: those of the blocks and, with ambient noise, all others.
TEST(ManifoldCollapse, InformationOfOrthonormalFactorsIsLogN) {
  const double log_n = std::log(5000.0);
  for (const double ambient : {0.0, 0.2}) {
    const ManifoldCollapse theory(
        manifold_of(FactorKind::orthonormal, {{.size = 20, .sigma = 1.0}, {.size = 30, .sigma = 0.3}}, ambient), log_n);
    const double tau = theory.tau();
    const double noise = ambient * ambient;
    const double information = 0.5 * (20.0 * std::log1p((1.0 + noise) / tau) + 30.0 * std::log1p((0.09 + noise) / tau) +
                                      50.0 * std::log1p(noise / tau));
    EXPECT_NEAR(information, log_n, 1e-8 * log_n);
    EXPECT_GT(theory.participation(0.1 * tau), 0.9);
    EXPECT_LT(theory.participation(10.0 * tau), 0.1);
  }
}

TEST(ManifoldCollapse, OneGaussianBlockIsTheLimitOfLargeSize) {
  const double log_n = std::log(5000.0);
  const ManifoldParameters manifold = manifold_of(FactorKind::gaussian, {{.size = 40, .sigma = 0.7}});
  const ManifoldCollapse theory(manifold, log_n);
  const Achilli2025 limit(log_n / 100.0, 0.4);
  EXPECT_NEAR(theory.tau(), limit.collapse_tau() * 0.49 * 40.0 / manifold.scale(), rounding * theory.tau());
  EXPECT_TRUE(std::isnan(theory.participation(theory.tau())));
}

TEST(ManifoldCollapse, IsNotKnownForBlocksOrNoiseOfGaussianFactorsNorForOneSample) {
  const FactorBlock block{.size = 40, .sigma = 0.7};
  EXPECT_TRUE(std::isnan(ManifoldCollapse(manifold_of(FactorKind::gaussian, {block, block}), 8.0).tau()));
  EXPECT_TRUE(std::isnan(ManifoldCollapse(manifold_of(FactorKind::gaussian, {block}, 0.1), 8.0).tau()));
  for (const FactorKind factor : {FactorKind::gaussian, FactorKind::orthonormal}) {
    EXPECT_TRUE(std::isnan(ManifoldCollapse(manifold_of(factor, {block}), 0.0).tau()));
    EXPECT_TRUE(std::isnan(ManifoldCollapse(manifold_of(factor, {block}), 0.0).effective_dimension()));
  }
}

}  // namespace
}  // namespace diffphase
