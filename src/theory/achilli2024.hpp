#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "theory/random_energy_model.hpp"

namespace diffphase {

/// Where the empirical posterior is looked at, tau being the noise variance over the squared signal, y a training
/// point and e_k a unit vector in block k: y + sqrt(tau) xi, 0, or sqrt(tau) e_k.
enum class ProbeKind { planted, origin, displaced };

/// Memorisation of n points drawn from an anisotropic Gaussian, N(0, diag s): when the empirical posterior (weights
/// softmax(-|x - y_i|^2/(2 tau))) collapses and which directions are lost, after Achilli, Ventura, Silvestri,
/// Pham, Raya, Krotov, Lucibello, Ambrogioni, "Losing dimensions: geometric memorization in generative
/// diffusion", arXiv:2410.08727.
///
/// *Planted* probes, the typical states of the process, lose all blocks in one window, at the collapse
///   log n = (1/2) sum_k m_k log(1 + s_k/tau_C),  window on log tau 2/sqrt(d_eff),  d_eff = sum_k m_k s_k/(s_k + tau).
/// At a *fixed* x the weights are a random energy model with energies E = |y|^2/2 - x.y of cumulant function
///   Phi(b) = sum_k [-(m_k/2) log(1 + b s_k) + (1/2) b^2 |x_k|^2 s_k/(1 + b s_k)],
/// which freezes at temperature t_c(x) = 1/b with b Phi'(b) - Phi(b) = log n (exact large deviations), that is
///   log n = (1/2) sum_k [m_k (log(1 + s_k/t) - s_k/(t + s_k)) + |x_k|^2 s_k/(t + s_k)^2]  at t = t_c.
/// The paper's public code has Gaussian energies instead, the limit of small b (log n far below the number of
/// directions of large variance; else far off):
///   t_c(x) = sqrt(((1/2) sum_k m_k s_k^2 + sum_k |x_k|^2 s_k)/(2 log n)).
/// Both are given, and named.
///
/// The *retained fraction* of block k is R_k = E[(Cov_w)_kk]/(s_k tau/(s_k + tau)), 1 where no point counts
/// more than others:
///  - planted: 1 - E[Y], Y = sum w^2, the same for all blocks (exact where s_k is far below tau; within 0.1
///    elsewhere, as R_k is by (1 - h_k)/sqrt(2 pi d_eff) below what all blocks share);
///  - origin, displaced: in the frozen phase E[Y] = 1 - tau/t_c and the points that count have the variance s_k
///    t_c/(s_k + t_c), so that R_k = (s_k + tau)/(s_k + t_c). Blocks with s_k > t_c keep more than half at any
///    tau (on average over training sets); small s_k are lost as tau/t_c = 1 - E[Y]. That is the limit of large
///    log n; finite_... have E[Y] and R_k at finite n (random_energy_model.hpp), which for n = 1000 to 1e6 differ from
///    it by 0.1 around t_c.
///
/// `log_samples` is log n, n >= 1. Times are tau; NoisingProcess::time_at takes them to a clock. NaN where there is
/// no theory or no such time: n = 1, or blocks without variance. Immutable, local.
class Achilli2024 {
 public:
  /// Throws std::invalid_argument for a count < 1, a variance that is negative or not finite, log_samples
  /// negative or not finite.
  Achilli2024(std::vector<VarianceBlock> blocks, double log_samples);

  /// tau_C of planted probes.
  [[nodiscard]] double collapse_tau() const;
  /// d_eff at tau > 0, and 2/sqrt(d_eff(tau_C)).
  [[nodiscard]] double effective_dimension(double tau) const;
  [[nodiscard]] double collapse_window() const;
  /// Expected distance on log tau of the crossing E[Y] = 1/2 from tau_C (theory/collapse_shift.hpp).
  [[nodiscard]] double collapse_shift() const;
  /// The same of the crossing R_k = 1/2 of block k, and how far off it may be. Within the window of the collapse the
  /// block of the *smaller* variance is lost first, at log tau larger by 2 (h_1 - h_2)/d_eff, h = s/(s + tau_C), d_eff
  /// large: a distance that vanishes as the size grows, while the window is 2/sqrt(d_eff).
  [[nodiscard]] double loss_shift(std::size_t k) const;
  [[nodiscard]] double loss_tolerance() const;
  /// tau_C if there were no block but k: s_k/(n^(2/m_k) - 1).
  [[nodiscard]] double subspace_collapse_tau(std::size_t k) const;
  /// E[Y] of planted probes, annealed: E[1/(1 + e^D)], D normal of mean log(n - 1) - (1/2) sum_k m_k log(1 +
  /// s_k/tau) and variance d_eff(tau).
  [[nodiscard]] double planted_participation(double tau) const;

