#include "sweep/run_lock.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <map>
#include <sstream>
#include <system_error>

#include "files/command_output.hpp"

namespace diffphase {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view lock_prefix = "lock-";
constexpr std::string_view takeover_ending = ".takeover";

// A take-over lasts milliseconds; one that is older belongs to a process that died in it.
constexpr std::chrono::minutes abandoned_takeover{1};

std::string owner_text(const LockOwner& owner) {
  return fmt::format("host={}\npid={}\nprocess_start={}\nslurm_job={}\nsince={:.3f}\nheartbeat={:.3f}\n",
                     owner.process.host, owner.process.pid, owner.process.start_ticks, owner.process.slurm_job,
                     unix_seconds(owner.since), unix_seconds(owner.heartbeat));
}

std::map<std::string, std::string> parse_lines(const std::string& text) {
  std::map<std::string, std::string> fields;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (const std::size_t split = line.find('='); split != std::string::npos) {
      fields[line.substr(0, split)] = line.substr(split + 1);
    }
  }
  return fields;
}

// Empty if the text is not that of a lock.
std::optional<LockOwner> parse_owner(const std::string& text) {
  auto fields = parse_lines(text);
  LockOwner owner;
  owner.process.host = file_name_part(fields["host"]);
  owner.process.slurm_job = file_name_part(fields["slurm_job"]);
  try {
    owner.process.pid = std::stoll(fields["pid"]);
    owner.process.start_ticks = std::stoll(fields["process_start"]);
    owner.since = from_unix_seconds(std::stod(fields["since"]));
    owner.heartbeat = from_unix_seconds(std::stod(fields["heartbeat"]));
  } catch (const std::logic_error&) {  // invalid_argument, out_of_range
    return std::nullopt;
  }
  return owner;
}

// A lock file as found: it may be gone, or have no (complete) owner in it because it is just being written.
struct FoundLock {
  bool exists = false;
  std::optional<LockOwner> owner;
  WallTime written;
};

FoundLock find_lock(const fs::path& path) {
  FoundLock found;
  try {
    const PosixFile file = PosixFile::open(path);
    struct stat status {};
    if (::fstat(file.descriptor(), &status) != 0) throw FileError("look at", path, errno);
    found.exists = true;
    found.written = std::chrono::system_clock::from_time_t(status.st_mtime);
    found.owner = parse_owner(read_text(path));
  } catch (const FileError& error) {
    if (error.code() != ENOENT) throw;
    found.exists = false;
  }
  return found;
}

bool process_is_gone(const ProcessIdentity& process) {
  if (!process_exists(process.pid)) return true;
  const auto start = process_start_ticks(process.pid);
  return start && process.start_ticks != 0 && *start != process.start_ticks;  // the pid was given out again
}

bool is_stale(const FoundLock& lock, const LockEnvironment& environment) {
  const WallTime now = environment.clock();
  if (!lock.owner) return now - lock.written > RunLock::stale_after;
  if (now - lock.owner->heartbeat > RunLock::stale_after) return true;
  const ProcessIdentity& process = lock.owner->process;
  if (process.host == environment.self.host) return process_is_gone(process);
  if (process.slurm_job.empty()) return false;
  return process.slurm_job == environment.self.slurm_job || environment.job_is_gone(process.slurm_job);
}

std::string describe(const FoundLock& lock, WallTime now) {
  if (!lock.owner) return "a start that has not yet written its name";
  const ProcessIdentity& process = lock.owner->process;
  return fmt::format("process {} on {}{}, since {}, last heartbeat {:.0f} s ago", process.pid, process.host,
                     process.slurm_job.empty() ? "" : fmt::format(" (SLURM job {})", process.slurm_job),
                     iso8601(lock.owner->since), std::chrono::duration<double>(now - lock.owner->heartbeat).count());
}

}  // namespace

bool slurm_job_is_gone(const std::string& job) {
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  if (job.empty() || !std::all_of(job.begin(), job.end(), is_digit)) return false;
  // A marker tells an empty answer from no answer.
  const std::string answer =
      command_output(fmt::format("timeout 10 squeue --noheader --jobs={} --format=%T && echo answered", job));
  if (answer.find("Invalid job id") != std::string::npos) return true;
  if (answer.find("answered") == std::string::npos) return false;
  const std::array running = {"RUNNING", "COMPLETING", "SUSPENDED", "STOPPED", "SIGNALING", "RESIZING"};
  return std::none_of(running.begin(), running.end(),
                      [&](const char* state) { return answer.find(state) != std::string::npos; });
}

