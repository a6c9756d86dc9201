#include "theory/random_energy_model.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <vector>

#include "random/random_sequence.hpp"
#include "random/text_hash.hpp"
#include "theory/achilli2024.hpp"

namespace diffphase {
namespace {

using Blocks = std::vector<VarianceBlock>;

/// Participation and the variance of every block at x = 0 from drawn lengths of y in each block. (Products of different
/// points vanish in the mean.)
FixedPointWeights sampled(const Blocks& blocks, std::size_t samples, double tau, int sets) {
  const RandomStream stream(8, hash_text("random energy model"), 0, "test");
  FixedPointWeights result{0.0, std::vector<double>(blocks.size(), 0.0)};
  std::vector<double> squares(samples * blocks.size());
  std::vector<double> energies(samples);
  for (int set = 0; set < sets; ++set) {
    RandomSequence random(stream, static_cast<std::uint64_t>(set));
    for (std::size_t i = 0; i < samples; ++i) {
      energies[i] = 0.0;
      for (std::size_t k = 0; k < blocks.size(); ++k) {
        const double length = random.chi(blocks[k].count);
        squares[i * blocks.size() + k] = blocks[k].variance * length * length;
        energies[i] += 0.5 * squares[i * blocks.size() + k];
      }
    }
    const double lowest = *std::min_element(energies.begin(), energies.end());
    double total = 0.0;
    for (double& e : energies) total += e = std::exp((lowest - e) / tau);
    for (std::size_t i = 0; i < samples; ++i) {
      const double w = energies[i] / total;
      result.participation += w * w / sets;
      for (std::size_t k = 0; k < blocks.size(); ++k) {
        result.covariance[k] +=
            (w - w * w) * squares[i * blocks.size() + k] / static_cast<double>(blocks[k].count) / sets;
      }
    }
  }
  return result;
}

TEST(RandomEnergyModel, SampledLengths) {
  struct Case {
    Blocks blocks;
    std::size_t samples;
    int sets;
  };
  for (const auto& [blocks, samples, sets] :
       {Case{{{20, 1.0}, {20, 0.01}}, 1000, 400}, Case{{{5, 1.0}, {10, 0.09}}, 4000, 600}, Case{{{50, 1.0}}, 20, 4000},
        Case{{{30, 2.0}, {3, 0.1}, {4, 0.0}}, 2, 20000}}) {
    const double frozen = Achilli2024(blocks, std::log(static_cast<double>(samples))).origin_condensation_tau();
    for (const double ratio : {0.3, 0.8, 2.0}) {
      const double tau = ratio * frozen;
      const FixedPointWeights measured = sampled(blocks, samples, tau, sets);
      const FixedPointWeights theory = fixed_point_weights(blocks, std::log(static_cast<double>(samples)), tau);
      SCOPED_TRACE(testing::Message() << samples << " points, " << ratio << " t_c");
      EXPECT_NEAR(theory.participation, measured.participation, 0.05);
      for (std::size_t k = 0; k < blocks.size(); ++k) {
        const double full = blocks[k].variance * tau / (blocks[k].variance + tau);
        EXPECT_NEAR(theory.covariance[k], measured.covariance[k], 0.15 * full) << k;
      }
    }
  }
}

TEST(RandomEnergyModel, ManyPointsFreezeSharply) {
  const Blocks blocks{{20000, 1.0}, {1000, 0.01}};
  const Achilli2024 theory(blocks, 3000.0);
  const double frozen = theory.origin_condensation_tau();
  for (const double ratio : {0.2, 0.5, 0.8}) {
    const double tau = ratio * frozen;
    const FixedPointWeights weights = fixed_point_weights(blocks, 3000.0, tau);
    EXPECT_NEAR(weights.participation, 1.0 - ratio, 0.01);
    for (const std::size_t k : {0U, 1U}) {
      EXPECT_NEAR(weights.covariance[k] * (1.0 / blocks[k].variance + 1.0 / tau),
                  theory.retained_fraction(ProbeKind::origin, k, tau), 0.01);
      EXPECT_NEAR(fixed_point_weights(blocks, 3000.0, tau, k, tau).participation, 1.0 - ratio, 0.02);
    }
  }
  EXPECT_LT(fixed_point_weights(blocks, 3000.0, 1.5 * frozen).participation, 0.01);
}

TEST(RandomEnergyModel, Limits) {
  const Blocks blocks{{30, 1.0}, {10, 0.2}};
  const double log_samples = std::log(500.0);
  // Hot: all points weigh the same.
  const FixedPointWeights hot = fixed_point_weights(blocks, log_samples, 1e6);
  EXPECT_NEAR(hot.participation * 500.0, 1.0, 1e-3);
  EXPECT_NEAR(hot.covariance[0], 499.0 / 500.0, 0.01);
  EXPECT_NEAR(hot.covariance[1] / 0.2, 499.0 / 500.0, 0.01);
  // Cold: one does.
  EXPECT_GT(fixed_point_weights(blocks, log_samples, 0.01).participation, 0.98);
  // A vanishing displacement changes nothing.
  const double at_origin = fixed_point_weights(blocks, log_samples, 0.4).participation;
  EXPECT_NEAR(fixed_point_weights(blocks, log_samples, 0.4, 1, 0.0).participation, at_origin, 1e-12);
  EXPECT_NEAR(fixed_point_weights(blocks, log_samples, 0.4, 1, 1e-6).participation, at_origin, 1e-4);
  // Units.
  const FixedPointWeights scaled = fixed_point_weights({{30, 9.0}, {10, 1.8}}, log_samples, 3.6);
  EXPECT_NEAR(scaled.participation, at_origin, 1e-6);
}

TEST(RandomEnergyModel, NoneForOneDirectionAndManyPoints) {
  const FixedPointWeights weights = fixed_point_weights({{1, 5e-5}}, 55.0, 6e-53);
  EXPECT_TRUE(std::isnan(weights.participation));
  EXPECT_TRUE(std::isnan(weights.covariance[0]));
  const Achilli2024 theory({{1, 5e-5}}, 55.0);
  EXPECT_TRUE(std::isnan(theory.finite_loss_tau(ProbeKind::origin, 0)));
}

TEST(RandomEnergyModel, BadInput) {
  const Blocks blocks{{3, 1.0}};
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THROW(static_cast<void>(fixed_point_weights({}, 1.0, 1.0)), std::invalid_argument);
  EXPECT_THROW(static_cast<void>(fixed_point_weights({{3, 0.0}}, 1.0, 1.0)), std::invalid_argument);
  EXPECT_THROW(static_cast<void>(fixed_point_weights({{0, 1.0}}, 1.0, 1.0)), std::invalid_argument);
  EXPECT_THROW(static_cast<void>(fixed_point_weights({{1, nan}}, 1.0, 1.0)), std::invalid_argument);
  EXPECT_THROW(static_cast<void>(fixed_point_weights(blocks, 0.0, 1.0)), std::invalid_argument);
  EXPECT_THROW(static_cast<void>(fixed_point_weights(blocks, 1.0, nan)), std::invalid_argument);
  EXPECT_THROW(static_cast<void>(fixed_point_weights(blocks, 1.0, 1.0, 1, 1.0)), std::invalid_argument);
  EXPECT_THROW(static_cast<void>(fixed_point_weights(blocks, 1.0, 1.0, 0, -1.0)), std::invalid_argument);
}

}  // namespace
}  // namespace diffphase
