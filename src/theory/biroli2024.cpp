#include "theory/biroli2024.hpp"

#include <algorithm>
#include <boost/math/tools/toms748_solve.hpp>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <numeric>

#include "theory/collapse_shift.hpp"
#include "transition/centre_instability.hpp"

namespace diffphase {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

/// Mean of the Tracy-Widom law for real matrices.
constexpr double tracy_widom_mean = -1.2065335745820;

/// Root of a function that changes sign once, between -infinity and infinity, from `start` on; NaN if no sign
/// change is found within 60 doublings of the step.
double expanding_root(const std::function<double(double)>& f, double start, bool rising) {
  double low = start;
  double f_low = f(low);
  if (f_low == 0.0) return low;
  const double direction = (f_low < 0.0) == rising ? 1.0 : -1.0;
  double step = 0.5;
  for (int k = 0; k < 60; ++k, step *= 1.5) {
    const double high = low + direction * step;
    const double f_high = f(high);
    if (f_high == 0.0) return high;
    if ((f_high > 0.0) != (f_low > 0.0)) {
      std::uintmax_t iterations = 200;
      const auto tolerance = boost::math::tools::eps_tolerance<double>(50);
      const auto bracket = direction > 0.0
                               ? boost::math::tools::toms748_solve(f, low, high, f_low, f_high, tolerance, iterations)
                               : boost::math::tools::toms748_solve(f, high, low, f_high, f_low, tolerance, iterations);
      return 0.5 * (bracket.first + bracket.second);
    }
    low = high;
    f_low = f_high;
  }
  return nan;
}

/// c^2 at which an agreement that falls to `lowest` at c = 0 crosses the speciation level after rescaling.
double critical_square_c(const std::function<double(double)>& agreement, double lowest) {
  const auto excess = [&](double log_square_c) {
    return (agreement(std::exp(log_square_c)) - lowest) / (1.0 - lowest) - speciation_level;
  };
  return std::exp(expanding_root(excess, 1.0, true));
}

/// The time of a ratio b^2/a^2; NaN unless that is positive.
double time_at_positive(const NoisingProcess& process, double tau) { return tau > 0.0 ? process.time_at(tau) : nan; }

/// Random centroids are nearly orthogonal and of equal norm in this range only.
bool orthogonal_enough(const MixtureParameters& m) {
  return m.centroids != CentroidKind::random || (m.dimension >= 64 && m.classes <= 4 * m.dimension);
}

/// The shared sigma, NaN if there is none.
double common_sigma(const MixtureParameters& m) {
  if (m.class_sigma.empty()) return m.sigma;
  const auto [low, high] = std::minmax_element(m.class_sigma.begin(), m.class_sigma.end());
  return *low == *high ? *low : nan;
}

/// sum_c w_c sigma_c^2.
double average_square_sigma(const MixtureParameters& m) {
  if (m.class_sigma.empty()) return m.sigma * m.sigma;
  double sum = 0.0;
  double total = 0.0;
  for (std::size_t c = 0; c < m.class_sigma.size(); ++c) {
    const double weight = m.weights.empty() ? 1.0 : m.weights[c];
    sum += weight * m.class_sigma[c] * m.class_sigma[c];
    total += weight;
  }
  return sum / total;
}

std::vector<WeightGroup> weight_groups(const MixtureParameters& m) {
  const double classes = static_cast<double>(m.classes);
  if (m.weights.empty()) return {{1.0 / classes, classes}};
  std::vector<double> weights = m.weights;
  const double total = std::accumulate(weights.begin(), weights.end(), 0.0);
  std::sort(weights.begin(), weights.end(), std::greater<>());
  std::vector<WeightGroup> groups;
  for (std::size_t c = 0; c < weights.size(); ++c) {
    if (c > 0 && weights[c] == weights[c - 1]) {
      groups.back().count += 1.0;
    } else {
      groups.push_back({weights[c] / total, 1.0});
    }
  }
  return groups;
}

/// Largest eigenvalue of diag(p) - p p^T, the covariance of orthonormal centroids of weights p (descending
/// groups): the root of the secular equation sum_c p_c^2/(p_c - x) = 1 between the two largest weights, which
/// may coincide.
double largest_simplex_eigenvalue(const std::vector<WeightGroup>& groups) {
  if (groups.front().count > 1.0) return groups.front().weight;
  if (groups.size() == 1) return 0.0;
  if (groups.size() == 2 && groups[1].count == 1.0) return 2.0 * groups[0].weight * groups[1].weight;
  double low = groups[1].weight;
  double high = groups[0].weight;
  for (int k = 0; k < 200 && low < high; ++k) {
    const double x = 0.5 * (low + high);
    if (x <= low || x >= high) break;
    double sum = -1.0;
    for (const auto& g : groups) sum += g.count * g.weight * g.weight / (g.weight - x);
    (sum < 0.0 ? low : high) = x;
  }
  return 0.5 * (low + high);
}

/// Posterior of the class at the weighted centre, from |mu_c - m|^2 = const - 2 M w_c for equidistant
/// centroids.
std::vector<WeightGroup> posterior_at_centre(std::vector<WeightGroup> groups, double square_c) {
  const double largest = groups.front().weight;
  double total = 0.0;
  for (auto& g : groups) {
    g.weight *= std::exp(square_c * (g.weight - largest));
    total += g.count * g.weight;
  }
  for (auto& g : groups) g.weight /= total;
  return groups;
}

}  // namespace

