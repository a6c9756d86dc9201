#include "trajectory/clones.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "clone_helpers.hpp"

namespace diffphase {
namespace {

using clone_tests::Experiment;

// |measured - expected| <= 4 s + f/N with f = 4 for a pair that agrees or not: where all pairs agree, the
// sample error alone says nothing.
void expect_within_errors(const Experiment& experiment, const CloneAgreement& measured) {
  const auto trajectories = static_cast<double>(experiment.settings.trajectories);
  ASSERT_EQ(measured.agreement.size(), experiment.expected.size());
  for (std::size_t k = 0; k < measured.agreement.size(); ++k) {
    const double error = std::hypot(measured.standard_error[k], experiment.expected_error[k]);
    EXPECT_NEAR(measured.agreement[k], experiment.expected[k], 4.0 * error + 4.0 / trajectories)
        << "at tau = " << experiment.settings.split_taus[k];
  }
}

class Clones : public testing::Test {
 protected:
  CloneAgreement simulate(const Experiment& experiment, const std::string& name) {
    return clone_tests::simulate(group_, experiment, name);
  }

  // Halving the step changes the agreement by no more than `errors` standard errors of a difference of two runs.
  void expect_converged(const Experiment& coarse, const Experiment& fine, double errors) {
    const CloneAgreement a = simulate(coarse, "coarse");
    const CloneAgreement b = simulate(fine, "fine");
    const auto trajectories = static_cast<double>(coarse.settings.trajectories);
    for (std::size_t k = 0; k < a.agreement.size(); ++k) {
      EXPECT_NEAR(a.agreement[k], b.agreement[k],
                  errors * std::hypot(a.standard_error[k], b.standard_error[k]) + 4.0 / trajectories)
          << "at tau = " << coarse.settings.split_taus[k];
    }
  }

