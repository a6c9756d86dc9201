#include "theory/random_energy_model.hpp"

#include <algorithm>
#include <boost/math/tools/toms748_solve.hpp>
#include <cmath>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <utility>

namespace diffphase {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr double negligible = 40.0;  // logarithm of what is left out
constexpr double many_points = 8.0;  // logarithm of more points than can all be missing
constexpr double fewest_fields = 300.0;
constexpr double field_step = 0.4;
constexpr double fineness = 1.0 / 6.0;
constexpr double most_nodes = 1e5;
constexpr double most_terms = 4e7;

/// f at the saddle point and its derivatives by z.
struct Tilted {
  double value = 0.0;
  double first = 0.0;
  double second = 0.0;
};

/// The law of E under the tilt e^(-z E), z > -1/max s.
class TiltedEnergies {
 public:
  TiltedEnergies(const std::vector<VarianceBlock>& blocks, std::optional<std::size_t> along, double square)
      : blocks_(blocks), length_(along ? std::sqrt(square) : 0.0), displaced_(along ? blocks[*along].variance : 0.0) {
    for (const VarianceBlock& b : blocks) largest_ = std::max(largest_, b.variance);
  }

  /// z = e^t - 1/max s.
  [[nodiscard]] double tilt(double t) const { return std::exp(t) - 1.0 / largest_; }
  [[nodiscard]] double coordinate(double z) const { return std::log(z + 1.0 / largest_); }

  struct Cumulants {
    double log_average = 0.0;  ///< Phi
    double mean = 0.0;         ///< of E
    double variance = 0.0;
    double third = 0.0;  ///< derivatives of Phi
    double fourth = 0.0;
  };

  [[nodiscard]] Cumulants cumulants(double z) const {
    Cumulants c;
    for (const VarianceBlock& b : blocks_) {
      const auto count = static_cast<double>(b.count);
      const double r = b.variance / (1.0 + z * b.variance);
      c.log_average -= 0.5 * count * std::log1p(z * b.variance);
      c.mean += 0.5 * count * r;
      c.variance += 0.5 * count * r * r;
      c.third -= count * r * r * r;
      c.fourth += 3.0 * count * r * r * r * r;
    }
    const double s = displaced_;
    const double q = 1.0 + z * s;
    const double square = length_ * length_;
    c.log_average += 0.5 * square * z * z * s / q;
    c.mean -= 0.5 * square * s * z * (1.0 + q) / (q * q);
    c.variance += square * s / (q * q * q);
    c.third -= 3.0 * square * s * s / (q * q * q * q);
    c.fourth += 12.0 * square * s * s * s / (q * q * q * q * q);
    return c;
  }

  /// Phi + z E <= 0: the logarithm of the share of points with such energies.
  [[nodiscard]] double log_share(double z) const {
    const Cumulants c = cumulants(z);
    return c.log_average + z * c.mean;
  }

  [[nodiscard]] Tilted variance_of(const VarianceBlock& b, double z) const {
    const double r = b.variance / (1.0 + z * b.variance);
    return {.value = r, .first = -r * r, .second = 2.0 * r * r * r};
  }

  /// Mean along x.
  [[nodiscard]] Tilted shift(double z) const {
    const double q = 1.0 + z * displaced_;
    return {.value = length_ * z * displaced_ / q,
            .first = length_ * displaced_ / (q * q),
            .second = -2.0 * length_ * displaced_ * displaced_ / (q * q * q)};
  }

