#pragma once

#include <map>
#include <string>

#include "files/wall_clock.hpp"
#include "results/results_file.hpp"

namespace diffphase {

/// What the run loop knows and this folder does not.
struct RunFacts {
  std::string command_line;
  std::string sweep;  ///< text of the sweep file
  std::int64_t mpi_size = 1;
  WallTime start;
  WallTime end;
};

/// Version of the program, as in `diffphase --version`.
[[nodiscard]] std::string program_version();
[[nodiscard]] std::string git_revision();

/// Versions of the libraries: mpi, petsc, slepc, hdf5, boost, blas, compiler.
[[nodiscard]] std::map<std::string, std::string> library_versions();

/// What of the environment decides how a run goes: OpenMP and OpenBLAS threads, the size and place of the
/// SLURM job. Nothing that tells who ran it.
[[nodiscard]] std::map<std::string, std::string> run_environment();

/// Adds who made the results, how and where: to the root's attributes what a reader looks for first (program,
/// version, git_revision, libraries, mpi_size, start_time, end_time, command_line, sweep), to the group
/// `provenance` the rest. Local; MPI need not be initialised.
void add_provenance(ResultsFile& results, const RunFacts& facts);

}  // namespace diffphase
