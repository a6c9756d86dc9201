#pragma once

#include <string_view>

namespace diffphase {

/// MPI (MPI_THREAD_FUNNELED), PETSc and SLEPc, from construction to destruction. One object per process,
/// first thing in main; everything that holds a communicator must be gone before it.
///
/// PETSc sees none of the program's arguments and no .petscrc, installs no signal handlers and prints nothing
/// on errors: they come back as codes. The environment variable PETSC_OPTIONS still reaches it. OpenBLAS runs
/// on one thread unless OPENBLAS_NUM_THREADS says otherwise. MPI errors on the world are returned, not fatal.
///
/// If MPI is already initialised it is used and left to its owner.
class MpiEnvironment {
 public:
  /// Throws std::runtime_error, on every rank, if MPI gives less than MPI_THREAD_FUNNELED or SLEPc does not
  /// start. Collective over MPI_COMM_WORLD.
  MpiEnvironment(int& argc, char**& argv);
  MpiEnvironment(const MpiEnvironment&) = delete;
  MpiEnvironment& operator=(const MpiEnvironment&) = delete;
  /// Collective. During stack unwinding there is no hope that the other ranks come here too: ends all of them
  /// (abort).
  ~MpiEnvironment();

  /// Prints `message` to standard error and ends every rank of the job, at once. For errors after which the
  /// ranks cannot agree any more; nothing already in the journal is lost. Local. Under mpirun the job's exit
  /// code is `code`.
  [[noreturn]] static void abort(std::string_view message, int code = aborted);

  /// Exit code of a program that cannot go on because ranks wait for data that will not come.
  static constexpr int aborted = 70;

 private:
  bool owns_mpi_ = false;
  int exceptions_at_start_ = 0;
};

}  // namespace diffphase
