#include "files/process_identity.hpp"

#include <signal.h>  // NOLINT(modernize-deprecated-headers): kill() is POSIX, not in <csignal>
#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>

namespace diffphase {
namespace {

std::string host_name() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0 || name.front() == '\0') return "unknown-host";
  return file_name_part(name.data());
}

std::string boot_number() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string number;
  std::getline(file, number);
  return file_name_part(number);
}

// The digits of "pid:[4026531836]".
std::string own_pid_namespace() {
  std::error_code error;
  const std::string text = std::filesystem::read_symlink("/proc/self/ns/pid", error).string();
  const std::size_t first = text.find('[');
  if (error || first == std::string::npos) return {};
  return file_name_part(text.substr(first + 1, text.find(']', first) - first - 1));
}

std::string environment_part(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : file_name_part(value);
}

std::int64_t restart_count() {
  const char* value = std::getenv("SLURM_RESTART_COUNT");
  return value == nullptr ? 0 : std::strtoll(value, nullptr, 10);
}

// Where /proc was mounted for another namespace, the numbers in it are not those of kill() and getpid().
bool proc_has_our_numbers() {
  std::error_code error;
  return std::filesystem::read_symlink("/proc/self", error).string() == std::to_string(::getpid()) && !error;
}

// What Linux tells of a process, from its third field, the state, on; a space is before each.
std::optional<std::string> status_fields(std::int64_t pid) {
  std::string name = "self";
  if (pid != ::getpid()) {
    if (!proc_has_our_numbers()) return std::nullopt;
    name = std::to_string(pid);
  }
  std::ifstream file("/proc/" + name + "/stat");
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
  static const std::string boot = boot_number();
  static const std::string space = own_pid_namespace();
  ProcessIdentity self;
  self.host = host;
  self.boot = boot;
  self.pid_namespace = space;
  self.pid = ::getpid();
  self.start_ticks = process_start_ticks(self.pid).value_or(0);
  self.user = ::geteuid();
  self.slurm_job = environment_part("SLURM_JOB_ID");
  if (!self.slurm_job.empty()) {
    self.slurm_cluster = environment_part("SLURM_CLUSTER_NAME");
    self.slurm_restarts = restart_count();
  }
  return self;
}

bool shares_processes(const ProcessIdentity& a, const ProcessIdentity& b) {
  return !a.boot.empty() && a.boot == b.boot && !a.pid_namespace.empty() && a.pid_namespace == b.pid_namespace;
}

bool process_has_ended(const ProcessIdentity& process) {
  if (!process_exists(process.pid)) return true;
  const auto start = process_start_ticks(process.pid);
  return start && process.start_ticks != 0 && *start != process.start_ticks;
}

bool process_exists(std::int64_t pid) {
  if (pid <= 0 || (::kill(static_cast<pid_t>(pid), 0) != 0 && errno != EPERM)) return false;
  const auto state = status_fields(pid);
  return !state || state->find_first_of("ZX") != 1;  // not one that has ended and that nobody has waited for
}

bool process_is_stopped(std::int64_t pid) {
  const auto state = status_fields(pid);
  return state && state->find_first_of("Tt") == 1;
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
