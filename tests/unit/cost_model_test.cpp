#include "sweep/cost_model.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>
#include <optional>
#include <stdexcept>

#include "files/posix_file.hpp"
#include "measure/probes.hpp"
#include "sweep/calibration.hpp"
#include "sweep/record_costs.hpp"
#include "temporary_folder.hpp"

namespace diffphase {
namespace {

namespace fs = std::filesystem;

const Cost example_cost{.flops = 4e11, .exponentials = 5e9, .normals = 1e8, .divided_bytes = 1e9, .rank_bytes = 1e7};
const MachineRates example_rates{.flops = 2e10, .exponentials = 1e9, .normals = 5e7, .task_overhead = 0.25};

TEST(CostModel, SecondsAreTheSumOfEachKindOfWorkAndTheOverhead) {
  EXPECT_DOUBLE_EQ(task_seconds(example_cost, example_rates), 20.0 + 5.0 + 2.0 + 0.25);
  EXPECT_DOUBLE_EQ(task_seconds(example_cost, example_rates, 3), 27.0 / 3.0 + 0.25);
  EXPECT_DOUBLE_EQ(task_seconds(Cost{}, example_rates, 64), 0.25);
}

TEST(CostModel, ThreadsShareWhatTheKernelsShare) {
  MachineRates rates = example_rates;
  rates.threads = 5;
  Cost cost = example_cost;
  EXPECT_DOUBLE_EQ(task_seconds(cost, rates), 20.0 + 5.0 + 2.0 + 0.25);
  cost.threaded = Cost::Threaded::posterior_pass;
  EXPECT_DOUBLE_EQ(task_seconds(cost, rates), 5.0 + 2.0 + 0.25);
  cost.threaded = Cost::Threaded::everything;
  EXPECT_DOUBLE_EQ(task_seconds(cost, rates, 2), 27.0 / 5.0 / 2.0 + 0.25);
}

TEST(CostModel, MoreRanksAreNeverLongerAndMoreWorkIsNeverShorter) {
  double before = std::numeric_limits<double>::infinity();
  for (const int ranks : {1, 2, 3, 5, 8, 64, 1000, 100000}) {
    const double seconds = task_seconds(example_cost, example_rates, ranks);
    EXPECT_LE(seconds, before);
    EXPECT_GE(seconds, example_rates.task_overhead);
    before = seconds;
    for (double Cost::*work : {&Cost::flops, &Cost::exponentials, &Cost::normals}) {
      Cost more = example_cost;
      more.*work *= 2.0;
      EXPECT_GT(task_seconds(more, example_rates, ranks), seconds);
    }
  }
}

TEST(CostModel, RatesThatNoMachineHasAreNotValid) {
  EXPECT_TRUE(MachineRates{}.valid());
  for (double MachineRates::*rate : {&MachineRates::flops, &MachineRates::exponentials, &MachineRates::normals}) {
    for (const double wrong : {0.0, -1.0, std::numeric_limits<double>::infinity(), std::nan("")}) {
      MachineRates rates;
      rates.*rate = wrong;
      EXPECT_FALSE(rates.valid());
    }
  }
  EXPECT_FALSE((MachineRates{.task_overhead = -1.0}.valid()));
  EXPECT_FALSE((MachineRates{.threads = 0}.valid()));
  EXPECT_THROW((void)task_seconds(example_cost, example_rates, 0), std::invalid_argument);
}

TEST(CostModel, PlacementFollowsTheResourcesOfTheSweepFile) {
  Resources resources;
  resources.memory_per_rank = std::int64_t{3} << 30;
  resources.ranks_per_task = 12;
  EXPECT_EQ(placement_rules(resources).memory_per_rank, 3.0 * 1024 * 1024 * 1024);
  EXPECT_EQ(placement_rules(resources).ranks_per_task, 12);
}

// Work and memory of drawing a training set, and what of the memory the ranks share.
TEST(CostModel, DrawingAManifoldTakesItsFactor) {
  constexpr std::int64_t n = 5000;
  TaskParameters task;
  task.mixture = MixtureParameters{.dimension = 300};
  EXPECT_EQ(draw_cost(task, Partition::component, n).normals, 300.0 * n);
  task.mixture.reset();
  task.manifold = ManifoldParameters{.dimension = 300, .blocks = {{.size = 20}, {.size = 10, .sigma = 0.1}}};
  EXPECT_EQ(draw_cost(task, Partition::component, n).normals, 30.0 * n);
  EXPECT_EQ(draw_cost(task, Partition::component, n).flops, 0.0);
  EXPECT_EQ(draw_cost(task, Partition::component, n).rank_bytes, 0.0);
  task.manifold->ambient_noise = 0.5;
  task.manifold->factor = FactorKind::gaussian;
  const Cost by_rows = draw_cost(task, Partition::component, n);
  EXPECT_EQ(by_rows.normals, 330.0 * n + 30.0 * 300.0);
  EXPECT_EQ(by_rows.flops, 2.0 * n * 30.0 * 300.0);
  EXPECT_EQ(by_rows.rank_bytes, 8.0 * 30.0 * 300.0);
  EXPECT_EQ(by_rows.divided_bytes, 0.0);
  const Cost by_columns = draw_cost(task, Partition::dimension, n);
  EXPECT_EQ(by_columns.rank_bytes, 0.0);
  EXPECT_EQ(by_columns.divided_bytes, 8.0 * 30.0 * 300.0);
  task.manifold.reset();
  task.sphere = SphereParameters{.dimension = 300, .sphere_dimension = 10};
  EXPECT_EQ(draw_cost(task, Partition::component, n).normals, 11.0 * n);
}

// A cache folder of the test's own.
class KeptCalibration : public testing::Test {
 protected:
  KeptCalibration() {
    ::unsetenv("XDG_CACHE_HOME");
    ::setenv("HOME", home.path().c_str(), 1);
  }
  ~KeptCalibration() override {
    restore("XDG_CACHE_HOME", old_cache_);
    restore("HOME", old_home_);
  }

