#include "files/process_identity.hpp"

#include <signal.h>  // NOLINT(modernize-deprecated-headers): kill() is POSIX, not in <csignal>
#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <sstream>

namespace diffphase {
namespace {

std::string host_name() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0 || name.front() == '\0') return "unknown-host";
  return file_name_part(name.data());
}

// What Linux tells of a process, from its third field, the state, on; a space is before each.
std::optional<std::string> status_fields(std::int64_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string line;
  if (!std::getline(file, line)) return std::nullopt;
  // The second field, the program's name in parentheses, may hold anything.
  const std::size_t name_end = line.rfind(')');
  if (name_end == std::string::npos) return std::nullopt;
  return line.substr(name_end + 1);
}

}  // namespace

std::string file_name_part(std::string text) {
  const auto belongs = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '_' ||
           c == '-';
  };
  std::replace_if(
      text.begin(), text.end(), [belongs](char c) { return !belongs(c); }, '_');
  return text;
}

ProcessIdentity this_process() {
  static const std::string host = host_name();
  ProcessIdentity self;
  self.host = host;
  self.pid = ::getpid();
  self.start_ticks = process_start_ticks(self.pid).value_or(0);
  if (const char* job = std::getenv("SLURM_JOB_ID"); job != nullptr) self.slurm_job = file_name_part(job);
  return self;
}

bool process_exists(std::int64_t pid) {
  if (pid <= 0 || (::kill(static_cast<pid_t>(pid), 0) != 0 && errno != EPERM)) return false;
  const auto state = status_fields(pid);
  return !state || state->find_first_of("ZX") != 1;  // not one that has ended and that nobody has waited for
}

std::optional<std::int64_t> process_start_ticks(std::int64_t pid) {
  const auto line = status_fields(pid);
  if (!line) return std::nullopt;
  std::istringstream fields(*line);
  std::string skipped;
  for (int field = 3; field < 22; ++field) fields >> skipped;
  std::int64_t ticks = 0;
  if (!(fields >> ticks)) return std::nullopt;
  return ticks;
}

}  // namespace diffphase