double two_class_agreement(double c, double weight) {
  const double log_odds = std::log(weight / (1.0 - weight));
  const double drift = 2.0 * c * c;
  const double agreement =
      weight * mean_sigmoid(log_odds + drift, 2.0 * c) + (1.0 - weight) * mean_sigmoid(-log_odds + drift, 2.0 * c);
  return std::min(agreement, 1.0);
}

double two_class_information(double c, double weight) {
  const double log_odds = std::log(weight / (1.0 - weight));
  const double drift = 2.0 * c * c;
  return -weight * (std::log(weight) + mean_softplus(-log_odds - drift, 2.0 * c)) -
         (1.0 - weight) * (std::log1p(-weight) + mean_softplus(log_odds - drift, 2.0 * c));
}

Biroli2024::Biroli2024(const MixtureParameters& mixture)
    : mixture_(mixture),
      sigma_(common_sigma(mixture)),
      mean_square_sigma_(average_square_sigma(mixture)),
      groups_(weight_groups(mixture)) {
  const double classes = static_cast<double>(mixture.classes);
  const double square_norm = static_cast<double>(mixture.dimension) * mixture.separation * mixture.separation;
  switch (mixture.centroids) {
    case CentroidKind::opposite:
      square_distance_ = 2.0 * square_norm;
      break;
    case CentroidKind::simplex:
      square_distance_ = square_norm * classes / (classes - 1.0);
      break;
    default:
      square_distance_ = square_norm;
  }
  if (mixture.classes == 1) {
    law_ = Law::single;
  } else if (std::isnan(sigma_) || !orthogonal_enough(mixture)) {
    law_ = Law::none;
  } else if (mixture.centroids != CentroidKind::hierarchical) {
    law_ = Law::equidistant;
  } else if (groups_.size() == 1) {
    law_ = Law::hierarchical;
  }
}

double Biroli2024::square_c(double tau) const { return square_distance_ / (tau + sigma_ * sigma_); }

HierarchicalAverages Biroli2024::two_levels(double square_c) const {
  const double branch_c = std::sqrt((1.0 - mixture_.class_fraction) * square_c);
  const double leaf_c = std::sqrt(mixture_.class_fraction * square_c);
  return hierarchical_averages(branch_c, leaf_c, mixture_.branches[0], mixture_.branches[1]);
}

FieldAverages Biroli2024::averages(double square_c) const {
  switch (law_) {
    case Law::single:
      return {1.0, 0.0};
    case Law::hierarchical:
      return two_levels(square_c).leaf;
    case Law::equidistant:
      break;
    case Law::none:
      return {nan, nan};
  }
  if (mixture_.classes > 2) return equidistant_averages(std::sqrt(square_c), groups_);
  const double c = std::sqrt(0.5 * square_c);
  return {two_class_agreement(c, groups_.front().weight), two_class_information(c, groups_.front().weight)};
}

double Biroli2024::class_agreement(double tau) const { return averages(square_c(tau)).agreement; }

double Biroli2024::superclass_agreement(double tau) const {
  return law_ == Law::hierarchical ? two_levels(square_c(tau)).branch_agreement : nan;
}

double Biroli2024::class_information(double tau) const { return averages(square_c(tau)).information; }

double Biroli2024::speciation_time(const NoisingProcess& process) const {
  if (law_ != Law::equidistant && law_ != Law::hierarchical) return nan;
  double lowest = 0.0;
  for (const auto& g : groups_) lowest += g.count * g.weight * g.weight;
  const double critical = critical_square_c([&](double square_c) { return averages(square_c).agreement; }, lowest);
  const double tau = square_distance_ / critical - sigma_ * sigma_;
  return time_at_positive(process, tau);
}

double Biroli2024::superclass_speciation_time(const NoisingProcess& process) const {
  if (law_ != Law::hierarchical || mixture_.branches[0] < 2) return nan;
  const double critical = critical_square_c([&](double square_c) { return two_levels(square_c).branch_agreement; },
                                            1.0 / static_cast<double>(mixture_.branches[0]));
  const double tau = square_distance_ / critical - sigma_ * sigma_;
  return time_at_positive(process, tau);
}

