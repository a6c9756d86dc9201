#include "sweep/run_lock.hpp"

#include <fmt/format.h>
#include <pthread.h>
#include <signal.h>  // NOLINT(modernize-deprecated-headers): sigset_t is POSIX, not in <csignal>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <map>
#include <optional>
#include <sstream>
#include <system_error>
#include <thread>

#include "files/command_output.hpp"
#include "sweep/console.hpp"
#include "sweep/shell_word.hpp"

namespace diffphase {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

constexpr std::string_view lock_prefix = "lock-";
constexpr std::string_view takeover_ending = ".takeover";

constexpr milliseconds stop_interval{500};    // in a wait, between two questions whether to stop
constexpr double question_interval = 60.0;    // s between two questions to SLURM
constexpr double statement_interval = 60.0;   // s between two statements on what is waited for
constexpr milliseconds takeover_pause{100};   // another start is just taking over, which lasts milliseconds
constexpr std::chrono::minutes empty_age{1};  // what is said of a lock without an owner
constexpr int most_attempts = 100;            // a name that is taken, but not there, is not a matter of time

// Always of one length for one owner: a beat is written over the one before.
std::string owner_text(const LockOwner& owner) {
  const ProcessIdentity& process = owner.process;
  return fmt::format(
      "host={}\nboot={}\npid_namespace={}\npid={}\nprocess_start={}\nuser={}\nslurm_cluster={}\nslurm_job={}\n"
      "slurm_restarts={}\nsince={:.3f}\nbeats={:010}\nheartbeat={:.3f}\n",
      process.host, process.boot, process.pid_namespace, process.pid, process.start_ticks, process.user,
      process.slurm_cluster, process.slurm_job, process.slurm_restarts, unix_seconds(owner.since), owner.beats,
      unix_seconds(owner.heartbeat));
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

// 0 where the lock of an earlier version has no such line.
std::int64_t later_number(const std::map<std::string, std::string>& fields, const std::string& name,
                          std::int64_t otherwise) {
  const auto found = fields.find(name);
  return found == fields.end() ? otherwise : std::stoll(found->second);
}

// Empty if the text is not that of a lock.
std::optional<LockOwner> parse_owner(const std::string& text) {
  auto fields = parse_lines(text);
  LockOwner owner;
  ProcessIdentity& process = owner.process;
  process.host = file_name_part(fields["host"]);
  process.boot = file_name_part(fields["boot"]);
  process.pid_namespace = file_name_part(fields["pid_namespace"]);
  process.slurm_cluster = file_name_part(fields["slurm_cluster"]);
  process.slurm_job = file_name_part(fields["slurm_job"]);
  try {
    process.pid = std::stoll(fields["pid"]);
    process.start_ticks = std::stoll(fields["process_start"]);
    process.user = later_number(fields, "user", -1);
    process.slurm_restarts = later_number(fields, "slurm_restarts", 0);
    owner.beats = later_number(fields, "beats", 0);
    owner.since = from_unix_seconds(std::stod(fields["since"]));
    owner.heartbeat = from_unix_seconds(std::stod(fields["heartbeat"]));
  } catch (const std::logic_error&) {  // invalid_argument, out_of_range
    return std::nullopt;
  }
  return owner;
}

// A lock file as found: it may be gone, or have no (complete) owner in it.
struct FoundLock {
  bool exists = false;
  std::string state;  ///< which file, and what is in it: another one for every beat and every owner
  bool empty = false;
  std::optional<LockOwner> owner;
};

FoundLock find_lock(const fs::path& path) {
  constexpr std::size_t longest = 16384;
  FoundLock found;
  try {
    const PosixFile file = PosixFile::open(path);
    struct stat status {};
    if (::fstat(file.descriptor(), &status) != 0) throw FileError("look at", path, errno);
    std::string text(longest, '\0');
    text.resize(file.read_at(0, std::as_writable_bytes(std::span(text))));
    found.exists = true;
    found.state = fmt::format("{} {}\n{}", status.st_dev, status.st_ino, text);
    found.empty = text.empty();
    found.owner = parse_owner(text);
  } catch (const FileError& error) {
    // Replaced while it was looked at, as NFS says it.
    if (error.code() != ENOENT && error.code() != ESTALE) throw;
  }
  return found;
}

// Where a lock does not tell: somebody who was there a minute ago.
LockOwner owner_of(const FoundLock& lock, const LockEnvironment& environment) {
  if (lock.owner) return *lock.owner;
  LockOwner unnamed;
  unnamed.since = unnamed.heartbeat = environment.clock() - empty_age;
  return unnamed;
}

enum class Fate { works, ended, unknown };

bool is_earlier_start_of_our_job(const ProcessIdentity& owner, const ProcessIdentity& self) {
  return owner.slurm_job == self.slurm_job && owner.slurm_cluster == self.slurm_cluster &&
         owner.slurm_restarts < self.slurm_restarts;
}

Fate fate_of(const LockOwner& owner, const LockEnvironment& environment, bool ask_slurm) {
  const ProcessIdentity& process = owner.process;
  if (shares_processes(process, environment.self)) return process_has_ended(process) ? Fate::ended : Fate::works;
  if (process.slurm_job.empty()) return Fate::unknown;
  if (is_earlier_start_of_our_job(process, environment.self)) return Fate::ended;
  return ask_slurm && environment.job_is_gone(process) ? Fate::ended : Fate::unknown;
}

std::string describe(const LockOwner& owner, const LockEnvironment& environment) {
  const double age = std::chrono::duration<double>(environment.clock() - owner.heartbeat).count();
  std::string text = owner.name();
  if (!owner.process.host.empty()) text += ", since " + iso8601(owner.since);
  text += fmt::format(", last beat {:.0f} s ago by the clock of this host", std::max(age, 0.0));
  if (shares_processes(owner.process, environment.self) && process_is_stopped(owner.process.pid)) {
    text += fmt::format("; it was stopped and is there: `kill -CONT {}` lets it go on", owner.process.pid);
  }
  return text;
}

// Removes the file, if it is still the one that was judged: another start may have been faster.
void remove_judged(const fs::path& path, const std::string& state) {
  if (find_lock(path).state != state) return;
  const fs::path aside = temporary_name(path);
  if (::rename(path.c_str(), aside.c_str()) != 0) return;
  std::error_code ignored;
  if (find_lock(aside).state != state) fs::create_hard_link(aside, path, ignored);
  fs::remove(aside, ignored);
}

// The right to take a lock over, of one start at a time: of those who find the same lock of a dead start, the second
// would remove the lock of the first.
class TakeOver {
 public:
  TakeOver(fs::path marker, const LockOwner& owner) : marker_(std::move(marker)) {
    try {
      file_ = PosixFile::create_whole(marker_, owner_text(owner));
    } catch (const FileError& error) {
      if (error.code() != EEXIST) throw;
    }
  }
  TakeOver(const TakeOver&) = delete;
  TakeOver& operator=(const TakeOver&) = delete;
  ~TakeOver() {
    std::error_code ignored;
    if (is_ours() && file_.is_named(marker_)) fs::remove(marker_, ignored);
  }

  [[nodiscard]] bool is_ours() const { return file_.is_open(); }

 private:
  fs::path marker_;
  PosixFile file_;
};

// What a start has seen of a lock of which nothing is known but its beats.
class LockWatch {
 public:
  LockWatch(fs::path path, const LockEnvironment& environment) : path_(std::move(path)), environment_(environment) {}

  [[nodiscard]] bool has_begun() const { return begin_.has_value(); }
  /// Seconds since the first look.
  [[nodiscard]] double seconds() const { return has_begun() ? environment_.monotonic() - *begin_ : 0.0; }

  /// True if the lock is another than at the first look.
  [[nodiscard]] bool has_changed(const FoundLock& found) {
    if (has_begun()) return found.state != first_;
    begin_ = environment_.monotonic();
    first_ = found.state;
    return false;
  }

  /// Whether SLURM is to be asked (again).
  [[nodiscard]] bool asks_slurm() { return is_time(next_question_, question_interval); }

  /// Until the next look. Throws LockWaitStopped.
  void wait(const LockOwner& owner, std::chrono::seconds limit) {
    const std::string who = describe(owner, environment_);
    if (is_time(next_statement_, statement_interval)) {
      const std::string text = fmt::format(
          "waiting for {}: {}. It cannot be seen from here: its lock is taken over if no beat is added to it for "
          "another "
          "{:.0f} s, and this start ends if one is",
          path_.string(), who, std::max(0.0, static_cast<double>(limit.count()) - seconds()));
      environment_.say ? environment_.say(text) : show_warning(text);
    }
    for (auto waited = milliseconds(0); waited < RunLock::look_interval; waited += stop_interval) {
      if (environment_.stop_wanted())
        throw LockWaitStopped(fmt::format("while waiting for {}: {}", path_.string(), who));
      pause(stop_interval);
    }
  }

  void pause(milliseconds time) const {
    environment_.pause ? environment_.pause(time) : std::this_thread::sleep_for(time);
  }

 private:
  [[nodiscard]] bool is_time(std::optional<double>& next, double interval) const {
    const double now = environment_.monotonic();
    if (next && now < *next) return false;
    next = now + interval;
    return true;
  }

  fs::path path_;
  const LockEnvironment& environment_;
  std::optional<double> begin_;
  std::string first_;
  std::optional<double> next_question_;
  std::optional<double> next_statement_;
};

// Of all filters and clusters that the environment may set for squeue, none.
std::string ask_slurm(const std::string& command) {
  return command_output(
      "unset SLURM_CLUSTERS SQUEUE_ACCOUNT SQUEUE_CLUSTERS SQUEUE_LICENSES SQUEUE_NAMES SQUEUE_PARTITION SQUEUE_QOS "
      "SQUEUE_STATES SQUEUE_USERS; timeout 10 " +
      command);
}

// The value of "Key    = value" in what scontrol shows; empty if it is not there.
std::string shown_value(const std::string& text, const std::string& key) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string first;
    std::string sign;
    std::string value;
    if (words >> first >> sign >> value && first == key && sign == "=") return value;
  }
  return {};
}

