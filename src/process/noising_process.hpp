#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace diffphase {

enum class ProcessKind { ornstein_uhlenbeck, variance_exploding, flow_matching, ddpm_linear };

/// A linear Gaussian noising process x_t = a(t) x_0 + b(t) xi, xi ~ N(0, I), on its own clock t.
///
///   ornstein-uhlenbeck  a = e^-t, b^2 = 1 - e^-2t,  t >= 0
///   variance-exploding  a = 1, b^2 = t,             t >= 0 (t is the variance)
///   flow-matching       a = 1 - t, b = t,           0 <= t < 1
///   ddpm-linear         clock: the step s in [0, 1000] of beta_s = 1e-4 .. 2e-2 (linear in s = 1..1000);
///                       s is mapped to the Ornstein-Uhlenbeck time -1/2 log alphabar(s), linear in log
///                       alphabar between steps, and a, b are those of ornstein-uhlenbeck there
///
/// Everything that depends on the posterior of x_0 depends on t only through tau = b^2/a^2 (the noise
/// variance in units of the signal); a process is its own clock for tau. tau increases with t. Immutable,
/// local.
class NoisingProcess {
 public:
  explicit NoisingProcess(ProcessKind kind = ProcessKind::ornstein_uhlenbeck) : kind_(kind) {}

  /// The names above, in that order.
  static const std::vector<std::string>& names();
  /// Throws std::invalid_argument for a name that is not in names().
  static NoisingProcess named(std::string_view name);

  [[nodiscard]] ProcessKind kind() const { return kind_; }
  [[nodiscard]] const std::string& name() const;
  /// "1" or "step": the `units` attribute of times on this clock.
  [[nodiscard]] std::string_view time_units() const;
  /// Times t with 0 < t <= max_time() are valid, infinity where the clock has no end. For flow-matching t
  /// < 1.
  [[nodiscard]] double max_time() const;
  [[nodiscard]] bool contains(double time) const;

  [[nodiscard]] double signal(double time) const;  ///< a(t)
  [[nodiscard]] double noise(double time) const;   ///< b(t)
  /// tau = b^2/a^2, accurate also for t -> 0 (expm1), in (0, inf).
  [[nodiscard]] double noise_to_signal(double time) const;
  [[nodiscard]] double log_snr(double time) const;  ///< log(a^2/b^2) = -log tau

  /// The time at which b^2/a^2 = tau; NaN for tau < 0, NaN or beyond the end of the clock. Inverse of
  /// noise_to_signal.
  [[nodiscard]] double time_at(double tau) const;
  [[nodiscard]] double time_at_log_snr(double log_snr) const;

 private:
  ProcessKind kind_;
};

/// The time on `to`'s clock with the same b^2/a^2 as `time` on `from`'s clock; NaN where `to` has no such
/// time.
[[nodiscard]] double convert_time(double time, const NoisingProcess& from, const NoisingProcess& to);

}  // namespace diffphase
