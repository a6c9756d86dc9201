#include "theory/achilli2024.hpp"

#include <algorithm>
#include <boost/math/tools/toms748_solve.hpp>
#include <cmath>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <utility>

#include "theory/collapse_shift.hpp"
#include "theory/decreasing_root.hpp"
#include "theory/gaussian_field_averages.hpp"

namespace diffphase {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

/// log(1 + u) - u/(1 + u), u >= 0.
double frozen_term(double u) {
  if (u > 0.01) return std::log1p(u) - 1.0 / (1.0 + 1.0 / u);
  // sum_(j >= 2) (-1)^j u^j (j - 1)/j
  double sum = 0.0;
  for (int j = 9; j >= 2; --j) sum = (j % 2 == 0 ? 1.0 : -1.0) * (j - 1.0) / j + u * sum;
  return u * u * sum;
}

/// log(n - 1) from log n >= 0; -infinity for n = 1.
double log_others(double log_samples) { return log_samples + std::log1p(-std::exp(-log_samples)); }

double largest_variance(const std::vector<VarianceBlock>& blocks) {
  double largest = 0.0;
  for (const VarianceBlock& b : blocks) largest = std::max(largest, b.variance);
  return largest;
}

}  // namespace

Achilli2024::Achilli2024(std::vector<VarianceBlock> blocks, double log_samples)
    : blocks_(std::move(blocks)), log_samples_(log_samples) {
  for (const VarianceBlock& block : blocks_) {
    if (block.count < 1 || !(block.variance >= 0.0) || std::isinf(block.variance)) {
      throw std::invalid_argument("a block needs count >= 1 and a finite variance >= 0");
    }
  }
  if (!(log_samples >= 0.0) || std::isinf(log_samples)) throw std::invalid_argument("log n is finite and not negative");
}

double Achilli2024::planted_information(double tau) const {
  double sum = 0.0;
  for (const VarianceBlock& b : blocks_) sum += 0.5 * static_cast<double>(b.count) * std::log1p(b.variance / tau);
  return sum;
}

double Achilli2024::frozen_entropy(double tau) const {
  double sum = 0.0;
  for (const VarianceBlock& b : blocks_) sum += 0.5 * static_cast<double>(b.count) * frozen_term(b.variance / tau);
  return sum;
}

double Achilli2024::collapse_tau() const {
  if (log_samples_ == 0.0) return nan;
  return decreasing_root([this](double tau) { return planted_information(tau) - log_samples_; },
                         largest_variance(blocks_));
}

double Achilli2024::effective_dimension(double tau) const {
  double sum = 0.0;
  for (const VarianceBlock& b : blocks_) sum += static_cast<double>(b.count) * b.variance / (b.variance + tau);
  return sum;
}

double Achilli2024::collapse_window() const { return 2.0 / std::sqrt(effective_dimension(collapse_tau())); }

double Achilli2024::collapse_shift() const { return collapse_shift_of_log_tau(effective_dimension(collapse_tau())); }

double Achilli2024::loss_shift(std::size_t k) const {
  const double tau = collapse_tau();
  const double directions = effective_dimension(tau);
  const double s = blocks_.at(k).variance;
  return collapse_shift() - loss_shift_slope(directions) * (s / (s + tau)) / directions;
}

double Achilli2024::loss_tolerance() const {
  return loss_tolerance_of_log_tau(std::exp(log_samples_), effective_dimension(collapse_tau()));
}

double Achilli2024::subspace_collapse_tau(std::size_t k) const {
  const VarianceBlock& b = blocks_.at(k);
  if (log_samples_ == 0.0 || b.variance == 0.0) return nan;
  return b.variance / std::expm1(2.0 * log_samples_ / static_cast<double>(b.count));
}

double Achilli2024::planted_participation(double tau) const {
  if (!(tau > 0.0)) return nan;
  if (log_samples_ == 0.0) return 1.0;
  return mean_sigmoid(planted_information(tau) - log_others(log_samples_), std::sqrt(effective_dimension(tau)));
}

double Achilli2024::origin_condensation_tau() const {
  if (log_samples_ == 0.0) return nan;
  return decreasing_root([this](double tau) { return frozen_entropy(tau) - log_samples_; }, largest_variance(blocks_));
}

double Achilli2024::condensation_tau_at(std::size_t k, double tau) const {
  const double s = blocks_.at(k).variance;
  if (log_samples_ == 0.0 || !(tau >= 0.0) || std::isinf(tau)) return nan;
  return decreasing_root(
      [&](double t) { return frozen_entropy(t) + 0.5 * (tau / (t + s)) * (s / (t + s)) - log_samples_; },
      largest_variance(blocks_));
}