RunLock::RunLock(const fs::path& run, const Shard& shard, LockEnvironment environment)
    : run_(run),
      path_(run / (std::string(lock_prefix) + shard.name())),
      environment_(std::move(environment)),
      owner_{environment_.self, environment_.clock(), environment_.clock()} {
  acquire();
}

RunLock::~RunLock() { release(); }

void RunLock::release() noexcept {
  try {
    std::error_code ignored;
    if (is_ours()) fs::remove(path_, ignored);
  } catch (...) {  // NOLINT(bugprone-empty-catch): a lock that stays goes stale by itself
  }
}

void RunLock::acquire() {
  const FoundLock found = find_lock(path_);
  if (found.exists && is_stale(found, environment_)) {
    take_over();
    return;
  }
  try {
    create();
  } catch (const FileError& error) {
    if (error.code() != EEXIST) throw;
    throw LockHeld(fmt::format(
        "{} is being worked on by another start: {}. Wait for it, or end it with `touch {}`; "
        "if you know that it has gone, remove {}",
        run_.string(), describe(find_lock(path_), environment_.clock()), (run_ / "stop").string(), path_.string()));
  }
}

// Two starts may find the same stale lock: only the one that makes the take-over file may remove it, and
// looks again before it does.
void RunLock::take_over() {
  const fs::path marker = path_.string() + std::string(takeover_ending);
  std::error_code ignored;
  if (const FoundLock other = find_lock(marker);
      other.exists && std::chrono::system_clock::now() - other.written > abandoned_takeover) {
    fs::remove(marker, ignored);
  }
  try {
    PosixFile::create(marker).close();
  } catch (const FileError& error) {
    if (error.code() != EEXIST) throw;
    throw LockHeld(fmt::format("another start is just taking {} over; try again", run_.string()));
  }
  try {
    if (is_stale(find_lock(path_), environment_)) fs::remove(path_, ignored);
    create();
  } catch (const FileError& error) {
    fs::remove(marker, ignored);
    if (error.code() != EEXIST) throw;
    throw LockHeld(fmt::format("{} was just taken over by another start: {}", run_.string(),
                               describe(find_lock(path_), environment_.clock())));
  }
  fs::remove(marker, ignored);
}

void RunLock::create() {
  file_ = PosixFile::create(path_);
  try {
    file_.write_all(owner_text(owner_));
    file_.sync();
  } catch (const FileError&) {
    // On a full disk: a lock without a name would keep everybody out.
    std::error_code ignored;
    fs::remove(path_, ignored);
    throw;
  }
}

bool RunLock::is_ours() const {
  struct stat mine {};
  struct stat there {};
  if (!file_.is_open() || ::fstat(file_.descriptor(), &mine) != 0) return false;
  if (::stat(path_.c_str(), &there) != 0) return errno != ENOENT;  // a file system out of reach is not a lost lock
  return mine.st_dev == there.st_dev && mine.st_ino == there.st_ino;
}

bool RunLock::beat() {
  const WallTime now = environment_.clock();
  if (now - owner_.heartbeat < beat_interval && now >= owner_.heartbeat) return true;
  if (!is_ours()) return false;
  owner_.heartbeat = now;
  try {
    file_.write_at(0, std::as_bytes(std::span<const char>(owner_text(owner_))));
  } catch (const FileError&) {  // NOLINT(bugprone-empty-catch)
    // Not worth ending a run: should the lock go stale and be taken over, the next beat tells.
  }
  return true;
}

std::vector<LockOwner> live_locks(const fs::path& run, const LockEnvironment& environment) {
  std::map<std::string, LockOwner> found;
  std::error_code ignored;
  for (fs::directory_iterator entry(run, ignored), end; !ignored && entry != end; entry.increment(ignored)) {
    const std::string name = entry->path().filename().string();
    if (!name.starts_with(lock_prefix) || name.ends_with(takeover_ending)) continue;
    const FoundLock lock = find_lock(entry->path());
    if (lock.exists && lock.owner && !is_stale(lock, environment)) found[name] = *lock.owner;
  }
  std::vector<LockOwner> owners;
  owners.reserve(found.size());
  for (const auto& [name, owner] : found) owners.push_back(owner);
  return owners;
}

}  // namespace diffphase