 private:
  const std::vector<VarianceBlock>& blocks_;
  double length_;
  double displaced_;
  double largest_ = 0.0;
};

/// The mean given the energy from that of the tilted law.
double given_energy(const Tilted& f, const TiltedEnergies::Cumulants& c) {
  return f.value - 0.5 * f.second / c.variance + 0.5 * f.first * c.third / (c.variance * c.variance);
}

Tilted square(const Tilted& f) {
  return {.value = f.value * f.value,
          .first = 2.0 * f.value * f.first,
          .second = 2.0 * (f.first * f.first + f.value * f.second)};
}

/// Root of a falling function, from t0 on in steps away from it.
template <typename Function>
double falling_root(const Function& f, double t0) {
  double near = t0;
  double f_near = f(near);
  const double direction = f_near > 0.0 ? 1.0 : -1.0;
  double step = 0.5;
  for (int tried = 0; tried < 25; ++tried, step *= 1.5) {
    const double far = near + direction * step;
    const double f_far = f(far);
    if ((f_far > 0.0) != (f_near > 0.0)) {
      std::uintmax_t iterations = 100;
      const bool up = direction > 0.0;
      const auto bracket = boost::math::tools::toms748_solve(f, up ? near : far, up ? far : near, up ? f_near : f_far,
                                                             up ? f_far : f_near,
                                                             boost::math::tools::eps_tolerance<double>(30), iterations);
      return 0.5 * (bracket.first + bracket.second);
    }
    near = far;
    f_near = f_far;
  }
  return near;
}

/// Whether all energies count, and not only the lowest ones.
bool few_points(double log_samples) { return log_samples < 6.0; }

/// One node of the integral over energies: log(n p(E) dE) and the means given E.
struct EnergyNode {
  double energy_by_tau = 0.0;
  double log_weight = 0.0;
  double shift = 0.0;
  double square_shift = 0.0;
  std::vector<double> variances{};
};

std::vector<EnergyNode> energy_nodes(const std::vector<VarianceBlock>& blocks, const TiltedEnergies& law,
                                     double log_samples, double tau) {
  // The logarithm of the number of points below an energy of less than average.
  const auto log_count = [&](double t) {
    const double z = law.tilt(t);
    return log_samples + (z > 0.0 ? law.log_share(z) : 0.0);
  };
  const double saddle = law.coordinate(1.0 / tau);
  const double frozen = falling_root(log_count, saddle);
  // From energies of no weight, and of more points than matter, to energies that none has in any of many sets.
  const double last = falling_root([&](double t) { return negligible + log_count(t); }, frozen);
  const auto log_weight = [&](double t) {
    const double z = law.tilt(t);
    const TiltedEnergies::Cumulants c = law.cumulants(z);
    return c.log_average + (z - 1.0 / tau) * c.mean;
  };
  const double heaviest = std::min(frozen, saddle);
  const double enough = log_weight(heaviest) - negligible;
  const double weightless =
      falling_root([&](double t) { return enough - log_weight(std::min(t, heaviest)); }, heaviest);
  double crowded = law.coordinate(0.0);  // half of the points
  if (few_points(log_samples)) {
    const auto most = [&](double t) {
      const double z = law.tilt(t);
      return -negligible - (z < 0.0 ? law.log_share(z) : 0.0);
    };
    crowded = falling_root(most, crowded);
  } else if (log_samples > 2.0 + many_points) {
    crowded = falling_root([&](double t) { return log_count(t) - many_points; }, frozen);
  }
  const double first = std::min(weightless, crowded);

  std::vector<EnergyNode> nodes;
  const double span = law.cumulants(law.tilt(first)).mean - law.cumulants(law.tilt(last)).mean;
  if (!(first < last) || !(span < most_nodes * fineness * tau)) return nodes;
  double previous_step = 0.0;
  for (double t = first; t < last;) {
    const double z = law.tilt(t);
    const TiltedEnergies::Cumulants c = law.cumulants(z);
    const double deviation = std::sqrt(c.variance);
    const double energy_slope = c.variance * std::exp(t);  // -dE/dt
    const double step = fineness * std::min(0.5, std::min(tau, deviation) / energy_slope);
    const double correction = c.fourth / (8.0 * c.variance * c.variance) -
                              5.0 * c.third * c.third / (24.0 * c.variance * c.variance * c.variance);
    EnergyNode node;
    node.energy_by_tau = c.mean / tau;
    node.log_weight = log_samples + c.log_average + z * c.mean + correction +
                      std::log(energy_slope * 0.5 * (step + previous_step) / (std::sqrt(2.0 * M_PI) * deviation));
    const Tilted shift = law.shift(z);
    node.shift = given_energy(shift, c);
    node.square_shift = given_energy(square(shift), c);
    for (const VarianceBlock& b : blocks) node.variances.push_back(given_energy(law.variance_of(b, z), c));
    nodes.push_back(std::move(node));
    previous_step = step;
    t += step;
  }
  if (few_points(log_samples)) {
    double total = 0.0;
    for (const EnergyNode& node : nodes) total += std::exp(node.log_weight - log_samples);
    for (EnergyNode& node : nodes) node.log_weight -= std::log(total);
  }
  return nodes;
}

/// n E[1 - exp(-e^a)].
double expected_above(const std::vector<EnergyNode>& nodes, double v) {
  double sum = 0.0;
  for (const EnergyNode& node : nodes) {
    const double a = v - node.energy_by_tau;
    const double log_term = a < -30.0 ? a : a > 4.0 ? 0.0 : std::log(-std::expm1(-std::exp(a)));
    sum += std::exp(std::min(node.log_weight + log_term, 600.0));
  }
  return sum;
}

/// (n - 1) log psi, `above` being n (1 - psi).
double log_none_above(const std::vector<EnergyNode>& nodes, double v, double above, double log_samples) {
  if (log_samples > 25.0) return -above;
  const double others = std::expm1(log_samples);
  const double share = above * std::exp(-log_samples);
  if (share < 0.5) return others * std::log1p(-share);
  double below = 0.0;
  for (const EnergyNode& node : nodes) {
    below += std::exp(node.log_weight - log_samples - std::exp(std::min(v - node.energy_by_tau, 7.0)));
  }
  return others * std::log(below);
}

}  // namespace

