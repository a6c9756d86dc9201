#include "theory/gaussian_field_averages.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <vector>

namespace diffphase {
namespace {

constexpr double tail = 8.6;  ///< Gaussian tails beyond this many deviations are below 1e-17

double normal_density(double z) { return std::exp(-0.5 * z * z) * std::numbers::inv_sqrtpi / std::numbers::sqrt2; }
double normal_cdf(double z) { return 0.5 * std::erfc(-z / std::numbers::sqrt2); }
double sigmoid(double x) { return x >= 0.0 ? 1.0 / (1.0 + std::exp(-x)) : std::exp(x) / (1.0 + std::exp(x)); }
double softplus(double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))); }

/// E f(m + s g) for f analytic within pi of the real axis: trapezoidal rule in g, for s <= 1.
template <typename Function>
double narrow_mean(double mean, double deviation, Function f) {
  constexpr double step = 0.4;
  double sum = 0.0;
  for (int k = -22; k <= 22; ++k) sum += normal_density(k * step) * f(mean + deviation * k * step);
  return step * sum;
}

/// int dy f(y) / (4 cosh^2(y/2)), trapezoidal rule: averages over a logistic variable.
template <typename Function>
double logistic_mean(Function f) {
  constexpr double step = 0.45;
  double sum = 0.0;
  for (int k = -90; k <= 90; ++k) {
    const double e = std::exp(-std::abs(k * step));
    sum += e / ((1.0 + e) * (1.0 + e)) * f(k * step);
  }
  return step * sum;
}

/// Weights of E f(v + m + c g) = sum_k weight_k f(v + (first + k) step) for functions sampled on a uniform
/// grid.
struct Kernel {
  std::ptrdiff_t first = 0;
  std::vector<double> weights;
};

/// The sampled kernel is exponentially accurate from this many grid steps per deviation on.
constexpr double least_steps = 1.35;

/// The Gaussian sampled on the grid. The range includes the Gaussian tilted by e^v, because averages of
/// functions that grow like e^v need it.
Kernel sampled_kernel(double mean, double c, double step) {
  Kernel kernel;
  kernel.first = static_cast<std::ptrdiff_t>(std::floor((mean - tail * c) / step));
  const auto last = static_cast<std::ptrdiff_t>(std::ceil((mean + c * c + tail * c) / step));
  for (std::ptrdiff_t k = kernel.first; k <= last; ++k) {
    kernel.weights.push_back(step / c * normal_density((static_cast<double>(k) * step - mean) / c));
  }
  return kernel;
}

/// For narrower Gaussians: the average of Lagrange's interpolation through the 17 nearest nodes.
Kernel interpolated_kernel(double mean, double c, double step) {
  constexpr int half = 8;
  constexpr double spacing = 0.4;
  const auto centre = static_cast<std::ptrdiff_t>(std::lround(mean / step));
  const double offset = mean / step - static_cast<double>(centre);
  Kernel kernel{centre - half, std::vector<double>(2 * half + 1, 0.0)};
  for (int q = -25; q <= 25; ++q) {
    const double x = offset + c / step * q * spacing;
    const double density = spacing * normal_density(q * spacing);
    for (int k = -half; k <= half; ++k) {
      double basis = density;
      for (int j = -half; j <= half; ++j) {
        if (j != k) basis *= (x - j) / (k - j);
      }
      kernel.weights[k + half] += basis;
    }
  }
  return kernel;
}

using Values = std::vector<double>;

/// Functions of v on a uniform grid, zero to the left of it and constant to the right.
class FieldGrid {
 public:
  /// c: total deviation of a logit; narrowest: of the Gaussians to average over; lightest, heaviest: class
  /// weights. The integrands fall like e^(v + 3 c^2/2) to the left, where the functions to average are needed
  /// down to log w below v, and like exp(-w e^(v - 8.6 c)) or faster to the right.
  FieldGrid(double c, double narrowest, double lightest, double heaviest)
      : step_(narrowest < least_steps * 0.25 ? 0.1 : 0.25), first_(-37.0 - 1.5 * c * c + std::log(lightest)) {
    const double last = 3.7 - std::log(heaviest) + tail * c;
    size_ = static_cast<std::size_t>(std::ceil((last - first_) / step_)) + 1;
  }

  [[nodiscard]] std::size_t size() const { return size_; }

