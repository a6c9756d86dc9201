// What measure.spectrum finds, against whole matrices written down from the definition.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "ensemble/row_view.hpp"
#include "measure/probed_score.hpp"
#include "measure/spectrum.hpp"
#include "support/dense_score.hpp"
#include "support/measure_runs.hpp"

namespace diffphase {
namespace {

using test::default_task;
using test::dense_covariance;
using test::DenseComponents;
using test::descending_eigenvalues;
using test::Measured;
using test::mixture_task;
using test::noised;
using test::noised_point;
using test::rounded_to_single;
using test::training_points;
using test::values_of;

const SpectrumMeasure measure;

MixtureParameters classes_of(CentroidKind kind, std::int64_t classes, std::int64_t dimension) {
  MixtureParameters mixture;
  mixture.dimension = dimension;
  mixture.classes = classes;
  mixture.centroids = kind;
  return mixture;
}

TaskParameters task_of(const MixtureParameters& mixture, std::vector<double> times, const std::string& name) {
  TaskParameters task = mixture_task(measure, mixture, std::move(times), name);
  task.process = NoisingProcess(ProcessKind::variance_exploding);
  task.options["probes"] = 2.0;
  task.options["largest"] = 8.0;
  return task;
}

// Measured eigenvalues, residuals and traces of one time and one probe against a dense C.
void expect_dense(const Measured& found, std::size_t entry, const std::vector<double>& c, std::size_t count,
                  double tolerance) {
  const std::vector<double> exact = descending_eigenvalues(c);
  for (std::size_t i = 0; i < count; ++i) {
    EXPECT_NEAR(found.value("jacobian_eigenvalue", entry * count + i), exact[i], tolerance * exact[0] + 1e-28) << i;
    EXPECT_LE(found.value("jacobian_eigenvalue_residual", entry * count + i), 1e-8 * exact[0] + 1e-28) << i;
  }
  double trace = 0.0;
  for (const double value : exact) trace += value;
  const auto d = static_cast<double>(exact.size());
  EXPECT_NEAR(found.value("jacobian_trace", entry), d - trace, 1e-11 * (d + trace));
  EXPECT_EQ(found.value("spectrum_status", entry), 0.0) << "verified";
}

// n below and above d; all weight on one point, on several, on all.
TEST(SpectrumMeasure, OfATrainingSetIsThatOfTheDenseMatrix) {
  for (const char* partition : {"component", "dimension"}) {
    for (const char* method : {"automatic", "krylov", "block-krylov", "gram", "dense"}) {
      TaskParameters task =
          task_of(classes_of(CentroidKind::orthogonal, 3, 18), {1e-3, 2.0, 8.0, 500.0}, "training set");
      task.samples = {1, 9, 70};
      task.words["partition"] = partition;
      task.words["method"] = method;
      const Measured found(measure, task);
      for (std::size_t k = 0; k < task.samples.size(); ++k) {
        const DenseComponents points = training_points(task, task.samples[k]);
        for (std::size_t t = 0; t < task.times.size(); ++t) {
          for (std::size_t probe = 0; probe < 2; ++probe) {
            SCOPED_TRACE(std::string(partition) + ", " + method + ", n = " + std::to_string(task.samples[k]) +
                         ", tau = " + std::to_string(task.times[t]));
            const std::vector<double> x = noised_point(task, points, static_cast<std::int64_t>(probe), task.times[t]);
            expect_dense(found, (k * 4 + t) * 2 + probe, dense_covariance(points, x, task.times[t]), 8, 1e-10);
          }
        }
      }
    }
  }
}

DenseComponents dense_classes(const TaskParameters& task) {
  const GaussianMixture mixture(*task.mixture, task.seed, task.ensemble, task.realization);
  DenseComponents classes{.dimension = static_cast<std::size_t>(mixture.dimension()), .rows = {}};
  for (std::int64_t c = 0; c < mixture.classes(); ++c) {
    std::vector<double> centroid(classes.dimension);
    mixture.centroid(c, 0, centroid);
    classes.rows.insert(classes.rows.end(), centroid.begin(), centroid.end());
    classes.sigma.push_back(mixture.sigma(c));
    classes.weight.push_back(mixture.weight(c));
  }
  return classes;
}

std::vector<double> noised_class(const TaskParameters& task, std::int64_t probe, double tau) {
  const GaussianMixture mixture(*task.mixture, task.seed, task.ensemble, task.realization);
  std::vector<double> start(static_cast<std::size_t>(mixture.dimension()));
  mixture.sample(probe, 0, start);
  return noised(task, start, probe, tau);
}

// One sigma and several, equal and unequal weights; more classes than eigenvalues asked for, and fewer.
TEST(SpectrumMeasure, OfAMixtureIsThatOfTheDenseMatrix) {
  MixtureParameters unequal = classes_of(CentroidKind::simplex, 4, 12);
  unequal.class_sigma = {0.3, 1.0, 1.5, 0.7};
  unequal.weights = {0.4, 0.3, 0.2, 0.1};
  for (const MixtureParameters& mixture :
       {classes_of(CentroidKind::orthogonal, 12, 12), classes_of(CentroidKind::random, 30, 12),
        classes_of(CentroidKind::random, 1, 12), unequal}) {
    for (const char* partition : {"component", "dimension"}) {
      TaskParameters task = task_of(mixture, {0.01, 4.0, 40.0, 1000.0}, "classes");
      task.words["partition"] = partition;
      const Measured found(measure, task);
      for (std::size_t t = 0; t < task.times.size(); ++t) {
        for (std::size_t probe = 0; probe < 2; ++probe) {
          SCOPED_TRACE(std::to_string(mixture.classes) + " classes, tau = " + std::to_string(task.times[t]));
          const std::vector<double> x = noised_class(task, static_cast<std::int64_t>(probe), task.times[t]);
          expect_dense(found, t * 2 + probe, dense_covariance(dense_classes(task), x, task.times[t]), 8, 1e-10);
        }
      }
    }
  }
}

// Far above speciation K orthogonal classes are equally likely: K - 1 eigenvalues are nearly equal, and Krylov methods
// must find every copy.
TEST(SpectrumMeasure, DegenerateClassesAreAllFound) {
  constexpr std::int64_t classes = 24;
  TaskParameters task = task_of(classes_of(CentroidKind::orthogonal, classes, 300), {1e6}, "degenerate");
  task.options["largest"] = classes;
  task.options["probes"] = 1.0;
  for (const char* method : {"krylov", "gram", "dense"}) {
    task.words["method"] = method;
    const Measured found(measure, task);
    // Within sigma: 1/(1 + tau). Between: |mu|^2 shrink^2/(K tau).
    const double shrink = 1e6 / (1e6 + 1.0);
    const double within = shrink / 1e6;
    const double between = within + 300.0 * shrink * shrink / (classes * 1e6);
    for (std::size_t i = 0; i + 1 < classes; ++i) {
      EXPECT_NEAR(found.value("jacobian_eigenvalue", i), between, 0.05 * between) << method << " " << i;
    }
    EXPECT_NEAR(found.value("jacobian_eigenvalue", classes - 1), within, 1e-8 * between) << method;
    EXPECT_EQ(found.value("spectrum_status"), 0.0) << method;
    EXPECT_EQ(found.value("spectrum_method"), method == std::string("krylov") ? 0.0
                                              : method == std::string("gram") ? 2.0
                                                                              : 3.0);
  }
}

// ------------------------------------------------------------------------------------------------ known covariances

TEST(SpectrumMeasure, OfALinearManifoldIsItsOwnMatrixWithZerosInNormalDirections) {
  for (const FactorKind factor : {FactorKind::orthonormal, FactorKind::gaussian}) {
    for (const double ambient : {0.0, 0.1}) {
      TaskParameters task = default_task(measure, {0.02, 1.0}, "manifold");
      task.process = NoisingProcess(ProcessKind::ornstein_uhlenbeck);
      task.manifold = ManifoldParameters{
          .dimension = 15, .blocks = {{.size = 3, .sigma = 0.2}, {.size = 4, .sigma = 1.0}}, .factor = factor};
      task.manifold->ambient_noise = ambient;
      task.options["largest"] = 10.0;
      const LinearManifold manifold(*task.manifold, task.seed, task.ensemble, 0);
      const Measured found(measure, task);
      for (std::size_t t = 0; t < 2; ++t) {
        const double tau = std::expm1(2.0 * task.times[t]);
        std::vector<double> square(15 * 15, 0.0);
        std::vector<double> column(15);
        for (std::int64_t k = 0; k < 7; ++k) {
          manifold.factor_column(k, 0, column);
          for (std::size_t i = 0; i < 15; ++i) {
            for (std::size_t j = 0; j < 15; ++j) square[i * 15 + j] += column[i] * column[j];
          }
        }
        for (std::size_t i = 0; i < 15; ++i) square[i * 16] += ambient * ambient;
        const std::vector<double> variances = descending_eigenvalues(square);
        double trace = 15.0;
        for (const double v : variances) trace -= v / (v + tau);
        for (std::size_t probe = 0; probe < 4; ++probe) {
          for (std::size_t i = 0; i < 10; ++i) {
            EXPECT_NEAR(found.value("jacobian_eigenvalue", (t * 4 + probe) * 10 + i),
                        variances[i] / (variances[i] + tau), 1e-10);
          }
          EXPECT_NEAR(found.value("jacobian_trace", t * 4 + probe), trace, 1e-10);
          EXPECT_EQ(found.value("spectrum_method", t * 4 + probe), 4.0) << "closed form";
        }
      }
    }
  }
}

// On S^2 the posterior has elementary moments, A = coth k - 1/k at k = R r/tau.
TEST(SpectrumMeasure, OfASphereIsElementaryInThreeDimensions) {
  TaskParameters task = default_task(measure, {0.05, 0.4, 3.0}, "sphere");
  task.process = NoisingProcess(ProcessKind::variance_exploding);
  task.sphere = SphereParameters{.dimension = 6, .sphere_dimension = 2, .radius = 1.7};
  task.options["largest"] = 5.0;
  const Hypersphere sphere(*task.sphere, task.seed, task.ensemble, 0);
  const Measured found(measure, task);
  for (std::size_t t = 0; t < task.times.size(); ++t) {
    const double tau = task.times[t];
    for (std::size_t probe = 0; probe < 4; ++probe) {
      std::vector<double> start(6);
      sphere.sample(static_cast<std::int64_t>(probe), 0, start);
      const std::vector<double> x = noised(task, start, static_cast<std::int64_t>(probe), tau);
      const double r = std::hypot(x[0], x[1], x[2]);
      const double k = 1.7 * r / tau;
      const double a = 1.0 / std::tanh(k) - 1.0 / k;
      const double across = 1.7 * 1.7 / tau * a / k;
      const double along = 1.7 * 1.7 / tau * (1.0 - a * a - 2.0 * a / k);
      const std::vector<double> expected{across, across, along, 0.0, 0.0};
      for (std::size_t i = 0; i < 5; ++i) {
        // The variance along the radius is what three terms of order 1 leave.
        EXPECT_NEAR(found.value("jacobian_eigenvalue", (t * 4 + probe) * 5 + i), expected[i], 1e-13 / tau + 1e-12);
      }
      EXPECT_NEAR(found.value("jacobian_trace", t * 4 + probe), 6.0 - 2.0 * across - along, 1e-12 / tau + 1e-12);
    }
  }
}

TEST(SpectrumMeasure, PredictsTheLawsOwnEigenvalues) {
  TaskParameters task = default_task(measure, {0.02, 1.0}, "prediction");
  task.process = NoisingProcess(ProcessKind::variance_exploding);
  task.manifold = ManifoldParameters{.dimension = 9, .blocks = {{.size = 3, .sigma = 0.2}, {.size = 4, .sigma = 1.0}}};
  task.options["largest"] = 8.0;
  for (const double ambient : {0.0, 0.3}) {
    task.manifold->ambient_noise = ambient;
    const Measured found(measure, task);
    const std::vector<VariableValues> predicted = measure.predict(task);
    for (std::size_t t = 0; t < 2; ++t) {
      for (std::size_t i = 0; i < 8; ++i) {
        EXPECT_NEAR(values_of(predicted, "jacobian_eigenvalue_theory").at(t * 8 + i),
                    found.value("jacobian_eigenvalue", t * 4 * 8 + i), 1e-12);
      }
    }
  }
}

// ------------------------------------------------------------------------------------------------------ precision

// Exactly the double computation with rounded data; and near the one with the data themselves.
TEST(SpectrumMeasure, MixedPrecisionRoundsTheDataAndNothingElse) {
  TaskParameters task = task_of(classes_of(CentroidKind::random, 3, 14), {0.5, 5.0, 80.0}, "mixed");
  task.samples = {60};
  const Measured in_double(measure, task);
  task.mixed_precision = true;
  const DenseComponents points = rounded_to_single(training_points(task, 60));
  for (const char* partition : {"component", "dimension"}) {
    task.words["partition"] = partition;
    const Measured found(measure, task);
    for (std::size_t t = 0; t < 3; ++t) {
      for (std::size_t probe = 0; probe < 2; ++probe) {
        const std::vector<double> x = noised_point(task, points, static_cast<std::int64_t>(probe), task.times[t]);
        expect_dense(found, t * 2 + probe, dense_covariance(points, x, task.times[t]), 8, 1e-10);
      }
    }
    // Data of order 1 rounded by 6e-8, in distances of order 30 over tau: 1e-5 of the largest eigenvalue.
    const std::vector<double>& doubles = in_double.values("jacobian_eigenvalue");
    double difference = 0.0;
    for (std::size_t i = 0; i < doubles.size(); ++i) {
      const double largest = doubles[i / 8 * 8];
      EXPECT_NEAR(found.value("jacobian_eigenvalue", i), doubles[i], 1e-5 * largest);
      difference = std::max(difference, std::abs(found.value("jacobian_eigenvalue", i) - doubles[i]));
    }
    EXPECT_GT(difference, 0.0) << "nothing was rounded";
  }
}

TEST(SpectrumMeasure, MixedPrecisionOfAMixtureRoundsItsCentroids) {
  TaskParameters task = task_of(classes_of(CentroidKind::random, 5, 14), {0.5, 5.0, 80.0}, "mixed classes");
  task.mixed_precision = true;
  const DenseComponents classes = rounded_to_single(dense_classes(task));
  const Measured found(measure, task);
  for (std::size_t t = 0; t < 3; ++t) {
    for (std::size_t probe = 0; probe < 2; ++probe) {
      const std::vector<double> x = noised_class(task, static_cast<std::int64_t>(probe), task.times[t]);
      expect_dense(found, t * 2 + probe, dense_covariance(classes, x, task.times[t]), 8, 1e-10);
    }
  }
}

// --------------------------------------------------------------------------------- density, counts and random traces

// Moments of the density, count below a level, trace, norm and asymmetry, each against the dense spectrum.
TEST(SpectrumMeasure, EstimatesAreThoseOfTheDenseMatrixWithinTheirErrors) {
  TaskParameters task = task_of(classes_of(CentroidKind::orthogonal, 3, 80), {3.0, 12.0, 60.0}, "estimates");
  task.samples = {300};
  task.options["density_probes"] = 40.0;
  task.options["density_points"] = 200.0;
  task.options["density_from"] = -9.0;
  task.options["hutchinson_probes"] = 40.0;
  task.options["count_below"] = 0.5;
  const Measured found(measure, task);
  const DenseComponents points = training_points(task, 300);
  for (std::size_t t = 0; t < 3; ++t) {
    for (std::size_t probe = 0; probe < 2; ++probe) {
      SCOPED_TRACE("tau = " + std::to_string(task.times[t]));
      const std::size_t entry = t * 2 + probe;
      const std::vector<double> x = noised_point(task, points, static_cast<std::int64_t>(probe), task.times[t]);
      const std::vector<double> c = descending_eigenvalues(dense_covariance(points, x, task.times[t]));
      for (std::size_t power = 1; power <= 4; ++power) {
        double exact = 0.0;
        for (const double value : c) exact += std::pow(value, static_cast<double>(power));
        const std::size_t i = entry * 4 + power - 1;
        const double allowed = 5.0 * found.value("spectral_moment_stderr", i) +
                               std::abs(found.value("spectral_moment_bias", i)) + 1e-8 * exact;
        EXPECT_NEAR(found.value("spectral_moment", i), exact, allowed) << "power " << power;
        EXPECT_LE(allowed, 0.2 * exact) << "an error bar that hides everything";
      }
      double integral = 0.0;
      for (std::size_t i = 0; i < 200; ++i) integral += found.value("spectral_density", entry * 200 + i) * 10.0 / 200.0;
      // The smoothing takes at most half of what lies within its width of the end at 1 out of the window.
      const double width = found.value("spectral_density_width", entry);
      const auto at_the_end =
          static_cast<double>(std::ranges::count_if(c, [&](double value) { return value < 3.0 * width; }));
      EXPECT_NEAR(integral, 80.0, 0.5 * at_the_end + 0.8) << "the density is of all eigenvalues";
      EXPECT_GE(integral, 0.49 * 80.0);

      const auto below = static_cast<double>(std::ranges::count_if(c, [](double value) { return value > 0.5; }));
      EXPECT_NEAR(found.value("eigenvalue_count", entry), below,
                  5.0 * found.value("eigenvalue_count_stderr", entry) +
                      std::abs(found.value("eigenvalue_count_bias", entry)) +
                      found.value("eigenvalue_count_bound", entry) + 1e-9);

      double trace = 0.0;
      double square = 0.0;
      for (const double value : c) trace += 1.0 - value;
      for (const double value : c) square += (1.0 - value) * (1.0 - value);
      EXPECT_NEAR(found.value("jacobian_trace_estimate", entry), trace,
                  5.0 * found.value("jacobian_trace_estimate_stderr", entry));
      EXPECT_NEAR(found.value("jacobian_frobenius", entry), std::sqrt(square),
                  5.0 * found.value("jacobian_frobenius_stderr", entry));
      EXPECT_LE(found.value("jacobian_asymmetry", entry), 1e-11 * std::sqrt(square)) << "rounding";
    }
  }
}

// Each method of counting, asked for and recorded, against the dense spectrum.
TEST(SpectrumMeasure, CountsByTheMethodAskedFor) {
  TaskParameters task = task_of(classes_of(CentroidKind::orthogonal, 3, 60), {3.0, 12.0}, "counts");
  task.samples = {200};
  task.options["count_below"] = 0.5;
  task.options["density_probes"] = 40.0;
  task.options["density_steps"] = 30.0;
  const DenseComponents points = training_points(task, 200);
  for (const auto& [word, flag] :
       std::map<std::string, double>{{"automatic", 0.0}, {"inertia", 0.0}, {"density", 1.0}}) {
    SCOPED_TRACE(word);
    task.words["count_method"] = word;
    const Measured found(measure, task);
    for (std::size_t entry = 0; entry < 4; ++entry) {
      const double time = task.times[entry / 2];
      const std::vector<double> x = noised_point(task, points, static_cast<std::int64_t>(entry % 2), time);
      const std::vector<double> c = descending_eigenvalues(dense_covariance(points, x, time));
      const auto below = static_cast<double>(std::ranges::count_if(c, [](double value) { return value > 0.5; }));
      EXPECT_EQ(found.value("eigenvalue_count_method", entry), flag);
      EXPECT_EQ(found.value("eigenvalue_count_stderr", entry) > 0.0, flag == 1.0);
      EXPECT_NEAR(found.value("eigenvalue_count", entry), below,
                  5.0 * found.value("eigenvalue_count_stderr", entry) +
                      std::abs(found.value("eigenvalue_count_bias", entry)) +
                      found.value("eigenvalue_count_bound", entry) + 1e-9);
    }
  }
}

// A law whose eigenvalues are known is counted, not factorised.
TEST(SpectrumMeasure, CountsWhatIsKnownInClosedForm) {
  ManifoldParameters manifold;
  manifold.dimension = 5000;
  manifold.factor = FactorKind::orthonormal;
  manifold.blocks = {{4, 1.0}, {3, 0.2}};
  TaskParameters task = default_task(measure, {0.1, 2.0}, "closed form");
  task.process = NoisingProcess(ProcessKind::variance_exploding);
  task.manifold = manifold;
  task.options["probes"] = 1.0;
  task.options["largest"] = 8.0;
  task.options["count_below"] = 0.5;
  const Measured found(measure, task);
  // N is tau/(s + tau): below 1/2 where tau < s = 1, 0.04.
  EXPECT_THAT(found.values("eigenvalue_count"), testing::ElementsAre(4.0, 0.0));
  EXPECT_THAT(found.values("eigenvalue_count_method"), testing::Each(2.0));
  EXPECT_THAT(found.values("eigenvalue_count_bound"), testing::Each(0.0));
  task.options["count_below"] = 1.5;
  EXPECT_THAT(Measured(measure, task).values("eigenvalue_count"), testing::Each(5000.0));
}

TEST(SpectrumMeasure, FactorisesNoLargeMatrix) {
  TaskParameters task = task_of(classes_of(CentroidKind::orthogonal, 3, 3000), {3.0}, "large");
  task.options["count_below"] = 0.5;
  EXPECT_EQ(measure.problem(task), "");
  task.words["count_method"] = "inertia";
  EXPECT_EQ(measure.problem(task), "measure.spectrum.count_method = \"inertia\" in 3000 dimensions: at most 2048");
}

// Normal directions count in tr N and |N|_F, with eigenvalue 1 each.
TEST(SpectrumMeasure, EstimatesTakeNormalDirectionsIn) {
  TaskParameters task = default_task(measure, {0.5}, "normal directions");
  task.process = NoisingProcess(ProcessKind::variance_exploding);
  task.manifold = ManifoldParameters{.dimension = 500, .blocks = {{.size = 4, .sigma = 1.0}}};
  task.options["hutchinson_probes"] = 30.0;
  task.options["probes"] = 1.0;
  const Measured found(measure, task);
  const double n = 0.5 / 1.5;
  EXPECT_NEAR(found.value("jacobian_trace"), 496.0 + 4.0 * n, 1e-10);
  EXPECT_NEAR(found.value("jacobian_trace_estimate"), 496.0 + 4.0 * n,
              5.0 * found.value("jacobian_trace_estimate_stderr") + 1e-10);
  EXPECT_NEAR(found.value("jacobian_frobenius"), std::sqrt(496.0 + 4.0 * n * n),
              5.0 * found.value("jacobian_frobenius_stderr") + 1e-10);
}

// ------------------------------------------------------------------------------------------------- status and shape

// What counts as found: within the tolerance of the solver or below the rounding of N; never where nothing was found.
TEST(SpectrumMeasure, ResolvedIsConvergedOrBelowTheRoundingOfN) {
  PartialSpectrum spectrum;
  spectrum.eigenvalues = {0.5, 1e-149};
  spectrum.residuals = {1e-9, 7e-149};
  spectrum.converged = {true, false};
  EXPECT_TRUE(is_resolved(spectrum));
  spectrum.residuals[1] = 1e-12;
  EXPECT_FALSE(is_resolved(spectrum));
  spectrum.residuals[1] = std::numeric_limits<double>::quiet_NaN();
  EXPECT_FALSE(is_resolved(spectrum));
}

// Eigenvalues down to the smallest numbers there are, whose squares are 0.
TEST(SpectrumMeasure, OfACollapsedSetIsZeroByEveryMethod) {
  TaskParameters task = task_of(classes_of(CentroidKind::random, 1, 80), {0.02, 0.05, 0.1}, "collapsed");
  task.samples = {100};
  task.options["probes"] = 6.0;
  for (const char* method : {"automatic", "krylov", "block-krylov", "gram", "dense"}) {
    task.words["method"] = method;
    const Measured found(measure, task);
    EXPECT_THAT(found.values("jacobian_eigenvalue"),
                testing::Each(testing::AllOf(testing::Ge(-1e-16), testing::Le(1e-16))));
    EXPECT_THAT(found.values("spectrum_status"), testing::Each(0.0)) << method;
  }
}

TEST(SpectrumMeasure, WithoutVerificationIsSaidSo) {
  TaskParameters task = task_of(classes_of(CentroidKind::random, 3, 60), {30.0}, "unverified");
  task.samples = {100};
  task.words["method"] = "krylov";
  task.words["verify"] = "no";
  EXPECT_THAT(Measured(measure, task).values("spectrum_status"), testing::Each(1.0));
  task.words["verify"] = "yes";
  EXPECT_THAT(Measured(measure, task).values("spectrum_status"), testing::Each(0.0));
}

PartialSpectrum converged_spectrum() {
  PartialSpectrum spectrum;
  spectrum.eigenvalues = {2.0, 1.0};
  spectrum.residuals = {1e-10, 1e-10};
  spectrum.converged = {true, true};
  spectrum.method = SpectrumMethod::krylov;
  spectrum.verification = {.performed = true, .passed = true, .products = 1, .largest_outside = 0.5, .copies_added = 0};
  spectrum.reason = "krylov: asked for";
  return spectrum;
}

TEST(SpectrumMeasure, WhatIsNotCertainIsMarkedOrRefused) {
  const auto status_and_refusal = [](const PartialSpectrum& spectrum) {
    std::set<std::string> notes;
    bool refused = false;
    try {
      require_spectrum(spectrum, "gap", notes);
    } catch (const std::runtime_error& error) {
      refused = std::string(error.what()).starts_with("measure.gap: ");
    }
    return std::pair(solver_status(spectrum), refused);
  };
  PartialSpectrum spectrum = converged_spectrum();
  EXPECT_EQ(status_and_refusal(spectrum), std::pair(SolverStatus::verified, false));
  spectrum.verification.largest_outside = NAN;
  spectrum.verification.passed = false;
  EXPECT_EQ(status_and_refusal(spectrum), std::pair(SolverStatus::unverified, false));
  spectrum.verification.largest_outside = 1.5;
  EXPECT_EQ(status_and_refusal(spectrum), std::pair(SolverStatus::copies_missing, true));
  spectrum = converged_spectrum();
  spectrum.converged[1] = false;
  EXPECT_EQ(status_and_refusal(spectrum), std::pair(SolverStatus::not_converged, true));
}

// No solver reaches it.
TEST(SpectrumMeasure, EigenvaluesAboveTheToleranceAreMarkedInTheResults) {
  TaskParameters task = task_of(classes_of(CentroidKind::random, 3, 60), {30.0}, "too tight");
  task.samples = {100};
  task.options["tolerance"] = 1e-30;
  task.words["method"] = "dense";
  EXPECT_THAT(Measured(measure, task).values("spectrum_status"), testing::Each(3.0));
}

// More eigenvalues than there are dimensions, or rows; times of its own.
TEST(SpectrumMeasure, HasAsManyEigenvaluesAsDimensionsAndTimesOfItsOwn) {
  TaskParameters task = default_task(measure, {0.5, 1.0}, "shape");
  task.process = NoisingProcess(ProcessKind::variance_exploding);
  task.manifold = ManifoldParameters{.dimension = 7, .blocks = {{.size = 4, .sigma = 1.0}}};
  task.samples = {3};
  task.lists["times"] = {0.1, 0.7, 2.0};
  const Measured found(measure, task);
  EXPECT_EQ(found.values("jacobian_eigenvalue").size(), 3U * 4U * 7U);
  const DenseComponents points = training_points(task, 3);
  for (std::size_t t = 0; t < 3; ++t) {
    const double tau = task.lists["times"][t];
    expect_dense(found, t * 4, dense_covariance(points, noised_point(task, points, 0, tau), tau), 7, 1e-10);
  }
  for (const DimensionSpec& dimension : measure.dimensions(task)) {
    EXPECT_EQ(dimension.size(), dimension.name == "spectrum_time" ? 3U : dimension.name == "probe" ? 4U : 7U);
  }
}

TEST(SpectrumMeasure, CountsDoNotDependOnEachOther) {
  TaskParameters task = task_of(classes_of(CentroidKind::random, 3, 14), {0.5, 5.0, 80.0}, "counts");
  task.samples = {60, 700};
  const Measured both(measure, task);
  task.samples = {60};
  const Measured alone(measure, task);
  const std::vector<double>& values = alone.values("jacobian_eigenvalue");
  EXPECT_TRUE(std::equal(values.begin(), values.end(), both.values("jacobian_eigenvalue").begin()));
}

TEST(SpectrumMeasure, ProblemsNameTheKey) {
  TaskParameters task = task_of(classes_of(CentroidKind::random, 2, 6), {0.5, 1.0}, "problems");
  task.process = NoisingProcess(ProcessKind::flow_matching);
  const auto problem = [&] { return measure.problem(task); };
  EXPECT_EQ(problem(), "measure.spectrum.times holds 1, which is not a time of flow-matching");
  task.lists["times"] = {0.5, 0.2};
  EXPECT_EQ(problem(), "measure.spectrum.times must ascend");
  task.lists["times"] = {0.2, 0.2};
  EXPECT_EQ(problem(), "measure.spectrum.times must ascend");
  task.lists["times"] = {0.2, 0.5};
  EXPECT_EQ(problem(), "");
  task.options["density_probes"] = 1.0;
  EXPECT_NE(problem().find("density_probes"), std::string::npos);
  task.options["density_probes"] = 0.0;
  task.words["score"] = "training-set";
  EXPECT_NE(problem().find("samples"), std::string::npos);
}

}  // namespace
}  // namespace diffphase
