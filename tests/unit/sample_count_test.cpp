#include "ensemble/sample_count.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <vector>

namespace diffphase {
namespace {

TEST(SampleCount, KeepsNumbersAndLogarithmsApart) {
  for (const std::int64_t n :
       {std::int64_t{1}, std::int64_t{20000}, std::int64_t{1000000000000}, most_countable_samples}) {
    EXPECT_TRUE(is_countable(n));
    EXPECT_EQ(log_samples(n), std::log(static_cast<double>(n)));
  }
  for (const double log_n : {1.0, 9.5, 60.0, 300.0, 0.3 * 1e6, 1e300}) {
    EXPECT_FALSE(is_countable(samples_of_log(log_n))) << log_n;
    EXPECT_EQ(log_samples(samples_of_log(log_n)), log_n);
  }
}

TEST(SampleCount, KeysAscendWithTheSize) {
  const std::vector<std::int64_t> ascending{1,
                                            1000,
                                            most_countable_samples,
                                            samples_of_log(37.0),
                                            samples_of_log(std::nextafter(37.0, 38.0)),
                                            samples_of_log(3000.0)};
  EXPECT_TRUE(std::is_sorted(ascending.begin(), ascending.end()));
}

TEST(SampleCount, Texts) {
  EXPECT_EQ(samples_text(20000), "20000");
  EXPECT_EQ(samples_text(samples_of_log(300.0)), "e^300");
  EXPECT_EQ(samples_text(samples_of_log(37.5)), "e^37.5");
  EXPECT_EQ(samples_text(samples_of_log(0.3 * 24)), "e^7.2");
}

TEST(SampleCount, BadArguments) {
  for (const double log_n :
       {0.999, -1.0, std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN()})
    EXPECT_THROW(static_cast<void>(samples_of_log(log_n)), std::invalid_argument) << log_n;
}

}  // namespace
}  // namespace diffphase
