#include "sweep/sample_expression.hpp"

#include <gtest/gtest.h>

namespace diffphase {
namespace {

TEST(SampleExpression, IsReadAndWrittenInOneForm) {
  for (const char* text : {"exp(0.3*d)", " exp( 0.3 * d ) ", "exp(3e-1*d)", "exp(0.30*d)"}) {
    const auto expression = parse_sample_expression(text);
    ASSERT_TRUE(expression) << text;
    EXPECT_EQ(expression->alpha, 0.3);
    EXPECT_EQ(expression->text(), "exp(0.3*d)");
  }
  EXPECT_EQ(parse_sample_expression("exp(2*d)")->text(), "exp(2*d)");
}

TEST(SampleExpression, NothingElseIs) {
  for (const char* text :
       {"", "exp", "exp(d)", "exp(*d)", "exp(0.3d)", "exp(0.3*n)", "exp(-0.3*d)", "exp(0*d)", "exp(nan*d)",
        "exp(inf*d)", "exp(0.3*d", "exp(0.3*d)+1", "2*exp(0.3*d)", "exp(0.3*d*d)", "10000"}) {
    EXPECT_FALSE(parse_sample_expression(text)) << text;
  }
}

}  // namespace
}  // namespace diffphase