  Communicator self_ = Communicator::self();
  TaskGroup group_{self_};
};

using FullClones = Clones;

TEST(ReverseSchedule, PassesThroughEverySplitLevelExactly) {
  const std::vector<double> splits{0.1, 0.11, 5.0, 7.0};
  const ReverseSchedule schedule(splits, 0.02, 50);
  EXPECT_EQ(schedule.taus.front(), 7.0);
  EXPECT_EQ(schedule.taus.back(), 0.02);
  EXPECT_TRUE(std::is_sorted(schedule.taus.rbegin(), schedule.taus.rend()));
  ASSERT_EQ(schedule.splits.size(), splits.size());
  for (std::size_t k = 0; k < splits.size(); ++k) {
    EXPECT_EQ(schedule.taus[schedule.splits[k]], splits[splits.size() - 1 - k]);
  }
  EXPECT_NEAR(static_cast<double>(schedule.steps()), 50.0, 2.0);
  const double stretch = std::log(7.0 / 0.02) / 50.0;
  for (std::size_t s = 0; s < schedule.steps(); ++s) {
    EXPECT_LE(std::log(schedule.taus[s] / schedule.taus[s + 1]), 1.5 * stretch);
  }
}

TEST(ReverseSchedule, CountsTheUpdatesOfAllStates) {
  const std::vector<double> splits{1.0, 2.0};
  const ReverseSchedule schedule(splits, 0.5, 2);  // 2 -> 1 -> 0.5
  EXPECT_EQ(schedule.steps(), 2U);
  EXPECT_EQ(clone_updates(schedule), 2 + 2 + 1);
}

TEST(ReverseSchedule, RefusesWhatIsNotAGrid) {
  const auto make = [](std::vector<double> splits, double last, std::int64_t steps) {
    return ReverseSchedule(splits, last, steps);
  };
  EXPECT_THROW(make({}, 0.1, 10), std::invalid_argument);
  EXPECT_THROW(make({1.0}, 0.1, 0), std::invalid_argument);
  EXPECT_THROW(make({1.0}, 0.0, 10), std::invalid_argument);
  EXPECT_THROW(make({1.0}, 1.0, 10), std::invalid_argument);
  EXPECT_THROW(make({1.0, 1.0}, 0.1, 10), std::invalid_argument);
  EXPECT_THROW(make({2.0, 1.0}, 0.1, 10), std::invalid_argument);
}

// One Gaussian stays a Gaussian: the variance after a step is known for both samplers.
TEST_F(Clones, OneStepOfAGaussianHasTheRightVariance) {
  dense::Mixture mixture = dense::random_points(1, 4, 0.0, "origin");
  const DataSlab slab = dense::slab_of(mixture);
  const double sigma2 = 2.0;
  const double tau = 3.0;
  const double lower = 2.0;
  const std::int64_t points = 50000;
  for (const ReverseSampler sampler : {ReverseSampler::euler, ReverseSampler::exact}) {
    const ReverseSde process(slab, {.sigmas = {std::sqrt(sigma2)}, .weights = {}}, sampler);
    const CloneStreams streams = clone_tests::streams("variance");
    std::vector<double> x(4 * points);
    std::vector<double> normals(x.size());
    streams.normals.normals(0, 0, x);
    streams.normals.normals(1, 0, normals);
    for (double& value : x) value *= std::sqrt(sigma2 + tau);
    process.step(tau, lower, points, x, normals, std::vector<double>(points, 0.5));
    double variance = 0.0;
    for (const double value : x) variance += value * value / static_cast<double>(x.size());
    double expected = sigma2 + lower;
    if (sampler == ReverseSampler::euler) {
      const double kept = lower / tau;
      const double factor = kept + (1.0 - kept) * sigma2 / (sigma2 + tau);
      expected = factor * factor * (sigma2 + tau) + lower * (1.0 - kept);
    }
    EXPECT_NEAR(variance, expected, 4.0 * expected * std::sqrt(2.0 / static_cast<double>(x.size())));
  }
}

TEST_F(Clones, ComponentsAreDrawnByInversion) {
  const dense::Mixture mixture = dense::random_points(30, 3, 1.0, "inversion");
  const DataSlab slab = dense::slab_of(mixture);
  const ReverseSde process(slab, {}, ReverseSampler::exact);
  const std::vector<double> x{0.1, -0.2, 0.3};
  const auto posterior = dense::posterior(mixture, 1, std::sqrt(2.0L), x, false);
  double below = 0.0;
  for (std::size_t c = 0; c < 30; ++c) {
    const auto share = static_cast<double>(posterior.responsibilities[c]);
    const std::vector<double> middle{below + 0.5 * share};
    EXPECT_EQ(process.draw_components(2.0, 1, x, middle).front(), static_cast<std::int64_t>(c));
    below += share;
  }
  EXPECT_EQ(process.draw_components(2.0, 1, x, std::vector<double>{0.0}).front(), 0);
  EXPECT_EQ(process.draw_components(2.0, 1, x, std::vector<double>{1.0}).front(), 29);
}

TEST_F(Clones, OppositeClassesAgreeAsTheClosedFormSaysEuler) {
  const Experiment experiment = clone_tests::opposite_classes(2000, 100, ReverseSampler::euler);
  expect_within_errors(experiment, simulate(experiment, "opposite"));
}

TEST_F(Clones, OppositeClassesAgreeAsTheClosedFormSaysExact) {
  // A few large steps: the exact transition has no step error.
  const Experiment experiment = clone_tests::opposite_classes(4000, 10, ReverseSampler::exact);
  expect_within_errors(experiment, simulate(experiment, "opposite"));
}

TEST_F(Clones, UnequalClassesAgreeAsThePosteriorSays) {
  const Experiment euler = clone_tests::unequal_classes(2000, 100, ReverseSampler::euler);
  expect_within_errors(euler, simulate(euler, "unequal"));
  const Experiment exact = clone_tests::unequal_classes(4000, 10, ReverseSampler::exact);
  expect_within_errors(exact, simulate(exact, "unequal"));
}

TEST_F(Clones, TrainingPointsAgreeAsTheParticipationSays) {
  const Experiment euler = clone_tests::training_points(400, 100, ReverseSampler::euler);
  expect_within_errors(euler, simulate(euler, "points"));
  const Experiment exact = clone_tests::training_points(1500, 10, ReverseSampler::exact);
  expect_within_errors(exact, simulate(exact, "points"));
}

TEST_F(Clones, HalvingTheEulerStepChangesNothingThatCanBeSeen) {
  expect_converged(clone_tests::opposite_classes(800, 100, ReverseSampler::euler),
                   clone_tests::opposite_classes(800, 200, ReverseSampler::euler), 4.0);
}

TEST_F(Clones, OneComponentAlwaysAgrees) {
  Experiment experiment;
  experiment.mixture = dense::random_points(1, 3, 1.0, "one");
  experiment.settings = {.split_taus = {0.5, 2.0}, .final_tau = 0.1, .trajectories = 70, .steps = 10};
  const CloneAgreement agreement = simulate(experiment, "one");
  EXPECT_EQ(agreement.agreement, (std::vector<double>{1.0, 1.0}));
  EXPECT_EQ(agreement.standard_error, (std::vector<double>{0.0, 0.0}));
}

TEST_F(Clones, RefusesWhatIsWrong) {
  Experiment experiment = clone_tests::opposite_classes(10, 10, ReverseSampler::euler);
  experiment.settings.trajectories = 0;
  EXPECT_THROW(simulate(experiment, "wrong"), GroupError);
  experiment = clone_tests::opposite_classes(10, 0, ReverseSampler::euler);
  EXPECT_THROW(simulate(experiment, "wrong"), GroupError);
}

// The default number of steps, four times the default number of trajectories: a step error as large as the
// default run's own statistical error would be seen.
TEST_F(FullClones, TheDefaultStepIsSmallEnough) {
  const Experiment classes = clone_tests::opposite_classes(40000, 500, ReverseSampler::euler);
  const CloneAgreement measured = simulate(classes, "full");
  expect_within_errors(classes, measured);
  for (std::size_t k = 0; k < measured.agreement.size(); ++k) {
    const double default_error = std::sqrt(classes.expected[k] * (1.0 - classes.expected[k]) / 10000.0);
    EXPECT_LT(std::abs(measured.agreement[k] - classes.expected[k]), 1.3 * default_error + 1e-4);
  }
}

TEST_F(FullClones, HalvingTheDefaultStepIsNotSeen) {
  expect_converged(clone_tests::opposite_classes(5000, 500, ReverseSampler::euler),
                   clone_tests::opposite_classes(5000, 1000, ReverseSampler::euler), 3.0);
  expect_converged(clone_tests::training_points(2000, 500, ReverseSampler::euler),
                   clone_tests::training_points(2000, 1000, ReverseSampler::euler), 3.0);
}

TEST_F(FullClones, BothSamplersAgreeWithTheParticipation) {
  Experiment euler = clone_tests::training_points(2000, 500, ReverseSampler::euler);
  euler.expected.clear();
  euler.expected_error.clear();
  clone_tests::expect_from_identity(euler, 40000);
  expect_within_errors(euler, simulate(euler, "full points"));
  euler.settings.sampler = ReverseSampler::exact;
  expect_within_errors(euler, simulate(euler, "full points"));
}

}  // namespace
}  // namespace diffphase
