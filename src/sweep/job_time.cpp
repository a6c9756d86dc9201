#include "sweep/job_time.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <thread>
#include <vector>

#include "files/bad_input.hpp"
#include "files/process_identity.hpp"

namespace diffphase {

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double longest_margin = 120.0;
constexpr double margin_share = 0.1;
constexpr int most_questions = 3;
constexpr double question_pause = 5.0;

std::string trimmed(const std::string& text) {
  constexpr const char* space = " \t\r\n";
  const std::size_t first = text.find_first_not_of(space);
  if (first == std::string::npos) return {};
  return text.substr(first, text.find_last_not_of(space) - first + 1);
}

// A whole number that is not absurd.
std::optional<double> digits(const std::string& text) {
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  if (text.empty() || text.size() > 12 || !std::ranges::all_of(text, is_digit)) return std::nullopt;
  return std::stod(text);
}

// The numbers between colons.
std::optional<std::vector<double>> clock_parts(const std::string& text) {
  std::vector<double> parts;
  std::size_t at = 0;
  while (true) {
    const std::size_t end = std::min(text.find(':', at), text.size());
    const auto part = digits(text.substr(at, end - at));
    if (!part) return std::nullopt;
    parts.push_back(*part);
    if (end == text.size()) return parts;
    at = end + 1;
  }
}

// An element of an array by its place in the array: the number alone of one of them means all.
std::string job_name(const JobEnvironment& environment) {
  const std::string array = environment.variable("SLURM_ARRAY_JOB_ID");
  const std::string element = environment.variable("SLURM_ARRAY_TASK_ID");
  if (!array.empty() && !element.empty()) return array + "_" + element;
  return environment.variable("SLURM_JOB_ID");
}

std::optional<double> seconds_by_squeue(const JobEnvironment& environment) {
  const std::string job = file_name_part(job_name(environment));
  const std::string command = fmt::format("timeout 10 squeue --noheader --jobs={} --format=%L", job);
  for (int question = 0; question < most_questions; ++question) {
    if (question > 0) environment.pause(question_pause);
    if (const auto seconds = slurm_seconds(trimmed(environment.output(command)))) return seconds;
  }
  return std::nullopt;
}

}  // namespace

std::optional<double> slurm_seconds(const std::string& text) {
  const std::string duration = trimmed(text);
  if (duration == "UNLIMITED") return infinity;
  const std::size_t dash = duration.find('-');
  const bool has_days = dash != std::string::npos;
  const auto days = has_days ? digits(duration.substr(0, dash)) : 0.0;
  const auto parts = clock_parts(has_days ? duration.substr(dash + 1) : duration);
  if (!days || !parts || parts->size() > 3) return std::nullopt;
  // The first part is hours after days; before seconds, of two, it is minutes.
  std::array<double, 3> clock{};
  const std::size_t first = has_days || parts->size() == 3 ? 0 : 1;
  std::ranges::copy(*parts, clock.begin() + static_cast<std::ptrdiff_t>(first));
  return 86400.0 * *days + 3600.0 * clock[0] + 60.0 * clock[1] + clock[2];
}

JobEnvironment this_job() {
  JobEnvironment environment;
  environment.variable = [](const std::string& name) {
    const char* value = std::getenv(name.c_str());
    return std::string(value == nullptr ? "" : value);
  };
  environment.pause = [](double seconds) { std::this_thread::sleep_for(std::chrono::duration<double>(seconds)); };
  return environment;
}

std::optional<double> job_seconds_left(const JobEnvironment& environment) {
  if (environment.variable("SLURM_JOB_ID").empty()) {
    throw BadInput(
        "--stop-after auto: this is no SLURM job (SLURM_JOB_ID is not set); give a time, as --stop-after 55m");
  }
  if (const auto end = digits(environment.variable("SLURM_JOB_END_TIME"))) {
    return std::max(0.0, *end - unix_seconds(environment.clock()));
  }
  return seconds_by_squeue(environment);
}

double stop_before_end(double seconds_left) {
  return seconds_left - std::min(longest_margin, margin_share * seconds_left);
}

}  // namespace diffphase
