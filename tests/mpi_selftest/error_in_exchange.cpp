// Rank 1 runs into an error where the others exchange data, which no correct code does: the program must end with its
// message. See the test of this name in tests/CMakeLists.txt.

#include <mpi.h>

#include <vector>

#include "parallel/communicator.hpp"
#include "parallel/task_group.hpp"

int main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  const diffphase::Communicator world = diffphase::Communicator::world();
  const diffphase::TaskGroup group(world, {}, /*patience=*/1.0);
  if (world.rank() == 1) {
    static_cast<void>(group.finish("on purpose"));
  } else {
    std::vector<double> values{1.0};
    world.sum(values);
  }
  MPI_Finalize();
  return 0;
}