double Biroli2024::random_centroid_eigenvalue(bool asymptotic) const {
  if (groups_.size() > 1 && mixture_.classes > 2) return nan;
  const double classes = static_cast<double>(mixture_.classes);
  const double dimension = static_cast<double>(mixture_.dimension);
  const double entry = mixture_.separation * mixture_.separation / classes;
  if (asymptotic) {
    const double edge = std::sqrt(dimension) + std::sqrt(classes);
    return entry * edge * edge;
  }
  if (mixture_.classes == 2) return square_distance_ * largest_simplex_eigenvalue(groups_);
  if (mixture_.dimension == 1) return entry * (classes - 1.0);
  // Johnstone (2001): centring and scaling of the largest eigenvalue of a Wishart matrix.
  const double rows = std::sqrt(dimension - 1.0);
  const double columns = std::sqrt(classes - 1.0);
  const double scale = (rows + columns) * std::cbrt(1.0 / rows + 1.0 / columns);
  return entry * ((rows + columns) * (rows + columns) + tracy_widom_mean * scale);
}

double Biroli2024::centroid_eigenvalue() const {
  if (mixture_.classes == 1) return 0.0;
  if (mixture_.centroids == CentroidKind::random) return random_centroid_eigenvalue(false);
  if (mixture_.centroids != CentroidKind::hierarchical) {
    return square_distance_ * largest_simplex_eigenvalue(groups_);
  }
  if (groups_.size() > 1) return nan;
  const double own = mixture_.class_fraction;
  const double branch = (1.0 - own) * static_cast<double>(mixture_.branches[1]);
  return square_distance_ / static_cast<double>(mixture_.classes) * (mixture_.branches[0] > 1 ? branch + own : own);
}

double Biroli2024::covariance_eigenvalue() const { return mean_square_sigma_ + centroid_eigenvalue(); }

double Biroli2024::speciation_time_spectral(const NoisingProcess& process) const {
  return time_at_positive(process, covariance_eigenvalue() - 1.0);
}

double Biroli2024::speciation_time_spectral_asymptotic(const NoisingProcess& process) const {
  if (mixture_.centroids != CentroidKind::random || mixture_.classes == 1) return speciation_time_spectral(process);
  return time_at_positive(process, mean_square_sigma_ + random_centroid_eigenvalue(true) - 1.0);
}

bool Biroli2024::centre_known() const {
  if (law_ == Law::hierarchical) return true;
  return law_ == Law::equidistant && (mixture_.centroids != CentroidKind::random || mixture_.classes == 2);
}

double Biroli2024::centre_variance(double tau) const {
  if (law_ == Law::hierarchical || groups_.size() == 1) return centroid_eigenvalue();
  auto posterior = posterior_at_centre(groups_, square_c(tau));
  return square_distance_ * largest_simplex_eigenvalue(posterior);
}

double Biroli2024::drift_instability_time(const NoisingProcess& process) const {
  if (!centre_known()) return nan;
  const auto lambda = [&](double tau) { return centre_variance(tau); };
  return time_at_positive(process, drift_instability(lambda, square_distance_, sigma_));
}

double Biroli2024::curvature_instability_time(const NoisingProcess& process) const {
  if (!centre_known()) return nan;
  const auto lambda = [&](double tau) { return centre_variance(tau); };
  return time_at_positive(process, curvature_instability(lambda, square_distance_, sigma_));
}

double Biroli2024::effective_dimension(double tau) const {
  const double within = sigma_ * sigma_;
  return static_cast<double>(mixture_.dimension) * within / (within + tau);
}

double Biroli2024::collapse_tau(double log_samples) const {
  if (law_ == Law::none || !(log_samples > 0.0) || !(sigma_ > 0.0)) return nan;
  const double within = sigma_ * sigma_;
  const double dimension = static_cast<double>(mixture_.dimension);
  const double one_class = within / std::expm1(2.0 * log_samples / dimension);
  if (law_ == Law::single || one_class == 0.0) return one_class;
  const auto excess = [&](double log_tau) {
    const double tau = std::exp(log_tau);
    return 0.5 * dimension * std::log1p(within / tau) + class_information(tau) - log_samples;
  };
  return std::exp(expanding_root(excess, std::log(one_class), false));
}

double Biroli2024::collapse_time(double log_samples, const NoisingProcess& process) const {
  return process.time_at(collapse_tau(log_samples));
}

