#include "parallel/kernel_threads.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include "measure/collapse.hpp"
#include "measure/speciation.hpp"
#include "support/measure_runs.hpp"

namespace diffphase {
namespace {

using test::mixture_task;

// Kernels use so many threads while it lives.
struct Threads {
  explicit Threads(int threads) { set_kernel_threads(threads); }
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;
  ~Threads() { set_kernel_threads(1); }
};

TEST(KernelThreads, PartsHoldEveryIndexOnceInOrder) {
  for (int parts = 1; parts <= 8; ++parts) {
    for (const std::int64_t count : {0, 1, 2, 7, 8, 9, 1000}) {
      std::vector<int> owner(static_cast<std::size_t>(count), -1);
      for_each_part(parts, count, [&](int part, std::int64_t begin, std::int64_t end) {
        ASSERT_LT(begin, end);
        for (std::int64_t i = begin; i < end; ++i) {
          EXPECT_EQ(owner[static_cast<std::size_t>(i)], -1);
          owner[static_cast<std::size_t>(i)] = part;
        }
      });
      EXPECT_TRUE(std::is_sorted(owner.begin(), owner.end()));
      EXPECT_THAT(owner, testing::Each(testing::AllOf(testing::Ge(0), testing::Lt(parts))));
    }
  }
}

TEST(KernelThreads, TheFirstPartsErrorIsThrownAfterAllHaveEnded) {
  std::vector<int> done(4);
  try {
    for_each_part(4, 4, [&](int part, std::int64_t /*begin*/, std::int64_t /*end*/) {
      done[static_cast<std::size_t>(part)] = 1;
      if (part % 2 == 1) throw std::runtime_error("part " + std::to_string(part));
    });
    FAIL() << "nothing thrown";
  } catch (const std::runtime_error& error) {
    EXPECT_STREQ(error.what(), "part 1");
  }
  EXPECT_THAT(done, testing::Each(1));
}

TEST(KernelThreads, AreAtLeastOne) {
  EXPECT_THROW(set_kernel_threads(0), std::invalid_argument);
  EXPECT_EQ(kernel_threads(), 1);
  EXPECT_GE(usable_processors(), 1);
}

// Two probes, the fewest there are, fewer probes than threads, and several blocks of them. Matrix products of other
// shapes round otherwise: numbers of stored data may differ by as much as between numbers of ranks, or by what single
// precision is good for.
void expect_the_same_numbers(const Measure& measure, TaskParameters task) {
  for (const double probes : {2.0, 3.0, 150.0}) {
    task.options["probes"] = probes;
    const test::Measured alone(measure, task);
    for (const int threads : {2, 3, 5}) {
      const Threads several(threads);
      const test::Measured shared(measure, task);
      for (const VariableValues& variable : alone.result().variables) {
        const bool exact = task.representation == Representation::streaming;
        const bool time = variable.name.find("_time") != std::string::npos;
        double largest = 0.0;
        for (const double value : variable.values)
          largest = std::max(largest, std::isnan(value) ? 0.0 : std::abs(value));
        const double relative = task.single_precision ? 1e-4 : time ? 1e-8 : 1e-10;
        const double tolerance = exact ? 0.0 : relative * largest;
        EXPECT_THAT(shared.values(variable.name),
                    testing::Pointwise(testing::NanSensitiveDoubleNear(tolerance), variable.values))
            << variable.name << ", " << threads << " threads";
      }
    }
  }
}

struct Pass {
  std::string name;
  const Measure& measure;
  std::function<void(TaskParameters&)> change;
};

const CollapseMeasure collapse;
const SpeciationMeasure speciation;

TEST(KernelThreads, DoNotChangeTheNumbersOfAPass) {
  const std::vector<Pass> passes = {
      {"stored", collapse, [](TaskParameters& task) { task.representation = Representation::full; }},
      {"streamed", collapse, [](TaskParameters& task) { task.representation = Representation::streaming; }},
      {"single precision", collapse,
       [](TaskParameters& task) {
         task.representation = Representation::full;
         task.single_precision = true;
       }},
      {"widths of their own", collapse,
       [](TaskParameters& task) {
         task.mixture->class_sigma = {0.5, 1.0, 2.0};
       }},
      {"classes", speciation, [](TaskParameters& /*task*/) {}},
  };
  for (const Pass& pass : passes) {
    SCOPED_TRACE(pass.name);
    MixtureParameters mixture;
    mixture.dimension = 30;
    mixture.classes = 3;
    mixture.centroids = CentroidKind::orthogonal;
    TaskParameters task = mixture_task(pass.measure, mixture, {0.1, 0.5, 1.0, 2.0}, pass.name);
    task.samples = {100, 1500};
    pass.change(task);
    expect_the_same_numbers(pass.measure, task);
  }
}

}  // namespace
}  // namespace diffphase
