// The text of a lock, as `diffphase status` and the next start read it.

#include "fuzz_input.hpp"
#include "memory_file.hpp"
#include "sweep/run_lock.hpp"

namespace {

constexpr double now = 1e9;

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace diffphase;
  static const MemoryFile file;
  static const MemoryFolder folder;
  static const bool linked = (folder.link("lock-1of1", file), true);
  (void)linked;
  FuzzInput input(data, size);
  const unsigned world = input.byte();
  file.put(input.rest());
  LockEnvironment environment;
  environment.clock = [] { return from_unix_seconds(now); };
  environment.self = {.host = "node-1",
                      .boot = "boot-1",
                      .pid_namespace = "1",
                      .pid = 1,
                      .start_ticks = 1,
                      .slurm_cluster = "here",
                      .slurm_job = "7",
                      .slurm_restarts = 1};
  environment.job_is_gone = [&](const ProcessIdentity&) { return (world & 1U) != 0; };
  for (const LockOwner& owner : live_locks(folder.path(), environment)) {
    require(owner.process.host.find('/') == std::string::npos, "a host is part of a file name");
    require(!owner.name().empty(), "an owner has a name");
    (void)iso8601(owner.since);
    (void)iso8601(owner.heartbeat);
  }
  return 0;
}