bool slurm_answers_for(const ProcessIdentity& owner) {
  const std::string shown = ask_slurm("scontrol show config");
  std::string cluster = shown_value(shown, "ClusterName");
  if (cluster.empty()) cluster = this_process().slurm_cluster;
  if (cluster.empty() || file_name_part(cluster) != owner.slurm_cluster) return false;
  const bool hides_jobs = shown_value(shown, "PrivateData").find("jobs") != std::string::npos;
  return !hides_jobs || owner.user == static_cast<std::int64_t>(::geteuid());
}

}  // namespace

std::string LockOwner::name() const {
  if (process.host.empty()) return "a start whose lock does not name it";
  return fmt::format("process {} on {}{}", process.pid, process.host,
                     process.slurm_job.empty() ? "" : fmt::format(" (SLURM job {})", process.slurm_job));
}

bool slurm_job_is_gone(const ProcessIdentity& owner) {
  const std::string& job = owner.slurm_job;
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  if (job.empty() || !std::all_of(job.begin(), job.end(), is_digit) || !slurm_answers_for(owner)) return false;
  // A marker tells an empty answer from no answer.
  const std::string answer = ask_slurm(fmt::format("squeue --noheader --jobs={} --format=%T && echo answered", job));
  if (answer.find("Invalid job id") != std::string::npos) return true;
  if (answer.find("answered") == std::string::npos) return false;
  const std::array running = {"RUNNING", "COMPLETING", "SUSPENDED", "STOPPED", "SIGNALING", "RESIZING"};
  return std::none_of(running.begin(), running.end(),
                      [&](const char* state) { return answer.find(state) != std::string::npos; });
}

