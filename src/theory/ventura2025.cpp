#include "theory/ventura2025.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

namespace diffphase {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

/// The tau > 0 at which two splittings are equally high: at most two, of (a - b)(tau + c)(tau + d) = (c - d)(tau +
/// a)(tau + b).
std::vector<double> crossings(const ScoreSplitting& f, const ScoreSplitting& g) {
  const double df = f.above() - f.below();
  const double dg = g.above() - g.below();
  const double square = df - dg;
  const double linear = df * (g.above() + g.below()) - dg * (f.above() + f.below());
  const double constant = df * g.above() * g.below() - dg * f.above() * f.below();
  const double discriminant = linear * linear - 4.0 * square * constant;
  if (discriminant < 0.0) return {};
  const double q = -0.5 * (linear + std::copysign(std::sqrt(discriminant), linear));
  std::vector<double> roots;
  for (const double root : {q / square, constant / q}) {
    if (root > 0.0 && std::isfinite(root)) roots.push_back(root);
  }
  return roots;
}

}  // namespace

ScoreSplitting::ScoreSplitting(double above, double below) : above_(above), below_(below) {
  if (!(below >= 0.0 && above >= below) || std::isinf(above)) {
    throw std::invalid_argument("a splitting needs finite variances above >= below >= 0");
  }
}

double ScoreSplitting::height(double tau) const {
  if (tau == 0.0) return below_ == 0.0 && above_ > 0.0 ? 1.0 : 0.0;
  return tau / (tau + below_) * ((above_ - below_) / (tau + above_));
}

double ScoreSplitting::peak_tau() const { return std::sqrt(above_) * std::sqrt(below_); }

double ScoreSplitting::peak_height() const {
  if (below_ == 0.0) return above_ > 0.0 ? 1.0 : 0.0;
  const double sum = std::sqrt(above_) + std::sqrt(below_);
  return (above_ - below_) / (sum * sum);
}

// With h the peak, D the threshold and s = sqrt a + sqrt b the two tau solve tau^2 - B tau + a b = 0, B -+ 2 sqrt(a b)
// = s^2 (h/D - 1), s^2 (h/D - h^2).
double ScoreSplitting::opening_tau(double threshold) const {
  const double peak = peak_height();
  if (!(threshold > 0.0 && threshold <= peak)) return nan;
  const double sum = std::sqrt(above_) + std::sqrt(below_);
  const double ratio = peak / threshold;
  const double low = sum * sum * (ratio - 1.0);
  const double high = sum * sum * (ratio - peak * peak);
  return 0.25 * (low + high) + 0.5 * std::sqrt(low) * std::sqrt(high);
}

double ScoreSplitting::closing_tau(double threshold) const {
  const double opening = opening_tau(threshold);
  return below_ == 0.0 && opening >= 0.0 ? 0.0 : above_ * (below_ / opening);
}

Ventura2025::Ventura2025(std::vector<SpectralBulk> bulks, std::int64_t dimension, double threshold,
                         double ambient_variance)
    : threshold_(threshold) {
  if (!(threshold > 0.0 && threshold < 1.0)) throw std::invalid_argument("a threshold of gaps is between 0 and 1");
  if (!(ambient_variance >= 0.0) || std::isinf(ambient_variance)) {
    throw std::invalid_argument("an ambient variance is finite and not negative");
  }
  std::int64_t tangent = 0;
  for (std::size_t k = bulks.size(); k-- > 0;) {
    SpectralBulk& bulk = bulks[k];
    bulk.lower += ambient_variance;
    bulk.upper += ambient_variance;
    widths_.emplace_back(bulk.upper, bulk.lower);
    if (k + 1 < bulks.size()) intermediate_.emplace_back(bulks[k + 1].lower, bulk.upper);
    tangent += bulk.count;
    tangent_counts_.push_back(tangent);
  }
  if (dimension < std::max<std::int64_t>(1, tangent)) throw std::invalid_argument("more eigenvalues than dimensions");
  if (bulks.empty()) return;
  const double lowest = tangent < dimension ? ambient_variance : bulks.front().lower;
  spread_.emplace(bulks.back().upper, lowest);
  if (tangent < dimension) final_.emplace(bulks.front().lower, ambient_variance);
}

