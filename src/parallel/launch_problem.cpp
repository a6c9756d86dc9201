#include "parallel/launch_problem.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>

namespace diffphase {

namespace {

constexpr const char* remedy =
    "Start them by srun --mpi=pmix (srun --mpi=list shows what this SLURM has) or by mpirun; for independent runs on "
    "one "
    "rank each, unset SLURM_STEP_NUM_TASKS";

// 0 if it is no number.
long number_of(const std::string& text) { return std::strtol(text.c_str(), nullptr, 10); }

std::string own_variable(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  return value == nullptr ? "" : value;
}

bool is_one_of_several_tasks(const EnvironmentVariable& variable) {
  return number_of(variable("SLURM_STEP_NUM_TASKS")) > 1;
}

}  // namespace

std::string launch_problem(int ranks, const EnvironmentVariable& variable) {
  if (ranks > 1 || !is_one_of_several_tasks(variable)) return {};
  // A launcher of its own that started one rank: Open MPI's, MPICH's.
  if (number_of(variable("OMPI_COMM_WORLD_SIZE")) == 1 || number_of(variable("PMI_SIZE")) == 1) return {};
  return "SLURM started " + variable("SLURM_STEP_NUM_TASKS") +
         " tasks of this program, but MPI sees 1 rank: each would be a run of its own. " + remedy;
}

std::string launch_problem(int ranks) { return launch_problem(ranks, own_variable); }

std::string launch_hint(const EnvironmentVariable& variable) {
  constexpr std::array signs = {
      "OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMIX_NAMESPACE", "PMI_RANK", "PMI_FD", "PMI_SIZE"};
  if (!is_one_of_several_tasks(variable) || number_of(variable("SLURM_PROCID")) != 0) return {};
  if (std::ranges::any_of(signs, [&](const char* name) { return !variable(name).empty(); })) return {};
  return "SLURM started " + variable("SLURM_STEP_NUM_TASKS") +
         " tasks of this program without PMI or PMIx. Should MPI not start now: " + remedy;
}

std::string launch_hint() { return launch_hint(own_variable); }

}  // namespace diffphase