double Achilli2024::displaced_condensation_tau(std::size_t k) const {
  const double s = blocks_.at(k).variance;
  if (log_samples_ == 0.0) return nan;
  return decreasing_root(
      [&](double t) { return frozen_entropy(t) + 0.5 * (t / (t + s)) * (s / (t + s)) - log_samples_; },
      largest_variance(blocks_));
}

double Achilli2024::participation(ProbeKind probe, double tau, std::size_t along) const {
  if (probe == ProbeKind::planted) return planted_participation(tau);
  if (!(tau > 0.0)) return nan;
  const double frozen = probe == ProbeKind::origin ? origin_condensation_tau() : condensation_tau_at(along, tau);
  return tau < frozen ? 1.0 - tau / frozen : 0.0 * frozen;
}

double Achilli2024::code_origin_condensation_tau() const {
  double sum = 0.0;
  for (const VarianceBlock& b : blocks_) sum += static_cast<double>(b.count) * b.variance * b.variance;
  return log_samples_ == 0.0 ? nan : std::sqrt(0.25 * sum / log_samples_);
}

double Achilli2024::code_condensation_tau_at(std::size_t k, double tau, bool unit_norm) const {
  if (log_samples_ == 0.0 || !(tau >= 0.0)) return nan;
  const double length = unit_norm ? 0.0 : code_origin_condensation_tau();
  return std::sqrt(length * length + 0.5 * tau * blocks_.at(k).variance / log_samples_);
}

// t^2 = t_0^2 + t s/(2 log n).
double Achilli2024::code_displaced_condensation_tau(std::size_t k, bool unit_norm) const {
  if (log_samples_ == 0.0) return nan;
  const double half = 0.25 * blocks_.at(k).variance / log_samples_;
  return half + std::hypot(half, unit_norm ? 0.0 : code_origin_condensation_tau());
}

double Achilli2024::retained_fraction(ProbeKind probe, std::size_t k, double tau, std::size_t along) const {
  const double s = blocks_.at(k).variance;
  if (!(tau > 0.0) || s == 0.0) return nan;
  if (probe == ProbeKind::planted) return 1.0 - planted_participation(tau);
  if (log_samples_ == 0.0) return 0.0;
  const double frozen = probe == ProbeKind::origin ? origin_condensation_tau() : condensation_tau_at(along, tau);
  return (s + tau) / (s + std::max(frozen, tau));
}

// Frozen: 2 tau = t_c - s, which for displaced probes depends on tau: x moves with it.
double Achilli2024::loss_tau(ProbeKind probe, std::size_t k) const {
  const double s = blocks_.at(k).variance;
  if (s == 0.0 || log_samples_ == 0.0) return nan;
  if (probe == ProbeKind::planted) {
    const double others = log_others(log_samples_);
    if (!(others > 0.0)) return nan;
    return decreasing_root([&](double tau) { return planted_information(tau) - others; }, largest_variance(blocks_));
  }
  if (probe == ProbeKind::origin) {
    const double loss = 0.5 * (origin_condensation_tau() - s);
    return loss > 0.0 ? loss : nan;
  }
  const auto entropy_left = [&](double tau) {
    const double t = 2.0 * tau + s;  // t_c there
    return frozen_entropy(t) + 0.5 * (tau / (t + s)) * (s / (t + s)) - log_samples_;
  };
  return decreasing_root(entropy_left, largest_variance(blocks_));
}

double Achilli2024::lowest_retained_fraction(ProbeKind probe, std::size_t k) const {
  const double s = blocks_.at(k).variance;
  if (s == 0.0) return nan;
  if (probe == ProbeKind::planted || log_samples_ == 0.0) return 0.0;
  const double at_origin = origin_condensation_tau();  // of displaced probes as tau goes to 0
  double lowest = s / (s + at_origin);
  if (probe == ProbeKind::origin) return lowest;
  constexpr int steps = 64;
  const double last = displaced_condensation_tau(k);
  for (int i = 1; i <= steps; ++i) {
    lowest = std::fmin(lowest, retained_fraction(ProbeKind::displaced, k, last * i / steps, k));
  }
  return lowest;
}

FixedPointWeights Achilli2024::finite_weights(ProbeKind probe, double tau, std::size_t along) const {
  if (probe == ProbeKind::origin) return fixed_point_weights(blocks_, log_samples_, tau);
  return fixed_point_weights(blocks_, log_samples_, tau, along, tau);
}