  /// 1 - exp(-e^v): what one class takes from the transform.
  [[nodiscard]] Values loss() const {
    return tabulate([](double v) { return -std::expm1(-std::exp(v)); });
  }
  /// exp(v - e^v).
  [[nodiscard]] Values gumbel() const {
    return tabulate([](double v) { return std::exp(v - std::exp(v)); });
  }

  /// v -> E f(v + mean + c g); `right` is the value of f beyond the end of the grid.
  [[nodiscard]] Values average(const Values& f, double right, double mean, double c) const {
    const Kernel kernel =
        c < least_steps * step_ ? interpolated_kernel(mean, c, step_) : sampled_kernel(mean, c, step_);
    const auto n = static_cast<std::ptrdiff_t>(size_);
    Values out(size_, 0.0);
    for (std::size_t k = 0; k < kernel.weights.size(); ++k) {
      const double weight = kernel.weights[k];
      const std::ptrdiff_t shift = kernel.first + static_cast<std::ptrdiff_t>(k);
      const std::ptrdiff_t begin = std::clamp<std::ptrdiff_t>(-shift, 0, n);
      const std::ptrdiff_t end = std::clamp<std::ptrdiff_t>(n - shift, begin, n);
      for (std::ptrdiff_t i = begin; i < end; ++i) out[i] += weight * f[i + shift];
      if (right == 0.0) continue;
      for (std::ptrdiff_t i = end; i < n; ++i) out[i] += weight * right;
    }
    return out;
  }

  /// log(1 - q) for the average q of a loss that is 1 to the right of the grid; rounding is kept off q = 1.
  [[nodiscard]] Values log_survival(const Values& loss, double mean, double c) const {
    Values out = average(loss, 1.0, mean, c);
    for (double& q : out) q = std::log1p(-std::clamp(q, 0.0, 1.0 - 1.2e-16));
    return out;
  }

  template <typename Integrand>
  [[nodiscard]] double integrate(Integrand f) const {
    double sum = 0.0;
    for (std::size_t i = 0; i < size_; ++i) sum += f(i);
    return step_ * sum;
  }

 private:
  template <typename Function>
  [[nodiscard]] Values tabulate(Function f) const {
    Values out(size_);
    for (std::size_t i = 0; i < size_; ++i) out[i] = f(first_ + step_ * static_cast<double>(i));
    return out;
  }

  double step_;
  double first_;
  std::size_t size_ = 0;
};

/// Entropy of the prior, nats.
double entropy(std::span<const WeightGroup> groups) {
  double sum = 0.0;
  for (const auto& g : groups) sum -= g.count * g.weight * std::log(g.weight);
  return sum;
}

/// 1 - agreement <= sum_(i != j) sqrt(w_i w_j) e^(-c^2/4) <= classes e^(-c^2/4): nothing is left of it below
/// e^-40.
bool resolved(double c, double classes) { return 0.25 * c * c > 40.0 + std::log(classes); }

/// Averages over the fields of the classes of one weight.
struct GroupTables {
  Values other;           ///< log B
  Values parent;          ///< log A_0
  Values parent_density;  ///< A
};

/// Averages over the fields of the leaves and, given those, over the common field of each branch.
struct BranchTables {
  Values other;         ///< loss of a branch that does not hold the parent
  Values parent;        ///< loss of the branch that does
  Values leaf_weight;   ///< minus the derivative of its transform with respect to the parent's log weight
  Values total_weight;  ///< and with respect to the log weight of all of its leaves
};

BranchTables branch_tables(const FieldGrid& grid, const Values& loss, double c, double leaves, double log_weight) {
  const Values gumbel = grid.gumbel();
  const double lifted = log_weight + c * c;
  const Values sibling = grid.log_survival(loss, log_weight, c);
  const Values sibling_density = grid.average(gumbel, 0.0, log_weight, c);
  const Values parent = grid.log_survival(loss, lifted, c);
  const Values parent_density = grid.average(gumbel, 0.0, lifted, c);
  BranchTables t{Values(grid.size()), Values(grid.size()), Values(grid.size()), Values(grid.size())};
  for (std::size_t i = 0; i < grid.size(); ++i) {
    t.other[i] = -std::expm1(leaves * sibling[i]);
    t.parent[i] = -std::expm1(parent[i] + (leaves - 1.0) * sibling[i]);
    t.leaf_weight[i] = parent_density[i] * std::exp((leaves - 1.0) * sibling[i]);
    t.total_weight[i] = t.leaf_weight[i];
    if (leaves > 1.0) {
      t.total_weight[i] += (leaves - 1.0) * sibling_density[i] * std::exp(parent[i] + (leaves - 2.0) * sibling[i]);
    }
  }
  return t;
}

}  // namespace

