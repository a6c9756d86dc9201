#include "posterior/reduction.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <random>

#include "dense_posterior.hpp"
#include "posterior/exponential.hpp"
#include "posterior/softmax_kernel.hpp"

namespace diffphase {
namespace {

TEST(Exponential, IsWithinTwoUlpOfLongDoubleAndZeroBelowTheSmallestNormal) {
  std::mt19937_64 generator(1);
  std::uniform_real_distribution<double> uniform(-708.0, 0.0);
  std::uniform_real_distribution<double> small(-1.0, 0.0);
  double worst = 0.0;
  for (int i = 0; i < 200000; ++i) {
    const double x = i % 2 == 0 ? uniform(generator) : small(generator);
    const auto exact = std::exp(static_cast<long double>(x));
    const double ulp = std::nextafter(static_cast<double>(exact), INFINITY) - static_cast<double>(exact);
    worst = std::max(worst, static_cast<double>(std::abs(exp_nonpositive(x) - exact)) / ulp);
  }
  EXPECT_LE(worst, 2.0);
  EXPECT_EQ(exp_nonpositive(0.0), 1.0);
  EXPECT_EQ(exp_nonpositive(-709.0), 0.0);
  EXPECT_EQ(exp_nonpositive(-INFINITY), 0.0);
  EXPECT_EQ(exp_nonpositive(-1e300), 0.0);
}

TEST(SoftmaxKernel, SumsAgreeWithLongDoubleForAnyLengthAndAnyMagnitude) {
  std::mt19937_64 generator(2);
  for (const double scale : {0.0, 1e-6, 1.0, 50.0, 1e4, 1e12}) {
    for (const std::int64_t n : {1, 2, 3, 7, 8, 9, 31, 64, 511, 512}) {
      std::normal_distribution<double> normal(0.0, scale);
      std::vector<double> logits(static_cast<std::size_t>(n)), weights(logits.size());
      for (double& l : logits) l = normal(generator);
      const double maximum = *std::max_element(logits.begin(), logits.end());
      const PosteriorSums sums = softmax_sums(logits.data(), n, maximum, weights.data());
      long double s0 = 0, s1 = 0, s2 = 0;
      for (const double l : logits) {
        const long double e = std::exp(static_cast<long double>(l) - maximum);
        s0 += e;
        s1 += e * (static_cast<long double>(l) - maximum);
        s2 += e * e;
      }
      // Rounding: n terms with 3 ulp each.
      const double relative = 4.0 * (static_cast<double>(n) + 3.0) * 2.3e-16;
      EXPECT_NEAR(sums.sum, static_cast<double>(s0), relative * static_cast<double>(s0));
      EXPECT_NEAR(sums.sum_of_squares, static_cast<double>(s2), relative * static_cast<double>(s2));
      EXPECT_NEAR(sums.weighted_logit, static_cast<double>(s1), relative * (static_cast<double>(-s1) + 1e-290));
    }
  }
}

TEST(PosteriorSums, MergeOfAnySplitEqualsTheWhole) {
  std::mt19937_64 generator(3);
  std::normal_distribution<double> normal(0.0, 30.0);
  for (int trial = 0; trial < 200; ++trial) {
    const std::int64_t n = 1 + trial % 100;
    std::vector<double> logits(static_cast<std::size_t>(n)), weights(logits.size());
    for (double& l : logits) l = normal(generator);
    const auto sums_of = [&](std::int64_t first, std::int64_t count) {
      if (count == 0) return PosteriorSums{};
      const double* begin = logits.data() + first;
      return softmax_sums(begin, count, *std::max_element(begin, begin + count), weights.data());
    };
    const PosteriorSummary whole = summarise(sums_of(0, n));
    const std::int64_t cut = static_cast<std::int64_t>(generator() % static_cast<std::uint64_t>(n + 1));
    const PosteriorSummary merged = summarise(merge(sums_of(0, cut), sums_of(cut, n - cut)));
    EXPECT_NEAR(merged.log_evidence, whole.log_evidence, 1e-13 * (1.0 + std::abs(whole.log_evidence)));
    EXPECT_NEAR(merged.participation, whole.participation, 1e-13);
    EXPECT_NEAR(merged.entropy, whole.entropy, 1e-11);
    EXPECT_NEAR(merged.largest_weight, whole.largest_weight, 1e-13);
  }
}

// Random data, law of the components and probes, all held densely.
struct Problem {
  Communicator self = Communicator::self();
  TaskGroup group{self};
  DataSlab slab;
  ReductionPlan plan;
  ProbeBlock probes{3, 0};
  dense::Mixture dense_mixture;

