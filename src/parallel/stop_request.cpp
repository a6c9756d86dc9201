#include "parallel/stop_request.hpp"

#include <fcntl.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <utility>

namespace diffphase {

namespace {

constexpr int exit_code_stopped = 75;
constexpr std::int64_t patience_ms = 10000;
constexpr unsigned patience_s = patience_ms / 1000;

struct HandledSignal {
  int number;
  const char* name;
};
constexpr std::array<HandledSignal, 6> handled{{{SIGUSR1, "SIGUSR1"},
                                                {SIGUSR2, "SIGUSR2"},
                                                {SIGXCPU, "SIGXCPU"},
                                                {SIGTERM, "SIGTERM"},
                                                {SIGINT, "SIGINT"},
                                                {SIGHUP, "SIGHUP"}}};

enum Phase : int { starting, at_work, over };

// Shared with the handler, hence lock-free and of static lifetime.
std::atomic<int> phase{starting};
std::atomic<int> first_signal{0};
std::atomic<std::int64_t> first_end_ms{0};  // of SIGINT and SIGTERM
std::atomic<bool> installed{false};
std::atomic<bool> noted_to_the_end{false};
static_assert(std::atomic<int>::is_always_lock_free && std::atomic<std::int64_t>::is_always_lock_free);

std::array<struct sigaction, handled.size()> previous_actions;

// Where a mark goes; written before the flag is set.
std::array<char, 4096> mark_path;
std::atomic<std::int64_t> mark_offset{-1};

// Only functions that POSIX allows in a handler.
std::int64_t now_ms() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1000 + now.tv_nsec / 1000000;
}

void leave_mark() {
  const std::int64_t offset = mark_offset.load();
  if (offset < 0) return;
  const int file = open(mark_path.data(), O_WRONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) return;
  const char mark = 1;
  static_cast<void>(!pwrite(file, &mark, 1, static_cast<off_t>(offset)));
  close(file);
}

[[noreturn]] void end_at_once(std::string_view text) {
  static_cast<void>(!write(STDERR_FILENO, text.data(), text.size()));
  _exit(exit_code_stopped);
}

void on_signal(int signal_number) {
  const int error = errno;
  leave_mark();
  int none = 0;
  first_signal.compare_exchange_strong(none, signal_number);
  if ((signal_number == SIGINT || signal_number == SIGTERM) && phase.load() != over) {
    std::int64_t first = 0;
    const std::int64_t now = now_ms();
    if (first_end_ms.compare_exchange_strong(first, now)) {
      if (phase.load() == starting) alarm(patience_s);
    } else if (now - first > patience_ms) {
      end_at_once("\ndiffphase: told to end again, ending at once\n");
    }
  }
  errno = error;
}

// A StopRequest takes the alarm back, so there is none.
void on_alarm(int /*signal*/) { end_at_once("\ndiffphase: told to end while MPI does not start, ending at once\n"); }

struct sigaction action_of(void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  return action;
}

// But for signals that whoever started the program wants ignored.
void install_handlers() {
  const struct sigaction action = action_of(on_signal);
  for (std::size_t i = 0; i < handled.size(); ++i) {
    sigaction(handled[i].number, nullptr, &previous_actions[i]);
    if (previous_actions[i].sa_handler != SIG_IGN) sigaction(handled[i].number, &action, nullptr);
  }
}

void restore_handlers() {
  for (std::size_t i = 0; i < handled.size(); ++i) sigaction(handled[i].number, &previous_actions[i], nullptr);
}

std::string signal_name(int signal_number) {
  const auto* found = std::ranges::find(handled, signal_number, &HandledSignal::number);
  return found == handled.end() ? std::to_string(signal_number) : found->name;
}

std::optional<std::filesystem::file_time_type> time_of(const std::filesystem::path& file) {
  std::error_code error;
  const auto time = std::filesystem::last_write_time(file, error);
  if (error) return std::nullopt;
  return time;
}

}  // namespace

void note_stop_signals() {
  if (noted_to_the_end.exchange(true)) return;
  phase.store(starting);
  first_signal.store(0);
  first_end_ms.store(0);
  install_handlers();
  const struct sigaction action = action_of(on_alarm);
  sigaction(SIGALRM, &action, nullptr);
}

void mark_stop_signals(const std::filesystem::path& file, std::int64_t offset) {
  const std::string& path = file.native();
  if (path.size() >= mark_path.size()) return;
  mark_offset.store(-1);
  std::memcpy(mark_path.data(), path.c_str(), path.size() + 1);
  mark_offset.store(offset);
}

StopRequest::StopRequest(Settings settings, Clock clock)
    : settings_(std::move(settings)), clock_(std::move(clock)), start_(clock_()), next_file_check_(start_) {
  if (installed.exchange(true)) throw std::logic_error("StopRequest: there is one already");
  watch(std::exchange(settings_.file, {}));
  if (!noted_to_the_end) {
    first_signal.store(0);
    first_end_ms.store(0);
  }
  phase.store(at_work);
  if (noted_to_the_end) {
    alarm(0);
    static_cast<void>(std::signal(SIGALRM, SIG_DFL));
  }
  install_handlers();
}

StopRequest::~StopRequest() {
  phase.store(over);
  if (!noted_to_the_end) restore_handlers();
  installed.store(false);
}

void StopRequest::watch(std::filesystem::path file) {
  const std::lock_guard lock(mutex_);
  settings_.file = std::move(file);
  old_file_.reset();
  if (!settings_.file.empty()) old_file_ = time_of(settings_.file);
}

void StopRequest::end_after(double seconds) {
  const std::lock_guard lock(mutex_);
  settings_.after_seconds = clock_() - start_ + seconds;
}

std::optional<double> StopRequest::seconds_left() const {
  const std::lock_guard lock(mutex_);
  if (!settings_.after_seconds) return std::nullopt;
  return start_ + *settings_.after_seconds - clock_();
}

std::string StopRequest::reason() const {
  const std::lock_guard lock(mutex_);
  return reason_;
}

bool StopRequest::wanted() {
  const std::lock_guard lock(mutex_);
  if (reason_.empty()) reason_ = look();
  return !reason_.empty();
}

std::string StopRequest::look() {
  if (const int signal_number = first_signal.load(); signal_number != 0) {
    return "signal " + signal_name(signal_number);
  }
  if (settings_.after_seconds && clock_() - start_ >= *settings_.after_seconds) return "time limit reached";
  if (!settings_.file.empty() && file_touched()) return "stop file " + settings_.file.string();
  return {};
}

bool StopRequest::file_touched() {
  const double now = clock_();
  if (now < next_file_check_) return false;
  next_file_check_ = now + 1.0;
  const auto time = time_of(settings_.file);
  // Removed: a file that comes later is new, even with an old time.
  if (!time) old_file_.reset();
  return time && time != old_file_;
}

}  // namespace diffphase
