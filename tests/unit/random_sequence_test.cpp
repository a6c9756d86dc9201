#include "random/random_sequence.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <vector>

namespace diffphase {
namespace {

const RandomStream stream(3, hash_text("random sequence test"), 0, "test");

struct Moments {
  double mean = 0.0;
  double variance = 0.0;
};

Moments moments(const std::vector<double>& values) {
  Moments m;
  for (const double x : values) m.mean += x / static_cast<double>(values.size());
  for (const double x : values) m.variance += std::pow(x - m.mean, 2) / static_cast<double>(values.size());
  return m;
}

/// Mean and variance of many numbers within 4 standard errors; `excess`: an upper bound of the kurtosis minus
/// 1, which gives the error of the variance.
void expect_moments(const std::function<double(RandomSequence&)>& next, double mean, double variance, double excess) {
  constexpr int count = 40000;
  RandomSequence sequence(stream, 7);
  std::vector<double> values;
  for (int i = 0; i < count; ++i) values.push_back(next(sequence));
  const Moments m = moments(values);
  EXPECT_NEAR(m.mean, mean, 4.0 * std::sqrt(variance / count));
  EXPECT_NEAR(m.variance, variance, 4.0 * variance * std::sqrt(excess / count));
}

TEST(RandomSequence, NormalsAndUniforms) {
  expect_moments([](RandomSequence& s) { return s.normal(); }, 0.0, 1.0, 2.0);
  expect_moments([](RandomSequence& s) { return s.uniform(); }, 0.5, 1.0 / 12.0, 0.8);
}

TEST(RandomSequence, GammaAndChi) {
  for (const double shape : {1.0, 1.5, 20.0, 1e6}) {
    expect_moments([&](RandomSequence& s) { return s.gamma(shape); }, shape, shape, 2.0 + 6.0 / shape);
  }
  for (const std::int64_t degrees : {1, 2, 3, 50}) {
    const auto k = static_cast<double>(degrees);
    expect_moments([&](RandomSequence& s) { return std::pow(s.chi(degrees), 2); }, k, 2.0 * k, 2.0 + 12.0 / k);
  }
  RandomSequence sequence(stream, 1);
  EXPECT_EQ(sequence.chi(0), 0.0);
  EXPECT_EQ(sequence.chi(-3), 0.0);
}

/// Marsaglia and Tsang's exact condition on the same numbers, without the squeeze.
TEST(RandomSequence, GammaAsDefined) {
  for (const double shape : {1.0, 1.2, 3.0, 500.0}) {
    constexpr std::uint64_t index = 11;
    RandomSequence sequence(stream, index);
    const double d = shape - 1.0 / 3.0;
    std::uint64_t trial = 0;
    std::uint64_t uniform = 0;
    for (int i = 0; i < 5000; ++i) {
      double accepted = 0.0;
      for (; accepted == 0.0; ++trial) {
        std::vector<double> x(1);
        stream.normals(2 * index, trial, x);
        const double v = std::pow(1.0 + x[0] / std::sqrt(9.0 * d), 3);
        if (v <= 0.0) continue;
        const double u = stream.uniform(2 * index + 1, uniform++);
        if (std::log1p(-u) < 0.5 * x[0] * x[0] + d - d * v + d * std::log(v)) accepted = d * v;
      }
      ASSERT_NEAR(sequence.gamma(shape), accepted, 1e-14 * accepted) << shape;
    }
  }
}

TEST(RandomSequence, GammasAreThoseOneByOne) {
  RandomSequence together(stream, 12);
  RandomSequence one_by_one(stream, 12);
  for (const double shape : {1.0, 700.0}) {
    std::vector<double> drawn(1000);
    together.gammas(shape, drawn);
    for (const double x : drawn) ASSERT_EQ(x, one_by_one.gamma(shape));
  }
  EXPECT_EQ(together.normal(), one_by_one.normal());
  EXPECT_EQ(together.uniform(), one_by_one.uniform());
}

TEST(RandomSequence, Binomial) {
  for (const std::int64_t n : {1, 16, 17, 1000, 4000000}) {
    for (const double p : {0.1, 0.5, 0.8}) {
      const auto trials = static_cast<double>(n);
      const double variance = trials * p * (1.0 - p);
      expect_moments([&](RandomSequence& s) { return static_cast<double>(s.binomial(n, p)); }, trials * p, variance,
                     2.0 + 1.0 / variance);
    }
  }
  RandomSequence sequence(stream, 1);
  EXPECT_EQ(sequence.binomial(0, 0.5), 0);
  EXPECT_EQ(sequence.binomial(100, 1.0), 100);
  EXPECT_EQ(sequence.binomial(100, 0.0), 0);
}

/// Few trials against every probability.
TEST(RandomSequence, BinomialFrequencies) {
  constexpr int count = 40000;
  constexpr std::int64_t n = 20;
  constexpr double p = 0.3;
  std::vector<double> found(n + 1, 0.0);
  RandomSequence sequence(stream, 2);
  for (int i = 0; i < count; ++i) found[static_cast<std::size_t>(sequence.binomial(n, p))] += 1.0 / count;
  for (std::int64_t k = 0; k <= n; ++k) {
    const auto x = static_cast<double>(k);
    const double probability = std::exp(std::lgamma(n + 1.0) - std::lgamma(x + 1.0) - std::lgamma(n - x + 1.0) +
                                        x * std::log(p) + (n - x) * std::log1p(-p));
    EXPECT_NEAR(found[static_cast<std::size_t>(k)], probability, 4.0 * std::sqrt(probability / count) + 4.0 / count);
  }
}

TEST(RandomSequence, DependsOnItsIndexOnly) {
  RandomSequence first(stream, 5);
  RandomSequence again(stream, 5);
  RandomSequence other(stream, 6);
  for (int i = 0; i < 200; ++i) {
    const double x = first.normal();
    EXPECT_EQ(x, again.normal());
    EXPECT_NE(x, other.normal());
    EXPECT_EQ(first.uniform(), again.uniform());
  }
}

}  // namespace
}  // namespace diffphase