FixedPointWeights fixed_point_weights(const std::vector<VarianceBlock>& blocks, double log_samples, double tau,
                                      std::optional<std::size_t> along, double square_length) {
  double largest = 0.0;
  bool valid = log_samples > 0.0 && tau > 0.0 && std::isfinite(log_samples + tau) && square_length >= 0.0 &&
               std::isfinite(square_length) && (!along || *along < blocks.size());
  for (const VarianceBlock& b : blocks) {
    valid = valid && b.count >= 1 && b.variance >= 0.0 && std::isfinite(b.variance);
    largest = std::max(largest, b.variance);
  }
  if (!valid || !(largest > 0.0)) {
    throw std::invalid_argument(
        "weights at a fixed point need counts >= 1, a positive variance, and positive log n and tau");
  }
  const TiltedEnergies law(blocks, along, square_length);
  const std::vector<EnergyNode> nodes = energy_nodes(blocks, law, log_samples, tau);
  FixedPointWeights none{.participation = nan, .covariance = std::vector<double>(blocks.size(), nan)};
  if (nodes.empty()) return none;
  const double others = -std::expm1(-log_samples);  // (n - 1)/n
  const auto log_above = [&](double v) { return std::log(expected_above(nodes, v)); };
  const double lowest = nodes.back().energy_by_tau;
  const double low = falling_root([&](double v) { return -negligible - log_above(v); }, lowest);
  const double high = few_points(log_samples)
                          ? nodes.front().energy_by_tau + 4.0
                          : falling_root([&](double v) { return std::log(negligible) - log_above(v); }, lowest);
  const double fields =
      few_points(log_samples) ? std::max(fewest_fields, std::ceil((high - low) / field_step)) : fewest_fields;
  if (!(fields * static_cast<double>(nodes.size()) < most_terms)) return none;
  const double step = (high - low) / fields;

  double total = 0.0;
  double participation = 0.0;
  std::vector<double> once(blocks.size(), 0.0);
  std::vector<double> twice(blocks.size(), 0.0);
  double along_once = 0.0;
  double along_twice = 0.0;
  double along_pairs = 0.0;
  for (std::int64_t i = 0; i <= static_cast<std::int64_t>(fields); ++i) {
    const double v = low + static_cast<double>(i) * step;
    const double above = expected_above(nodes, v);
    const double log_below = log_none_above(nodes, v, above, log_samples);
    if (log_below < -negligible) break;
    const double empty = std::exp(log_below);
    double shift = 0.0;
    for (const EnergyNode& node : nodes) {
      const double a = v - node.energy_by_tau;
      if (a > 6.0 || node.log_weight + a < -100.0) continue;
      const double single = std::exp(node.log_weight + a - std::exp(a));
      const double pair = single * std::exp(a);
      total += empty * single;
      participation += empty * pair;
      shift += single * node.shift;
      along_once += empty * single * node.square_shift;
      along_twice += empty * pair * node.square_shift;
      for (std::size_t k = 0; k < blocks.size(); ++k) {
        once[k] += empty * single * node.variances[k];
        twice[k] += empty * pair * node.variances[k];
      }
    }
    along_pairs += others * empty * shift * shift;
  }
  FixedPointWeights result;
  result.participation = participation / total;
  for (std::size_t k = 0; k < blocks.size(); ++k) result.covariance.push_back((once[k] - twice[k]) / total);
  if (along) {
    result.covariance[*along] +=
        (along_once - along_twice - along_pairs) / total / static_cast<double>(blocks[*along].count);
  }
  return result;
}

}  // namespace diffphase