double Achilli2024::finite_participation(ProbeKind probe, double tau, std::size_t along) const {
  if (probe == ProbeKind::planted) return planted_participation(tau);
  if (!(tau > 0.0) || std::isinf(tau) || largest_variance(blocks_) == 0.0) return nan;
  return log_samples_ == 0.0 ? 1.0 : finite_weights(probe, tau, along).participation;
}

double Achilli2024::finite_retained_fraction(ProbeKind probe, std::size_t k, double tau, std::size_t along) const {
  const double s = blocks_.at(k).variance;
  if (probe == ProbeKind::planted || !(tau > 0.0) || std::isinf(tau) || s == 0.0 || log_samples_ == 0.0) {
    return retained_fraction(probe, k, tau, along);
  }
  return finite_weights(probe, tau, along).covariance[k] * (1.0 / s + 1.0 / tau);
}

double Achilli2024::finite_loss_tau(ProbeKind probe, std::size_t k) const {
  if (probe == ProbeKind::planted) return loss_tau(probe, k);
  const double frozen = origin_condensation_tau();
  if (blocks_.at(k).variance == 0.0 || std::isnan(frozen)) return nan;
  const auto lost = [&](double log_tau) { return 0.5 - finite_retained_fraction(probe, k, std::exp(log_tau), k); };
  double high = std::log(8.0 * frozen);
  double lost_high = lost(high);
  const double end = std::log(frozen / 16.0);
  double step = 0.5;
  constexpr double shortest = 0.01;
  while (lost_high < 0.0 && high > end) {
    const double low = std::max(high - step, end);
    const double lost_low = lost(low);
    if (std::isnan(lost_low) && step > shortest) {  // fractions are not known far below the crossing
      step *= 0.5;
      continue;
    }
    if (lost_low >= 0.0) {
      std::uintmax_t iterations = 50;
      const auto bracket = boost::math::tools::toms748_solve(lost, low, high, lost_low, lost_high,
                                                             boost::math::tools::eps_tolerance<double>(20), iterations);
      return std::exp(0.5 * (bracket.first + bracket.second));
    }
    high = low;
    lost_high = lost_low;
  }
  return nan;
}

double Achilli2024::opening_tau(std::size_t k) const {
  const double s = blocks_.at(k).variance;
  return s > collapse_tau() ? s : nan;
}

double Achilli2024::open_directions(ProbeKind probe, double tau, std::size_t along) const {
  const double lost = participation(probe, tau, along);
  if (std::isnan(lost) || (probe != ProbeKind::planted && lost > 0.0)) return nan;
  double open = 0.0;
  for (const VarianceBlock& b : blocks_) {
    if ((1.0 - lost) * b.variance / (b.variance + tau) > 0.5) open += static_cast<double>(b.count);
  }
  return open;
}

std::string Achilli2024::source(std::string_view prediction) {
  if (prediction.substr(0, 5) == "code_") {
    return "Achilli et al. 2024 (arXiv:2410.08727), formula of the public code: random energy model with Gaussian "
           "energies";
  }
  if (prediction == "origin_condensation_tau" || prediction == "condensation_tau_at" ||
      prediction == "displaced_condensation_tau" || prediction == "participation") {
    return "condensation of Achilli et al. 2024 (arXiv:2410.08727), exact large deviations of the energies, diffphase "
           "derivation";
  }
  if (prediction == "open_directions") {
    return "directions of variance above tau: planted probes lose all with the collapse (Biroli et al. 2024, "
           "arXiv:2402.18491), fixed probes have them above their condensation, diffphase derivation";
  }
  if (prediction == "collapse_shift") return "diffphase: empirical fit to the crossing E[Y] = 1/2";
  if (prediction == "loss_shift") {
    return "diffphase derivation: R_k is lower by (1 - h_k)/sqrt(2 pi d_eff), h_k = s_k/(s_k + tau_C); corrections "
           "of finite size are fits";
  }
  if (prediction == "retained_fraction" || prediction == "loss_tau" || prediction == "lowest_retained_fraction") {
    return "retained fraction: planted probes 1 - E[Y], fixed probes (s + tau)/(s + t_c) of the frozen random energy "
           "model, diffphase derivation";
  }
  if (prediction.substr(0, 7) == "finite_") {
    return "random energy model of Achilli et al. 2024 (arXiv:2410.08727) at finite n by saddle points, diffphase "
           "derivation";
  }
  return "collapse of anisotropic Gaussian data, criterion of Biroli et al. 2024 (arXiv:2402.18491), diffphase "
         "derivation";
}

}  // namespace diffphase