  Calibration calibrate() {
    return kept_calibration(
        [this] {
          ++measured;
          return example;
        },
        [this] { return now; });
  }

  const Calibration example{
      .rates = example_rates,
      .queue = {.begin_seconds = 2e-7, .result_seconds = 3e-6, .result_byte_seconds = 4e-10, .write_seconds = 5e-6}};

  TemporaryFolder home;
  WallTime now = from_unix_seconds(1.7e9);
  int measured = 0;

 private:
  static std::optional<std::string> value(const char* name) {
    const char* text = std::getenv(name);
    return text == nullptr ? std::nullopt : std::optional<std::string>(text);
  }
  static void restore(const char* name, const std::optional<std::string>& text) {
    if (text) {
      ::setenv(name, text->c_str(), 1);
    } else {
      ::unsetenv(name);
    }
  }

  std::optional<std::string> old_cache_ = value("XDG_CACHE_HOME");
  std::optional<std::string> old_home_ = value("HOME");
};

TEST_F(KeptCalibration, IsDoneOnceAndReadBack) {
  for (int i = 0; i < 3; ++i) {
    const auto [rates, queue] = calibrate();
    EXPECT_DOUBLE_EQ(rates.flops, example_rates.flops);
    EXPECT_DOUBLE_EQ(rates.exponentials, example_rates.exponentials);
    EXPECT_DOUBLE_EQ(rates.normals, example_rates.normals);
    EXPECT_DOUBLE_EQ(rates.task_overhead, example_rates.task_overhead);
    EXPECT_DOUBLE_EQ(queue.begin_seconds, example.queue.begin_seconds);
    EXPECT_DOUBLE_EQ(queue.result_seconds, example.queue.result_seconds);
    EXPECT_DOUBLE_EQ(queue.result_byte_seconds, example.queue.result_byte_seconds);
    EXPECT_DOUBLE_EQ(queue.write_seconds, example.queue.write_seconds);
    EXPECT_EQ(queue.latency, QueueCosts{}.latency);
  }
  EXPECT_EQ(measured, 1);
  EXPECT_EQ(calibration_path().parent_path(), home / ".cache/diffphase");
  EXPECT_TRUE(fs::exists(calibration_path()));
}

TEST_F(KeptCalibration, IsKeptInTheCacheFolderThatTheEnvironmentNames) {
  const TemporaryFolder cache;
  ::setenv("XDG_CACHE_HOME", cache.path().c_str(), 1);
  (void)calibrate();
  EXPECT_EQ(calibration_path().parent_path(), cache / "diffphase");
  EXPECT_TRUE(fs::exists(calibration_path()));
  EXPECT_EQ(home.entries(), 0);
}

TEST_F(KeptCalibration, IsDoneAgainWhenItIsOldOrFromTheFuture) {
  (void)calibrate();
  now += std::chrono::hours(24 * 29);
  (void)calibrate();
  EXPECT_EQ(measured, 1);
  now += std::chrono::hours(24 * 2);
  (void)calibrate();
  EXPECT_EQ(measured, 2);
  now -= std::chrono::hours(24);
  (void)calibrate();
  EXPECT_EQ(measured, 3);
}

TEST_F(KeptCalibration, IsDoneAgainWhenItCannotBeRead) {
  (void)calibrate();
  const std::string good = read_text(calibration_path());
  for (const std::string& bad :
       {std::string(), good.substr(0, good.size() / 2), std::string("flops_per_second = many\n"),
        good + "flops_per_second = -3\n", good + "write_seconds = -1\n", good + "result_record_seconds = nan\n",
        good.substr(0, good.find("write_seconds")), std::string(1000, '\xff'), std::string("\n\n = \n")}) {
    std::ofstream(calibration_path(), std::ios::trunc) << bad;
    EXPECT_FALSE(read_calibration(calibration_path(), now)) << bad;
    const int before = measured;
    EXPECT_DOUBLE_EQ(calibrate().rates.flops, example_rates.flops);
    EXPECT_EQ(measured, before + 1);
    EXPECT_TRUE(read_calibration(calibration_path(), now));
  }
}

TEST_F(KeptCalibration, GoesOnWhereItCannotBeKept) {
  std::ofstream(home / ".cache") << "a file where the folder should be";
  EXPECT_DOUBLE_EQ(calibrate().rates.flops, example_rates.flops);
  ::unsetenv("HOME");
  EXPECT_TRUE(calibration_path().empty());
  EXPECT_DOUBLE_EQ(calibrate().rates.flops, example_rates.flops);
  EXPECT_EQ(measured, 2);
}

TEST_F(KeptCalibration, MeasuresRatesThatAMachineCanHave) {
  const MachineRates rates = measure_rates();
  EXPECT_TRUE(rates.valid());
  for (const double rate : {rates.flops, rates.exponentials, rates.normals}) {
    EXPECT_GT(rate, 1e4);
    EXPECT_LT(rate, 1e13);
  }
  EXPECT_LT(rates.task_overhead, 10.0);
}

TEST(RecordCosts, AreMeasuredByRecordsThatAreWritten) {
  const TemporaryFolder folder;
  const QueueCosts costs = measure_record_costs(folder.path(), 2);
  EXPECT_TRUE(costs.valid());
  EXPECT_GT(costs.begin_seconds, 0.0);
  EXPECT_GT(costs.result_seconds, 0.0);
  EXPECT_EQ(costs.message_seconds, QueueCosts{}.message_seconds);
  std::uintmax_t bytes = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder.path())) {
    if (entry.is_regular_file()) bytes += entry.file_size();
  }
  EXPECT_GT(bytes, 2 * 200 * 8 * 1000);  // the longer results alone
  EXPECT_THROW((void)measure_record_costs(folder.path(), 0), std::invalid_argument);
  std::ofstream(folder / "file") << "a file where the folder should be";
  EXPECT_THROW((void)measure_record_costs(folder / "file", 1), std::runtime_error);
}

}  // namespace
}  // namespace diffphase
