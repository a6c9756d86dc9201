#include <fmt/format.h>

#include <cstdlib>
#include <optional>

#include "command_line.hpp"
#include "parallel/communicator.hpp"
#include "parallel/mpi_environment.hpp"
#include "standard_streams.hpp"

namespace diffphase {

namespace {

// Whether mpirun or srun started this process as one of several ranks.
bool is_one_of_several_ranks() {
  for (const char* name : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS"}) {
    const char* size = std::getenv(name);
    if (size != nullptr && std::atoi(size) > 1) return true;
  }
  return false;
}

}  // namespace

int tell(int argc, char** argv, const CommandLineEnd& end) {
  {
    std::optional<MpiEnvironment> environment;
    if (is_one_of_several_ranks()) environment.emplace(argc, argv);
    if (environment && !Communicator::world().is_root()) return end.code;
  }
  fmt::print(stderr, "{}", end.error);
  print_output(end.output);
  return end.code;
}

}  // namespace diffphase
