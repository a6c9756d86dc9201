#include "sweep/timetable.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>

namespace diffphase {
namespace {

using testing::DoubleEq;
using testing::Optional;

constexpr int group = 0;
constexpr int other_group = 4;

PredictedWork collapse(double nominal) { return {.measure = "collapse", .nominal_seconds = nominal}; }
PredictedWork spectrum(double nominal) { return {.measure = "spectrum", .nominal_seconds = nominal}; }

class TimetableTest : public testing::Test {
 protected:
  double now = 100.0;
  Timetable timetable{[this] { return now; }};
};

TEST_F(TimetableTest, WithoutAnyMeasurementEverythingFits) {
  EXPECT_EQ(timetable.seconds(collapse(10.0)), std::nullopt);
  EXPECT_TRUE(timetable.fits(collapse(1e9), group, false, 0.1));
  timetable.learn(spectrum(1.0), 5.0);
  EXPECT_TRUE(timetable.fits(collapse(1e9), group, false, 0.1)) << "measures do not tell of each other";
}

TEST_F(TimetableTest, ScalesByWhatTasksOfTheMeasureTook) {
  timetable.learn(collapse(2.0), 6.0);
  timetable.learn(collapse(8.0), 14.0);
  timetable.learn(spectrum(1.0), 7.0);
  EXPECT_THAT(timetable.seconds(collapse(5.0)), Optional(DoubleEq(10.0)));
  EXPECT_THAT(timetable.seconds(spectrum(5.0)), Optional(DoubleEq(35.0)));
  EXPECT_TRUE(timetable.fits(collapse(5.0), group, false, 10.0));
  EXPECT_FALSE(timetable.fits(collapse(5.0), group, false, 9.9));
  EXPECT_FALSE(timetable.fits(collapse(5.0), group, false, -1.0));
}

TEST_F(TimetableTest, NumbersThatCannotBeTeachNothing) {
  timetable.learn(collapse(0.0), 6.0);
  timetable.learn(collapse(2.0), 0.0);
  timetable.learn(collapse(2.0), -1.0);
  EXPECT_EQ(timetable.seconds(collapse(10.0)), std::nullopt);
}

TEST_F(TimetableTest, ThisStartCountsMoreThanEarlierOnes) {
  timetable.learn(collapse(1.0), 100.0);
  timetable.begin(0, group, collapse(1.0));
  timetable.begin(1, other_group, collapse(1.0));
  timetable.end(1, std::nullopt);  // abandoned: tells nothing
  EXPECT_THAT(timetable.seconds(collapse(1.0)), Optional(DoubleEq(100.0)));
  timetable.end(0, 3.0);
  EXPECT_THAT(timetable.seconds(collapse(1.0)), Optional(DoubleEq(3.0)));
}

TEST_F(TimetableTest, ATaskThatWaitsBeginsAfterThoseOfItsGroup) {
  timetable.learn(collapse(1.0), 10.0);
  timetable.begin(0, group, collapse(3.0));  // 30 s
  now += 12.0;
  EXPECT_TRUE(timetable.fits(collapse(2.0), group, true, 38.0));
  EXPECT_FALSE(timetable.fits(collapse(2.0), group, true, 37.0));
  EXPECT_TRUE(timetable.fits(collapse(2.0), other_group, true, 20.0)) << "the other group is idle";
  EXPECT_TRUE(timetable.fits(collapse(2.0), group, false, 20.0));
  now += 100.0;  // late: may end at any moment
  EXPECT_TRUE(timetable.fits(collapse(2.0), group, true, 20.0));
}

TEST_F(TimetableTest, TheSecondTaskOfAGroupBeginsWhenTheFirstEnds) {
  timetable.learn(collapse(1.0), 10.0);
  timetable.begin(0, group, collapse(1.0));
  timetable.begin(1, group, collapse(2.0));
  EXPECT_TRUE(timetable.fits(collapse(1.0), group, true, 40.0));
  EXPECT_FALSE(timetable.fits(collapse(1.0), group, true, 39.0));
  now += 5.0;
  timetable.end(0, std::nullopt);
  EXPECT_TRUE(timetable.fits(collapse(1.0), group, true, 30.0));
  EXPECT_FALSE(timetable.fits(collapse(1.0), group, true, 29.0));
  timetable.end(1, std::nullopt);
  EXPECT_TRUE(timetable.fits(collapse(1.0), group, true, 10.0));
}

TEST_F(TimetableTest, OnlyWhatWasBegunEnds) {
  timetable.begin(3, group, collapse(1.0));
  EXPECT_THROW(timetable.end(2, 1.0), std::logic_error);
  timetable.end(3, 1.0);
  EXPECT_THROW(timetable.end(3, 1.0), std::logic_error);
}

}  // namespace
}  // namespace diffphase
