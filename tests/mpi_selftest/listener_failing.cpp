// Fails on rank 1 only, on purpose: see the tests named mpi_selftest in tests/CMakeLists.txt.

#include <gtest/gtest.h>
#include <mpi.h>

TEST(Listener, HearsOfAFailureOnRankOne) {
  int rank = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  EXPECT_NE(rank, 1) << "on purpose";
}

TEST(Listener, GoesOnWithTheNextTest) { SUCCEED(); }