double mean_sigmoid(double mean, double deviation) {
  if (deviation < 1.0) return narrow_mean(mean, deviation, sigmoid);
  // sigmoid(x) = P(Y < x) with Y logistic.
  return logistic_mean([&](double y) { return normal_cdf((mean - y) / deviation); });
}

double mean_softplus(double mean, double deviation) {
  if (deviation < 1.0) return narrow_mean(mean, deviation, softplus);
  // log(1 + e^x) = E max(x - Y, 0).
  return logistic_mean([&](double y) {
    const double z = (mean - y) / deviation;
    return deviation * (z * normal_cdf(z) + normal_density(z));
  });
}

FieldAverages equidistant_averages(double c, std::span<const WeightGroup> groups) {
  double classes = 0.0;
  double lightest = 1.0;
  double heaviest = 0.0;
  for (const auto& g : groups) {
    classes += g.count;
    lightest = std::min(lightest, g.weight);
    heaviest = std::max(heaviest, g.weight);
  }
  if (classes <= 1.0) return {1.0, 0.0};
  if (resolved(c, classes)) return {1.0, entropy(groups)};

  const FieldGrid grid(c, c, lightest, heaviest);
  const Values loss = grid.loss();
  const Values gumbel = grid.gumbel();
  std::vector<GroupTables> tables;
  Values all(grid.size(), 0.0);  // log of the product of B over all classes
  for (const auto& g : groups) {
    const double log_weight = std::log(g.weight);
    tables.push_back({grid.log_survival(loss, log_weight, c), grid.log_survival(loss, log_weight + c * c, c),
                      grid.average(gumbel, 0.0, log_weight + c * c, c)});
    for (std::size_t i = 0; i < all.size(); ++i) all[i] += g.count * tables.back().other[i];
  }

  FieldAverages result{0.0, c * c + grid.integrate([&](std::size_t i) { return loss[i]; })};
  for (std::size_t k = 0; k < groups.size(); ++k) {
    const double prior = groups[k].count * groups[k].weight;
    const GroupTables& t = tables[k];
    const auto log_others = [&](std::size_t i) { return all[i] - t.other[i]; };
    result.agreement +=
        prior * grid.integrate([&](std::size_t i) { return t.parent_density[i] * std::exp(log_others(i)); });
    result.information +=
        prior * grid.integrate([&](std::size_t i) { return std::expm1(t.parent[i] + log_others(i)); });
  }
  result.agreement = std::min(result.agreement, 1.0);
  return result;
}

HierarchicalAverages hierarchical_averages(double branch_c, double leaf_c, std::int64_t branches, std::int64_t leaves) {
  const double branch_count = static_cast<double>(branches);
  const double leaf_count = static_cast<double>(leaves);
  const double classes = branch_count * leaf_count;
  if (resolved(branch_c, classes)) {
    const WeightGroup group{1.0 / leaf_count, leaf_count};
    FieldAverages leaf = equidistant_averages(leaf_c, {&group, 1});
    leaf.information += std::log(branch_count);
    return {leaf, 1.0};
  }
  if (resolved(leaf_c, classes)) return {{1.0, std::log(classes)}, 1.0};

  const double c = std::hypot(branch_c, leaf_c);
  const FieldGrid grid(c, std::min(branch_c, leaf_c), 1.0 / classes, 1.0 / classes);
  const Values loss = grid.loss();
  const BranchTables branch = branch_tables(grid, loss, leaf_c, leaf_count, -std::log(classes));
  const double lift = branch_c * branch_c;
  const Values other = grid.log_survival(branch.other, 0.0, branch_c);
  const Values parent = grid.log_survival(branch.parent, lift, branch_c);
  const Values leaf_weight = grid.average(branch.leaf_weight, 0.0, lift, branch_c);
  const Values total_weight = grid.average(branch.total_weight, 0.0, lift, branch_c);

  const auto log_others = [&](std::size_t i) { return (branch_count - 1.0) * other[i]; };
  const auto share = [&](const Values& weight) {
    return std::min(1.0, grid.integrate([&](std::size_t i) { return weight[i] * std::exp(log_others(i)); }));
  };
  const double information =
      c * c + grid.integrate([&](std::size_t i) { return loss[i] + std::expm1(parent[i] + log_others(i)); });
  return {{share(leaf_weight), information}, share(total_weight)};
}

}  // namespace diffphase
