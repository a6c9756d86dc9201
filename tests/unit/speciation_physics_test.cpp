// What the speciation measure finds, against closed forms, exact integrals and direct simulation.

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <numbers>
#include <random>

#include "measure/speciation.hpp"
#include "support/measure_runs.hpp"
#include "support/published.hpp"
#include "support/statistics.hpp"

namespace diffphase {
namespace {

using test::agrees;
using test::equally_spaced;
using test::Estimate;
using test::Measured;
using test::mixture_task;
using test::realizations;
using test::ScoreFamily;
using test::Tail;
using test::values_of;

const SpeciationMeasure measure;

// phi of two classes at y = +-c with noise 1, by the trapezoidal rule in y: the integral of
// (w^2 G(y - c)^2 + (1 - w)^2 G(y + c)^2)/(w G(y - c) + (1 - w) G(y + c)).
double two_class_integral(double c, double weight) {
  constexpr double step = 1e-3;
  double sum = 0.0;
  for (double y = -c - 12.0; y <= c + 12.0; y += step) {
    const double plus = weight * std::exp(-0.5 * (y - c) * (y - c));
    const double minus = (1.0 - weight) * std::exp(-0.5 * (y + c) * (y + c));
    if (plus + minus > 0.0) sum += (plus * plus + minus * minus) / (plus + minus);
  }
  return sum * step / std::sqrt(2.0 * std::numbers::pi);
}

MixtureParameters classes_of(CentroidKind kind, std::int64_t classes, std::int64_t dimension) {
  MixtureParameters mixture;
  mixture.dimension = dimension;
  mixture.classes = classes;
  mixture.centroids = kind;
  return mixture;
}

TaskParameters task_of(const MixtureParameters& mixture, std::vector<double> times, double probes,
                       const std::string& name) {
  TaskParameters task = mixture_task(measure, mixture, std::move(times), name);
  task.options["probes"] = probes;
  task.representation = Representation::full;  // the projected one is compared with it elsewhere
  return task;
}

// Ornstein-Uhlenbeck times at which c = separation sqrt(d) e^-t takes these values (sigma = 1).
std::vector<double> times_around(double speciation, double before, double after, int count) {
  return equally_spaced(std::max(0.02, speciation - before), speciation + after, count);
}

void expect_curve(const TaskParameters& task, const Measured& run, const std::string& name,
                  const std::vector<double>& expected) {
  ASSERT_EQ(expected.size(), task.times.size());
  for (std::size_t t = 0; t < expected.size(); ++t) {
    EXPECT_TRUE(agrees(run.estimate(name, t), {expected[t], 0.0}, Tail{1.0, task.options.at("probes")}))
        << name << " at t = " << task.times[t] << ", d = " << task.mixture->dimension
        << ", K = " << task.mixture->classes;
  }
}

void expect_predicted_curve(const TaskParameters& task, const Measured& run, const std::string& name) {
  expect_curve(task, run, name, values_of(measure.predict(task), name + "_theory"));
}

// The slope of the curve is of order 1, so the tail's allowance is that of the agreement.
void expect_predicted_time(const TaskParameters& task, const Measured& run, const std::string& name) {
  const double expected = values_of(measure.predict(task), name + "_theory").at(0);
  EXPECT_TRUE(agrees(run.estimate(name), {expected, 0.0}, Tail{1.0, task.options.at("probes")})) << name;
}

TEST(TwoClassIntegral, HasTheTabulatedValues) {
  EXPECT_NEAR(two_class_integral(0.25, 0.5), 0.5294729878, 1e-9);
  EXPECT_NEAR(two_class_integral(1.0, 0.5), 0.7752002454, 1e-9);
  EXPECT_NEAR(two_class_integral(3.0, 0.5), 0.9979244601, 1e-9);
}

void expect_closed_form(std::int64_t dimension, double probes) {
  const double speciation = 0.5 * std::log(static_cast<double>(dimension));
  std::vector<double> times = times_around(speciation, 2.0, 3.0, 24);
  times.push_back(speciation);
  std::sort(times.begin(), times.end());
  const TaskParameters task = task_of(classes_of(CentroidKind::opposite, 2, dimension), times, probes, "closed form");
  std::vector<double> expected;
  for (const double t : times) {
    expected.push_back(two_class_integral(std::sqrt(static_cast<double>(dimension)) * std::exp(-t), 0.5));
  }
  const Measured run(measure, task);
  expect_curve(task, run, "class_agreement", expected);
  EXPECT_TRUE(agrees(run.estimate("speciation_time"), {speciation, 0.0}, Tail{1.0, probes}));
}

TEST(OppositeClasses, AgreeAsTheClosedFormSaysAtEveryTime) {
  for (const std::int64_t dimension : {16, 256, 4096}) expect_closed_form(dimension, 4096);
}

TEST(FullOppositeClasses, AgreeAsTheClosedFormSaysIn65536Dimensions) { expect_closed_form(65536, 4096); }

TEST(OppositeClasses, DeviateFromTheClosedFormByOneStandardErrorOnAverage) {
  ScoreFamily agreements;
  ScoreFamily times;
  for (const std::int64_t dimension : {16, 256, 4096}) {
    const double speciation = 0.5 * std::log(static_cast<double>(dimension));
    const TaskParameters task = task_of(classes_of(CentroidKind::opposite, 2, dimension),
                                        times_around(speciation, 0.4, 0.4, 5), 512, "family of closed forms");
    for (const Measured& run : realizations(measure, task, dimension > 1000 ? 16 : 32)) {
      agreements.add(run.estimate("class_agreement", 2), {0.7752002454, 0.0});
      times.add(run.estimate("speciation_time"), {speciation, 0.0});
    }
  }
  agreements.expect_standard("class_agreement");
  times.expect_standard("speciation_time");
}

// In its own units a time of any process is the time of any other.
TEST(OppositeClasses, AgreeAtTheSameTimesOnEveryClock) {
  const NoisingProcess reference;
  const TaskParameters task =
      task_of(classes_of(CentroidKind::opposite, 2, 64), equally_spaced(1.0, 3.5, 12), 256, "clocks");
  const Measured expected(measure, task);
  for (const std::string& name : NoisingProcess::names()) {
    TaskParameters other = task;
    other.process = NoisingProcess::named(name);
    for (double& t : other.times) t = convert_time(t, reference, other.process);
    const Measured run(measure, other);
    for (std::size_t t = 0; t < task.times.size(); ++t) {
      EXPECT_NEAR(run.value("class_agreement", t), expected.value("class_agreement", t), 1e-10) << name;
    }
    for (const char* time :
         {"speciation_time", "speciation_time_spectral", "drift_instability_time", "curvature_instability_time"}) {
      EXPECT_NEAR(run.value(time), convert_time(expected.value(time), reference, other.process),
                  1e-8 * std::abs(run.value(time)))
          << name << " " << time;
    }
  }
}

TEST(OppositeClasses, OfUnequalWeightAndOtherWidthAgreeAsTheIntegralSays) {
  for (const double weight : {0.5, 0.8, 0.95}) {
    for (const double sigma : {0.5, 1.5}) {
      MixtureParameters mixture = classes_of(CentroidKind::opposite, 2, 64);
      mixture.weights = {weight, 1.0 - weight};
      mixture.sigma = sigma;
      mixture.separation = 0.9;
      const TaskParameters task = task_of(mixture, equally_spaced(0.5, 4.0, 20), 8192, "unequal classes");
      std::vector<double> expected;
      for (const double t : task.times) {
        const double a = std::exp(-t);
        const double c = a * 0.9 * 8.0 / std::sqrt(1.0 - a * a + a * a * sigma * sigma);
        expected.push_back(two_class_integral(c, weight));
      }
      const Measured run(measure, task);
      expect_curve(task, run, "class_agreement", expected);
      expect_predicted_curve(task, run, "class_agreement");
      expect_predicted_time(task, run, "speciation_time");
    }
  }
}

TEST(OppositeClasses, OfUnequalWeightSpeciateAtTheTabulatedDistance) {
  // weight, c where the rescaled agreement crosses its level
  constexpr std::array<std::array<double, 2>, 3> table{{{0.8, 1.0925}, {0.9, 1.2072}, {0.95, 1.3282}}};
  for (const auto& [weight, c] : table) {
    MixtureParameters mixture = classes_of(CentroidKind::opposite, 2, 1024);
    mixture.weights = {weight, 1.0 - weight};
    const double expected = std::log(32.0 / c);
    const TaskParameters task = task_of(mixture, times_around(expected, 0.6, 0.6, 13), 8192, "tabulated distance");
    EXPECT_TRUE(agrees(Measured(measure, task).estimate("speciation_time"), {expected, 0.0}, Tail{1.0, 8192.0}, 1e-4));
  }
}

struct EquidistantCase {
  CentroidKind kind;
  std::int64_t classes;
  double time;  // in 1024 dimensions
};
constexpr std::array<EquidistantCase, 8> equidistant{{{CentroidKind::orthogonal, 2, 3.1192},
                                                      {CentroidKind::orthogonal, 4, 2.9244},
                                                      {CentroidKind::orthogonal, 8, 2.7634},
                                                      {CentroidKind::orthogonal, 64, 2.4261},
                                                      {CentroidKind::simplex, 2, 3.4657},
                                                      {CentroidKind::simplex, 4, 3.0682},
                                                      {CentroidKind::simplex, 8, 2.8302},
                                                      {CentroidKind::simplex, 64, 2.4340}}};

TEST(EquidistantClasses, AgreeAsTheDoubleIntegralSays) {
  for (const EquidistantCase& c : equidistant) {
    const TaskParameters task =
        task_of(classes_of(c.kind, c.classes, 1024), times_around(c.time, 1.2, 2.0, 17), 4096, "equidistant");
    const Measured run(measure, task);
    expect_predicted_curve(task, run, "class_agreement");
    expect_predicted_time(task, run, "speciation_time");
    // The reference has four decimals.
    EXPECT_TRUE(agrees(run.estimate("speciation_time"), {c.time, 0.0}, Tail{1.0, 4096.0}, 5e-5)) << c.classes;
  }
}

TEST(EquidistantClasses, DeviateFromTheDoubleIntegralByOneStandardErrorOnAverage) {
  ScoreFamily agreements;
  ScoreFamily times;
  for (const EquidistantCase& c : equidistant) {
    const TaskParameters task =
        task_of(classes_of(c.kind, c.classes, 1024), times_around(c.time, 0.4, 0.4, 5), 512, "equidistant family");
    const std::vector<VariableValues> theory = measure.predict(task);
    for (const Measured& run : realizations(measure, task, 8)) {
      agreements.add(run.estimate("class_agreement", 2), {values_of(theory, "class_agreement_theory")[2], 0.0});
      times.add(run.estimate("speciation_time"), {values_of(theory, "speciation_time_theory")[0], 0.0});
    }
  }
  agreements.expect_standard("class_agreement");
  times.expect_standard("speciation_time");
}

TEST(HierarchicalClasses, AgreeAsTheIntegralsOfBothLevelsSay) {
  for (const double fraction : {0.25, 0.5, 0.8}) {
    MixtureParameters mixture = classes_of(CentroidKind::hierarchical, 12, 512);
    mixture.branches = {3, 4};
    mixture.class_fraction = fraction;
    mixture.sigma = 0.8;
    const TaskParameters task = task_of(mixture, equally_spaced(1.0, 4.5, 17), 8192, "hierarchy");
    const Measured run(measure, task);
    expect_predicted_curve(task, run, "class_agreement");
    expect_predicted_curve(task, run, "superclass_agreement");
    expect_predicted_time(task, run, "speciation_time");
    expect_predicted_time(task, run, "superclass_speciation_time");
    EXPECT_LT(run.value("speciation_time"), run.value("superclass_speciation_time"));
  }
}

TEST(RandomClasses, SpeciateNearTheTimeOfOrthogonalOnes) {
  for (const std::int64_t classes : {2, 4, 8}) {
    const TaskParameters task =
        task_of(classes_of(CentroidKind::random, classes, 1024), equally_spaced(2.0, 4.0, 21), 1024, "random");
    const std::vector<Measured> runs = realizations(measure, task, 8);
    EXPECT_NEAR(test::over_realizations(runs, "speciation_time").mean,
                values_of(measure.predict(task), "speciation_time_theory").at(0), 0.05);
  }
}

// Class agreement at one time by drawing points with another generator and writing the posterior down.
Estimate simulated_agreement(const std::vector<double>& weights, const std::vector<double>& sigmas, double norm,
                             std::size_t dimension, double time, std::mt19937_64& generator) {
  const double a = std::exp(-time);
  const double b = std::sqrt(-std::expm1(-2.0 * time));
  std::normal_distribution<double> normal;
  std::discrete_distribution<std::size_t> draw(weights.begin(), weights.end());
  std::vector<double> units(20000);
  std::vector<double> x(dimension);
  for (double& unit : units) {
    const std::size_t parent = draw(generator);
    for (std::size_t i = 0; i < dimension; ++i) {
      x[i] = a * ((i == parent ? norm : 0.0) + sigmas[parent] * normal(generator)) + b * normal(generator);
    }
    std::vector<double> logs;
    for (std::size_t c = 0; c < weights.size(); ++c) {
      const double variance = b * b + a * a * sigmas[c] * sigmas[c];
      double distance2 = 0.0;
      for (std::size_t i = 0; i < dimension; ++i) {
        distance2 += std::pow(x[i] - (i == c ? a * norm : 0.0), 2);
      }
      logs.push_back(std::log(weights[c]) - 0.5 * static_cast<double>(dimension) * std::log(variance) -
                     distance2 / (2.0 * variance));
    }
    const double highest = *std::max_element(logs.begin(), logs.end());
    double sum = 0.0;
    double squares = 0.0;
    for (const double l : logs) {
      sum += std::exp(l - highest);
      squares += std::exp(2.0 * (l - highest));
    }
    unit = squares / (sum * sum);
  }
  return test::estimate(units);
}

TEST(ClassesOfDifferentWidth, AgreeAsInADirectSimulation) {
  MixtureParameters mixture = classes_of(CentroidKind::orthogonal, 3, 12);
  mixture.class_sigma = {0.5, 1.0, 1.6};
  mixture.weights = {0.5, 0.3, 0.2};
  const TaskParameters task = task_of(mixture, equally_spaced(0.1, 2.5, 10), 16384, "widths");
  const Measured run(measure, task);
  std::mt19937_64 generator(20240301);
  for (std::size_t t = 0; t < task.times.size(); ++t) {
    const Estimate expected =
        simulated_agreement(mixture.weights, mixture.class_sigma, std::sqrt(12.0), 12, task.times[t], generator);
    EXPECT_TRUE(agrees(run.estimate("class_agreement", t), expected, Tail{1.0, 16384.0})) << task.times[t];
  }
}

TEST(ClassesOfDifferentWidth, DeviateFromADirectSimulationByOneStandardErrorOnAverage) {
  MixtureParameters mixture = classes_of(CentroidKind::orthogonal, 3, 12);
  mixture.class_sigma = {0.5, 1.0, 1.6};
  mixture.weights = {0.5, 0.3, 0.2};
  const TaskParameters task = task_of(mixture, {0.8}, 8192, "family of widths");
  std::mt19937_64 generator(20240302);
  ScoreFamily family;
  for (const Measured& run : realizations(measure, task, 24)) {
    family.add(run.estimate("class_agreement"),
               simulated_agreement(mixture.weights, mixture.class_sigma, std::sqrt(12.0), 12, 0.8, generator));
  }
  family.expect_standard("class_agreement");
}

TEST(Instabilities, HaveTheirClosedForms) {
  for (const double sigma : {0.5, 1.0, 1.5}) {
    for (const double separation : {0.7, 1.0, 2.0}) {
      MixtureParameters mixture = classes_of(CentroidKind::opposite, 2, 256);
      mixture.sigma = sigma;
      mixture.separation = separation;
      const double norm2 = 256.0 * separation * separation;
      const double width2 = sigma * sigma;
      const Measured run(measure, task_of(mixture, {1.0, 2.0, 3.0}, 2, "instabilities"));
      EXPECT_NEAR(run.value("covariance_eigenvalue"), width2 + norm2, 1e-9 * norm2);
      EXPECT_NEAR(run.value("speciation_time_spectral"), 0.5 * std::log(width2 + norm2), 1e-9);
      EXPECT_NEAR(run.value("curvature_instability_time"), 0.5 * std::log(norm2 + 1.0 - width2), 1e-9);
      // 1 + 2 J = 0 along the centroids at tau = e^2t - 1, in s = tau + sigma^2:
      // s^2 - 2 (|mu|^2 - kappa) s - 2 kappa |mu|^2 = 0, kappa = 1 - sigma^2.
      const double kappa = 1.0 - width2;
      const double s = norm2 - kappa + std::sqrt(norm2 * norm2 + kappa * kappa);
      EXPECT_NEAR(run.value("drift_instability_time"), 0.5 * std::log(1.0 + s - width2), 1e-9);
      if (sigma == 1.0) {
        EXPECT_NEAR(run.value("drift_instability_time"), 0.5 * std::log(2.0 * norm2), 1e-9);
      }
    }
  }
}

TEST(Instabilities, OfEquidistantClassesHaveTheEigenvalueOfTheirCentroids) {
  for (const std::int64_t classes : {2, 4, 8, 64}) {
    for (const bool simplex : {false, true}) {
      const MixtureParameters mixture =
          classes_of(simplex ? CentroidKind::simplex : CentroidKind::orthogonal, classes, 1024);
      const Measured run(measure, task_of(mixture, {1.0, 2.0}, 2, "instabilities of many"));
      const double lambda = 1024.0 / static_cast<double>(simplex ? classes - 1 : classes);
      EXPECT_NEAR(run.value("covariance_eigenvalue"), 1.0 + lambda, 1e-8 * lambda);
      EXPECT_NEAR(run.value("speciation_time_spectral"), 0.5 * std::log(1.0 + lambda), 1e-8);
      EXPECT_NEAR(run.value("curvature_instability_time"), 0.5 * std::log(lambda), 1e-8);
      EXPECT_NEAR(run.value("drift_instability_time"), 0.5 * std::log(2.0 * lambda), 1e-8);
    }
  }
}

// The largest eigenvalue of n points with one strong direction is, to order 1/n, Lambda (1 + d sigma^2/(n Lambda)) with
// fluctuations Lambda sqrt(V/n), V the variance of the squared coordinate along it: here m^2 (+-1 + s g)^2.
TEST(SpectralTime, OfATrainingSetIsThatOfItsEnsembleWithinItsFluctuations) {
  TaskParameters task = task_of(classes_of(CentroidKind::opposite, 2, 256), {1.0, 2.0}, 2, "spectral time");
  task.samples = {4000};
  const std::vector<Measured> runs = realizations(measure, task, 20);
  const Estimate lambda = test::over_realizations(runs, "covariance_eigenvalue");
  EXPECT_TRUE(agrees(lambda, {257.0 + 255.0 / 4000.0, 0.0}, Tail{257.0, 20.0 * 4000.0}));
  for (const Measured& run : runs) {
    EXPECT_NEAR(run.value("speciation_time_spectral"), 0.5 * std::log(run.value("covariance_eigenvalue")), 1e-12);
    EXPECT_NEAR(run.value("speciation_time_spectral"), 0.5 * std::log(257.0), 5e-3);
  }
}

// The authors' own clone experiments: 10000 pairs of clones per time.
TEST(PublishedCloneRuns, AgreeWithTheMeasuredAgreement) {
  for (const std::int64_t dimension : {256, 1024}) {
    const test::PublishedTable table("biroli2024_clone_agreement_d" + std::to_string(dimension) + ".csv");
    if (!table.present()) GTEST_SKIP() << table.path() << " is not there";
    const std::vector<double> times = table.column("t");
    const std::vector<double> published = table.column("phi");
    ASSERT_EQ(times.size(), 19U);
    const TaskParameters task =
        task_of(classes_of(CentroidKind::opposite, 2, dimension), times, 16384, "published clones");
    const Measured run(measure, task);
    double chi2 = 0.0;
    for (std::size_t t = 0; t < times.size(); ++t) {
      const double phi = run.value("class_agreement", t);
      const double error = std::sqrt(phi * (1.0 - phi) / 10000.0) + 1e-4;
      EXPECT_LE(std::abs(published[t] - phi), 4.0 * error) << "t = " << times[t] << ", d = " << dimension;
      chi2 += std::pow((published[t] - phi) / error, 2);
    }
    EXPECT_LT(chi2 / static_cast<double>(times.size()), 2.5) << dimension;
    RecordProperty("chi2_per_point_" + std::to_string(dimension), std::to_string(chi2 / 19.0));
  }
}

}  // namespace
}  // namespace diffphase
