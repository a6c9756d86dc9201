// What measure.gap finds: against closed forms, against whole matrices, and a training set against the law.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <utility>
#include <vector>

#include "measure/gap.hpp"
#include "spectrum/factor_variances.hpp"
#include "support/dense_score.hpp"
#include "support/measure_runs.hpp"
#include "theory/ventura2025.hpp"

namespace diffphase {
namespace {

using test::default_task;
using test::descending_eigenvalues;
using test::Estimate;
using test::log_spaced;
using test::Measured;
using test::realizations;
using test::values_of;

const GapMeasure measure;

TaskParameters manifold_task(std::int64_t dimension, std::vector<FactorBlock> blocks, FactorKind factor,
                             std::vector<double> times, const std::string& name) {
  TaskParameters task = default_task(measure, std::move(times), name);
  task.process = NoisingProcess(ProcessKind::variance_exploding);
  task.manifold = ManifoldParameters{.dimension = dimension, .blocks = std::move(blocks), .factor = factor};
  return task;
}

// ------------------------------------------------------------------------------- orthonormal columns: closed forms

// tau = b^2/a^2 and back, written down again.
double clock_tau(ProcessKind kind, double t) {
  if (kind == ProcessKind::variance_exploding) return t;
  if (kind == ProcessKind::flow_matching) return t * t / ((1.0 - t) * (1.0 - t));
  return std::expm1(2.0 * t);
}
double clock_time(ProcessKind kind, double tau) {
  if (kind == ProcessKind::variance_exploding) return tau;
  if (kind == ProcessKind::flow_matching) return std::sqrt(tau) / (1.0 + std::sqrt(tau));
  return 0.5 * std::log1p(tau);
}

struct Variances {
  double above;
  double below;

