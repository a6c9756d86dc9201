#include "sweep/plan_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <sstream>
#include <stdexcept>

#include "sweep/task_selection.hpp"
#include "sweep_examples.hpp"

namespace diffphase {
namespace {

using testing::HasSubstr;
using testing::Not;

const MachineRates rates{.flops = 2e10, .exponentials = 2e8, .normals = 1e8, .task_overhead = 0.01};

// The sweep of examples, but by the real measures.
Sweep real_sweep(const std::string& text) { return make_sweep(parse_sweep_text(text, "jobs/x.toml", {}, measures())); }

std::string real_example() { return with(example(), ", method = \"sampled\"", ""); }

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

std::vector<std::string> words_of(const std::string& line) {
  std::vector<std::string> words;
  std::istringstream stream(line);
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

bool has_row(const std::string& text, const std::vector<std::string>& words) {
  const auto lines = lines_of(text);
  return std::any_of(lines.begin(), lines.end(), [&](const std::string& line) { return words_of(line) == words; });
}

void expect_narrow(const std::string& text) {
  for (const std::string& line : lines_of(text)) EXPECT_LE(line.size(), 100U) << line;
}

// The work of one rank: nothing is divided, nothing waits.
double serial_seconds(const Sweep& sweep) {
  return std::accumulate(sweep.tasks.begin(), sweep.tasks.end(), 0.0, [&](double sum, const SweepTask& task) {
    const Cost cost = task.measure().cost(sweep.parameters(task), {.counts = task.counts, .count_free = true});
    return sum + task_seconds(cost, rates);
  });
}

std::string large_example() {
  std::string text = with(real_example(), "dimension = [16, 64]", "dimension = [1024, 16384]");
  text = with(text, "samples = [100, 1000]", "samples = [1000, 100000]");
  return with(text, "probes = 32", "probes = 4096");
}

TEST(RunPrediction, OneRankTakesTheSumOfAllTasks) {
  for (const std::string& text : {real_example(), large_example()}) {
    const Sweep sweep = real_sweep(text + "[resources]\nmemory_per_rank = \"1000 GiB\"\n");
    const RunPrediction run = predict_run(sweep, 1, rates, free_queue);
    const double expected = serial_seconds(sweep) + run_overhead_seconds;
    EXPECT_NEAR(run.wall_seconds, expected, 1e-9 * expected);
    EXPECT_NEAR(run.core_hours, run.wall_seconds / 3600.0, 1e-12 * run.wall_seconds);
  }
}

TEST(RunPrediction, TotalsAreTheSumsOfLevelsAndTasks) {
  const Sweep sweep = real_sweep(large_example() + "[resources]\nmemory_per_rank = \"6 GiB\"\n");
  double flops = 0.0;
  for (const SweepTask& task : sweep.tasks)
    flops += task.measure().cost(sweep.parameters(task), {.counts = task.counts, .count_free = true}).flops;
  for (const int ranks : {4, 5, 16, 100}) {
    const RunPrediction run = predict_run(sweep, ranks, rates);
    std::size_t tasks = run.misfits.size();
    double bytes = 0.0;
    for (const PlannedLevel& level : run.levels) {
      tasks += level.tasks;
      bytes = std::max(bytes, level.bytes_per_rank);
      EXPECT_LE(level.bytes_per_rank, 6.0 * 1024 * 1024 * 1024);
      EXPECT_LE(level.groups * level.ranks, ranks);
    }
    EXPECT_EQ(tasks, sweep.tasks.size());
    EXPECT_EQ(run.tasks, sweep.tasks.size());
    EXPECT_EQ(run.bytes_per_rank, bytes);
    EXPECT_TRUE(run.misfits.empty());
    EXPECT_NEAR(run.flops, flops, 1e-12 * flops);
    EXPECT_NEAR(run.core_hours, run.wall_seconds * ranks / 3600.0, 1e-9);
  }
}

TEST(RunPrediction, TwiceTheRanksAreNeverLongerNorMoreThanTwiceAsFast) {
  for (const std::string& text : {real_example(), large_example()}) {
    const Sweep sweep = real_sweep(text + "[resources]\nmemory_per_rank = \"1000 GiB\"\n");
    const double alone = predict_run(sweep, 1, rates, free_queue).wall_seconds;
    double before = alone;
    for (int ranks = 2; ranks <= 4096; ranks *= 2) {
      const double seconds = predict_run(sweep, ranks, rates, free_queue).wall_seconds;
      EXPECT_LE(seconds, before * (1.0 + 1e-12)) << ranks;
      EXPECT_GE(seconds, before / 2.0) << ranks;
      before = seconds;
    }
    for (const int ranks : {3, 5, 7, 65, 100})
      EXPECT_LE(predict_run(sweep, ranks, rates, free_queue).wall_seconds, alone);
  }
}

TEST(RunPrediction, RanksWithoutTasksDoNotHelp) {
  const Sweep sweep = real_sweep(real_example());
  const auto enough = static_cast<int>(2 * sweep.tasks.size());
  EXPECT_NEAR(predict_run(sweep, 60, rates, free_queue).wall_seconds,
              predict_run(sweep, enough, rates, free_queue).wall_seconds, 1e-9);
}

TEST(RunPrediction, TasksThatFitNowhereAreNamedWithWhatHelps) {
  const Sweep sweep = real_sweep(large_example() + "[resources]\nmemory_per_rank = \"1 GiB\"\n");
  const RunPrediction run = predict_run(sweep, 2, rates);
  ASSERT_FALSE(run.misfits.empty());
  EXPECT_THAT(run.misfits.front(), HasSubstr("d=16384"));
  EXPECT_THAT(run.misfits.front(), HasSubstr("memory_per_rank"));
  const std::string text = plan_text(sweep, 2, {.rates = rates});
  EXPECT_THAT(text, HasSubstr("fit on no group"));
  EXPECT_THAT(text, HasSubstr("use at least"));
  expect_narrow(text);
}

TEST(RunPrediction, EfficiencyIsWhatTasksTakeAloneOverWhatRanksTake) {
  const Sweep sweep = real_sweep(large_example() + "[resources]\nmemory_per_rank = \"1000 GiB\"\n");
  for (const int ranks : {1, 3, 100}) {
    const RunPrediction run = predict_run(sweep, ranks, rates);
    EXPECT_NEAR(run.efficiency, serial_seconds(sweep) / (ranks * run.wall_seconds), 1e-9);
    EXPECT_GT(run.root_load, 0.0);
    EXPECT_LT(run.root_load, 0.01);
  }
}

TEST(RunPrediction, ScalesUntilTheEfficiencyIsHalf) {
  for (const std::string& text : {real_example(), large_example()}) {
    const Sweep sweep = real_sweep(text + "[resources]\nmemory_per_rank = \"1000 GiB\"\n");
    const RunPredictor predictor(sweep, rates);
    const ScalingLimit limit = predictor.scaling_limit(100000);
    ASSERT_FALSE(limit.beyond);
    if (limit.ranks > 1) {
      EXPECT_GE(predictor.predict(limit.ranks).efficiency, 0.5);
    }
    EXPECT_LT(predictor.predict(limit.ranks + 1 + limit.ranks / 100).efficiency, 0.5);
  }
  const Sweep sweep = real_sweep(large_example() + "[resources]\nmemory_per_rank = \"1000 GiB\"\n");
  const ScalingLimit few = RunPredictor(sweep, rates).scaling_limit(2);
  EXPECT_EQ(few.ranks, 2);
  EXPECT_TRUE(few.beyond);
}

TEST(RunPrediction, RefusesRatesAndRanksThatCannotBe) {
  const Sweep sweep = real_sweep(real_example());
  EXPECT_THROW((void)predict_run(sweep, 0, rates), std::invalid_argument);
  EXPECT_THROW((void)predict_run(sweep, 1, MachineRates{.flops = 0.0}), std::invalid_argument);
}

TEST(PlanText, PrintsEveryPointWithItsNumber) {
  const Sweep sweep = real_sweep(real_example());
  const std::string text = plan_text(sweep, 2, {.rates = rates});
  EXPECT_TRUE(has_row(text, {"point", "dimension", "classes", "samples"}));
  for (std::size_t p = 0; p < sweep.points.size(); ++p) {
    const auto& index = sweep.points[p].index;
    EXPECT_TRUE(has_row(text, {std::to_string(p), sweep.axes[0].columns[0].text(index[0]),
                               sweep.axes[1].columns[0].text(index[1]), sweep.axes[2].columns[0].text(index[2])}))
        << p << "\n"
        << text;
  }
  EXPECT_THAT(text, HasSubstr("8 points, 2 realizations each"));
  EXPECT_THAT(text, HasSubstr("Tasks: 16"));
  EXPECT_TRUE(has_row(text, {"speciation", "8"}));
  EXPECT_TRUE(has_row(text, {"collapse", "8"}));
  expect_narrow(text);
}

TEST(PlanText, SaysHowManyRanksTheSweepIsWorth) {
  const Sweep sweep = real_sweep(large_example() + "[resources]\nmemory_per_rank = \"1000 GiB\"\n");
  const RunPredictor predictor(sweep, rates);
  const ScalingLimit limit = predictor.scaling_limit(1000000);
  const std::string text = plan_text(sweep, 16, {.rates = rates});
  EXPECT_THAT(text, HasSubstr(fmt::format("efficiency            {:.0f} %", 100.0 * predictor.predict(16).efficiency)));
  EXPECT_THAT(text, HasSubstr(fmt::format("up to {} ranks; then all wait for the longest task", limit.ranks)));
}

TEST(PlanText, TheBatchLineIsACommandForTheSameSweep) {
  const std::vector<std::string> overrides{"ensemble.sigma=[0.5, 1]", "realizations=3"};
  const Sweep sweep = make_sweep(parse_sweep_text(real_example(), "my jobs/x.toml", overrides, measures()));
  EXPECT_THAT(plan_text(sweep, 2, {.rates = rates}),
              HasSubstr(" jobs/sweep.sbatch 'my jobs/x.toml' --set 'ensemble.sigma=[0.5, 1]' --set realizations=3\n"));
}

TEST(PlanLines, AreTheNumbersOfTheTextWhateverTheSweepIsCalled) {
  const Sweep sweep = real_sweep(with(real_example(), "name = \"", "name = \"-sbatch --time=1 %j tasks=7 folder=x "));
  const std::string text = plan_text(sweep, 128, {.rates = rates});
  const std::string lines = plan_lines(sweep, 128, {.rates = rates});
  EXPECT_TRUE(lines.starts_with("points=8\ntasks=16\ntasks_that_do_not_fit=0\nranks=128\nthreads=1\nnodes=2\n"))
      << lines;
  const auto value = [&](const std::string& key) {
    const std::size_t begin = lines.find("\n" + key + "=") + key.size() + 2;
    return lines.substr(begin, lines.find('\n', begin) - begin);
  };
  EXPECT_THAT(text, HasSubstr(" --time=" + value("batch_time") + " --mem-per-cpu=" + value("batch_memory_per_core")));
  EXPECT_EQ(lines.substr(lines.find("\nfolder=")), "\nfolder=runs/" + sweep.file.name + "\n");
}

TEST(PlanText, RankZeroNeedsMemoryForAllResults) {
  const Sweep few = real_sweep(real_example());
  EXPECT_THAT(plan_text(few, 2, {.rates = rates}), testing::Not(HasSubstr("copies")));
  const Sweep many = real_sweep(with(real_example(), "realizations = 2", "realizations = 200000"));
  const RunPrediction run = predict_run(many, 2, rates);
  EXPECT_NEAR(run.results_bytes, 1e5 * predict_run(few, 2, rates).results_bytes, 1e-9 * run.results_bytes);
  const std::string text = plan_text(many, 2, {.rates = rates});
  EXPECT_THAT(text, HasSubstr("of which rank 0 holds 3 copies"));
  double mebibytes = 0.0;
  ASSERT_EQ(std::sscanf(text.c_str() + text.find("--mem-per-cpu="), "--mem-per-cpu=%lfM", &mebibytes), 1);
  EXPECT_GE(2.0 * mebibytes * 1024.0 * 1024.0, 3.0 * run.results_bytes);
}

TEST(PlanText, TheQueueIsAsSlowAsTheMachineRecords) {
  const Sweep sweep = real_sweep(real_example());
  Calibration slow{.rates = rates};
  slow.queue.result_seconds = 2.5;
  const std::string text = plan_text(sweep, 2, slow);
  const RunPrediction run = predict_run(sweep, 2, rates, slow.queue);
  EXPECT_GE(run.wall_seconds, 16 * 2.5);
  EXPECT_THAT(text, HasSubstr("wall time             " + rounded_duration(run.wall_seconds)));
  EXPECT_THAT(text, HasSubstr("up to 1 rank; then rank 0 is busy with the queue"));
  EXPECT_THAT(text, HasSubstr("2500000.0 us of rank 0 into the record of its result"));
  expect_narrow(text);
}

TEST(PlanText, LongGridsAreShortenedInTheMiddleAndKeepTheirNumbers) {
  std::string list;
  for (int d = 0; d < 200; ++d) list += fmt::format("{}{}", d == 0 ? "" : ", ", 100 + d);
  const Sweep sweep = real_sweep(with(real_example(), "dimension = [16, 64]", "dimension = [" + list + "]"));
  const std::string text = plan_text(sweep, 2, {.rates = rates});
  EXPECT_TRUE(has_row(text, {"0", "100", "2", "100"}));
  EXPECT_TRUE(has_row(text, {"799", "299", "4", "1000"}));
  EXPECT_THAT(text, HasSubstr("... 750 more points, 30 to 779 ..."));
  EXPECT_TRUE(has_row(text, {"780", "295", "2", "100"}));
  EXPECT_FALSE(has_row(text, {"400", "200", "2", "100"}));
  EXPECT_LT(lines_of(text).size(), 100U);
}

TEST(PlanText, PointsThatAreNotSelectedAreLeftOut) {
  Sweep sweep = real_sweep(real_example());
  select_points(sweep, "3,5:6");
  const std::string text = plan_text(sweep, 2, {.rates = rates});
  EXPECT_THAT(text, HasSubstr("8 points, 3 selected"));
  EXPECT_TRUE(has_row(text, {"3", "16", "4", "1000"}));
  EXPECT_FALSE(has_row(text, {"4", "64", "2", "100"}));
}

TEST(PlanText, AsksTheBatchSystemForMoreThanIsPredicted) {
  const Sweep sweep = real_sweep(large_example() + "[resources]\nmemory_per_rank = \"1000 GiB\"\n");
  const RunPrediction run = predict_run(sweep, 128, rates);
  const std::string text = plan_text(sweep, 128, {.rates = rates});
  const auto lines = lines_of(text);
  const std::string line = lines.back();
  EXPECT_THAT(line, HasSubstr("sbatch --nodes=2 --ntasks=128 --time="));
  EXPECT_THAT(line, HasSubstr(" jobs/sweep.sbatch jobs/x.toml"));
  int hours = 0;
  int minutes = 0;
  int seconds = 0;
  ASSERT_EQ(std::sscanf(line.c_str() + line.find("--time="), "--time=%d:%d:%d", &hours, &minutes, &seconds), 3);
  const double asked = 3600.0 * hours + 60.0 * minutes + seconds;
  EXPECT_GE(asked, 1.5 * run.wall_seconds);
  EXPECT_LE(asked, std::max(1.5 * run.wall_seconds + 60.0, 300.0));
  double mebibytes = 0.0;
  ASSERT_EQ(std::sscanf(line.c_str() + line.find("--mem-per-cpu="), "--mem-per-cpu=%lfM", &mebibytes), 1);
  EXPECT_GE(mebibytes * 1024.0 * 1024.0, run.bytes_per_rank);
}

TEST(PlanText, StaysNarrowWithManyAxes) {
  std::string text = with(real_example(), "classes = [2, 4]", "classes = 2\nweights = [[0.25, 0.75], [0.125, 0.875]]");
  text = with(text, "separation = 1.0", "separation = [1.0, 0.3333333333333333]\nsigma = [1.0, 0.14285714285714285]");
  text = with(text, "centroids = \"orthogonal\"", "centroids = [\"orthogonal\", \"simplex\"]");
  expect_narrow(plan_text(real_sweep(text), 2, {.rates = rates}));
}

TEST(Durations, AreReadable) {
  EXPECT_EQ(rounded_duration(0.25), "250 ms");
  EXPECT_EQ(rounded_duration(3.21), "3.2 s");
  EXPECT_EQ(rounded_duration(45.0), "45 s");
  EXPECT_EQ(rounded_duration(720.0), "12 min");
  EXPECT_EQ(rounded_duration(5.0 * 3600), "5.0 h");
  EXPECT_EQ(rounded_duration(3.5 * 86400), "3.5 days");
  EXPECT_EQ(clock_text(3723.0), "01:02:03");
  EXPECT_EQ(clock_text(100.0 * 3600), "100:00:00");
}

TEST(TheoryText, HasAPredictionForEveryPoint) {
  const Sweep sweep = real_sweep(real_example());
  const std::string text = theory_text(sweep);
  expect_narrow(text);
  const auto lines = lines_of(text);
  for (std::size_t p = 0; p < sweep.points.size(); ++p) {
    const auto rows = std::count_if(lines.begin(), lines.end(), [&](const std::string& line) {
      const auto words = words_of(line);
      return words.size() > 4 && words[0] == std::to_string(p) &&
             words[1] == sweep.axes[0].columns[0].text(sweep.points[p].index[0]);
    });
    EXPECT_GE(rows, 1) << p << "\n" << text;
  }
}

TEST(TheoryText, ShowsTheNumbersOfTheMeasureAndADashForNone) {
  const Sweep sweep = real_sweep(with(real_example(), "centroids = \"orthogonal\"", "centroids = \"random\""));
  const std::string text = theory_text(sweep);
  std::size_t dashes = 0;
  for (const MeasureRequest& request : sweep.file.measures) {
    const auto specs = request.measure->variables(sweep.cells[0].parameters);
    for (const VariableValues& variable : request.measure->predict(sweep.cells[0].parameters)) {
      const auto spec =
          std::find_if(specs.begin(), specs.end(), [&](const auto& one) { return one.name == variable.name; });
      ASSERT_NE(spec, specs.end());
      if (!spec->dims.empty()) continue;
      for (const double value : variable.values) {
        if (std::isnan(value)) {
          ++dashes;
        } else {
          EXPECT_THAT(text, HasSubstr(fmt::format("{:.5g}", value))) << variable.name;
        }
      }
    }
  }
  if (dashes > 0) {
    EXPECT_THAT(text, HasSubstr(" -"));
  }
  EXPECT_THAT(text, Not(HasSubstr("nan")));
}

// Numbers for each gap, and those that only the second cell has.
TEST(TheoryText, HasThePlacesOnAMeasuresDimensionsAndThePredictionsOfAllCells) {
  const std::string text = theory_text(real_sweep(R"(
name = "gaps"
[process]
kind = "variance-exploding"
time = [0.1, 1.0]
[ensemble]
kind = "linear-manifold"
dimension = 200
blocks = [{ size = 20, sigma = 1.0 }, { size = 20, sigma = 0.1 }, { size = 20, sigma = 0.01 }]
factor = ["orthonormal", "gaussian"]
[measure]
gap = {}
)"));
  expect_narrow(text);
  // Openings of gaps between variances a and b at the threshold 0.1: the larger root of t^2 - (9 a - 11 b) t + a b.
  EXPECT_THAT(text, HasSubstr(fmt::format("{:.5g}", 0.5 * (8.89 + std::sqrt(8.89 * 8.89 - 0.04)))));
  EXPECT_THAT(text, HasSubstr(fmt::format("{:.5g}", 0.005 * (8.89 + std::sqrt(8.89 * 8.89 - 0.04)))));
  EXPECT_THAT(text, HasSubstr("asymptotic"));
}

TEST(TheoryText, SaysWhenNothingIsPredicted) {
  EXPECT_THAT(theory_text(sweep_of(example())), HasSubstr("No critical times are predicted"));
}

}  // namespace
}  // namespace diffphase
