#include "process/noising_process.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <stdexcept>

namespace diffphase {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr int ddpm_steps = 1000;
constexpr double ddpm_first_beta = 1e-4;
constexpr double ddpm_last_beta = 2e-2;

/// Ornstein-Uhlenbeck times -1/2 log alphabar of the steps 0 .. 1000 (alphabar(0) = 1).
const std::array<double, ddpm_steps + 1>& ddpm_clock() {
  static const auto clock = [] {
    std::array<double, ddpm_steps + 1> times{};
    for (int s = 1; s <= ddpm_steps; ++s) {
      const double beta =
          ddpm_first_beta + (ddpm_last_beta - ddpm_first_beta) * (s - 1) / static_cast<double>(ddpm_steps - 1);
      times[s] = times[s - 1] - 0.5 * std::log1p(-beta);
    }
    return times;
  }();
  return clock;
}

/// Ornstein-Uhlenbeck time of a (fractional) step in [0, 1000].
double ddpm_to_ou(double step) {
  const auto& clock = ddpm_clock();
  const int below = std::clamp(static_cast<int>(step), 0, ddpm_steps - 1);
  return clock[below] + (step - below) * (clock[below + 1] - clock[below]);
}

/// Inverse of ddpm_to_ou; NaN beyond the last step (rounding at the last step itself is forgiven).
double ou_to_ddpm(double time) {
  const auto& clock = ddpm_clock();
  if (time > clock.back()) return time <= clock.back() * (1.0 + 1e-12) ? ddpm_steps : nan;
  const auto above = std::upper_bound(clock.begin() + 1, clock.end() - 1, time) - clock.begin();
  return static_cast<double>(above - 1) + (time - clock[above - 1]) / (clock[above] - clock[above - 1]);
}

double ou_log_snr(double time) { return -2.0 * time - std::log(-std::expm1(-2.0 * time)); }

/// 1/2 log(1 + e^-log_snr) without overflow.
double ou_time_at(double log_snr) {
  return log_snr > 0.0 ? 0.5 * std::log1p(std::exp(-log_snr)) : 0.5 * (-log_snr + std::log1p(std::exp(log_snr)));
}

}  // namespace

const std::vector<std::string>& NoisingProcess::names() {
  static const std::vector<std::string> all{"ornstein-uhlenbeck", "variance-exploding", "flow-matching", "ddpm-linear"};
  return all;
}

NoisingProcess NoisingProcess::named(std::string_view name) {
  const auto found = std::find(names().begin(), names().end(), name);
  if (found == names().end()) throw std::invalid_argument("no noising process is called " + std::string(name));
  return NoisingProcess(static_cast<ProcessKind>(found - names().begin()));
}

const std::string& NoisingProcess::name() const { return names()[static_cast<std::size_t>(kind_)]; }

std::string_view NoisingProcess::time_units() const { return kind_ == ProcessKind::ddpm_linear ? "step" : "1"; }

double NoisingProcess::max_time() const {
  switch (kind_) {
    case ProcessKind::flow_matching:
      return 1.0;
    case ProcessKind::ddpm_linear:
      return ddpm_steps;
    default:
      return std::numeric_limits<double>::infinity();
  }
}

bool NoisingProcess::contains(double time) const {
  if (!std::isfinite(time) || time <= 0.0) return false;
  return kind_ == ProcessKind::flow_matching ? time < 1.0 : time <= max_time();
}

double NoisingProcess::signal(double time) const {
  switch (kind_) {
    case ProcessKind::variance_exploding:
      return 1.0;
    case ProcessKind::flow_matching:
      return 1.0 - time;
    case ProcessKind::ddpm_linear:
      return std::exp(-ddpm_to_ou(time));
    default:
      return std::exp(-time);
  }
}

double NoisingProcess::noise(double time) const {
  switch (kind_) {
    case ProcessKind::variance_exploding:
      return std::sqrt(time);
    case ProcessKind::flow_matching:
      return time;
    case ProcessKind::ddpm_linear:
      return std::sqrt(-std::expm1(-2.0 * ddpm_to_ou(time)));
    default:
      return std::sqrt(-std::expm1(-2.0 * time));
  }
}

double NoisingProcess::noise_to_signal(double time) const {
  switch (kind_) {
    case ProcessKind::variance_exploding:
      return time;
    case ProcessKind::flow_matching: {
      const double ratio = time / (1.0 - time);
      return ratio * ratio;
    }
    case ProcessKind::ddpm_linear:
      return std::expm1(2.0 * ddpm_to_ou(time));
    default:
      return std::expm1(2.0 * time);
  }
}

double NoisingProcess::log_snr(double time) const {
  switch (kind_) {
    case ProcessKind::variance_exploding:
      return -std::log(time);
    case ProcessKind::flow_matching:
      return 2.0 * (std::log1p(-time) - std::log(time));
    case ProcessKind::ddpm_linear:
      return ou_log_snr(ddpm_to_ou(time));
    default:
      return ou_log_snr(time);
  }
}

double NoisingProcess::time_at(double tau) const {
  if (!(tau >= 0.0) || std::isinf(tau)) return nan;
  switch (kind_) {
    case ProcessKind::variance_exploding:
      return tau;
    case ProcessKind::flow_matching: {
      const double time = std::sqrt(tau) / (1.0 + std::sqrt(tau));
      return time < 1.0 ? time : nan;
    }
    case ProcessKind::ddpm_linear:
      return ou_to_ddpm(0.5 * std::log1p(tau));
    default:
      return 0.5 * std::log1p(tau);
  }
}

double NoisingProcess::time_at_log_snr(double log_snr) const {
  if (std::isnan(log_snr)) return nan;
  switch (kind_) {
    case ProcessKind::ornstein_uhlenbeck:
      return std::isinf(log_snr) ? time_at(std::exp(-log_snr)) : ou_time_at(log_snr);
    case ProcessKind::ddpm_linear:
      return ou_to_ddpm(ou_time_at(log_snr));
    default:
      return time_at(std::exp(-log_snr));
  }
}

double convert_time(double time, const NoisingProcess& from, const NoisingProcess& to) {
  if (std::isnan(time)) return time;
  if (from.kind() == to.kind()) return time;
  return to.time_at_log_snr(from.log_snr(time));
}

}  // namespace diffphase