double Biroli2024::collapse_time_asymptotic(double log_samples, const NoisingProcess& process) const {
  if (std::isnan(sigma_) || !(log_samples > 0.0) || !(sigma_ > 0.0)) return nan;
  const double alpha = log_samples / static_cast<double>(mixture_.dimension);
  return process.time_at(sigma_ * sigma_ / std::expm1(2.0 * alpha));
}

double Biroli2024::collapse_time_shift(double log_samples, const NoisingProcess& process) const {
  const double tau = collapse_tau(log_samples);
  return process.time_at(tau * std::exp(collapse_shift_of_log_tau(effective_dimension(tau)))) - process.time_at(tau);
}

double Biroli2024::collapse_time_tolerance(double log_samples, const NoisingProcess& process) const {
  const double tau = collapse_tau(log_samples);
  return shifted_collapse_tolerance(process, tau, std::exp(log_samples), effective_dimension(tau));
}

double Biroli2024::collapse_window(double log_samples) const {
  return 2.0 / std::sqrt(effective_dimension(collapse_tau(log_samples)));
}

double Biroli2024::log_odds(double log_samples, double tau) const {
  const double log_others = log_samples + std::log(-std::expm1(-log_samples));
  return log_others - 0.5 * static_cast<double>(mixture_.dimension) * std::log1p(sigma_ * sigma_ / tau) -
         class_information(tau);
}

double Biroli2024::participation(double log_samples, double tau) const {
  if (law_ == Law::none || !(log_samples >= 0.0)) return nan;
  if (log_samples == 0.0) return 1.0;
  return mean_sigmoid(-log_odds(log_samples, tau), std::sqrt(effective_dimension(tau)));
}

double Biroli2024::weight_entropy(double log_samples, double tau) const {
  if (law_ == Law::none || !(log_samples > 0.0)) return nan;
  return mean_softplus(log_odds(log_samples, tau), std::sqrt(effective_dimension(tau))) / log_samples;
}

std::string Biroli2024::source(std::string_view prediction) const {
  const std::string paper = "Biroli, Bonnaire, de Bortoli, Mezard 2024 (arXiv:2402.18491)";
  const std::string derived = "diffphase derivation";
  const bool random = mixture_.centroids == CentroidKind::random && mixture_.classes > 1;
  const std::string note = random ? "; random centroids taken as orthogonal of norm separation sqrt(d)" : "";
  const bool two = mixture_.classes == 2;
  if (prediction == "class_agreement") {
    return two ? paper + ", cloning probability of the two-Gaussian mixture, reduced by " + derived +
                     " to phi(c), c = a |mu_1 - mu_2| / (2 sqrt(b^2 + a^2 sigma^2))" + note
               : derived + ": phi = int dv A(v) B(v)^(K-1) over Gaussian fields" + note;
  }
  if (prediction == "superclass_agreement" || prediction == "superclass_speciation_time") {
    return derived + ": nested integral over Gaussian fields of branches and leaves";
  }
  if (prediction == "class_information") return derived + ": E log(p_parent/w_parent)" + note;
  if (prediction == "speciation_time") {
    return paper + ", agreement threshold of two equal classes; " + derived + ": the same level of the rescaled phi" +
           note;
  }
  if (prediction == "covariance_eigenvalue" || prediction == "speciation_time_spectral" ||
      prediction == "speciation_time_spectral_asymptotic") {
    std::string text = paper + ", speciation criterion Lambda e^(-2 t_S) = 1, Lambda of the mixture in closed form";
    if (!random) return text;
    if (prediction == "speciation_time_spectral_asymptotic") return text + " (Marchenko-Pastur edge)";
    return text + (two ? " at the mean distance" : " (mean of the Tracy-Widom law, Johnstone 2001)");
  }
  if (prediction == "drift_instability_time") {
    return paper + ", V''(0) = 0; " + derived + " for any weights, sigma and centroids: det(I + 2 J) = 0 at the centre";
  }
  if (prediction == "curvature_instability_time") return derived + ": det J = 0 at the weighted centre (c = 1)";
  if (prediction == "collapse_time") {
    return paper + ", collapse criterion f(t_C) = 0; " + derived +
           ": log n = (d/2) log(1 + sigma^2/tau) + I(class; x_t)" + note;
  }
  if (prediction == "collapse_time_asymptotic") {
    return paper + ", t_C of a Gaussian, tau_C = sigma^2/(n^(2/d) - 1)";
  }
  if (prediction == "collapse_time_shift") return "empirical fit over n <= 20000: 1.15/d_eff on log tau, good to 25 %";
  if (prediction == "participation" || prediction == "weight_entropy") {
    return derived +
           ": annealed, log partition function ratio normal with variance d_eff; good to 0.05 to 0.15 "
           "inside the collapse window" +
           note;
  }
  return derived + note;
}

}  // namespace diffphase
