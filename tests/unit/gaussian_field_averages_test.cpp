#include "theory/gaussian_field_averages.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "theory/biroli2024.hpp"

namespace diffphase {
namespace {

std::vector<WeightGroup> uniform(double classes) { return {{1.0 / classes, classes}}; }

/// Means and standard errors of what the quadratures compute, by sampling.
struct Sampled {
  double agreement = 0.0, agreement_error = 0.0, information = 0.0, information_error = 0.0, branch = 0.0,
         branch_error = 0.0;
};

/// Two-level field with prior weights (uniform if empty).
Sampled sample_field(double branch_c, double leaf_c, int branches, int leaves, std::vector<double> weights,
                     int samples) {
  std::mt19937_64 random(42);
  std::normal_distribution<double> normal;
  const int classes = branches * leaves;
  if (weights.empty()) weights.assign(static_cast<std::size_t>(classes), 1.0 / classes);
  std::discrete_distribution<int> prior(weights.begin(), weights.end());
  double sums[3] = {}, squares[3] = {};
  std::vector<double> p(static_cast<std::size_t>(classes));
  for (int k = 0; k < samples; ++k) {
    const int parent = prior(random);
    double total = 0.0;
    for (int a = 0; a < branches; ++a) {
      const double common = branch_c * normal(random) + (a == parent / leaves ? branch_c * branch_c : 0.0);
      for (int b = 0; b < leaves; ++b) {
        const int c = a * leaves + b;
        const double lift = c == parent ? leaf_c * leaf_c : 0.0;
        p[c] = weights[c] * std::exp(common + leaf_c * normal(random) + lift);
        total += p[c];
      }
    }
    double value[3] = {0.0, std::log(p[parent] / total / weights[parent]), 0.0};
    for (int a = 0; a < branches; ++a) {
      double branch = 0.0;
      for (int b = 0; b < leaves; ++b) {
        const double q = p[a * leaves + b] / total;
        value[0] += q * q;
        branch += q;
      }
      value[2] += branch * branch;
    }
    for (int i = 0; i < 3; ++i) {
      sums[i] += value[i] / samples;
      squares[i] += value[i] * value[i] / samples;
    }
  }
  const auto error = [&](int i) { return std::sqrt((squares[i] - sums[i] * sums[i]) / samples) + 1e-12; };
  return {sums[0], error(0), sums[1], error(1), sums[2], error(2)};
}

TEST(MeanSigmoid, BothQuadraturesAgreeWithSummation) {
  for (const double mean : {-30.0, -3.0, 0.0, 0.4, 12.0}) {
    for (const double deviation : {0.0, 0.01, 0.5, 0.999, 1.001, 3.0, 40.0}) {
      double sigmoid = 0.0, softplus = 0.0;
      for (int k = -20000; k <= 20000; ++k) {
        const double g = 5e-4 * k;
        const double weight = 5e-4 * std::exp(-0.5 * g * g) / std::sqrt(2.0 * M_PI);
        const double x = mean + deviation * g;
        sigmoid += weight / (1.0 + std::exp(-x));
        softplus += weight * (std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))));
      }
      EXPECT_NEAR(mean_sigmoid(mean, deviation), sigmoid, 1e-13) << mean << " " << deviation;
      EXPECT_NEAR(mean_softplus(mean, deviation), softplus, 2e-13 * (1.0 + softplus)) << mean << " " << deviation;
    }
  }
}

TEST(EquidistantAverages, TwoClassesAreTheOneDimensionalQuadrature) {
  for (const double weight : {0.5, 0.8, 0.99, 0.999999}) {
    const std::vector<WeightGroup> groups =
        weight == 0.5 ? uniform(2) : std::vector<WeightGroup>{{weight, 1.0}, {1.0 - weight, 1.0}};
    for (const double c :
         {0.0, 1e-4, 0.03, 0.1, 0.134, 0.136, 0.2, 0.337, 0.338, 0.5, 1.0, 2.0, 4.0, 8.0, 12.0, 20.0}) {
      const FieldAverages result = equidistant_averages(c, groups);
      const double half = c / std::sqrt(2.0);
      EXPECT_NEAR(result.agreement, two_class_agreement(half, weight), 2e-12) << c << " " << weight;
      EXPECT_NEAR(result.information, two_class_information(half, weight), 1e-11) << c << " " << weight;
    }
  }
}

TEST(EquidistantAverages, AgreeWithSampling) {
  for (const double c : {0.6, 1.7, 3.0}) {
    for (const int classes : {3, 8}) {
      const Sampled sampled = sample_field(0.0, c, 1, classes, {}, 40000);
      const FieldAverages result = equidistant_averages(c, uniform(classes));
      EXPECT_NEAR(result.agreement, sampled.agreement, 4.0 * sampled.agreement_error);
      EXPECT_NEAR(result.information, sampled.information, 4.0 * sampled.information_error);
    }
    const std::vector<WeightGroup> groups{{0.5, 1.0}, {0.2, 2.0}, {0.1, 1.0}};
    const Sampled sampled = sample_field(0.0, c, 1, 4, {0.5, 0.2, 0.2, 0.1}, 40000);
    const FieldAverages result = equidistant_averages(c, groups);
    EXPECT_NEAR(result.agreement, sampled.agreement, 4.0 * sampled.agreement_error);
    EXPECT_NEAR(result.information, sampled.information, 4.0 * sampled.information_error);
  }
}