  Problem(std::int64_t n, std::int64_t d, bool training_set, bool own_sigma, bool weighted, std::uint64_t seed) {
    const RandomStream stream(seed, hash_text("reduction"), 0, "test");
    slab.layout = {.partition = Partition::component, .rows = n, .columns = d};
    slab.values.resize(static_cast<std::size_t>(n * d));
    for (std::int64_t i = 0; i < n; ++i) {
      stream.normals(static_cast<std::uint64_t>(i), 0,
                     std::span(slab.values).subspan(static_cast<std::size_t>(i * d), static_cast<std::size_t>(d)));
      slab.labels.push_back(static_cast<std::int32_t>(i % 3));
    }
    plan.times = {0.01, 0.1, 0.4, 1.0, 2.5};
    if (!training_set) plan.law.sigmas = {0.7};
    if (own_sigma) {
      plan.law.sigmas.clear();
      for (std::int64_t i = 0; i < n; ++i) plan.law.sigmas.push_back(0.5 + 0.1 * static_cast<double>(i % 5));
    }
    if (weighted) {
      double total = 0.0;
      for (std::int64_t i = 0; i < n; ++i) total += 1.0 + static_cast<double>(i % 4);
      for (std::int64_t i = 0; i < n; ++i) plan.law.weights.push_back((1.0 + static_cast<double>(i % 4)) / total);
    }
    plan.label_groups = 3;
    probes = ProbeBlock(3, d);
    for (std::int64_t p = 0; p < 3; ++p) {
      probes.parents[static_cast<std::size_t>(p)] = p;
      if (training_set) {
        const auto row = slab.row(p);
        std::copy(row.begin(), row.end(), probes.start(p).begin());
      } else {
        stream.normals(static_cast<std::uint64_t>(10000 + p), 0, probes.start(p));
      }
      stream.normals(static_cast<std::uint64_t>(20000 + p), 0, probes.noise(p));
    }
    probes.starts_at_parent = training_set;
    probes.measure(group, Partition::component);
    for (std::int64_t i = 0; i < n; ++i) {
      const auto row = slab.row(i);
      dense_mixture.centres.emplace_back(row.begin(), row.end());
      dense_mixture.sigmas.push_back(plan.law.sigma(i));
      dense_mixture.weights.push_back(plan.law.weight(i, 1));
    }
  }

  // Nothing is stored where there are no labels and one law.
  Problem& without_labels() {
    plan.label_groups = 0;
    return *this;
  }

  Reduction reduce(std::vector<std::int64_t> counts) {
    plan.counts = std::move(counts);
    Reduction reduction(plan, slab.layout.columns, probes);
    const StoredSource source(group, slab);
    source.visit(group, probes, plan.counts.back(), reduction.consumer());
    reduction.merge_over(group);
    return reduction;
  }

  void expect_dense(const std::vector<std::int64_t>& counts) {
    const Reduction reduction = reduce(counts);
    for (std::size_t c = 0; c < counts.size(); ++c) {
      const dense::Mixture prefix = first_components(counts[c]);
      for (std::int64_t p = 0; p < 3; ++p) {
        if (p >= counts[c]) continue;
        for (std::size_t t = 0; t < plan.times.size(); ++t) expect_dense_at(reduction, prefix, c, p, t);
      }
    }
  }

  [[nodiscard]] dense::Mixture first_components(std::int64_t count) const {
    dense::Mixture prefix = dense_mixture;
    prefix.centres.resize(static_cast<std::size_t>(count));
    prefix.sigmas.resize(prefix.centres.size());
    prefix.weights.resize(prefix.centres.size());
    if (plan.law.weights.empty()) prefix.weights.assign(prefix.centres.size(), 1.0 / static_cast<double>(count));
    return prefix;
  }

  static PosteriorSummary summary_of(const dense::Posterior& posterior, std::size_t parent) {
    long double participation = 0.0L;
    long double entropy = 0.0L;
    for (const long double w : posterior.responsibilities) {
      participation += w * w;
      if (w > 0.0L) entropy -= w * std::log(w);
    }
    return {.log_evidence = static_cast<double>(posterior.log_evidence),
            .participation = static_cast<double>(participation),
            .entropy = static_cast<double>(entropy),
            .parent_weight = static_cast<double>(posterior.responsibilities[parent]),
            .largest_weight = static_cast<double>(
                *std::max_element(posterior.responsibilities.begin(), posterior.responsibilities.end()))};
  }

