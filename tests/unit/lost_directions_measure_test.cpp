// What measure.lost_directions finds, against naive softmax over rebuilt training sets, tabulated simulations and
// theory.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "measure/lost_directions.hpp"
#include "support/dense_score.hpp"
#include "support/measure_runs.hpp"
#include "theory/achilli2024.hpp"

namespace diffphase {
namespace {

using test::default_task;
using test::dense_covariance;
using test::dense_responsibilities;
using test::DenseComponents;
using test::Estimate;
using test::estimate;
using test::log_spaced;
using test::Measured;
using test::values_of;

const LostDirectionsMeasure measure;

enum Kind : std::size_t { planted, origin, displaced };

TaskParameters task_of(std::int64_t dimension, std::vector<FactorBlock> blocks, std::vector<double> times,
                       std::vector<std::int64_t> samples, const std::string& name) {
  TaskParameters task = default_task(measure, std::move(times), name);
  task.process = NoisingProcess(ProcessKind::variance_exploding);
  task.manifold = ManifoldParameters{.dimension = dimension, .blocks = std::move(blocks)};
  task.samples = std::move(samples);
  return task;
}

// ------------------------------------------------------------------------------------------- direct dense computation

// The training set of a set of a realization: a realization of its own.
TaskParameters of_set(TaskParameters task, std::int64_t set) {
  task.realization = task.realization * static_cast<std::int64_t>(task.options.at("sets")) + set;
  return task;
}

DenseComponents manifold_points(const TaskParameters& task, std::int64_t count) {
  const LinearManifold manifold(*task.manifold, task.seed, task.ensemble, task.realization);
  const auto d = static_cast<std::size_t>(manifold.dimension());
  DenseComponents points{.dimension = d, .rows = std::vector<double>(static_cast<std::size_t>(count) * d)};
  for (std::int64_t row = 0; row < count; ++row) {
    manifold.sample(row, 0, std::span(points.rows).subspan(static_cast<std::size_t>(row) * d, d));
  }
  return points;
}

struct DenseBlock {
  std::size_t first, size;
  double variance;
};

double dense_fraction(const DenseComponents& points, const std::vector<double>& x, double tau,
                      const DenseBlock& block) {
  const std::vector<double> c = dense_covariance(points, x, tau);
  double sum = 0.0;
  for (std::size_t k = block.first; k < block.first + block.size; ++k) sum += c[k * points.dimension + k] * tau;
  return sum / static_cast<double>(block.size) / (block.variance * tau / (block.variance + tau));
}

// Eigenvalues of N below 1/2.
double dense_open(const DenseComponents& points, const std::vector<double>& x, double tau) {
  const std::vector<double> values = test::descending_eigenvalues(dense_covariance(points, x, tau));
  return static_cast<double>(std::ranges::count_if(values, [](double c) { return 1.0 - c < 0.5; }));
}

// Blocks out of order, ambient noise or none, more planted probes than points, a realization that is not the first.
TEST(LostDirections, AreThoseOfANaiveSoftmaxOverTheSameSets) {
  for (const double ambient : {0.0, 0.1}) {
    TaskParameters task =
        task_of(9, {{.size = 4, .sigma = 0.2}, {.size = 3, .sigma = 1.0}}, {0.001, 0.03, 0.4, 6.0}, {6, 50}, "dense");
    task.manifold->ambient_noise = ambient;
    task.options["sets"] = 3.0;
    task.options["probes"] = 8.0;
    task.realization = 2;
    const Measured found(measure, task);
    const std::array<DenseBlock, 2> blocks{{{4, 3, 1.0 + ambient * ambient}, {0, 4, 0.04 + ambient * ambient}}};
    for (std::size_t n = 0; n < 2; ++n) {
      for (std::size_t t = 0; t < 4; ++t) {
        const double tau = task.times[t];
        std::array<std::array<std::vector<double>, 2>, 3> sets;
        std::array<std::vector<double>, 3> open;
        for (std::int64_t set = 0; set < 3; ++set) {
          const TaskParameters own = of_set(task, set);
          const DenseComponents points = manifold_points(own, task.samples[n]);
          double planted_open = 0.0;
          for (std::int64_t probe = 0; probe < 8; ++probe) {
            planted_open += dense_open(points, noised_point(own, points, probe, tau), tau) / 8.0;
          }
          open[planted].push_back(planted_open);
          open[origin].push_back(dense_open(points, std::vector<double>(9, 0.0), tau));
          double displaced_open = 0.0;
          for (std::size_t b = 0; b < 2; ++b) {
            double mean = 0.0;
            for (std::int64_t probe = 0; probe < 8; ++probe) {
              mean += dense_fraction(points, noised_point(own, points, probe, tau), tau, blocks[b]) / 8.0;
            }
            sets[planted][b].push_back(mean);
            std::vector<double> x(9, 0.0);
            sets[origin][b].push_back(dense_fraction(points, x, tau, blocks[b]));
            x[blocks[b].first] = std::sqrt(tau);
            sets[displaced][b].push_back(dense_fraction(points, x, tau, blocks[b]));
            displaced_open += 0.5 * dense_open(points, x, tau);
          }
          open[displaced].push_back(displaced_open);
        }
        for (const Kind kind : {planted, origin, displaced}) {
          for (std::size_t b = 0; b < 2; ++b) {
            const std::size_t i = ((n * 4 + t) * 3 + kind) * 2 + b;
            const Estimate expected = estimate(sets[kind][b]);
            EXPECT_NEAR(found.value("retained_fraction", i), expected.mean, 1e-10) << tau << " " << kind;
            EXPECT_NEAR(found.value("retained_fraction_stderr", i), expected.error, 1e-10) << tau << " " << kind;
            double sum = 0.0;
            double squares = 0.0;
            for (const double r : sets[kind][b]) sum += r;
            for (const double r : sets[kind][b]) squares += r * r;
            // The dense fractions of collapsed sets end at the rounding of their weights.
            if (expected.mean > 1e-12) {
              EXPECT_NEAR(found.value("retained_fraction_effective_sets", i), sum * sum / squares, 1e-6);
            }
          }
          const std::size_t i = (n * 4 + t) * 3 + kind;
          EXPECT_NEAR(found.value("open_directions", i), estimate(open[kind]).mean, 1e-12) << tau << " " << kind;
          EXPECT_NEAR(found.value("open_directions_stderr", i), estimate(open[kind]).error, 1e-12) << tau;
        }
      }
    }
  }
}

// 512 columns that are not zero, whose rows are stored apart.
TEST(LostDirections, OfWideRowsAreThoseOfTheirColumns) {
  TaskParameters task = task_of(600, {{.size = 20, .sigma = 1.0}, {.size = 492, .sigma = 0.5}}, {0.4}, {6}, "wide");
  task.options["sets"] = 2.0;
  task.options["probes"] = 1.0;
  const Measured found(measure, task);
  const std::array<DenseBlock, 2> blocks{{{0, 20, 1.0}, {20, 492, 0.25}}};
  const std::vector<double> x(600, 0.0);
  std::array<double, 2> fractions{};
  double open = 0.0;
  for (std::int64_t set = 0; set < 2; ++set) {
    const DenseComponents points = manifold_points(of_set(task, set), 6);
    for (std::size_t b = 0; b < 2; ++b) fractions[b] += 0.5 * dense_fraction(points, x, 0.4, blocks[b]);
    open += 0.5 * dense_open(points, x, 0.4);
  }
  for (std::size_t b = 0; b < 2; ++b) {
    EXPECT_NEAR(found.value("retained_fraction", origin * 2 + b), fractions[b], 1e-10) << "block " << b;
  }
  EXPECT_NEAR(found.value("open_directions", origin), open, 1e-12);
}

// -------------------------------------------------------------------------------------------------- tables and theory

// Simulation of the theory text, n = 1000, 20 directions of variance 1 and 20 of 0.01: at tau_C and at 3 tau_C.
TEST(LostDirections, AreThoseOfTheTable) {
  TaskParameters task = task_of(40, {{.size = 20, .sigma = 1.0}, {.size = 20, .sigma = 0.1}},
                                {1.0246140710, 3.0 * 1.0246140710}, {1000}, "table");
  const Measured found(measure, task);
  const std::array<std::array<double, 2>, 2> table{{{.477, .432}, {.918, .917}}};
  for (std::size_t t = 0; t < 2; ++t) {
    for (std::size_t b = 0; b < 2; ++b) {
      const Estimate measured = found.estimate("retained_fraction", (t * 3 + planted) * 2 + b);
      EXPECT_LT(measured.error, 0.03);
      // The table has no errors of its own: its last digit, and as many probes as here.
      EXPECT_NEAR(measured.mean, table[t][b], 4.0 * std::sqrt(2.0) * measured.error + 5e-4) << t << " " << b;
    }
  }
}

// R_k = 1 - E[Y] exactly for s_k far below tau, at the same probes; within 0.1 elsewhere.
TEST(LostDirections, AtPlantedProbesAreOneMinusTheParticipation) {
  TaskParameters task = task_of(14, {{.size = 8, .sigma = 1.0}, {.size = 6, .sigma = 1e-3}}, {0.3, 0.8, 2.0, 5.0},
                                {200}, "participation");
  task.options["sets"] = 6.0;
  task.options["probes"] = 10.0;
  const Measured found(measure, task);
  for (std::size_t t = 0; t < 4; ++t) {
    std::vector<double> differences;
    double retained = 0.0;
    for (std::int64_t set = 0; set < 6; ++set) {
      const TaskParameters own = of_set(task, set);
      const DenseComponents points = manifold_points(own, 200);
      double lost = 0.0;
      for (std::int64_t probe = 0; probe < 10; ++probe) {
        long double participation = 0.0L;
        for (const long double w :
             dense_responsibilities(points, noised_point(own, points, probe, task.times[t]), task.times[t])) {
          participation += w * w;
        }
        lost += static_cast<double>(participation) / 10.0;
      }
      retained += (1.0 - lost) / 6.0;
    }
    const Estimate small = found.estimate("retained_fraction", (t * 3 + planted) * 2 + 1);
    // E over small coordinates of the points is exact; 60 probes of 6 coordinates each are drawn.
    EXPECT_NEAR(small.mean, retained, 4.0 * small.error) << task.times[t];
    EXPECT_NEAR(small.mean, retained, 0.15) << task.times[t];
    EXPECT_NEAR(found.value("retained_fraction", (t * 3 + planted) * 2), small.mean, 0.1 + 4.0 * small.error);
  }
}

// Above the condensation: within 5 standard errors and 0.06 (planted: it is the annealed 1 - E[Y]) or 0.02.
TEST(LostDirections, AreThePredictionAboveTheCondensation) {
  TaskParameters task = task_of(40, {{.size = 20, .sigma = 1.0}, {.size = 20, .sigma = 0.1}},
                                {0.4, 0.7, 1.1, 2.0, 4.0, 10.0}, {1000}, "theory");
  const Measured found(measure, task);
  const std::vector<VariableValues> predicted = measure.predict(task);
  const std::vector<double>& theory = values_of(predicted, "retained_fraction_theory");
  const std::vector<double>& condensation = values_of(predicted, "condensation_time");
  std::size_t compared = 0;
  for (std::size_t t = 0; t < task.times.size(); ++t) {
    for (const Kind kind : {planted, origin, displaced}) {
      for (std::size_t b = 0; b < 2; ++b) {
        if (task.times[t] < condensation[kind * 2 + b]) continue;
        const std::size_t i = (t * 3 + kind) * 2 + b;
        const Estimate measured = found.estimate("retained_fraction", i);
        EXPECT_NEAR(measured.mean, theory[i], 5.0 * measured.error + (kind == planted ? 0.06 : 0.02))
            << "tau = " << task.times[t] << ", kind " << kind << ", block " << b;
        ++compared;
      }
    }
  }
  EXPECT_GE(compared, 20U);
}

// The loss of the planted probes is where the theory has it, within what it says of its accuracy and the errors.
TEST(LostDirections, LossTimesCrossOneHalf) {
  TaskParameters task = task_of(30, {{.size = 20, .sigma = 1.0}, {.size = 10, .sigma = 0.1}},
                                log_spaced(0.05, 10.0, 24), {300}, "loss times");
  const Measured found(measure, task);
  const std::vector<VariableValues> predicted = measure.predict(task);
  for (std::size_t b = 0; b < 2; ++b) {
    ASSERT_EQ(found.value("loss_time_status", planted * 2 + b), 0.0);
    const Estimate loss = found.estimate("loss_time", planted * 2 + b);
    const auto curve = [&](std::size_t t) { return found.value("retained_fraction", (t * 3 + planted) * 2 + b); };
    const auto after = static_cast<std::size_t>(std::ranges::lower_bound(task.times, loss.mean) - task.times.begin());
    EXPECT_LE(curve(after - 1), 0.5);
    EXPECT_GE(curve(after), 0.5);
    const double theory = values_of(predicted, "loss_time_theory").at(planted * 2 + b);
    const double tolerance = values_of(predicted, "loss_time_tolerance").at(planted * 2 + b);
    const double shift = values_of(predicted, "loss_time_shift").at(planted * 2 + b);
    EXPECT_LT(tolerance, 0.02 * theory);
    EXPECT_NEAR(loss.mean, theory + shift, 4.0 * loss.error + tolerance) << b;
    EXPECT_LT(loss.error, 0.1 * loss.mean);
  }
}

// At fixed probes the tolerance of a predicted loss time is how far a fraction that is 0.03 off moves it, to first
// order.
TEST(LostDirections, ToleranceOfLossTimesAtFixedProbesIsThatOfFractions) {
  TaskParameters task =
      task_of(30, {{.size = 20, .sigma = 1.0}, {.size = 10, .sigma = 0.1}}, {1.0}, {300}, "tolerance");
  const std::vector<VariableValues> predicted = measure.predict(task);
  const Achilli2024 theory({{20, 1.0}, {10, 0.01}}, std::log(300.0));
  const std::array<ProbeKind, 3> kinds{ProbeKind::planted, ProbeKind::origin, ProbeKind::displaced};
  std::size_t compared = 0;
  for (std::size_t kind = 1; kind < 3; ++kind) {
    for (std::size_t b = 0; b < 2; ++b) {
      const double time = values_of(predicted, "loss_time_theory").at(kind * 2 + b);
      const double tolerance = values_of(predicted, "loss_time_tolerance").at(kind * 2 + b);
      ASSERT_EQ(std::isnan(time), std::isnan(tolerance));
      if (std::isnan(time)) continue;
      const auto fraction = [&](double t) { return theory.finite_retained_fraction(kinds[kind], b, t, b); };
      EXPECT_NEAR(fraction(time + tolerance) - fraction(time - tolerance), 0.06, 0.01) << kind << " " << b;
      ++compared;
    }
  }
  EXPECT_GE(compared, 2U);
}

// Blocks of one sigma are one: its fractions are those of the parts, weighted by their sizes.
TEST(LostDirections, BlocksOfEqualSigmaAreOne) {
  const auto fractions = [](double last_sigma) {
    TaskParameters task =
        task_of(9, {{.size = 3, .sigma = 1.0}, {.size = 2, .sigma = 0.2}, {.size = 1, .sigma = last_sigma}},
                {0.05, 0.5}, {40}, "equal sigmas");
    task.options["sets"] = 3.0;
    return Measured(measure, task).values("retained_fraction");
  };
  const std::vector<double> joined = fractions(1.0);
  const std::vector<double> apart = fractions(1.0 - 1e-13);  // in the order of the blocks: 3 + 1, then 2 directions
  ASSERT_EQ(joined.size(), 2U * 3U * 2U);
  ASSERT_EQ(apart.size(), 2U * 3U * 3U);
  for (std::size_t t = 0; t < 2; ++t) {
    for (const Kind kind : {planted, origin}) {
      const double* parts = &apart[(t * 3 + kind) * 3];
      const double* both = &joined[(t * 3 + kind) * 2];
      EXPECT_NEAR(both[0], (3.0 * parts[0] + parts[1]) / 4.0, 1e-9);
      EXPECT_NEAR(both[1], parts[2], 1e-9);
    }
  }
}

// Where a handful of sets make the mean, no loss time is read off it.
TEST(LostDirections, NoLossTimeWhereFewSetsMakeTheMean) {
  TaskParameters task = task_of(40, {{.size = 20, .sigma = 1.0}, {.size = 20, .sigma = 0.1}}, log_spaced(1e-4, 1e-3, 4),
                                {50}, "few sets");
  const Measured found(measure, task);
  const Achilli2024 theory({{20, 1.0}, {20, 0.01}}, std::log(50.0));
  for (const Kind kind : {origin, displaced}) {
    for (std::size_t b = 0; b < 2; ++b) {
      EXPECT_LT(found.value("retained_fraction_effective_sets", (3 * 3 + kind) * 2 + b), 5.0);
      EXPECT_TRUE(std::isnan(found.value("loss_time", kind * 2 + b)));
    }
    // The large variance keeps more than half at any noise: no time, however many sets.
    EXPECT_GT(theory.lowest_retained_fraction(static_cast<ProbeKind>(kind), 0), 0.6);
    EXPECT_EQ(found.value("loss_time_status", kind * 2), 5.0) << "never";
    EXPECT_TRUE(std::isnan(found.value("loss_time_sets_needed", kind * 2)));
    EXPECT_LT(theory.lowest_retained_fraction(static_cast<ProbeKind>(kind), 1), 0.1);
    EXPECT_EQ(found.value("loss_time_status", kind * 2 + 1), 7.0) << "unresolved";
    // The predicted loss is after the grid: it takes what the last time needs.
    const double effective = found.value("retained_fraction_effective_sets", (3 * 3 + kind) * 2 + 1);
    EXPECT_EQ(found.value("loss_time_sets_needed", kind * 2 + 1), std::ceil(16.0 * 20.0 / std::max(1.0, effective)));
  }
  EXPECT_THAT(found.result().warnings, testing::Contains(testing::HasSubstr("sets per realization to tell")));
}

// With a few times as many sets as it says, it is no longer open whether there is a time on the grid.
TEST(LostDirections, TheSetsThatAreNeededTellTheTime) {
  TaskParameters task =
      task_of(12, {{.size = 6, .sigma = 1.0}, {.size = 6, .sigma = 0.4}}, log_spaced(0.002, 4.0, 14), {200}, "needed");
  task.options["probes"] = 1.0;
  task.options["sets"] = 20.0;
  constexpr std::size_t small = origin * 2 + 1;
  const Measured few(measure, task);
  ASSERT_EQ(few.value("loss_time_status", small), 7.0);
  const double needed = few.value("loss_time_sets_needed", small);
  EXPECT_GT(needed, 20.0);
  ASSERT_LT(needed, 2000.0);
  task.options["sets"] = 3.0 * needed;
  EXPECT_NE(Measured(measure, task).value("loss_time_status", small), 7.0) << needed;
}

// Two points keep half of every block at most, at any noise.
TEST(LostDirections, OfTwoPointsThereIsNoLossTime) {
  const TaskParameters task = task_of(6, {{.size = 6, .sigma = 1.0}}, log_spaced(0.01, 100.0, 8), {2}, "two points");
  const Measured found(measure, task);
  for (const Kind kind : {planted, origin, displaced}) EXPECT_EQ(found.value("loss_time_status", kind), 5.0);
}

// Crossings of dense simulations (numpy; training sets of their own for every few probes) on log tau above tau_C, with
// their standard errors: block 0 and 1 of m + m directions of variances 1 and s.
TEST(LostDirections, PlantedShiftsAreThoseOfDenseSimulations) {
  struct Simulated {
    std::int64_t size, samples;
    double variance, first, first_error, second, second_error;
  };
  for (const Simulated& k : {Simulated{10, 20, .01, .1585, .0041, .2573, .0043},
                             {20, 55, .01, .1195, .0024, .1745, .0028},
                             {20, 403, .01, .0583, .0024, .1204, .0019},
                             {40, 2981, .01, .0483, .0035, .0806, .0031},
                             {40, 162755, .01, .0272, .0050, .0627, .0062},
                             {10, 20, .1, .1579, .0029, .2349, .0033},
                             {20, 55, .1, .1180, .0030, .1644, .0034},
                             {20, 403, .1, .0691, .0049, .1141, .0043},
                             {40, 2981, .1, .0640, .0060, .0904, .0064}}) {
    const Achilli2024 theory({{k.size, 1.0}, {k.size, k.variance}}, std::log(static_cast<double>(k.samples)));
    const double tolerance = theory.loss_tolerance();
    EXPECT_NEAR(k.first, theory.loss_shift(0), tolerance + 3.0 * k.first_error) << k.size << " " << k.samples;
    EXPECT_NEAR(k.second, theory.loss_shift(1), tolerance + 3.0 * k.second_error) << k.size << " " << k.samples;
    EXPECT_LT(tolerance, 0.04);
    EXPECT_GT(theory.loss_shift(1), theory.loss_shift(0)) << "the smaller variance is lost first";
  }
}

// Below the collapse few sets keep anything, but of planted probes the mean is known all the same.
TEST(LostDirections, PlantedLossTimesAreFoundOnACoarseGrid) {
  TaskParameters task =
      task_of(30, {{.size = 30, .sigma = 1.0}}, log_spaced(0.001, 100.0, 10), {500}, "coarse planted");
  task.options["probes"] = 16.0;
  const Measured found(measure, task);
  ASSERT_EQ(found.value("loss_time_status", planted), 0.0);
  const double expected = 2.16;  // of collapse_time at 60 times, 800 probes: 1 - E[Y] crosses 1/2 there
  EXPECT_NEAR(found.value("loss_time", planted), expected,
              4.0 * found.value("loss_time_stderr", planted) + found.value("loss_time_interpolation_error", planted));
}

// --------------------------------------------------------------------------------------------------------- many sets

// The same law from other sets: means of independent realizations agree within the errors that each states.
TEST(LostDirections, ErrorsAreThoseOfTheSpreadOverRealizations) {
  TaskParameters task = task_of(10, {{.size = 6, .sigma = 1.0}, {.size = 4, .sigma = 0.3}}, {0.5, 2.0}, {40}, "spread");
  task.options["sets"] = 40.0;
  task.options["probes"] = 4.0;
  const std::vector<Measured> runs = test::realizations(measure, task, 30);
  for (std::size_t i = 0; i < 2 * 3 * 2; ++i) {
    const Estimate mean = test::over_realizations(runs, "retained_fraction", i);
    double squares = 0.0;
    for (const Measured& run : runs) squares += std::pow(run.value("retained_fraction_stderr", i), 2) / 30.0;
    // Variances of 30 units: within a factor that chi^2 of 29 degrees leaves with probability 1e-4.
    const double ratio = mean.error * mean.error * 30.0 / squares;
    EXPECT_GT(ratio, 0.3) << i;
    EXPECT_LT(ratio, 2.4) << i;
  }
}

TEST(LostDirections, CountsDoNotDependOnEachOther) {
  TaskParameters task =
      task_of(10, {{.size = 6, .sigma = 1.0}, {.size = 4, .sigma = 0.3}}, {0.05, 0.5, 2.0}, {40, 600, 700}, "counts");
  task.options["sets"] = 3.0;
  const Measured all(measure, task);
  for (const std::int64_t count : {40, 600, 700}) {
    TaskParameters one = task;
    one.samples = {count};
    const Measured alone(measure, one);
    const std::size_t place = count == 40 ? 0 : count == 600 ? 1 : 2;
    for (const char* name : {"retained_fraction", "retained_fraction_stderr", "open_directions"}) {
      const std::vector<double>& values = alone.values(name);
      const auto from = all.values(name).begin() + static_cast<std::ptrdiff_t>(place * values.size());
      EXPECT_TRUE(std::equal(values.begin(), values.end(), from)) << name << " of n = " << count;
    }
  }
}

TEST(LostDirections, ProblemsNameTheKey) {
  TaskParameters task = task_of(10, {{.size = 6, .sigma = 1.0}}, {0.5}, {40}, "problems");
  EXPECT_EQ(measure.problem(task), "");
  task.samples = {1, 40};
  EXPECT_NE(measure.problem(task).find("samples"), std::string::npos);
  task.samples.clear();
  EXPECT_NE(measure.problem(task).find("[dataset] samples"), std::string::npos);
  task.samples = {40};
  task.manifold->factor = FactorKind::gaussian;
  EXPECT_NE(measure.problem(task).find("factor = \"orthonormal\""), std::string::npos);
  task.manifold.reset();
  task.mixture = MixtureParameters{.dimension = 4};
  EXPECT_NE(measure.problem(task).find("linear-manifold"), std::string::npos);
}

}  // namespace
}  // namespace diffphase