  [[nodiscard]] double height(double tau) const { return above / (tau + above) - below / (tau + below); }
  // The roots of tau^2 - B tau + a b, B = (a - b)/D - (a + b).
  [[nodiscard]] double root(double threshold, double sign) const {
    const double b = (above - below) / threshold - (above + below);
    return 0.5 * (b + sign * std::sqrt(b * b - 4.0 * above * below));
  }
};

void expect_relative(double found, double expected, double tolerance, const std::string& what) {
  EXPECT_NEAR(found, expected, tolerance * std::abs(expected)) << what;
}

void expect_closed_form(ProcessKind kind, double threshold, double ambient_noise) {
  const double ambient = ambient_noise * ambient_noise;
  TaskParameters task =
      manifold_task(20, {{.size = 4, .sigma = 0.3}, {.size = 3, .sigma = 1.0}, {.size = 2, .sigma = 0.01}},
                    FactorKind::orthonormal, {}, "orthonormal");
  task.process = NoisingProcess(kind);
  task.manifold->ambient_noise = ambient_noise;
  task.options["threshold"] = threshold;
  for (const double tau : log_spaced(1e-6, 200.0, 31)) task.times.push_back(clock_time(kind, tau));
  const std::vector<double> variances{1.0 + ambient, 0.09 + ambient, 1e-4 + ambient};
  const std::vector<Variances> gaps{{variances[0], variances[1]}, {variances[1], variances[2]}};
  const Variances last{variances[2], ambient};
  const Measured found(measure, task);

  for (std::size_t t = 0; t < task.times.size(); ++t) {
    const double tau = clock_tau(kind, task.times[t]);
    for (std::size_t k = 0; k < gaps.size(); ++k) {
      EXPECT_NEAR(found.value("gap", t * 2 + k), gaps[k].height(tau), 1e-10);
    }
    EXPECT_NEAR(found.value("final_gap", t), last.height(tau), 1e-10);
    for (std::size_t b = 0; b < variances.size(); ++b) {
      const double eigenvalue = 1.0 - variances[b] / (variances[b] + tau);
      EXPECT_NEAR(found.value("block_eigenvalue_lower", t * 3 + b), eigenvalue, 1e-10);
      EXPECT_NEAR(found.value("block_eigenvalue_upper", t * 3 + b), eigenvalue, 1e-10);
    }
    const double other = std::max({threshold, gaps[0].height(tau), gaps[1].height(tau)});
    const double spread = Variances{variances[0], ambient}.height(tau);
    const double phase = last.height(tau) >= other ? 2.0 : spread >= threshold ? 1.0 : 0.0;
    // With ambient noise the final gap closes again, which is no return to coverage in generation.
    if (ambient == 0.0) {
      EXPECT_EQ(found.value("geometric_phase", t), phase) << tau;
    }
  }
  for (std::size_t k = 0; k < gaps.size(); ++k) {
    const Variances& gap = gaps[k];
    const double peak = std::sqrt(gap.above * gap.below);
    expect_relative(found.value("gap_opening_time", k), clock_time(kind, gap.root(threshold, 1.0)), 1e-6, "opening");
    expect_relative(found.value("gap_closing_time", k),
                    clock_time(kind, gap.above * gap.below / gap.root(threshold, 1.0)), 1e-6, "closing");
    expect_relative(found.value("gap_maximum_time", k), clock_time(kind, peak), 1e-6, "maximum");
    EXPECT_NEAR(found.value("gap_maximum", k), gap.height(peak), 1e-10);
    EXPECT_EQ(found.value("gap_opening_time_status", k), 0.0);
  }
  if (ambient == 0.0) {
    expect_relative(found.value("final_gap_opening_time"), clock_time(kind, last.above * (1.0 - threshold) / threshold),
                    1e-6, "final");
    EXPECT_TRUE(std::isnan(found.value("final_gap_closing_time"))) << "it goes to 1";
  } else {
    expect_relative(found.value("final_gap_opening_time"), clock_time(kind, last.root(threshold, 1.0)), 1e-6, "final");
    expect_relative(found.value("final_gap_closing_time"), clock_time(kind, last.root(threshold, -1.0)), 1e-6, "final");
  }
  expect_relative(found.value("coverage_time"),
                  clock_time(kind, ambient == 0.0 ? variances[0] * (1.0 - threshold) / threshold
                                                  : Variances{variances[0], ambient}.root(threshold, 1.0)),
                  1e-6, "coverage");
}

TEST(GapMeasure, OfOrthonormalColumnsIsItsClosedFormOnEveryClock) {
  for (const ProcessKind kind :
       {ProcessKind::variance_exploding, ProcessKind::ornstein_uhlenbeck, ProcessKind::flow_matching}) {
    for (const double threshold : {0.05, 0.3}) {
      expect_closed_form(kind, threshold, 0.0);
      expect_closed_form(kind, threshold, 1e-4);
    }
  }
}

// The tables of the theory text.
TEST(GapMeasure, OfOrthonormalColumnsHasTheTabulatedMaxima) {
  struct Row {
    double sigma, time, height;
  };
  for (const Row& row : {Row{0.3, 0.3, 0.5384615385}, Row{0.1, 0.1, 0.8181818182}, Row{0.01, 0.01, 0.9801980198}}) {
    const TaskParameters task = manifold_task(9, {{.size = 3, .sigma = 1.0}, {.size = 3, .sigma = row.sigma}},
                                              FactorKind::orthonormal, {0.1, 1.0}, "table");
    const Measured found(measure, task);
    EXPECT_NEAR(found.value("gap_maximum_time"), row.time, 1e-12);
    EXPECT_NEAR(found.value("gap_maximum"), row.height, 1e-10);
  }
}

// The time from which on the final gap is the highest, by bisection of the heights.
TEST(GapMeasure, ConsolidationBeginsWhereTheFinalGapOvertakesTheOthers) {
  const Variances gap{1.0, 0.01};
  const Variances last{0.01, 0.0};
  double low = 1e-6;
  double high = 10.0;
  for (int i = 0; i < 200; ++i) {
    const double middle = std::sqrt(low * high);
    (last.height(middle) >= std::max(gap.height(middle), 0.1) ? low : high) = middle;
  }
  for (const ProcessKind kind : {ProcessKind::variance_exploding, ProcessKind::ornstein_uhlenbeck}) {
    TaskParameters task = manifold_task(30, {{.size = 3, .sigma = 1.0}, {.size = 5, .sigma = 0.1}},
                                        FactorKind::orthonormal, {0.1, 1.0}, "consolidation");
    task.process = NoisingProcess(kind);
    expect_relative(Measured(measure, task).value("consolidation_time"), clock_time(kind, low), 1e-6, "consolidation");
  }
}

// Equal sigmas are one band, in whatever order the blocks stand; a manifold without normal directions has no final gap.
TEST(GapMeasure, BlocksOfOneSigmaAreOneBand) {
  const TaskParameters whole = manifold_task(12, {{.size = 7, .sigma = 1.0}, {.size = 5, .sigma = 0.2}},
                                             FactorKind::orthonormal, {0.1, 1.0}, "bands");
  const TaskParameters parts =
      manifold_task(12, {{.size = 3, .sigma = 1.0}, {.size = 5, .sigma = 0.2}, {.size = 4, .sigma = 1.0}},
                    FactorKind::orthonormal, {0.1, 1.0}, "bands");
  for (const DimensionSpec& dimension : measure.dimensions(parts)) {
    EXPECT_EQ(dimension.size(), dimension.name == "block" ? 2U : 1U) << dimension.name;
  }
  EXPECT_EQ(Measured(measure, whole).values("gap"), Measured(measure, parts).values("gap"));
  for (const VariableSpec& spec : measure.variables(whole)) {
    EXPECT_EQ(spec.name.find("final"), std::string::npos) << spec.name << " without normal directions";
  }
}

// ------------------------------------------------------------------------------ Gaussian columns: each replica's own

// F F^T of the task's replica.
std::vector<double> factor_square(const TaskParameters& task) {
  const LinearManifold manifold(*task.manifold, task.seed, task.ensemble, task.realization);
  const auto d = static_cast<std::size_t>(manifold.dimension());
  std::vector<double> square(d * d, 0.0);
  std::vector<double> column(d);
  for (std::int64_t k = 0; k < manifold.columns(); ++k) {
    manifold.factor_column(k, 0, column);
    for (std::size_t i = 0; i < d; ++i) {
      for (std::size_t j = 0; j < d; ++j) square[i * d + j] += column[i] * column[j];
    }
  }
  return square;
}

// Eigenvalues of N = tau (F F^T + tau I)^-1, ascending.
std::vector<double> dense_spectrum(std::vector<double> matrix, double tau) {
  const auto d = static_cast<std::size_t>(std::lround(std::sqrt(static_cast<double>(matrix.size()))));
  for (std::size_t i = 0; i < d; ++i) matrix[i * d + i] += tau;
  std::vector<double> values = descending_eigenvalues(std::move(matrix));
  for (double& value : values) value = tau / value;
  return values;
}

TEST(GapMeasure, OfAGaussianFactorIsThatOfTheReplicasOwnMatrix) {
  TaskParameters task = manifold_task(40, {{.size = 7, .sigma = 1.0}, {.size = 9, .sigma = 0.1}}, FactorKind::gaussian,
                                      log_spaced(1e-3, 50.0, 12), "replica");
  for (task.realization = 0; task.realization < 3; ++task.realization) {
    const std::vector<double> square = factor_square(task);
    const Measured found(measure, task);
    for (std::size_t t = 0; t < task.times.size(); ++t) {
      const std::vector<double> n = dense_spectrum(square, task.times[t]);
      EXPECT_NEAR(found.value("block_eigenvalue_lower", 2 * t), n[0], 1e-8);
      EXPECT_NEAR(found.value("block_eigenvalue_upper", 2 * t), n[6], 1e-8);
      EXPECT_NEAR(found.value("block_eigenvalue_lower", 2 * t + 1), n[7], 1e-8);
      EXPECT_NEAR(found.value("block_eigenvalue_upper", 2 * t + 1), n[15], 1e-8);
      EXPECT_NEAR(found.value("gap", t), n[7] - n[6], 1e-8);
      EXPECT_NEAR(found.value("final_gap", t), n[16] - n[15], 1e-8);
    }
    // The gap tau/(tau + below) - tau/(tau + above) is highest at the geometric mean, and at the threshold at the roots
    // of tau^2 - 2 half tau + below above.
    const std::vector<double> variances = descending_eigenvalues(square);
    const double above = variances[6];
    const double below = variances[7];
    constexpr double threshold = 0.1;
    expect_relative(found.value("gap_maximum_time"), std::sqrt(above * below), 1e-6, "maximum");
    const double half = ((above - below) - threshold * (above + below)) / (2.0 * threshold);
    const double root = std::sqrt(half * half - above * below);
    expect_relative(found.value("gap_opening_time"), half + root, 1e-6, "opening");
    expect_relative(found.value("gap_closing_time"), above * below / (half + root), 1e-6, "closing");
    // The times are roots and maxima of the dense gap.
    const auto dense_gap = [&](double tau) {
      const std::vector<double> n = dense_spectrum(square, tau);
      return n[7] - n[6];
    };
    EXPECT_NEAR(dense_gap(found.value("gap_opening_time")), 0.1, 1e-7);
    EXPECT_NEAR(dense_gap(found.value("gap_closing_time")), 0.1, 1e-7);
    const double peak = found.value("gap_maximum_time");
    EXPECT_NEAR(dense_gap(peak), found.value("gap_maximum"), 1e-8);
    for (const double factor : {0.97, 1.03}) EXPECT_LT(dense_gap(factor * peak), found.value("gap_maximum"));
  }
}

// Squared singular values of F, as many as it has columns.
TEST(FactorVariances, AreTheEigenvaluesOfTheDenseMatrix) {
  const Communicator self = Communicator::self();
  for (const std::int64_t dimension : {9, 30}) {
    TaskParameters task = manifold_task(dimension, {{.size = 4, .sigma = 1e-3}, {.size = 5, .sigma = 1.0}},
                                        FactorKind::gaussian, {1.0}, "variances");
    const LinearManifold manifold(*task.manifold, task.seed, task.ensemble, 0);
    const std::vector<double> found = factor_variances(TaskGroup(self), manifold);
    ASSERT_EQ(found.size(), 9U);
    const std::vector<double> dense = descending_eigenvalues(factor_square(task));
    // dsyev is accurate relative to the largest eigenvalue only.
    for (std::size_t k = 0; k < found.size(); ++k) EXPECT_NEAR(found[k], dense[k], 1e-14 * 40.0 * dense[0]);
    double trace = 0.0;
    for (const double value : found) trace += value;
    double dense_trace = 0.0;
    for (const double value : dense) dense_trace += value;
    EXPECT_NEAR(trace, dense_trace, 1e-12 * trace);
  }
}

// Averages over replicas against the limit of large sizes, whose corrections at an edge are of order m^(-2/3), m the
// size of the smaller block.
double edge_correction(double smaller_block) { return 2.5 * std::pow(smaller_block, -2.0 / 3.0); }

constexpr std::int64_t replicas = 20;

// Two variance blocks of Gaussian columns: edges of F F^T from the smallest on, and the highest gap.
struct TwoBlocks {
  const char* name;
  std::int64_t dimension, large_size, small_size;
  double small_sigma;
  FactorNormalisation scale;
  std::array<double, 4> edges;
  double maximum_time, maximum;
};

void expect_table_row(const TwoBlocks& row) {
  constexpr double tau = 0.2;
  TaskParameters task = manifold_task(
      row.dimension, {{.size = row.large_size, .sigma = 1.0}, {.size = row.small_size, .sigma = row.small_sigma}},
      FactorKind::gaussian, {tau}, row.name);
  task.manifold->normalisation = row.scale;
  const std::vector<Measured> runs = realizations(measure, task, replicas);
  const double allowed = edge_correction(static_cast<double>(std::min(row.large_size, row.small_size)));
  const auto variance = [&](const std::string& name, std::size_t block) {
    double mean = 0.0;
    for (const Measured& run : runs) mean += tau * (1.0 / run.value(name, block) - 1.0) / static_cast<double>(replicas);
    return mean;
  };
  expect_relative(variance("block_eigenvalue_lower", 0), row.edges[3], allowed, "upper edge of the upper bulk");
  expect_relative(variance("block_eigenvalue_upper", 0), row.edges[2], allowed, "lower edge of the upper bulk");
  expect_relative(variance("block_eigenvalue_lower", 1), row.edges[1], allowed, "upper edge of the lower bulk");
  expect_relative(variance("block_eigenvalue_upper", 1), row.edges[0], allowed, "lower edge of the lower bulk");
  expect_relative(test::over_realizations(runs, "gap_maximum_time").mean, row.maximum_time, 0.02,
                  "time of the maximum");
  expect_relative(test::over_realizations(runs, "gap_maximum").mean, row.maximum, allowed, "height of the maximum");
  const std::vector<VariableValues> predicted = measure.predict(task);
  expect_relative(values_of(predicted, "gap_maximum_time_theory_asymptotic").at(0), row.maximum_time, 1e-7, "theory");
}

TEST(GapMeasure, AverageEdgesAreThoseOfTheTable) {
  expect_table_row({"small blocks",
                    400,
                    20,
                    20,
                    0.1,
                    FactorNormalisation::dimension,
                    {.00563811, .01435125, .60329293, 1.49771772},
                    .09304840,
                    .73275059});
}

TEST(FullGapMeasure, AverageEdgesAreThoseOfTheTable) {
  for (const TwoBlocks& row : {TwoBlocks{"equal blocks",
                                         1000,
                                         200,
                                         200,
                                         0.1,
                                         FactorNormalisation::columns,
                                         {.00498745305, .0448856389, .769024141, 5.24110277},
                                         .18579058,
                                         .61083428},
                               TwoBlocks{"unequal blocks",
                                         1000,
                                         100,
                                         300,
                                         0.1,
                                         FactorNormalisation::columns,
                                         {.00401475601, .0559175225, 1.17647248, 4.33869625},
                                         .25648670,
                                         .64201814},
                               TwoBlocks{"near variances",
                                         1000,
                                         200,
                                         200,
                                         0.3,
                                         FactorNormalisation::columns,
                                         {.04395286, .39429579, .81769953, 5.28405182},
                                         .56781642,
                                         .18035384}}) {
    SCOPED_TRACE(row.name);
    expect_table_row(row);
  }
}

TEST(GapMeasure, AverageFinalGapOfOneBlockIsThatOfTheTable) {
  struct Row {
    FactorNormalisation scale;
    double early, late;  // final gap at tau = 0.1 and 1
  };
  for (const Row& row : {Row{FactorNormalisation::columns, .7715446736, .2524607161},
                         Row{FactorNormalisation::dimension, .5746290671, .1190117634}}) {
    TaskParameters task =
        manifold_task(100, {{.size = 40, .sigma = 1.0}}, FactorKind::gaussian, {0.1, 1.0}, "one block");
    task.manifold->normalisation = row.scale;
    const std::vector<Measured> runs = realizations(measure, task, replicas);
    for (const std::size_t t : {0U, 1U}) {
      double mean = 0.0;
      for (const Measured& run : runs) mean += run.value("final_gap", t) / static_cast<double>(replicas);
      expect_relative(mean, t == 0 ? row.early : row.late, edge_correction(40.0), "final gap");
    }
  }
}

// ------------------------------------------------------------------------------------------------- training sets

TEST(GapMeasure, OfATrainingSetIsReadOffItsDenseSpectra) {
  for (const FactorKind factor : {FactorKind::orthonormal, FactorKind::gaussian}) {
    for (const double ambient : {0.0, 0.05}) {
      TaskParameters task = manifold_task(11, {{.size = 4, .sigma = 0.2}, {.size = 3, .sigma = 1.0}}, factor,
                                          log_spaced(0.01, 20.0, 6), "training");
      task.manifold->ambient_noise = ambient;
      task.mixed_precision = ambient > 0.0;
      task.samples = {5, 40};
      task.options["probes"] = 3.0;
      const Measured found(measure, task);
      for (std::size_t k = 0; k < 2; ++k) {
        test::DenseComponents points = test::training_points(task, task.samples[k]);
        if (task.mixed_precision) points = test::rounded_to_single(std::move(points));
        for (std::size_t t = 0; t < 6; ++t) {
          std::vector<double> gaps;
          std::vector<double> last;
          std::vector<double> lower;
          std::vector<double> upper;
          for (std::int64_t probe = 0; probe < 3; ++probe) {
            const std::vector<double> x = noised_point(task, points, probe, task.times[t]);
            const std::vector<double> c = descending_eigenvalues(dense_covariance(points, x, task.times[t]));
            gaps.push_back(c[2] - c[3]);
            last.push_back(c[6] - c[7]);
            lower.push_back(1.0 - c[3]);
            upper.push_back(1.0 - c[6]);
          }
          const std::size_t i = 6 * k + t;
          EXPECT_NEAR(found.value("gap", i), test::estimate(gaps).mean, 1e-8);
          EXPECT_NEAR(found.value("gap_stderr", i), test::estimate(gaps).error, 1e-8);
          EXPECT_NEAR(found.value("final_gap", i), test::estimate(last).mean, 1e-8);
          EXPECT_NEAR(found.value("final_gap_stderr", i), test::estimate(last).error, 1e-8);
          EXPECT_NEAR(found.value("block_eigenvalue_lower", 2 * i + 1), test::estimate(lower).mean, 1e-8);
          EXPECT_NEAR(found.value("block_eigenvalue_upper", 2 * i + 1), test::estimate(upper).mean, 1e-8);
        }
      }
    }
  }
}

// Ambient noise gives the normal directions eigenvalues of their own, which count in the spread of all.
TEST(GapMeasure, CoverageEndsWithTheSpreadOfAllEigenvalues) {
  TaskParameters task = manifold_task(40, {{.size = 4, .sigma = 1.0}}, FactorKind::orthonormal,
                                      log_spaced(3.0, 80.0, 24), "spread of all");
  task.manifold->ambient_noise = 0.5;
  task.samples = {30, 160};
  task.options["probes"] = 3.0;
  const Measured found(measure, task);
  for (std::size_t k = 0; k < 2; ++k) {
    const test::DenseComponents points = test::training_points(task, task.samples[k]);
    std::int64_t between = 0;  // times at which the largest normal eigenvalue alone would say something else
    for (std::size_t t = 0; t < task.times.size(); ++t) {
      std::vector<double> spread, to_normal, lead;
      for (std::int64_t probe = 0; probe < 3; ++probe) {
        const std::vector<double> x = noised_point(task, points, probe, task.times[t]);
        const std::vector<double> c = descending_eigenvalues(dense_covariance(points, x, task.times[t]));
        spread.push_back(c.front() - c.back());
        to_normal.push_back(c[0] - c[4]);
        lead.push_back(c[3] - c[4] - 0.1);
      }
      const bool open = test::estimate(spread).mean >= 0.1;
      const double phase = test::estimate(lead).mean >= 0.0 ? 2.0 : open ? 1.0 : 0.0;
      EXPECT_EQ(found.value("geometric_phase", k * task.times.size() + t), phase) << task.times[t];
      between += open && test::estimate(to_normal).mean < 0.1 ? 1 : 0;
    }
    EXPECT_GE(between, 1);
  }
}

// Far above the collapse the empirical score is the law's: 3600 points share the weight at the closing, which leaves
// corrections of order 1/3600 and those of the grid.
TEST(GapMeasure, OfManyPointsHasTheTimesOfTheLaw) {
  TaskParameters task = manifold_task(4, {{.size = 1, .sigma = 1.0}, {.size = 1, .sigma = 0.1}},
                                      FactorKind::orthonormal, log_spaced(0.002, 20.0, 27), "many points");
  task.options["threshold"] = 0.5;
  task.options["probes"] = 12.0;
  task.samples = {50000};
  const Measured found(measure, task);
  const Variances gap{1.0, 0.01};
  const auto expect = [&](const std::string& name, double exact) {
    const Estimate measured = found.estimate(name);
    EXPECT_GT(measured.error, 0.0) << name;
    EXPECT_NEAR(measured.mean, exact, 4.0 * measured.error + 0.005 * exact) << name;
    EXPECT_LT(measured.error, 0.1 * exact) << name << ": an error bar that hides everything";
    if (!name.ends_with("_time")) return;
    const double interpolation = found.value(name + "_interpolation_error");
    EXPECT_GT(interpolation, 0.0) << name;
    EXPECT_LT(interpolation, 0.02 * exact) << name << ": a bound that says nothing";
    EXPECT_NEAR(measured.mean, exact, 4.0 * measured.error + interpolation + exact / 3600.0) << name;
  };
  expect("gap_opening_time", gap.root(0.5, 1.0));
  expect("gap_closing_time", gap.root(0.5, -1.0));
  expect("gap_maximum_time", 0.1);
  expect("gap_maximum", 0.9 / 1.1);
  expect("final_gap_opening_time", 0.01);
  expect("coverage_time", 1.0);
  EXPECT_EQ(found.value("final_gap_closing_time_status"), 1.0) << "before the grid";
  const std::vector<VariableValues> predicted = measure.predict(task);
  EXPECT_NEAR(values_of(predicted, "gap_opening_time_theory_asymptotic").at(0), gap.root(0.5, 1.0), 1e-9);
}

// A gap whose hump lies outside of the grid is somewhere else, not nowhere.
TEST(GapMeasure, OfATrainingSetSaysOnWhichSideOfTheGridItIs) {
  const auto found_between = [](double from, double to) {
    TaskParameters task = manifold_task(12, {{.size = 3, .sigma = 1.0}, {.size = 3, .sigma = 0.3}},
                                        FactorKind::orthonormal, log_spaced(from, to, 4), "hump outside");
    task.options["probes"] = 4.0;
    task.samples = {300};
    return Measured(measure, task);
  };
  const Measured late = found_between(200.0, 2000.0);
  const Measured early = found_between(1e-6, 1e-5);  // collapsed
  for (const char* name :
       {"gap_opening_time", "gap_closing_time", "final_gap_opening_time", "final_gap_closing_time"}) {
    EXPECT_TRUE(std::isnan(late.value(name))) << name;
    EXPECT_EQ(late.value(std::string(name) + "_status"), 1.0) << name << ": before the grid";
    EXPECT_EQ(early.value(std::string(name) + "_status"), 7.0) << name << ": all gaps are 0 there";
  }
  for (const char* name : {"gap_maximum_time", "coverage_time", "consolidation_time"}) {
    EXPECT_TRUE(std::isnan(late.value(name)) && std::isnan(early.value(name))) << name;
    EXPECT_EQ(late.value(std::string(name) + "_status"), 1.0) << name << ": before the grid";
    EXPECT_EQ(early.value(std::string(name) + "_status"), 7.0) << name << ": nothing there tells the side";
  }
}

// The numbers of a count do not depend, to the last bit, on the other counts.
TEST(GapMeasure, CountsDoNotDependOnEachOther) {
  TaskParameters task = manifold_task(11, {{.size = 4, .sigma = 0.2}, {.size = 3, .sigma = 1.0}}, FactorKind::gaussian,
                                      log_spaced(0.01, 20.0, 5), "counts");
  task.samples = {40, 700};
  const Measured both(measure, task);
  task.samples = {40};
  const Measured alone(measure, task);
  const std::vector<double>& gaps = alone.values("gap");
  EXPECT_TRUE(std::equal(gaps.begin(), gaps.end(), both.values("gap").begin()));
}

}  // namespace
}  // namespace diffphase