  void expect_dense_at(const Reduction& reduction, const dense::Mixture& prefix, std::size_t c, std::int64_t p,
                       std::size_t t) {
    const double a = plan.process.signal(plan.times[t]);
    const double b = plan.process.noise(plan.times[t]);
    std::vector<double> x(static_cast<std::size_t>(slab.layout.columns));
    for (std::size_t j = 0; j < x.size(); ++j) x[j] = a * probes.start(p)[j] + b * probes.noise(p)[j];
    const dense::Posterior posterior = dense::posterior(prefix, a, b, x, /*with_covariance=*/false);
    const PosteriorSummary expected = summary_of(posterior, static_cast<std::size_t>(p));
    const PosteriorSummary measured = reduction.summary(c, p, t);
    // Logits of size L carry a rounding of about L eps; here L <= d a^2/b^2 ~ 1e4.
    EXPECT_NEAR(measured.log_evidence, expected.log_evidence, 1e-10 * (1.0 + std::abs(expected.log_evidence)));
    EXPECT_NEAR(measured.participation, expected.participation, 1e-10);
    EXPECT_NEAR(measured.entropy, expected.entropy, 1e-9);
    EXPECT_NEAR(measured.parent_weight, expected.parent_weight, 1e-10);
    EXPECT_NEAR(measured.largest_weight, expected.largest_weight, 1e-10);
    if (plan.label_groups == 0) return;
    const dense::Vector& w = posterior.responsibilities;
    std::vector<long double> by_label(3, 0.0L);
    for (std::size_t i = 0; i < w.size(); ++i) by_label[i % 3] += w[i];
    EXPECT_NEAR(reduction.label_agreement(c, p, t),
                static_cast<double>(std::inner_product(by_label.begin(), by_label.end(), by_label.begin(), 0.0L)),
                1e-10);
  }
};

TEST(Reduction, TrainingSetEqualsTheDensePosterior) {
  Problem(1100, 24, true, false, false, 1).expect_dense({3, 100, 512, 513, 1024, 1100});
  // Only the parent matters at early times: blocks without it are skipped.
  Problem(1300, 700, true, false, false, 8).expect_dense({600, 1300});
}

TEST(Reduction, TrainingSetWithoutLabelsEqualsTheDensePosterior) {
  Problem(1100, 24, true, false, false, 1).without_labels().expect_dense({3, 100, 512, 513, 1024, 1100});
  // Only the parent matters at early times: blocks without it are skipped.
  Problem(1300, 700, true, false, false, 8).without_labels().expect_dense({600, 1300});
}

TEST(Reduction, MixtureWithOneSigmaEqualsTheDensePosterior) {
  Problem(17, 40, false, false, false, 2).expect_dense({17});
  Problem(17, 40, false, false, false, 2).without_labels().expect_dense({17});
  Problem(1100, 40, false, false, false, 9).without_labels().expect_dense({400, 513, 1100});
}

// A logit of a later block that is far above those before it, and would overflow relative to them.
TEST(Reduction, OneComponentMayOutweighAllBeforeItByAnyFactor) {
  for (const std::int64_t row : {511, 800}) {
    Problem problem(1100, 500, false, false, false, 10);
    problem.without_labels();
    const auto start = problem.probes.start(0);
    std::copy(start.begin(), start.end(), problem.slab.values.begin() + row * 500);
    problem.dense_mixture.centres[static_cast<std::size_t>(row)].assign(start.begin(), start.end());
    problem.expect_dense({511, 512, 1100});
  }
}

TEST(Reduction, MixtureWithWeightsEqualsTheDensePosterior) {
  Problem(17, 40, false, false, true, 3).expect_dense({17});
}

TEST(Reduction, MixtureWithOwnSigmasAndWeightsEqualsTheDensePosterior) {
  Problem(600, 12, false, true, true, 4).expect_dense({600});
  Problem(5, 1, false, true, false, 5).expect_dense({5});
}

TEST(Reduction, ACountDoesNotDependOnTheOtherCountsToTheLastBit) {
  for (const int label_groups : {0, 3}) {
    Problem problem(1500, 33, true, false, false, 6);
    problem.plan.label_groups = label_groups;
    const std::vector<std::int64_t> all{7, 300, 512, 700, 1024, 1499, 1500};
    const Reduction together = problem.reduce(all);
    std::vector<PosteriorSummary> expected;
    for (std::size_t c = 0; c < all.size(); ++c) expected.push_back(together.summary(c, 1, 2));
    for (std::size_t c = 0; c < all.size(); ++c) {
      const Reduction alone = problem.reduce({all[c]});
      const PosteriorSummary summary = alone.summary(0, 1, 2);
      EXPECT_EQ(summary.log_evidence, expected[c].log_evidence);
      EXPECT_EQ(summary.participation, expected[c].participation);
      EXPECT_EQ(summary.entropy, expected[c].entropy);
    }
  }
}

TEST(Reduction, ParentOfATrainingSetWinsWithoutNoise) {
  Problem problem(700, 30, true, false, false, 7);
  problem.plan.times = {1e-12, 1e-6};
  const Reduction reduction = problem.reduce({700});
  for (std::int64_t p = 0; p < 3; ++p) {
    EXPECT_EQ(reduction.summary(0, p, 0).participation, 1.0);
    EXPECT_EQ(reduction.summary(0, p, 0).parent_weight, 1.0);
    EXPECT_EQ(reduction.summary(0, p, 0).entropy, 0.0);
  }
}

}  // namespace
}  // namespace diffphase
