#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "ensemble/gaussian_mixture.hpp"
#include "process/noising_process.hpp"
#include "theory/gaussian_field_averages.hpp"

namespace diffphase {

/// E tanh^2(1 + g): the rescaled agreement (phi - phi_inf)/(1 - phi_inf) of two equal classes where c = 1, at
/// which class agreement is said to cross.
inline constexpr double speciation_level = 0.5504004907933275;

/// phi(c), class agreement of two classes with centroids c apart from their midpoint in units of the noise,
/// c = (|mu_1 - mu_2|/2) a / sqrt(b^2 + a^2 sigma^2), the first of weight `weight` in (0, 1):
///   phi = w E sigmoid(L + 2 c^2 + 2 c g) + (1 - w) E sigmoid(-L + 2 c^2 + 2 c g),  L = log(w/(1 - w));
/// for w = 1/2: (1 + E tanh^2(c^2 + c g))/2.
[[nodiscard]] double two_class_agreement(double c, double weight = 0.5);
/// Mutual information of class and observation, nats; its derivative is 2 c (1 - phi(c)) for w = 1/2.
[[nodiscard]] double two_class_information(double c, double weight = 0.5);

/// Predictions for Gaussian mixtures: speciation and collapse as defined in Biroli, Bonnaire, de Bortoli,
/// Mezard, "Dynamical regimes of diffusion models" (2024), arXiv:2402.18491, evaluated at finite dimension,
/// class count and sample count. source() says for each what is theirs and what is derived here.
///
/// Times are on the clock of the process given. NaN means that no theory is known (classes of unequal sigma,
/// hierarchical centroids of unequal weight, and what is listed below) or that there is no such time: a
/// single class, or classes that overlap so much that the transition never comes. `log_samples` is log n, n
/// >= 1 (n may be beyond counting). Random centroids are taken as orthogonal of their mean norm, which they
/// are up to O(d^-1/2); in fewer than 64 dimensions, and for more than 4 d of them, that is no longer so and what
/// depends on it is NaN. Immutable, local.
class Biroli2024 {
 public:
  /// The parameters must be valid (MixtureParameters::problem()).
  explicit Biroli2024(const MixtureParameters& mixture);

  /// E sum_c p_c^2 at tau = b^2/a^2; 1 for one class.
  [[nodiscard]] double class_agreement(double tau) const;
  /// The same with p summed over the classes of each superclass; NaN but for hierarchical centroids.
  [[nodiscard]] double superclass_agreement(double tau) const;
  /// Mutual information of class and x_t, nats; 0 for one class.
  [[nodiscard]] double class_information(double tau) const;

  /// Where the rescaled agreement crosses speciation_level.
  [[nodiscard]] double speciation_time(const NoisingProcess& process) const;
  [[nodiscard]] double superclass_speciation_time(const NoisingProcess& process) const;

  /// Lambda a^2 = a^2 + b^2, Lambda the largest eigenvalue of the covariance of the ensemble, an infinite
  /// training set, in closed form (any sigma per class, hierarchical only with equal weights). Random
  /// centroids: equal weights only; two classes at the mean distance, more at the mean of the Tracy-Widom law
  /// of a Wishart matrix with K - 1 degrees of freedom; the asymptotic variant is the Marchenko-Pastur edge,
  /// and equals the other for other centroids. For training sets: SpikedCovariance.
  [[nodiscard]] double covariance_eigenvalue() const;
  [[nodiscard]] double speciation_time_spectral(const NoisingProcess& process) const;
  [[nodiscard]] double speciation_time_spectral_asymptotic(const NoisingProcess& process) const;

  /// Marginality of the weighted centre (transition/centre_instability.hpp). NaN for more than two random
  /// centroids, whose distances to the centre differ.
  [[nodiscard]] double drift_instability_time(const NoisingProcess& process) const;
  [[nodiscard]] double curvature_instability_time(const NoisingProcess& process) const;

  /// log n = (d/2) log(1 + sigma^2/tau) + I(class; x_t). NaN for n = 1 and sigma = 0.
  [[nodiscard]] double collapse_time(double log_samples, const NoisingProcess& process) const;
  /// The same without the class term: tau = sigma^2/(n^(2/d) - 1).
  [[nodiscard]] double collapse_time_asymptotic(double log_samples, const NoisingProcess& process) const;
  /// Expected distance of the E[Y] = 1/2 crossing from collapse_time, d_eff = d sigma^2/(sigma^2 + tau), and how far
  /// off both may be, where fewer than 100 samples make it more than the fit's own error; taken to the clock
  /// (theory/collapse_shift.hpp).
  [[nodiscard]] double collapse_time_shift(double log_samples, const NoisingProcess& process) const;
  [[nodiscard]] double collapse_time_tolerance(double log_samples, const NoisingProcess& process) const;
  /// Rounding of the collapse: width on log tau, 2/sqrt(d_eff) at collapse_time.
  [[nodiscard]] double collapse_window(double log_samples) const;

  /// Annealed finite-size curves over training points: with D normal of mean log(n - 1) - (d/2) log(1 +
  /// sigma^2/tau) - I(class; x_t) and variance d_eff, participation E[1/(1 + e^D)] and entropy E[log(1 +
  /// e^D)]/log n (NaN for n = 1). Good to 1e-3 well above the collapse, to accuracy_in_window inside its window, the
  /// better the more points and dimensions.
  static constexpr double accuracy_in_window = 0.15;
  [[nodiscard]] double participation(double log_samples, double tau) const;
  [[nodiscard]] double weight_entropy(double log_samples, double tau) const;

  /// The `source` attribute of a prediction, by the name of the function above.
  [[nodiscard]] std::string source(std::string_view prediction) const;

 private:
  enum class Law { none, single, equidistant, hierarchical };

  [[nodiscard]] double square_c(double tau) const;
  [[nodiscard]] FieldAverages averages(double square_c) const;
  [[nodiscard]] HierarchicalAverages two_levels(double square_c) const;
  [[nodiscard]] double centroid_eigenvalue() const;
  [[nodiscard]] double random_centroid_eigenvalue(bool asymptotic) const;
  [[nodiscard]] double centre_variance(double tau) const;
  [[nodiscard]] bool centre_known() const;
  [[nodiscard]] double collapse_tau(double log_samples) const;
  [[nodiscard]] double effective_dimension(double tau) const;
  [[nodiscard]] double log_odds(double log_samples, double tau) const;

  MixtureParameters mixture_;
  Law law_ = Law::none;
  double sigma_ = 0.0;  ///< of every class; NaN if they differ
  double mean_square_sigma_ = 0.0;
  double square_distance_ = 0.0;  ///< |mu_i - mu_j|^2/2 where all are equal; |mu_c|^2 for hierarchical centroids
  std::vector<WeightGroup> groups_;
};

}  // namespace diffphase
