#include "parallel/mpi_environment.hpp"

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <mpi.h>

#include <array>
#include <csignal>
#include <cstdlib>

namespace diffphase {
namespace {

// The test program has initialised MPI already; the environment must use it, start and end the rest, and
// leave MPI.
TEST(MpiEnvironment, StartsAndEndsAroundMpiThatIsThere) {
  unsetenv("OPENBLAS_NUM_THREADS");
  struct sigaction before {};
  sigaction(SIGSEGV, nullptr, &before);
  // Options of ours that PETSc would take for its own.
  std::array<char, 8> program{"program"};
  std::array<char, 6> help{"-help"};
  std::array<char*, 3> arguments{program.data(), help.data(), nullptr};
  int argc = 2;
  char** argv = arguments.data();
  for (int round = 0; round < 2; ++round) {
    const MpiEnvironment environment(argc, argv);
    EXPECT_EQ(argc, 2);
    EXPECT_EQ(argv[1], help.data());
    struct sigaction during {};
    sigaction(SIGSEGV, nullptr, &during);
    EXPECT_EQ(before.sa_handler, during.sa_handler);
  }
  int finalized = 1;
  MPI_Finalized(&finalized);
  EXPECT_EQ(finalized, 0);
}

TEST(MpiEnvironment, GivesOpenBlasOneThread) {
  using GetThreads = int (*)();
  const auto get_threads = reinterpret_cast<GetThreads>(dlsym(RTLD_DEFAULT, "openblas_get_num_threads"));
  if (get_threads == nullptr) GTEST_SKIP() << "another BLAS";
  unsetenv("OPENBLAS_NUM_THREADS");
  int argc = 0;
  char** argv = nullptr;
  const MpiEnvironment environment(argc, argv);
  EXPECT_EQ(get_threads(), 1);
}

}  // namespace
}  // namespace diffphase