RunLock::RunLock(const fs::path& run, const Shard& shard, LockEnvironment environment)
    : run_(run), path_(run / (std::string(lock_prefix) + shard.name())), environment_(std::move(environment)) {
  owner_.process = environment_.self;
  acquire();
  if (environment_.beats_alone) start_thread();
}

RunLock::~RunLock() {
  if (thread_.joinable()) {
    {
      const std::lock_guard guard(mutex_);
      ending_ = true;
    }
    wake_.notify_one();
    thread_.join();
  }
  release();
}

void RunLock::release() noexcept {
  try {
    std::error_code ignored;
    if (is_ours()) fs::remove(path_, ignored);
  } catch (...) {  // NOLINT(bugprone-empty-catch): a lock that stays is one of a process that has ended
  }
}

void RunLock::acquire() {
  LockWatch watch(path_, environment_);
  for (int attempts = 0; attempts < most_attempts;) {
    const FoundLock found = find_lock(path_);
    if (!found.exists) {
      if (create()) return;
      ++attempts;
      continue;
    }
    const LockOwner owner = owner_of(found, environment_);
    const bool changed = watch.has_changed(found);
    Fate fate = fate_of(owner, environment_, watch.asks_slurm());
    const std::chrono::seconds limit = found.empty ? empty_after : std::chrono::seconds(stale_after);
    if (fate == Fate::works) refuse(owner, "");
    if (fate == Fate::unknown && changed) refuse(owner, " (its lock has just changed)");
    if (watch.seconds() >= static_cast<double>(limit.count())) fate = Fate::ended;
    if (fate == Fate::unknown) {
      watch.wait(owner, limit);
    } else if (take_over(found.state)) {
      return;
    } else {
      ++attempts;
      watch.pause(takeover_pause);
    }
  }
  throw FileError("create", path_, EEXIST);
}

