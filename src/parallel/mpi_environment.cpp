#include "parallel/mpi_environment.hpp"

#include <dlfcn.h>
#include <mpi.h>
#include <slepcsys.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <stdexcept>
#include <string>

#include "parallel/communicator.hpp"

#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace diffphase {

namespace {

std::string thread_level_name(int level) {
  switch (level) {
    case MPI_THREAD_SINGLE:
      return "MPI_THREAD_SINGLE";
    case MPI_THREAD_FUNNELED:
      return "MPI_THREAD_FUNNELED";
    case MPI_THREAD_SERIALIZED:
      return "MPI_THREAD_SERIALIZED";
    default:
      return "MPI_THREAD_MULTIPLE";
  }
}

// True if this call initialised MPI.
bool start_mpi(int& argc, char**& argv) {
  int initialised = 0;
  MPI_Initialized(&initialised);
  int provided = MPI_THREAD_SINGLE;
  if (initialised != 0) {
    MPI_Query_thread(&provided);
  } else {
    MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided);
  }
  if (provided < MPI_THREAD_FUNNELED) {
    if (initialised == 0) MPI_Finalize();
    throw std::runtime_error("this MPI provides " + thread_level_name(provided) +
                             " only; diffphase needs MPI_THREAD_FUNNELED");
  }
  return initialised == 0;
}

void start_slepc() {
  // PETSc keeps the pointers: static.
  static std::array<char, 10> name{"diffphase"};
  static std::array<char, 14> no_file{"-skip_petscrc"};
  static std::array<char, 19> no_handler{"-no_signal_handler"};
  static std::array<char, 14> left{"-options_left"};
  static std::array<char, 3> no{"no"};
  static std::array<char*, 6> arguments{name.data(), no_file.data(), no_handler.data(),
                                        left.data(), no.data(),      nullptr};
  static char** argv = arguments.data();
  static int argc = static_cast<int>(arguments.size()) - 1;
  if (SlepcInitialize(&argc, &argv, nullptr, nullptr) != 0) throw std::runtime_error("SLEPc does not start");
  static_cast<void>(PetscPushErrorHandler(PetscReturnErrorHandler, nullptr));
}

// By name at run time: the BLAS that a cluster links need not be OpenBLAS.
void use_one_blas_thread() {
  if (std::getenv("OPENBLAS_NUM_THREADS") != nullptr) return;
  using SetThreads = void (*)(int);
  if (auto* set_threads = reinterpret_cast<SetThreads>(dlsym(RTLD_DEFAULT, "openblas_set_num_threads"))) {
    set_threads(1);
  }
}

// Open MPI makes malloc keep what is freed, for networks that register memory: Krylov bases and slabs that come and go
// would then lie in pieces beside each other. Large blocks go back to the system at once.
void give_large_blocks_back() {
#ifdef __GLIBC__
  constexpr int large = 32 << 20;  // what glibc itself grows the threshold to at most
  constexpr int most_blocks = 65536;
  mallopt(M_MMAP_MAX, most_blocks);
  mallopt(M_MMAP_THRESHOLD, large);
  mallopt(M_TRIM_THRESHOLD, 2 * large);
#endif
}

}  // namespace

MpiEnvironment::MpiEnvironment(int& argc, char**& argv) : exceptions_at_start_(std::uncaught_exceptions()) {
  owns_mpi_ = start_mpi(argc, argv);
  check_mpi(MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
  use_one_blas_thread();
  give_large_blocks_back();
  start_slepc();
}

MpiEnvironment::~MpiEnvironment() {
  if (std::uncaught_exceptions() > exceptions_at_start_) abort("an error on this rank alone ended the program");
  static_cast<void>(PetscPopErrorHandler());
  static_cast<void>(SlepcFinalize());
  if (owns_mpi_) MPI_Finalize();
}

void MpiEnvironment::abort(std::string_view message, int code) {
  int rank = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  std::fprintf(stderr, "diffphase: rank %d: %.*s\n", rank, static_cast<int>(message.size()), message.data());
  std::fflush(stderr);
  MPI_Abort(MPI_COMM_WORLD, code);
  std::_Exit(code);
}

}  // namespace diffphase