  /// t_c at x = 0, exact large deviations.
  [[nodiscard]] double origin_condensation_tau() const;
  /// t_c at x = sqrt(tau) e_k, and the tau that is its own t_c: the probe is frozen below.
  [[nodiscard]] double condensation_tau_at(std::size_t k, double tau) const;
  [[nodiscard]] double displaced_condensation_tau(std::size_t k) const;
  /// E[Y] = 1 - tau/t_c in the frozen phase, 0 above it; `along` is the block of a displaced probe. Planted: as
  /// planted_participation.
  [[nodiscard]] double participation(ProbeKind probe, double tau, std::size_t along = 0) const;

  /// The code's t_c at x = 0 and at x = sqrt(tau) e_k; `unit_norm`: all points have the same length, which drops
  /// the first term (t_c = 0 at the origin).
  [[nodiscard]] double code_origin_condensation_tau() const;
  [[nodiscard]] double code_condensation_tau_at(std::size_t k, double tau, bool unit_norm = false) const;
  /// The tau that is its own t_c in the code's formula; with unit_norm s_k/(2 log n), the larger variance first.
  [[nodiscard]] double code_displaced_condensation_tau(std::size_t k, bool unit_norm = false) const;

  /// R_k at tau > 0.
  [[nodiscard]] double retained_fraction(ProbeKind probe, std::size_t k, double tau, std::size_t along = 0) const;
  /// The largest tau at which R_k crosses 1/2; NaN if it never does. Displaced: along block k itself.
  [[nodiscard]] double loss_tau(ProbeKind probe, std::size_t k) const;
  /// The lowest R_k at any tau > 0, its infimum where that is a limit: 0 at planted probes, and s_k/(s_k + t_c) at the
  /// origin. Displaced: along block k itself. Where it is above 1/2 the block is never lost.
  [[nodiscard]] double lowest_retained_fraction(ProbeKind probe, std::size_t k) const;
  /// E[Y], R_k and its crossing of 1/2 at finite n. Planted: as above. The crossing is searched from 8 t_c down to
  /// t_c/16: NaN if there is none.
  [[nodiscard]] double finite_participation(ProbeKind probe, double tau, std::size_t along = 0) const;
  [[nodiscard]] double finite_retained_fraction(ProbeKind probe, std::size_t k, double tau,
                                                std::size_t along = 0) const;
  [[nodiscard]] double finite_loss_tau(ProbeKind probe, std::size_t k) const;
  /// The largest tau at which a direction of block k is resolved, N_kk < 1/2, by planted probes: s_k; NaN if the
  /// collapse comes before (s_k <= tau_C).
  [[nodiscard]] double opening_tau(std::size_t k) const;
  /// The number of directions with N_kk = 1 - R_k s_k/(s_k + tau) < 1/2 at tau > 0. NaN in the frozen phase of a fixed
  /// probe: the few points that carry the weights span fewer directions, whatever the mean N_kk.
  [[nodiscard]] double open_directions(ProbeKind probe, double tau, std::size_t along = 0) const;

  /// The `source` attribute of a prediction, by the name of the function above.
  [[nodiscard]] static std::string source(std::string_view prediction);

 private:
  [[nodiscard]] double planted_information(double tau) const;
  [[nodiscard]] double frozen_entropy(double tau) const;
  [[nodiscard]] FixedPointWeights finite_weights(ProbeKind probe, double tau, std::size_t along) const;

  std::vector<VarianceBlock> blocks_;
  double log_samples_;
};

}  // namespace diffphase