GapTimes Ventura2025::times(const ScoreSplitting& gap, const NoisingProcess& process) const {
  return {.opening = process.time_at(gap.opening_tau(threshold_)),
          .peak = process.time_at(gap.peak_tau()),
          .peak_height = gap.peak_height(),
          .closing = process.time_at(gap.closing_tau(threshold_))};
}

double Ventura2025::coverage_tau() const { return spread_ ? spread_->opening_tau(threshold_) : nan; }

// The largest tau at which all conditions hold is where one of them begins to: at the opening of the final gap or
// where it is as high as another.
double Ventura2025::consolidation_tau() const {
  if (!final_) return nan;
  const double opening = final_->opening_tau(threshold_);
  const double closing = final_->closing_tau(threshold_);
  if (std::isnan(opening)) return nan;
  std::vector<double> candidates{opening};
  for (const ScoreSplitting& gap : intermediate_) {
    for (const double tau : crossings(*final_, gap)) {
      if (tau >= closing && tau <= opening) candidates.push_back(tau);
    }
  }
  std::sort(candidates.begin(), candidates.end(), std::greater<>());
  for (const double tau : candidates) {
    const double height = final_->height(tau) * (1.0 + 1e-10);
    const auto lower = [&](const ScoreSplitting& gap) { return gap.height(tau) <= height; };
    if (std::all_of(intermediate_.begin(), intermediate_.end(), lower)) return tau;
  }
  return nan;
}

double Ventura2025::coverage_time(const NoisingProcess& process) const { return process.time_at(coverage_tau()); }

double Ventura2025::consolidation_time(const NoisingProcess& process) const {
  return process.time_at(consolidation_tau());
}

GeometricPhase Ventura2025::phase(double tau) const {
  constexpr double rounding = 1e-10;  // relative: the phases include their boundaries
  if (final_) {
    const double height = final_->height(tau) * (1.0 + rounding);
    const auto lower = [&](const ScoreSplitting& gap) { return gap.height(tau) <= height; };
    if (height >= threshold_ && std::ranges::all_of(intermediate_, lower)) return GeometricPhase::consolidation;
  }
  const bool spread = spread_ && spread_->height(tau) * (1.0 + rounding) >= threshold_;
  return spread ? GeometricPhase::coverage : GeometricPhase::trivial;
}

std::int64_t Ventura2025::largest_gap_dimension(double tau) const {
  double highest = threshold_;
  std::int64_t dimension = 0;
  const auto compare = [&](const ScoreSplitting& gap, std::int64_t tangent) {
    if (gap.height(tau) < highest) return;
    highest = gap.height(tau);
    dimension = tangent;
  };
  for (std::size_t k = 0; k < intermediate_.size(); ++k) compare(intermediate_[k], tangent_counts_[k]);
  if (final_) compare(*final_, tangent_counts_.back());
  return dimension;
}

std::string Ventura2025::source(std::string_view prediction) {
  if (prediction == "times" || prediction == "final_gap" || prediction == "intermediate_gaps") {
    return "Ventura et al. 2025 (arXiv:2410.05898), spectral gaps of the linear manifold model; edges by free "
           "convolution, diffphase derivation";
  }
  if (prediction == "coverage_tau" || prediction == "coverage_time" || prediction == "consolidation_tau" ||
      prediction == "consolidation_time" || prediction == "phase") {
    return "Ventura et al. 2025 (arXiv:2410.05898), geometric phases; boundaries at a resolution, diffphase "
           "definition";
  }
  return "Ventura et al. 2025 (arXiv:2410.05898), diffphase derivation";
}

double score_spectrum_density(std::int64_t dimension, std::span<const FactorBlock> blocks, double scale, double tau,
                              double r) {
  if (!(r > 0.0 && r < 1.0)) return 0.0;
  return gaussian_factor_density(dimension, blocks, scale, tau * (1.0 - r) / r) * tau / (r * r);
}

}  // namespace diffphase