TEST(EquidistantAverages, InformationGrowsAtTheRateOfTheDisagreement) {
  // d I/d(c^2/2) = 1 - phi.
  const double h = 1e-3;
  for (const double classes : {2.0, 3.0, 64.0, 1e4, 1e9}) {
    for (const double c : {0.05, 0.2, 0.4, 1.3, 3.0, 6.0}) {
      const auto information = [&](double x) { return equidistant_averages(x, uniform(classes)).information; };
      const double slope =
          (8.0 * (information(c + h) - information(c - h)) - (information(c + 2.0 * h) - information(c - 2.0 * h))) /
          (12.0 * h);
      EXPECT_NEAR(slope / c, 1.0 - equidistant_averages(c, uniform(classes)).agreement, 2e-8 / c)
          << classes << " " << c;
    }
  }
}

TEST(EquidistantAverages, GroupingDoesNotMatter) {
  const std::vector<WeightGroup> split{{0.125, 3.0}, {0.125, 1.0}, {0.125, 4.0}};
  for (const double c : {0.1, 0.7, 2.5}) {
    EXPECT_NEAR(equidistant_averages(c, split).agreement, equidistant_averages(c, uniform(8)).agreement, 1e-14);
    EXPECT_NEAR(equidistant_averages(c, split).information, equidistant_averages(c, uniform(8)).information, 1e-12);
  }
}

TEST(EquidistantAverages, SmallAndLargeSeparation) {
  for (const double classes : {2.0, 5.0, 1e3, 1e9}) {
    const FieldAverages none = equidistant_averages(0.0, uniform(classes));
    EXPECT_NEAR(none.agreement * classes, 1.0, 1e-11) << classes;
    EXPECT_NEAR(none.information, 0.0, 1e-11);
    // phi = 1/K + c^2 (K - 1)/K^2 + O(c^4).
    const double c = 1e-3;
    EXPECT_NEAR(equidistant_averages(c, uniform(classes)).agreement * classes, 1.0 + c * c * (1.0 - 1.0 / classes),
                1e-11)
        << classes;
    const FieldAverages all = equidistant_averages(17.0, uniform(classes));
    EXPECT_DOUBLE_EQ(all.agreement, 1.0);
    EXPECT_NEAR(all.information, std::log(classes), 1e-12);
    // Nothing jumps where the classes are declared resolved.
    const double limit = 2.0 * std::sqrt(40.0 + std::log(classes)) * (1.0 - 1e-9);
    EXPECT_NEAR(equidistant_averages(limit, uniform(classes)).agreement, 1.0, 1e-12);
    EXPECT_NEAR(equidistant_averages(limit, uniform(classes)).information, std::log(classes), 1e-10);
  }
  EXPECT_EQ(equidistant_averages(3.0, uniform(1)).agreement, 1.0);
  EXPECT_EQ(equidistant_averages(3.0, uniform(1)).information, 0.0);
}

TEST(HierarchicalAverages, AgreeWithSampling) {
  struct Case {
    double branch_c, leaf_c;
    int branches, leaves;
  };
  for (const Case& k : {Case{1.0, 1.0, 2, 3}, Case{2.0, 1.0, 3, 2}, Case{1.0, 2.0, 4, 4}, Case{3.0, 0.05, 2, 2}}) {
    const Sampled sampled = sample_field(k.branch_c, k.leaf_c, k.branches, k.leaves, {}, 40000);
    const HierarchicalAverages result = hierarchical_averages(k.branch_c, k.leaf_c, k.branches, k.leaves);
    EXPECT_NEAR(result.leaf.agreement, sampled.agreement, 4.0 * sampled.agreement_error);
    EXPECT_NEAR(result.leaf.information, sampled.information, 4.0 * sampled.information_error);
    EXPECT_NEAR(result.branch_agreement, sampled.branch, 4.0 * sampled.branch_error);
  }
}

TEST(HierarchicalAverages, ReduceToOneLevel) {
  for (const double c : {0.02, 0.2, 1.0, 2.5, 5.0}) {
    const FieldAverages flat = equidistant_averages(c, uniform(6));
    const auto near = [&](const FieldAverages& result, const FieldAverages& expected) {
      EXPECT_NEAR(result.agreement, expected.agreement, 1e-12) << c;
      EXPECT_NEAR(result.information, expected.information, 1e-10) << c;
    };
    // One class per branch: only the total field counts.
    const HierarchicalAverages single = hierarchical_averages(0.6 * c, 0.8 * c, 6, 1);
    near(single.leaf, flat);
    EXPECT_NEAR(single.branch_agreement, single.leaf.agreement, 1e-13);
    // One branch: its field shifts all logits alike.
    const HierarchicalAverages common = hierarchical_averages(1.3, c, 1, 6);
    near(common.leaf, flat);
    EXPECT_NEAR(common.branch_agreement, 1.0, 1e-11);
    // No field of the branches.
    near(hierarchical_averages(0.0, c, 2, 3).leaf, flat);
    // No field of the leaves: the posterior is uniform within a branch.
    const HierarchicalAverages blurred = hierarchical_averages(c, 0.0, 6, 4);
    EXPECT_NEAR(blurred.branch_agreement, flat.agreement, 1e-12);
    EXPECT_NEAR(blurred.leaf.agreement, flat.agreement / 4.0, 1e-12);
    EXPECT_NEAR(blurred.leaf.information, flat.information, 1e-10);
    // Branches far apart.
    const HierarchicalAverages apart = hierarchical_averages(13.4, c, 3, 6);
    near(apart.leaf, {flat.agreement, flat.information + std::log(3.0)});
    EXPECT_NEAR(apart.branch_agreement, 1.0, 1e-11);
  }
}

}  // namespace
}  // namespace diffphase
