// What measure.dimension says, against closed forms and whole spectra.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "measure/dimension.hpp"
#include "support/dense_score.hpp"
#include "support/measure_runs.hpp"

namespace diffphase {
namespace {

using test::default_task;
using test::dense_covariance;
using test::DenseComponents;
using test::descending_eigenvalues;
using test::log_spaced;
using test::Measured;
using test::noised_point;
using test::training_points;
using test::values_of;

const DimensionMeasure measure;

enum Estimator : std::size_t { by_gap, by_threshold, by_score_matrix };

TaskParameters task_of(std::vector<double> times, const std::string& name) {
  TaskParameters task = default_task(measure, std::move(times), name);
  task.process = NoisingProcess(ProcessKind::variance_exploding);
  task.words["score_matrix"] = "off";
  return task;
}

// Directions on the tangent side of the largest distance of neighbours in the whole spectrum of C, 0 if it is below the
// resolution, and those of C above 1 - threshold.
struct DenseDimensions {
  double gap = 0.0;
  double threshold = 0.0;
  double lead = 0.0;  // of the largest distance over the others
};

DenseDimensions read_off(const std::vector<double>& c, double threshold, double resolution) {
  DenseDimensions read;
  double largest = 0.0;
  for (std::size_t i = 0; i + 1 < c.size(); ++i) {
    const double gap = c[i] - c[i + 1];
    if (gap > largest) {
      read.gap = static_cast<double>(i + 1);
      read.lead = gap - largest;
      largest = gap;
    } else {
      read.lead = std::min(read.lead, largest - gap);
    }
  }
  if (largest < resolution) read.gap = 0.0;
  for (const double value : c) read.threshold += 1.0 - value < threshold ? 1.0 : 0.0;
  return read;
}

// ------------------------------------------------------------------------------------------------------ exact scores

TEST(DimensionMeasure, OfOrthonormalColumnsIsTheTheoryAtEveryTime) {
  for (const double ambient : {0.0, 0.03}) {
    TaskParameters task = task_of(log_spaced(1e-5, 300.0, 60), "orthonormal");
    task.manifold =
        ManifoldParameters{.dimension = 40, .blocks = {{.size = 9, .sigma = 1.0}, {.size = 11, .sigma = 0.1}}};
    task.manifold->ambient_noise = ambient;
    const Measured found(measure, task);
    const std::vector<VariableValues> predicted = measure.predict(task);
    const std::vector<double>& theory = values_of(predicted, "intrinsic_dimension_theory");
    for (std::size_t t = 0; t < task.times.size(); ++t) {
      const double tau = task.times[t];
      std::vector<double> c(40, ambient * ambient / (ambient * ambient + tau));
      for (std::size_t k = 0; k < 20; ++k) {
        const double variance = (k < 9 ? 1.0 : 0.01) + ambient * ambient;
        c[k] = variance / (variance + tau);
      }
      const DenseDimensions dense = read_off(c, 0.5, 1e-6);
      EXPECT_EQ(found.value("intrinsic_dimension", 3 * t + by_gap), dense.gap) << tau;
      EXPECT_EQ(found.value("intrinsic_dimension", 3 * t + by_threshold), dense.threshold) << tau;
      EXPECT_EQ(theory[3 * t + by_gap], dense.gap) << tau;
      EXPECT_EQ(theory[3 * t + by_threshold], dense.threshold) << tau;
      EXPECT_TRUE(std::isnan(found.value("intrinsic_dimension", 3 * t + by_score_matrix)));
    }
    // All three regimes were met: normal, the first block, the manifold; with ambient noise everything at last.
    EXPECT_EQ(theory[3 * 59 + by_threshold], 0.0);
    EXPECT_EQ(theory[by_threshold], ambient > 0.0 ? 40.0 : 20.0);
    EXPECT_EQ(std::ranges::count(theory, 9.0) > 0, true);
  }
}

TEST(DimensionMeasure, OfAGaussianFactorIsReadOffTheReplicasSpectrum) {
  TaskParameters task = task_of(log_spaced(1e-4, 50.0, 12), "gaussian");
  task.manifold = ManifoldParameters{.dimension = 30,
                                     .blocks = {{.size = 6, .sigma = 1.0}, {.size = 8, .sigma = 0.1}},
                                     .factor = FactorKind::gaussian};
  const LinearManifold manifold(*task.manifold, task.seed, task.ensemble, 0);
  std::vector<double> square(900, 0.0);
  std::vector<double> column(30);
  for (std::int64_t k = 0; k < 14; ++k) {
    manifold.factor_column(k, 0, column);
    for (std::size_t i = 0; i < 30; ++i) {
      for (std::size_t j = 0; j < 30; ++j) square[i * 30 + j] += column[i] * column[j];
    }
  }
  const std::vector<double> variances = descending_eigenvalues(square);
  const Measured found(measure, task);
  for (std::size_t t = 0; t < task.times.size(); ++t) {
    std::vector<double> c;
    for (const double variance : variances) c.push_back(std::max(0.0, variance) / (variance + task.times[t]));
    const DenseDimensions dense = read_off(c, 0.5, 1e-6);
    EXPECT_EQ(found.value("intrinsic_dimension", 3 * t + by_gap), dense.gap) << task.times[t];
    EXPECT_EQ(found.value("intrinsic_dimension", 3 * t + by_threshold), dense.threshold) << task.times[t];
  }
}

// The 10-sphere: 10 tangent directions, the radius counts as normal.
TEST(DimensionMeasure, OfASphereIsThatOfItsSurface) {
  for (const std::int64_t dimension : {11, 40}) {
    TaskParameters task = task_of({0.003, 0.02}, "sphere");
    task.sphere = SphereParameters{.dimension = dimension, .sphere_dimension = 10, .radius = std::sqrt(11.0)};
    task.words["score_matrix"] = "centred";
    const Measured found(measure, task);
    const std::vector<VariableValues> predicted = measure.predict(task);
    for (std::size_t t = 0; t < 2; ++t) {
      for (const Estimator estimator : {by_gap, by_threshold, by_score_matrix}) {
        EXPECT_EQ(found.value("intrinsic_dimension", 3 * t + estimator), 10.0) << dimension << " " << estimator;
      }
      EXPECT_EQ(values_of(predicted, "intrinsic_dimension_theory_asymptotic").at(3 * t + by_gap), 10.0);
      EXPECT_EQ(values_of(predicted, "intrinsic_dimension_theory_asymptotic").at(3 * t + by_threshold), 10.0);
    }
  }
}

// Classes of unit variance far apart: the within-class directions all have the floor, which is not 0.
TEST(DimensionMeasure, OfAMixtureSeesTheDirectionsBetweenClasses) {
  MixtureParameters mixture;
  mixture.dimension = 200;
  mixture.classes = 5;
  mixture.centroids = CentroidKind::simplex;
  TaskParameters task = task_of({1e5}, "mixture");
  task.mixture = mixture;
  const Measured found(measure, task);
  // Between classes 200 (5/4)/5 over tau, nearly, within 1/(1 + tau); all below the threshold.
  EXPECT_EQ(found.value("intrinsic_dimension", by_gap), 4.0);
  EXPECT_EQ(found.value("intrinsic_dimension", by_threshold), 0.0);
}

// ----------------------------------------------------------------------------------------------------- training sets

// More than the 16 eigenvalues that are computed first: where the answer hides behind them, and where it does not, it
// is that of the whole spectrum.
TEST(DimensionMeasure, OfATrainingSetIsReadOffTheWholeSpectrum) {
  for (const std::int64_t samples : {7, 60, 400}) {
    for (const double threshold : {0.5, 0.98}) {
      TaskParameters task = task_of(log_spaced(0.003, 200.0, 8), "random spectra");
      task.manifold = ManifoldParameters{.dimension = 48,
                                         .blocks = {{.size = 22, .sigma = 1.0}, {.size = 14, .sigma = 0.3}},
                                         .factor = FactorKind::gaussian};
      task.samples = {samples};
      task.options["probes"] = 1.0;
      task.options["threshold"] = threshold;
      for (task.realization = 0; task.realization < 4; ++task.realization) {
        task.mixed_precision = task.realization == 3;
        DenseComponents points = training_points(task, samples);
        if (task.mixed_precision) points = test::rounded_to_single(std::move(points));
        const Measured found(measure, task);
        for (std::size_t t = 0; t < task.times.size(); ++t) {
          const double tau = task.times[t];
          const DenseDimensions dense =
              read_off(descending_eigenvalues(dense_covariance(points, noised_point(task, points, 0, tau), tau)),
                       threshold, 1e-6);
          // Below, the solver's accuracy could decide which of two gaps is the larger.
          if (dense.lead > 1e-7) {
            EXPECT_EQ(found.value("intrinsic_dimension", 3 * t + by_gap), dense.gap) << samples << " " << tau;
          }
          EXPECT_EQ(found.value("intrinsic_dimension", 3 * t + by_threshold), dense.threshold) << samples << " " << tau;
        }
      }
    }
  }
}

// A training set that has collapsed on a point has no directions left.
TEST(DimensionMeasure, OfACollapsedTrainingSetIsZero) {
  TaskParameters task = task_of({1e-9}, "collapsed");
  task.manifold = ManifoldParameters{.dimension = 20, .blocks = {{.size = 5, .sigma = 1.0}}};
  task.samples = {100};
  const Measured found(measure, task);
  EXPECT_EQ(found.value("intrinsic_dimension", by_gap), 0.0);
  EXPECT_EQ(found.value("intrinsic_dimension", by_threshold), 0.0);
}

// ------------------------------------------------------------------------------------------------------ score matrix

// tau = 1e-3 against variances of order 1 and 0.1: consolidation. Also from fewer rows than there are dimensions, of
// the exact score and of a training set's.
TEST(DimensionMeasure, ScoreMatrixFindsTheManifoldInConsolidation) {
  for (const FactorKind factor : {FactorKind::orthonormal, FactorKind::gaussian}) {
    for (const char* rows : {"centred", "antithetic", "plain"}) {
      TaskParameters task = task_of({1e-3}, "score matrix");
      task.manifold = ManifoldParameters{
          .dimension = 40, .blocks = {{.size = 6, .sigma = 1.0}, {.size = 5, .sigma = 0.5}}, .factor = factor};
      task.words["score_matrix"] = rows;
      EXPECT_EQ(Measured(measure, task).value("intrinsic_dimension", by_score_matrix), 11.0) << rows;
      task.options["score_matrix_rows"] = 79.0;
      EXPECT_THAT(measure.problem(task),
                  testing::HasSubstr("score_matrix_rows is 79 in 40 dimensions; allowed: 0 or at least 80"));
      task.options["score_matrix_rows"] = 80.0;
      EXPECT_EQ(Measured(measure, task).value("intrinsic_dimension", by_score_matrix), 11.0) << rows;
    }
  }
}

// Of a training set at large tau the score is linear with the empirical covariance: m directions again.
TEST(DimensionMeasure, ScoreMatrixOfATrainingSetFindsItsManifold) {
  TaskParameters task = task_of({0.5}, "training score matrix");
  task.manifold = ManifoldParameters{.dimension = 12, .blocks = {{.size = 2, .sigma = 5.0}}};
  task.samples = {3000};
  task.options["probes"] = 2.0;
  for (const char* rows : {"centred", "antithetic"}) {
    task.words["score_matrix"] = rows;
    const Measured found(measure, task);
    EXPECT_EQ(found.value("intrinsic_dimension", by_score_matrix), 2.0) << rows;
    EXPECT_EQ(found.value("intrinsic_dimension_stderr", by_score_matrix), 0.0);
  }
}

// Where all eigenvalues of N are alike, singular values of random rows spread all the same: no gap of theirs is one.
TEST(DimensionMeasure, ScoreMatrixWithoutAGapIsZero) {
  for (const std::int64_t dimension : {1, 2, 3, 20}) {
    for (const char* rows : {"centred", "antithetic"}) {
      TaskParameters task = task_of({1e-4, 1e-2, 1.0, 100.0}, "no gap");
      task.mixture = MixtureParameters{.dimension = dimension};
      task.words["score_matrix"] = rows;
      task.options["probes"] = 16.0;
      const Measured law(measure, task);
      task.samples = {1};  // one point: all directions are normal
      task.words["score"] = "training-set";
      const Measured point(measure, task);
      for (std::size_t t = 0; t < task.times.size(); ++t) {
        EXPECT_EQ(law.value("intrinsic_dimension", 3 * t + by_score_matrix), 0.0) << dimension << " " << rows;
        EXPECT_EQ(law.value("intrinsic_dimension", 3 * t + by_gap), 0.0);
        EXPECT_EQ(point.value("intrinsic_dimension", 3 * t + by_score_matrix), 0.0) << dimension << " " << rows;
      }
    }
  }
}

// As for the largest gap of N: one below the resolution is none.
TEST(DimensionMeasure, ResolutionHoldsForTheScoreMatrixToo) {
  TaskParameters task = task_of({1e-3}, "resolution");
  task.manifold = ManifoldParameters{.dimension = 12, .blocks = {{.size = 4, .sigma = 1.0}}};
  task.words["score_matrix"] = "centred";
  for (const double resolution : {1e-6, 0.2}) {
    task.options["resolution"] = resolution;
    EXPECT_EQ(Measured(measure, task).value("intrinsic_dimension", by_score_matrix), 4.0);
  }
  task.times = {50.0};  // all of N is above 0.98
  for (const double resolution : {1e-6, 0.2}) {
    task.options["resolution"] = resolution;
    EXPECT_EQ(Measured(measure, task).value("intrinsic_dimension", by_score_matrix), 0.0);
  }
}

TEST(DimensionMeasure, ProblemsNameTheKey) {
  TaskParameters task = task_of({0.5}, "problems");
  task.manifold = ManifoldParameters{.dimension = 5000, .blocks = {{.size = 2, .sigma = 1.0}}};
  EXPECT_EQ(measure.problem(task), "");
  task.words["score_matrix"] = "centred";
  EXPECT_NE(measure.problem(task).find("measure.dimension.score_matrix = \"centred\" in 5000 dimensions"),
            std::string::npos);
  task.words["score_matrix"] = "off";
  task.words["score"] = "training-set";
  EXPECT_NE(measure.problem(task).find("samples"), std::string::npos);
}

}  // namespace
}  // namespace diffphase
