#include "sweep/job_time.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <map>
#include <string>
#include <vector>

#include "files/bad_input.hpp"

namespace diffphase {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Optional;

constexpr double infinity = std::numeric_limits<double>::infinity();

TEST(SlurmSeconds, EveryFormThatSlurmWrites) {
  EXPECT_THAT(slurm_seconds("1-02:03:04"), Optional(93784.0));
  EXPECT_THAT(slurm_seconds("1-02:03"), Optional(93780.0));
  EXPECT_THAT(slurm_seconds("2-01"), Optional(176400.0));
  EXPECT_THAT(slurm_seconds("10:00:01"), Optional(36001.0));
  EXPECT_THAT(slurm_seconds("59:07"), Optional(3547.0));
  EXPECT_THAT(slurm_seconds("0:09"), Optional(9.0));
  EXPECT_THAT(slurm_seconds(" 15\n"), Optional(900.0));
  EXPECT_THAT(slurm_seconds("UNLIMITED\n"), Optional(infinity));
}

TEST(SlurmSeconds, NothingForOtherText) {
  for (const char* text : {"", "INVALID", "NOT_SET", "1-", "-1", "1:2:3:4", "1-2:3:4:5", ":30", "1:", "1.5", "+5",
                           "slurm_load_jobs error: Invalid job id specified", "1-2-3", "9999999999999"}) {
    EXPECT_EQ(slurm_seconds(text), std::nullopt) << text;
  }
}

constexpr double unknown = -1.0;

// A job as its environment tells of it, with what squeue answers to each question.
class FakeJob {
 public:
  std::map<std::string, std::string> variables;
  std::vector<std::string> answers;
  std::vector<std::string> asked;
  double now = 1000.0;

  double seconds_left() {
    JobEnvironment environment;
    environment.variable = [this](const std::string& name) { return variables[name]; };
    environment.output = [this](const std::string& command) {
      asked.push_back(command);
      return asked.size() <= answers.size() ? answers[asked.size() - 1] : std::string();
    };
    environment.pause = [this](double seconds) { now += seconds; };
    environment.clock = [this] { return from_unix_seconds(now); };
    return job_seconds_left(environment).value_or(unknown);
  }
};

TEST(JobSecondsLeft, OutsideOfAJobIsBadInput) {
  FakeJob none;
  none.variables["SLURM_JOB_END_TIME"] = "2000";
  try {
    none.seconds_left();
    FAIL() << "no error";
  } catch (const BadInput& error) {
    EXPECT_THAT(error.what(), HasSubstr("--stop-after auto: this is no SLURM job"));
    EXPECT_THAT(error.what(), HasSubstr("--stop-after 55m"));
  }
  EXPECT_TRUE(none.asked.empty());
}

TEST(JobSecondsLeft, FromTheEnvironmentWhereItTells) {
  FakeJob job;
  job.variables = {{"SLURM_JOB_ID", "17"}, {"SLURM_JOB_END_TIME", "1700000400"}};
  job.now = 1700000000.0;
  EXPECT_DOUBLE_EQ(job.seconds_left(), 400.0);
  job.now = 1700000500.0;
  EXPECT_DOUBLE_EQ(job.seconds_left(), 0.0);
  EXPECT_TRUE(job.asked.empty());
}

TEST(JobSecondsLeft, AsksForTheJob) {
  FakeJob job;
  job.variables["SLURM_JOB_ID"] = "17";
  job.answers = {"12:30\n"};
  EXPECT_DOUBLE_EQ(job.seconds_left(), 750.0);
  EXPECT_THAT(job.asked, ElementsAre(HasSubstr("squeue --noheader --jobs=17 --format=%L")));
}

TEST(JobSecondsLeft, AsksForTheElementOfAnArray) {
  FakeJob job;
  job.variables = {{"SLURM_JOB_ID", "17"}, {"SLURM_ARRAY_JOB_ID", "17"}, {"SLURM_ARRAY_TASK_ID", "3"}};
  job.answers = {"UNLIMITED\n"};
  EXPECT_EQ(job.seconds_left(), infinity);
  EXPECT_THAT(job.asked, ElementsAre(HasSubstr("--jobs=17_3 ")));
}

TEST(JobSecondsLeft, AsksAgainBeforeItGivesUp) {
  FakeJob slow;
  slow.variables["SLURM_JOB_ID"] = "17";
  slow.answers = {"", "slurm_load_jobs error: Socket timed out", "1:00"};
  EXPECT_DOUBLE_EQ(slow.seconds_left(), 60.0);

  FakeJob dumb;
  dumb.variables["SLURM_JOB_ID"] = "17";
  dumb.answers = {"INVALID", "INVALID", "INVALID", "1:00"};
  EXPECT_EQ(dumb.seconds_left(), unknown);
  EXPECT_EQ(dumb.asked.size(), 3U);
}

TEST(StopBeforeEnd, TwoMinutesOrATenth) {
  EXPECT_DOUBLE_EQ(stop_before_end(36000.0), 35880.0);
  EXPECT_DOUBLE_EQ(stop_before_end(1200.0), 1080.0);
  EXPECT_DOUBLE_EQ(stop_before_end(60.0), 54.0);
  EXPECT_DOUBLE_EQ(stop_before_end(0.0), 0.0);
  EXPECT_EQ(stop_before_end(infinity), infinity);
}

}  // namespace
}  // namespace diffphase
