#include "parallel/instruction_set.hpp"

#include <gtest/gtest.h>

#include <cstdlib>

namespace diffphase {
namespace {

constexpr const char* variable = "DIFFPHASE_INSTRUCTION_SET";

class Limit : public testing::Test {
 protected:
  void TearDown() override { ::unsetenv(variable); }
};

TEST_F(Limit, IsTheWidestSetThatIsUsed) {
  const InstructionSet widest = widest_instruction_set();
  EXPECT_TRUE(processor_has(widest));
  for (const InstructionSet set : instruction_sets) {
    ASSERT_EQ(::setenv(variable, name_of(set), 1), 0);
    EXPECT_TRUE(instruction_set_limit_is_known());
    EXPECT_EQ(widest_instruction_set(), processor_has(set) ? set : widest) << name_of(set);
  }
}

TEST_F(Limit, ThatIsNoNameIsNotKnownAndLimitsNothing) {
  const InstructionSet widest = widest_instruction_set();
  for (const char* text : {"avx", "AVX2", "avx512 "}) {
    ASSERT_EQ(::setenv(variable, text, 1), 0);
    EXPECT_FALSE(instruction_set_limit_is_known()) << text;
    EXPECT_EQ(widest_instruction_set(), widest) << text;
  }
  ASSERT_EQ(::setenv(variable, "", 1), 0);
  EXPECT_TRUE(instruction_set_limit_is_known());
}

}  // namespace
}  // namespace diffphase
