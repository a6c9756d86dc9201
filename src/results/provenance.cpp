#include "results/provenance.hpp"

#include <dlfcn.h>
#include <fmt/format.h>
#include <hdf5.h>
#include <mpi.h>
#include <petscversion.h>
#include <slepcversion.h>

#include <array>
#include <boost/version.hpp>
#include <cstdlib>
#include <string_view>

#include "files/process_identity.hpp"
#include "git_revision.hpp"

namespace diffphase {
namespace {

std::string mpi_library() {
  std::array<char, MPI_MAX_LIBRARY_VERSION_STRING> text{};
  int length = 0;
  if (MPI_Get_library_version(text.data(), &length) != MPI_SUCCESS) return "unknown";
  std::string version(text.data(), static_cast<std::size_t>(length));
  while (!version.empty() && (version.back() == '\0' || version.back() == '\n')) version.pop_back();
  return version;
}

std::string hdf5_version() {
  unsigned major = 0;
  unsigned minor = 0;
  unsigned release = 0;
  if (H5get_libversion(&major, &minor, &release) < 0) return "unknown";
  return fmt::format("{}.{}.{}", major, minor, release);
}

// OpenBLAS tells its version, threads and processor; asked for at run time, as another BLAS may be linked.
std::string blas_configuration() {
  using Configuration = char* (*)();
  void* symbol = ::dlsym(RTLD_DEFAULT, "openblas_get_config");
  if (symbol == nullptr) return "unknown";
  return reinterpret_cast<Configuration>(symbol)();
}

std::string lines(const std::map<std::string, std::string>& values) {
  std::string text;
  for (const auto& [name, value] : values) text += fmt::format("{}={}\n", name, value);
  return text;
}

}  // namespace

std::string program_version() { return DIFFPHASE_VERSION; }

std::string git_revision() { return DIFFPHASE_GIT_REVISION; }

std::map<std::string, std::string> library_versions() {
  return {
      {"mpi", mpi_library()},
      {"petsc", fmt::format("{}.{}.{}", PETSC_VERSION_MAJOR, PETSC_VERSION_MINOR, PETSC_VERSION_SUBMINOR)},
      {"slepc", fmt::format("{}.{}.{}", SLEPC_VERSION_MAJOR, SLEPC_VERSION_MINOR, SLEPC_VERSION_SUBMINOR)},
      {"hdf5", hdf5_version()},
      {"boost", fmt::format("{}.{}.{}", BOOST_VERSION / 100000, BOOST_VERSION / 100 % 1000, BOOST_VERSION % 100)},
      {"blas", blas_configuration()},
      {"compiler", __VERSION__},
  };
}

std::map<std::string, std::string> run_environment() {
  // Named one by one: other SLURM_ variables hold names of users and accounts, and tokens.
  constexpr std::array names = {
      "OMP_NUM_THREADS",           "OMP_PROC_BIND",       "OMP_PLACES",          "OPENBLAS_NUM_THREADS",
      "DIFFPHASE_INSTRUCTION_SET", "SLURM_JOB_ID",        "SLURM_JOB_NAME",      "SLURM_JOB_PARTITION",
      "SLURM_JOB_NODELIST",        "SLURM_JOB_NUM_NODES", "SLURM_NTASKS",        "SLURM_NTASKS_PER_NODE",
      "SLURM_CPUS_PER_TASK",       "SLURM_MEM_PER_CPU",   "SLURM_MEM_PER_NODE",  "SLURM_CLUSTER_NAME",
      "SLURM_RESTART_COUNT",       "SLURM_ARRAY_JOB_ID",  "SLURM_ARRAY_TASK_ID", "SLURM_JOB_CPUS_PER_NODE"};
  std::map<std::string, std::string> found;
  for (const char* name : names) {
    if (const char* value = std::getenv(name); value != nullptr) found[name] = value;
  }
  return found;
}

void add_provenance(ResultsFile& results, const RunFacts& facts) {
  auto& root = results.attributes;
  root["program"] = std::string("diffphase");
  root["version"] = program_version();
  root["git_revision"] = git_revision();
  root["libraries"] = lines(library_versions());
  root["mpi_size"] = facts.mpi_size;
  root["start_time"] = iso8601(facts.start);
  root["end_time"] = iso8601(facts.end);
  root["command_line"] = facts.command_line;
  root["sweep"] = facts.sweep;
  ResultsGroup& group = results.groups["provenance"];
  group.texts["sweep"] = facts.sweep;
  group.texts["environment"] = lines(run_environment());
  group.attributes["host"] = this_process().host;
  for (const auto& [name, version] : library_versions()) group.attributes[name] = version;
}

}  // namespace diffphase
