#pragma once

#include <functional>
#include <optional>
#include <string>

#include "files/command_output.hpp"
#include "files/wall_clock.hpp"

namespace diffphase {

/// Seconds of a duration as SLURM writes it: MM:SS, HH:MM:SS, D-HH:MM:SS, D-HH:MM, D-HH, or MM; infinity for UNLIMITED.
/// Nothing for any other text. White space around it is ignored.
[[nodiscard]] std::optional<double> slurm_seconds(const std::string& text);

/// What the time left of a job is read from; tests put their own.
struct JobEnvironment {
  /// Of an environment variable; empty if it is not set.
  std::function<std::string(const std::string& name)> variable;
  std::function<std::string(const std::string& command)> output = command_output;
  std::function<void(double seconds)> pause;
  WallClock clock = system_wall_clock();
};

/// The process's own: its environment variables, its commands, a pause that sleeps.
[[nodiscard]] JobEnvironment this_job();

/// Seconds until the SLURM job of this process ends, never negative; infinity if it has no time limit. From
/// SLURM_JOB_END_TIME, else from squeue, which is asked three times before that is given up: nothing, then, as the
/// controller may just be down, and the job's early signal comes all the same. Throws BadInput outside of a SLURM job.
/// May take half a minute where SLURM does not answer. Local.
[[nodiscard]] std::optional<double> job_seconds_left(const JobEnvironment& environment = this_job());

/// After how many seconds a run stops of a job that ends in `seconds_left`: two minutes earlier, and in short jobs a
/// tenth of the time, for the tasks to reach their next agreement point and for the results to be written.
[[nodiscard]] double stop_before_end(double seconds_left);

}  // namespace diffphase
