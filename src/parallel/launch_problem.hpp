#pragma once

#include <functional>
#include <string>

namespace diffphase {

/// The value of an environment variable, empty if it is not set.
using EnvironmentVariable = std::function<std::string(const std::string& name)>;

/// What is wrong where SLURM started several tasks of this program that do not find each other, each of which is then a
/// program of one rank; empty if nothing is. `ranks` is the size of MPI's world. Programs that mpirun starts as one
/// rank inside of a step are meant to be alone. Local.
[[nodiscard]] std::string launch_problem(int ranks, const EnvironmentVariable& variable);
[[nodiscard]] std::string launch_problem(int ranks);

/// What to say before MPI starts, which may end the program by itself, where SLURM started several tasks without a sign
/// of how they find each other; empty for the tasks after the first, and if there is a sign. Some find each other
/// without. Local.
[[nodiscard]] std::string launch_hint(const EnvironmentVariable& variable);
[[nodiscard]] std::string launch_hint();

}  // namespace diffphase
