#include "ensemble/slab_numbers.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>

namespace diffphase {
namespace {

template <typename T>
bool begins_at_multiple(const SlabNumbers<T>& numbers, std::uintptr_t bytes) {
  return reinterpret_cast<std::uintptr_t>(numbers.data()) % bytes == 0;
}

TEST(SlabNumbers, BeginWithACacheLineAndWithALargePageWhereThereAreMany) {
  for (const std::size_t count : {1, 7, 1000, 100000}) {
    EXPECT_TRUE(begins_at_multiple(SlabNumbers<double>(count), 64)) << count;
    EXPECT_TRUE(begins_at_multiple(SlabNumbers<float>(count), 64)) << count;
  }
  EXPECT_TRUE(begins_at_multiple(SlabNumbers<double>(std::size_t{1} << 20), std::uintptr_t{1} << 21));
  EXPECT_TRUE(begins_at_multiple(SlabNumbers<float>((std::size_t{1} << 21) + 5), std::uintptr_t{1} << 21));
}

TEST(SlabNumbers, KeepWhatTheyHoldWhenTheyGrowAndShrink) {
  SlabNumbers<double> numbers{1.0, 2.0, 3.0};
  numbers.resize(std::size_t{3} << 20);
  EXPECT_EQ(numbers[2], 3.0);
  EXPECT_EQ(numbers.back(), 0.0);
  numbers.resize(2);
  numbers.shrink_to_fit();
  EXPECT_EQ(numbers, (SlabNumbers<double>{1.0, 2.0}));
}

}  // namespace
}  // namespace diffphase
