#include "parallel/stop_request.hpp"

#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <utility>

namespace diffphase {

namespace {

constexpr int exit_code_stopped = 75;
constexpr std::int64_t same_signal_ms = 200;
constexpr std::array<int, 3> handled{SIGUSR1, SIGTERM, SIGINT};

// Shared with the handler, hence lock-free and of static lifetime.
std::atomic<int> first_signal{0};
std::atomic<std::int64_t> first_signal_ms{0};
std::atomic<bool> installed{false};
static_assert(std::atomic<int>::is_always_lock_free && std::atomic<std::int64_t>::is_always_lock_free);

std::array<struct sigaction, handled.size()> previous_actions;

// Only functions that POSIX allows in a handler.
std::int64_t now_ms() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1000 + now.tv_nsec / 1000000;
}

void on_signal(int signal_number) {
  int none = 0;
  if (first_signal.load() == 0) {
    first_signal_ms.store(now_ms());
    if (first_signal.compare_exchange_strong(none, signal_number)) return;
  }
  if (now_ms() - first_signal_ms.load() < same_signal_ms) return;
  constexpr std::string_view text = "\ndiffphase: second signal, ending at once\n";
  static_cast<void>(!write(STDERR_FILENO, text.data(), text.size()));
  _exit(exit_code_stopped);
}

sigset_t handled_set() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal_number : handled) sigaddset(&set, signal_number);
  return set;
}

void install_handlers() {
  if (installed.exchange(true)) throw std::logic_error("StopRequest: there is one already");
  first_signal.store(0);
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  for (std::size_t i = 0; i < handled.size(); ++i) sigaction(handled[i], &action, &previous_actions[i]);
}

void restore_handlers() {
  for (std::size_t i = 0; i < handled.size(); ++i) sigaction(handled[i], &previous_actions[i], nullptr);
  installed.store(false);
}

std::string signal_name(int signal_number) {
  switch (signal_number) {
    case SIGUSR1:
      return "SIGUSR1";
    case SIGTERM:
      return "SIGTERM";
    default:
      return "SIGINT";
  }
}

std::optional<std::filesystem::file_time_type> time_of(const std::filesystem::path& file) {
  std::error_code error;
  const auto time = std::filesystem::last_write_time(file, error);
  if (error) return std::nullopt;
  return time;
}

}  // namespace

void hold_stop_signals() {
  const sigset_t signals = handled_set();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

StopRequest::StopRequest(Settings settings, Clock clock)
    : settings_(std::move(settings)), clock_(std::move(clock)), start_(clock_()), next_file_check_(start_) {
  watch(std::exchange(settings_.file, {}));
  install_handlers();
  const sigset_t signals = handled_set();
  pthread_sigmask(SIG_UNBLOCK, &signals, &previous_mask_);
}

StopRequest::~StopRequest() {
  pthread_sigmask(SIG_SETMASK, &previous_mask_, nullptr);
  restore_handlers();
}

void StopRequest::watch(std::filesystem::path file) {
  settings_.file = std::move(file);
  old_file_.reset();
  if (!settings_.file.empty()) old_file_ = time_of(settings_.file);
}

std::optional<double> StopRequest::seconds_left() const {
  if (!settings_.after_seconds) return std::nullopt;
  return start_ + *settings_.after_seconds - clock_();
}

bool StopRequest::wanted() {
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