void RunLock::refuse(const LockOwner& owner, const std::string& why) const {
  throw LockHeld(
      fmt::format("{} is being worked on by another start: {}{}. Wait for it, or end it with `touch {}`; if you know "
                  "that it has gone, "
                  "remove {}",
                  run_.string(), describe(owner, environment_), why, shell_word((run_ / "stop").string()),
                  shell_word(path_.string())));
}

// False if another start is at it, or has done it.
bool RunLock::take_over(const std::string& judged) {
  const fs::path marker = path_.string() + std::string(takeover_ending);
  owner_.since = owner_.heartbeat = environment_.clock();
  if (const TakeOver right(marker, owner_); right.is_ours()) {
    remove_judged(path_, judged);
    return create();
  }
  const FoundLock other = find_lock(marker);
  if (!other.exists) return false;
  LockWatch watch(marker, environment_);
  (void)watch.has_changed(other);
  while (fate_of(owner_of(other, environment_), environment_, /*ask_slurm=*/false) != Fate::ended &&
         watch.seconds() < static_cast<double>(empty_after.count())) {
    watch.pause(takeover_pause);
    if (watch.has_changed(find_lock(marker))) return false;
  }
  remove_judged(marker, other.state);
  return false;
}

// False if there is a lock.
bool RunLock::create() {
  owner_.since = owner_.heartbeat = environment_.clock();
  try {
    file_ = PosixFile::create_whole(path_, owner_text(owner_));
  } catch (const FileError& error) {
    if (error.code() != EEXIST) throw;
    return false;
  }
  last_beat_ = environment_.monotonic();
  return true;
}

bool RunLock::is_ours() const {
  if (!file_.is_open()) return false;
  if (file_.is_named(path_)) return true;
  struct stat there {};
  return ::stat(path_.c_str(), &there) != 0 && errno != ENOENT;  // a file system out of reach is not a lost lock
}

bool RunLock::beat() {
  const std::lock_guard guard(mutex_);
  return beat_if_due();
}

void RunLock::start_thread() {
  // Signals are for the thread that was there before: a new one starts with the mask of its maker.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { beat_alone(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void RunLock::beat_alone() {
  constexpr std::chrono::seconds interval{5};
  std::unique_lock guard(mutex_);
  while (!wake_.wait_for(guard, interval, [this] { return ending_; })) (void)beat_if_due();
}

bool RunLock::beat_if_due() {
  if (lost_) return false;
  const double now = environment_.monotonic();
  if (now - last_beat_ < static_cast<double>(beat_interval.count())) return true;
  if (!is_ours()) {
    lost_ = true;
    return false;
  }
  last_beat_ = now;
  owner_.heartbeat = environment_.clock();
  ++owner_.beats;
  try {
    file_.write_at(0, std::as_bytes(std::span<const char>(owner_text(owner_))));
    file_.sync_data();          // so that other hosts see it
  } catch (const FileError&) {  // NOLINT(bugprone-empty-catch)
    // Not worth ending a run: should the lock be taken over, the next beat tells.
  }
  return true;
}

std::vector<LockOwner> live_locks(const fs::path& run, const LockEnvironment& environment) {
  std::map<std::string, LockOwner> found;
  std::error_code ignored;
  for (fs::directory_iterator entry(run, ignored), end; !ignored && entry != end; entry.increment(ignored)) {
    const std::string name = entry->path().filename().string();
    std::error_code error;
    if (!name.starts_with(lock_prefix) || name.ends_with(takeover_ending) || !entry->is_regular_file(error)) continue;
    FoundLock lock;
    try {
      lock = find_lock(entry->path());
    } catch (const FileError&) {
      lock.exists = true;
    }
    if (!lock.exists) continue;
    const LockOwner owner = owner_of(lock, environment);
    if (fate_of(owner, environment, /*ask_slurm=*/true) != Fate::ended) found[name] = owner;
  }
  std::vector<LockOwner> owners;
  owners.reserve(found.size());
  for (const auto& [name, owner] : found) owners.push_back(owner);
  return owners;
}

}  // namespace diffphase
