#include "parallel/launch_problem.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

namespace diffphase {
namespace {

using testing::AllOf;
using testing::HasSubstr;

using Variables = std::map<std::string, std::string>;

std::string problem(int ranks, const Variables& variables) {
  return launch_problem(ranks, [&](const std::string& name) {
    const auto found = variables.find(name);
    return found == variables.end() ? std::string() : found->second;
  });
}

TEST(LaunchProblem, TasksThatDoNotFindEachOtherAreNamedWithTheRemedy) {
  EXPECT_THAT(problem(1, {{"SLURM_STEP_NUM_TASKS", "4"}}),
              AllOf(HasSubstr("SLURM started 4 tasks"), HasSubstr("MPI sees 1 rank"), HasSubstr("--mpi=pmix"),
                    HasSubstr("mpirun")));
  EXPECT_THAT(problem(1, {{"SLURM_STEP_NUM_TASKS", "4"}, {"PMI_SIZE", "4"}}), HasSubstr("SLURM started 4 tasks"));
}

TEST(LaunchHint, BeforeAnMpiThatMayNotStart) {
  const auto hint = [](const Variables& variables) {
    return launch_hint([&](const std::string& name) {
      const auto found = variables.find(name);
      return found == variables.end() ? std::string() : found->second;
    });
  };
  EXPECT_THAT(hint({{"SLURM_STEP_NUM_TASKS", "4"}, {"SLURM_PROCID", "0"}}),
              AllOf(HasSubstr("SLURM started 4 tasks"), HasSubstr("--mpi=pmix")));
  EXPECT_EQ(hint({{"SLURM_STEP_NUM_TASKS", "4"}, {"SLURM_PROCID", "1"}}), "");
  EXPECT_EQ(hint({{"SLURM_STEP_NUM_TASKS", "4"}, {"SLURM_PROCID", "0"}, {"PMIX_RANK", "0"}}), "");
  EXPECT_EQ(hint({{"SLURM_STEP_NUM_TASKS", "4"}, {"OMPI_COMM_WORLD_SIZE", "1"}}), "");
  EXPECT_EQ(hint({{"SLURM_STEP_NUM_TASKS", "1"}}), "");
}

TEST(LaunchProblem, OneRankInAnAllocationIsNone) {
  EXPECT_EQ(problem(1, {}), "");
  EXPECT_EQ(problem(1, {{"SLURM_NTASKS", "4"}, {"SLURM_JOB_ID", "1"}}), "") << "a batch script that calls the program";
  EXPECT_EQ(problem(1, {{"SLURM_NTASKS", "4"}, {"SLURM_STEP_NUM_TASKS", "1"}}), "") << "srun -n1";
  EXPECT_EQ(problem(1, {{"SLURM_STEP_NUM_TASKS", "no number"}}), "");
}

TEST(LaunchProblem, RanksThatFindEachOtherAreNone) {
  EXPECT_EQ(problem(4, {{"SLURM_STEP_NUM_TASKS", "4"}}), "");
  EXPECT_EQ(problem(64, {{"SLURM_STEP_NUM_TASKS", "2"}}), "") << "mpirun starts its daemons by srun";
}

TEST(LaunchProblem, OneRankOfMpirunInsideOfAStepIsNone) {
  EXPECT_EQ(problem(1, {{"SLURM_STEP_NUM_TASKS", "4"}, {"OMPI_COMM_WORLD_SIZE", "1"}}), "");
  EXPECT_EQ(problem(1, {{"SLURM_STEP_NUM_TASKS", "4"}, {"PMI_SIZE", "1"}}), "");
}

}  // namespace
}  // namespace diffphase
